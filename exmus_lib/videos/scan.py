"""A folder of class folders, looked through: one row per file found, readable or not, with the reason."""

import hashlib
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import scipy
from tqdm.auto import tqdm

from exmus_lib import workspace
from exmus_lib.labels import Labels, nearest
from exmus_lib.videos import read, windows

FORMATS = ".mp4 .mov .m4v .avi .mkv .webm .mpg .mpeg .wmv .flv .3gp .3g2 .ts .mts .m2ts .ogv .asf .divx .gif"
COLUMNS = "video_id group path folder exercise seconds fps width height rotation codec sha256 status".split()


def scan(folder: Path, labels: Labels, progress: bool = True) -> pd.DataFrame:
    """One row per file below the class folders, sorted by path; `status` is "ok" or why the file cannot be used.

    Videos beside the class folders are listed too; hidden files are not. `path` is relative to `folder`. Width and
    height are as stored; `rotation` says by how many degrees clockwise to turn. `group` is that of MANIFEST.csv (path,
    group), else the video itself; files with the same content share one. Raises ValueError if there is no class folder.
    """
    paths = find(folder)
    if not any("/" in path for path in paths):
        raise ValueError(
            f"{folder} holds no class folder with files; it holds {_contents(folder)}. Expected is one per exercise,"
            f' as in "{folder.name}/Squat/1.mp4", named as one of {", ".join(labels.exercises)}; for exercises of your own'
            " 01_data_prep.ipynb leaves an exercises.csv there to fill in."
        )
    # Threads, because hashing and decoding leave Python's lock alone and need no copy of this process.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        look = pool.map(lambda path: _look(folder, path, labels), paths)
        rows = list(tqdm(look, "scan", len(paths), unit="file", disable=not progress))
    videos = pd.DataFrame(rows)
    videos["video_id"] = _identifiers(videos["path"])
    videos["group"] = _groups(folder, videos)
    return videos.reindex(columns=COLUMNS).astype({"width": "Int64", "height": "Int64", "rotation": "Int64"})


def find(folder: Path) -> list[str]:
    """Relative paths (with forward slashes, sorted) of the files that belong to the data set in `folder`."""
    paths = []
    for above, below, names in os.walk(folder, followlinks=True):
        below[:] = [name for name in below if not name.startswith(".")]
        inside = Path(above).relative_to(folder)
        paths += [inside / name for name in names if not name.startswith(".") and (inside.parts or _is_video(name))]
    return sorted(path.as_posix() for path in paths)


def class_folders(folder: Path) -> dict[str, int]:
    """The number of videos in each class folder, those without any among them."""
    videos = Counter(path.split("/")[0] for path in find(folder) if "/" in path and _is_video(path))
    names = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    return {name: videos[name] for name in names}


def _is_video(name: str) -> bool:
    return name.lower().endswith(tuple(FORMATS.split()))


def _look(folder: Path, path: str, labels: Labels) -> dict[str, object]:
    file = folder / path
    row = {"path": path, "folder": path.split("/")[0] if "/" in path else "", "exercise": None, "sha256": None}
    if not row["folder"]:
        label = "not inside a class folder"
    elif labels.unknown([row["folder"]]):
        label = f'unknown class folder "{row["folder"]}".{nearest(row["folder"], (*labels.folders, *labels.exercises))}'
    else:
        row["exercise"] = labels.exercise_of(row["folder"])
        label = "ok" if row["exercise"] else f'no exercise label for "{row["folder"]}"'
    if not _is_video(path):
        return row | {"status": f"not a video file ({file.suffix or 'no suffix'})"}
    try:
        if not file.stat().st_size:
            return row | {"status": "empty file"}
        with file.open("rb") as content:
            row["sha256"] = hashlib.file_digest(content, "sha256").hexdigest()
        row |= asdict(read.info(file))
        if label == "ok":
            windows.check_length(file, row["seconds"])
    except read.VideoError as error:
        return row | {"status": error.reason}
    except OSError as error:
        return row | {"status": f"cannot be opened: {error.strerror or error}"}
    return row | {"status": label}


def _identifiers(paths: pd.Series) -> list[str]:
    """Readable and unique: squat/squat_1.MOV -> squat_1; where two would be equal, digits of the path's hash follow."""
    slugs = [_slug(path) for path in paths]
    twice = Counter(slugs)
    return [
        slug if slug and twice[slug] == 1 else f"{slug or 'video'}-{hashlib.sha256(path.encode()).hexdigest()[:6]}"
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
        table = workspace.read_csv(manifest)
        if not {"path", "group"} <= set(table):
            raise ValueError(f'{manifest}: needs the columns "path" and "group"; it has {", ".join(table)}')
        paths, known = table["path"].map(_same_name), videos["path"].map(_same_name)
        named = {path: group for path, group in zip(paths, table["group"].str.strip(), strict=True) if path and group}
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
