"""A folder of class folders, looked through: one row per file found, readable or not, with the reason."""

import hashlib
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import scipy
from tqdm.auto import tqdm

from exmus_lib import sheets
from exmus_lib.labels import Labels, nearest
from exmus_lib.videos import container, faults, guard, limits
from exmus_lib.videos.faults import VideoError

FORMATS = ".mp4 .mov .m4v .avi .mkv .webm .mpg .mpeg .wmv .flv .3gp .3g2 .ts .mts .m2ts .ogv .asf .divx .gif"
LONGEST = 100  # letters of a video_id, for file names that begin with it
COLUMNS = "video_id group path folder exercise seconds fps width height rotation codec sha256 status".split()


def scan(folder: Path, labels: Labels, progress: bool = True) -> pd.DataFrame:
    """One row per file below the class folders, sorted by path; `status` is "ok" or why the file cannot be used.

    Videos beside the class folders are listed too, and so are folders that cannot be read; hidden files are not. `path` is
    relative to `folder` (see on_disk). Width and height are as stored; `rotation` says by how many degrees clockwise to turn.
    `group` is that of MANIFEST.csv (path, group), else the video itself; files with the same content share one. Each file is read
    in a guarded process. Raises ValueError if there is no class folder.
    """
    paths, closed = _walk(folder)
    if not closed and not any("/" in path for path in paths):
        raise ValueError(
            f"{folder} holds no class folder with files; it holds {_contents(folder)}. Expected is one per exercise,"
            f' as in "{folder.name}/Squat/1.mp4", named as one of {", ".join(labels.exercises)}; for exercises of your own'
            " 01_data_prep.ipynb leaves an exercises.csv there to fill in."
        )
    rows = {path: _row(path, labels) for path in paths}
    rows |= {
        path: {**_row(f"{path}/", labels), "path": _shown(path), "status": reason} for path, reason in closed.items()
    }
    files = [path for path in paths if is_video(path)]
    look = guard.each(container.looked_at, [(folder / path,) for path in files])
    with closing(look), tqdm(desc="scan", total=len(paths), unit="file", disable=not progress) as bar:
        bar.update(len(paths) - len(files))
        for number, result in look:
            rows[files[number]] |= _facts(rows[files[number]]["status"], result)
            bar.update()
    videos = pd.DataFrame([rows[path] for path in sorted(rows)])
    videos["video_id"] = _identifiers(videos["path"])
    videos["group"] = _groups(folder, videos)
    return videos.reindex(columns=COLUMNS).astype({"width": "Int64", "height": "Int64", "rotation": "Int64"})


def find(folder: Path) -> list[str]:
    """Relative paths (with forward slashes, sorted) of the files that belong to the data set in `folder`."""
    return _walk(folder)[0]


def on_disk(folder: Path, path: str) -> Path:
    """The file that a `path` of the table means: names that are no UTF-8 stand there with their odd bytes as \\xe9."""
    if (folder / path).exists():
        return folder / path
    return folder / os.fsdecode(
        re.sub(rb"\\x([89a-f][0-9a-f])", lambda byte: bytes.fromhex(byte[1].decode()), path.encode())
    )


def _shown(path: str) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _walk(folder: Path) -> tuple[list[str], dict[str, str]]:
    """The files of a data set, sorted, and the folders that cannot be looked into, with the reason."""
    paths, closed = [], {}

    def unreadable(error: OSError) -> None:
        if Path(error.filename) != folder:
            closed[Path(error.filename).relative_to(folder).as_posix()] = faults.of_system(error)

    for above, below, names in os.walk(folder, onerror=unreadable, followlinks=True):
        inside = Path(above).relative_to(folder)
        for name in list(below):
            link = os.path.join(above, name)
            if name.startswith("."):
                below.remove(name)
            elif os.path.islink(link) and any(
                Path(os.path.realpath(folder / way)).is_relative_to(os.path.realpath(link))
                for way in (inside, *inside.parents)
            ):
                below.remove(name)
                closed[(inside / name).as_posix()] = "a link that leads in a circle"
        paths += [inside / name for name in names if not name.startswith(".") and (inside.parts or is_video(name))]
    return sorted(path.as_posix() for path in paths), closed


def class_folders(folder: Path) -> dict[str, int]:
    """The number of videos in each class folder, those without any among them."""
    videos = Counter(path.split("/")[0] for path in find(folder) if "/" in path and is_video(path))
    names = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    return {_shown(name): videos[name] for name in names}


def is_video(name: str) -> bool:
    """Whether a file is called as videos are."""
    return name.lower().endswith(tuple(FORMATS.split()))


def _row(path: str, labels: Labels) -> dict[str, object]:
    """What is known of a file by its path alone."""
    name, inside, _ = _shown(path).partition("/")
    row = {"path": _shown(path), "folder": name if inside else "", "exercise": None, "sha256": None}
    if not inside:
        status = "not inside a class folder"
    elif labels.unknown([name]):
        status = f'unknown class folder "{name}".{nearest(name, (*labels.folders, *labels.exercises))}'
    else:
        row["exercise"] = labels.exercise_of(name)
        status = "ok" if row["exercise"] else f'no exercise label for "{name}"'
    if not is_video(path):
        status = f"not a video file ({Path(row['path']).suffix or 'no suffix'})"
    return row | {"status": status}


def _facts(status: str, result: tuple[container.VideoInfo, str] | VideoError) -> dict[str, object]:
    """What a video adds to its row, having been looked at."""
    if isinstance(result, VideoError):
        return {"status": result.reason}
    facts, sha256 = result
    try:
        if status == "ok":
            limits.check_length("", facts.seconds)
    except VideoError as error:
        status = error.reason
    return asdict(facts) | {"sha256": sha256, "status": status}


def _identifiers(paths: pd.Series) -> list[str]:
    """Readable and unique: squat/squat_1.MOV -> squat_1; where two would be equal, or one is long, digits of the path's hash
    follow."""
    slugs = [_slug(path) for path in paths]
    twice = Counter(slugs)
    return [
        slug
        if slug and twice[slug] == 1 and len(slug) <= LONGEST
        else f"{slug[:LONGEST] or 'video'}-{hashlib.sha256(path.encode()).hexdigest()[:6]}"
        for slug, path in zip(slugs, paths, strict=True)
    ]


def _slug(path: str) -> str:
    letters = unicodedata.normalize("NFKD", os.path.splitext(path)[0]).encode("ascii", "ignore").decode().lower()
    folder, stem = (re.sub(r"[^a-z0-9_]+", "-", part).strip("-") for part in os.path.split(letters))
    return stem if stem.startswith(folder) else f"{folder}-{stem}" if stem else ""


def _groups(folder: Path, videos: pd.DataFrame) -> pd.Series:
    """The group of each video: from MANIFEST.csv, else its own; groups that hold the same file are one."""
    groups = videos["video_id"].copy()
    manifest = folder / "MANIFEST.csv"
    if manifest.is_file():
        table = sheets.table(manifest, "path", "group")
        table = table.assign(path=table["path"].map(_same_name), group=table["group"].str.strip())
        table = sheets.once(manifest, table[table["path"].ne("") & table["group"].ne("")], ["path"], "group")
        named, known = table.set_index("path")["group"].to_dict(), videos["path"].map(_same_name)
        astray = sorted(named.keys() - set(known))
        if astray:
            raise ValueError(
                f'{manifest}: {len(astray)} of its paths are no file of the data set, the first "{astray[0]}".'
                f"{nearest(astray[0], known)} Paths are relative to {folder}."
            )
        groups = known.map(named).fillna(groups)
    of_file = groups.groupby(videos["sha256"])  # which leaves out files that could not be read
    return joined(groups, zip(groups, of_file.transform("first").fillna(groups), strict=True))


def joined(groups: pd.Series, links: Iterable[tuple[str, str]]) -> pd.Series:
    """The groups after joining every two that are linked, and so on along the chain; the first name in order stays."""
    index, names = pd.factorize(groups, sort=True)
    pairs = pd.Index(names).get_indexer([name for link in links for name in link]).reshape(-1, 2).T
    graph = scipy.sparse.coo_array((np.ones(pairs.shape[1]), tuple(pairs)), shape=(len(names), len(names)))
    component = scipy.sparse.csgraph.connected_components(graph, directed=False)[1]
    first = pd.Series(names).groupby(component).transform("min").to_numpy()
    return pd.Series(first[index], index=groups.index, name=groups.name)


def _same_name(path: str) -> str:
    """macOS and Windows write the same name in other letters."""
    return unicodedata.normalize("NFC", path.strip().replace("\\", "/").removeprefix("./"))


def _contents(folder: Path) -> str:
    names = sorted(path.name + "/" * path.is_dir() for path in folder.iterdir()) if folder.is_dir() else []
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "") or "nothing"
