"""From a data set's name to clips that networks can be trained on: made when missing, completed when interrupted."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from exmus_lib import labels, review, storage, workspace
from exmus_lib.labels import FILE_NAME, Labels, nearest
from exmus_lib.tasks import Task, task
from exmus_lib.videos import classes, faults, kaggle, scan
from exmus_lib.videos.cut import cut
from exmus_lib.videos.split import sides, split, thin_validation

UNKNOWN = ("stop", "skip")  # what to do about class folders that lead to no exercise


@dataclass(frozen=True)
class ClipSet:
    """The clips of a data set: the tables `videos` (a row per file) and `clips` (a row per clip), and their folder.

    `notes` says what a reader should know: class folders that were left out, or are empty, a thin validation split.
    """

    name: str
    folder: Path
    videos: pd.DataFrame
    clips: pd.DataFrame
    labels: Labels = field(default_factory=labels.read)
    notes: list[str] = field(default_factory=list)

    def task(self, name: str) -> Task:
        """The task of this name, with the labels of the data set."""
        return task(name, self.labels)

    def path(self, clip) -> Path:
        """The file of a clip, given as a row of `clips`."""
        return self.folder / clip.path

    def table(self, split: str = "video") -> pd.DataFrame:
        """The clips with a column `split` of "train", "val" and "test"; `split` is one of videos.split.sides."""
        return self.clips.assign(split=sides(self.clips, split))

    def hash(self, split: str = "video") -> str:
        """Six hexadecimal digits over the clips, the files they were cut from, and their sides. Labels do not enter."""
        content = self.table(split).merge(self.videos[["video_id", "sha256"]], on="video_id", validate="many_to_one")
        columns = ["clip_id", "sha256", "start_sec", "seconds", "split"]
        return workspace.six_hex(content[columns].sort_values("clip_id").to_numpy().tolist())


def prepare(
    dataset: str = "sample",
    preset: str = "quick",
    overwrite: bool = False,
    unknown: str | None = None,
    cutter: Callable[[pd.DataFrame, Path, Path], pd.DataFrame] = cut,
) -> ClipSet:
    """The clip set of "sample", "kaggle" or a folder of class folders: scanned, cut and split unless that is done.

    A folder is scanned again when its files, its MANIFEST.csv or the known class folders have changed. What was
    interrupted goes on where it was; clips that were deleted are cut again. `overwrite` makes everything anew, the sample's
    videos too. Class folders that lead to no exercise raise ValueError, with a ready exercises.csv to fill in, unless
    `unknown` is "skip"; None does as was done before.
    """
    if unknown not in (None, *UNKNOWN):
        raise ValueError(f'unknown = "{unknown}" is not one of {", ".join(UNKNOWN)}.{nearest(unknown, UNKNOWN)}')
    name = dataset_name(dataset, preset)
    with storage.alone(workspace.clips_dir(name)):
        return _prepare(dataset, name, overwrite, unknown, cutter)


def _prepare(dataset: str, name: str, overwrite: bool, unknown: str | None, cutter: Callable) -> ClipSet:
    folder = workspace.clips_dir(name)
    unknown = unknown or _facts(folder).get("unknown", "stop")
    if overwrite:
        for path in [path for path in folder.glob("*") if path.name != FILE_NAME]:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if dataset == "sample":
            shutil.rmtree(workspace.raw_dir(name), ignore_errors=True)
    made = (folder / "clips.parquet").exists()
    missing = _missing(folder) if made else []
    # Videos that the workbook made or downloaded do not change, and may have been deleted to save space.
    if dataset in workspace.DATASETS and made and not len(missing):
        return load(name)
    if len(missing):
        first = ", ".join(missing["path"][:3]) + ", ..." * (len(missing) > 3)
        print(f"{name}: clips that are gone are cut again: {first}")
    raw = _raw(dataset, name)
    known = labels.read(classes.labels_file(raw, folder))
    state = _state(raw, known)
    if unknown == "stop":
        classes.check(raw, folder, known)
    whole = made and state == _facts(folder).get("state")
    if whole and len(missing):
        videos = pd.read_parquet(folder / "videos.parquet")
        again = videos[videos["video_id"].isin(missing["video_id"])].copy()
        cutter(again, raw, folder)
        whole = again["status"].eq("ok").all()  # else a video was damaged since
    if not whole:
        _make(raw, folder, known, {"raw": str(raw), "state": state, "unknown": unknown}, cutter)
    (folder / classes.COPY).unlink(missing_ok=True)
    if (raw / FILE_NAME).is_file():
        shutil.copyfile(raw / FILE_NAME, folder / classes.COPY)
    return load(name)


def _missing(folder: Path) -> pd.DataFrame:
    """The clips whose files are gone."""
    clips = pd.read_parquet(folder / "clips.parquet", columns=["video_id", "path"])
    return clips[[not (folder / path).exists() for path in clips["path"]]]


def dataset_name(dataset: str, preset: str = "quick") -> str:
    """What a data set is called in data/ and outputs/: sample, sample-smoke, kaggle or <folder>-<six hex of its path>.

    Raises ValueError for a name that is neither built in nor a folder.
    """
    if dataset in workspace.DATASETS:
        return "sample-smoke" if (dataset, preset) == ("sample", "smoke") else dataset
    folder = Path(workspace.check_dataset(dataset)).expanduser().resolve()
    return f"{storage.short(folder.name)}-{workspace.six_hex(folder.as_posix())}"


def _raw(dataset: str, name: str) -> Path:
    if dataset == "kaggle":
        return kaggle.download(labels.read())
    if dataset != "sample":
        return Path(dataset).expanduser().resolve()
    from exmus_lib.sample.make import make  # compiles what it draws with, which takes seconds

    make(workspace.raw_dir(name), smoke=name == "sample-smoke")
    return workspace.raw_dir(name)


def _make(raw: Path, folder: Path, known: Labels, facts: dict[str, object], cutter: Callable) -> None:
    """Scan, cut, split. clips.parquet is written last, so its existence means that the clip set is complete."""
    if _facts(folder).get("state") == facts["state"]:
        videos = pd.read_parquet(folder / "videos.parquet")
    else:
        (folder / "clips.parquet").unlink(missing_ok=True)
        videos = scan.scan(raw, known)
        storage.write_parquet(videos, folder / "videos.parquet")
    facts = {**facts, "folders": scan.class_folders(raw)}
    _write_facts(folder, facts)
    clips = cutter(videos, raw, folder)
    storage.write_parquet(videos, folder / "videos.parquet")
    if videos["status"].str.startswith(faults.PASSING).any():
        _write_facts(folder, {**facts, "state": ""})  # so that the next call looks at them again
    if clips.empty:
        reasons = "; ".join(f"{count} x {status}" for status, count in videos["status"].value_counts().items())
        raise ValueError(f"{raw}: none of its {len(videos)} files can be used: {reasons}")
    storage.write_parquet(split(clips), folder / "clips.parquet")


def _state(raw: Path, known: Labels) -> str:
    """What a scan depends on, cheap to look up: names, sizes and times of files, and which class folders are known."""
    files = [raw / path for path in [*scan.find(raw), "MANIFEST.csv"] if (raw / path).exists()]
    looks = [(file.relative_to(raw).as_posix(), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    folders = scan.class_folders(raw)
    unknown = known.unknown(folders)
    # Whether a folder is labelled, not as what: see `load`.
    labelled = {name: bool(known.exercise_of(name)) for name in folders if name not in unknown}
    return workspace.six_hex(looks, labelled, unknown)


def _write_facts(folder: Path, facts: dict[str, object]) -> None:
    with storage.atomic(folder / "dataset.json") as part:
        part.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _facts(folder: Path) -> dict[str, object]:
    """dataset.json: raw folder, its state when scanned, videos in each class folder, what to do about unknown ones."""
    file = folder / "dataset.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def load(name: str) -> ClipSet:
    """The clip set that was prepared under this name, with today's labels and marks: neither moves a clip to another split.

    Raises FileNotFoundError naming those that there are.
    """
    folder = workspace.clips_dir(name)
    if not (folder / "clips.parquet").exists():
        known = sorted(path.parent.name for path in folder.parent.glob("*/clips.parquet"))
        raise FileNotFoundError(
            f'no data set "{name}" in {folder.parent}.{nearest(name, known)} There:'
            f" {', '.join(known) or 'none'}. 01_data_prep.ipynb makes it, with the same dataset and preset."
        )
    videos, clips = (pd.read_parquet(folder / f"{table}.parquet") for table in ("videos", "clips"))
    facts = _facts(folder)
    file = classes.labels_file(Path(facts.get("raw", workspace.raw_dir(name))), folder)
    known = labels.read(file)
    folders = set(videos["folder"])
    exercise_of = {name: known.exercise_of(name) for name in folders.difference(known.unknown(folders))}
    videos = videos.assign(exercise=videos["folder"].map(exercise_of))
    clips = clips.assign(exercise=clips["video_id"].map(videos.set_index("video_id").exercise))
    clips = clips.dropna(subset=["exercise"]).reset_index(drop=True)
    notes = classes.notes(videos, known, facts.get("folders", {}), file != labels.DEFAULT_FILE) + thin_validation(clips)
    return ClipSet(name, folder, videos, review.applied(clips, name, known), known, notes)
