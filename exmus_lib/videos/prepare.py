"""From a data set's name to clips that networks can be trained on: made when missing, completed when interrupted."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from exmus_lib import labels, review, vocabulary, workspace
from exmus_lib.labels import Labels
from exmus_lib.tasks import Task, task
from exmus_lib.videos import kaggle, scan
from exmus_lib.videos.cut import cut
from exmus_lib.videos.split import split


@dataclass(frozen=True)
class ClipSet:
    """The clips of a data set: the tables `videos` (a row per file) and `clips` (a row per clip), and their folder."""

    name: str
    folder: Path
    videos: pd.DataFrame
    clips: pd.DataFrame
    labels: Labels = field(default_factory=labels.read)

    def task(self, name: str) -> Task:
        """The task of this name, with the labels of the data set."""
        return task(name, self.labels)

    def path(self, clip) -> Path:
        """The file of a clip, given as a row of `clips`."""
        return self.folder / clip.path

    def table(self, split: str = "video") -> pd.DataFrame:
        """The clips with a column `split` of "train", "val" and "test"; `split` is "video" (default) or "clip"."""
        return self.clips.assign(split=self.clips[_column(split)])

    def hash(self, split: str = "video") -> str:
        """Six hexadecimal digits over the clips, the files they were cut from, and their sides. Labels do not enter."""
        content = self.clips.merge(self.videos[["video_id", "sha256"]], on="video_id", validate="many_to_one")
        columns = ["clip_id", "sha256", "start_sec", "seconds", _column(split)]
        return workspace.six_hex(content[columns].sort_values("clip_id").to_numpy().tolist())


def prepare(dataset: str = "sample", preset: str = "quick", overwrite: bool = False) -> ClipSet:
    """The clip set of "sample", "kaggle" or a folder of class folders: scanned, cut and split unless that is done.

    A folder is scanned again when its files, its MANIFEST.csv or the known class folders have changed. What was
    interrupted goes on where it was. `overwrite` makes everything anew, the sample's videos too.
    """
    name = dataset_name(dataset, preset)
    with workspace.alone(workspace.clips_dir(name)):
        return _prepare(dataset, name, overwrite)


def _prepare(dataset: str, name: str, overwrite: bool) -> ClipSet:
    folder = workspace.clips_dir(name)
    if overwrite:
        shutil.rmtree(folder, ignore_errors=True)
        if dataset == "sample":
            shutil.rmtree(workspace.raw_dir(name), ignore_errors=True)
    # Videos that the workbook made or downloaded do not change, and may have been deleted to save space.
    if dataset in workspace.DATASETS and (folder / "clips.parquet").exists():
        return load(name)
    raw = _raw(dataset, name)
    if not (folder / "clips.parquet").exists() or _state(raw) != _scanned(folder):
        _make(raw, folder)
    return load(name)


def dataset_name(dataset: str, preset: str = "quick") -> str:
    """What a data set is called in data/ and outputs/: sample, sample-smoke, kaggle or <folder>-<six hex of its path>.

    Raises ValueError for a name that is neither built in nor a folder.
    """
    if dataset in workspace.DATASETS:
        return "sample-smoke" if (dataset, preset) == ("sample", "smoke") else dataset
    workspace.check_dataset(dataset)
    folder = Path(dataset).expanduser().resolve()
    return f"{folder.name}-{workspace.six_hex(folder.as_posix())}"


def _raw(dataset: str, name: str) -> Path:
    if dataset == "kaggle":
        return kaggle.download()
    if dataset != "sample":
        return Path(dataset).expanduser().resolve()
    from exmus_lib.sample.make import make  # compiles what it draws with, which takes seconds

    make(workspace.raw_dir(name), smoke=name == "sample-smoke")
    return workspace.raw_dir(name)


def _make(raw: Path, folder: Path) -> None:
    """Scan, cut, split. clips.parquet is written last, so its existence means that the clip set is complete."""
    state = _state(raw)
    if _scanned(folder) == state:
        videos = pd.read_parquet(folder / "videos.parquet")
    else:
        (folder / "clips.parquet").unlink(missing_ok=True)
        videos = scan.scan(raw)
        _write(videos, folder / "videos.parquet")
        with workspace.atomic(folder / "scanned.txt") as part:
            part.write_text(state, encoding="utf-8")
    clips = cut(videos, raw, folder)
    _write(videos, folder / "videos.parquet")
    if clips.empty:
        reasons = "; ".join(f"{count} x {status}" for status, count in videos["status"].value_counts().items())
        raise ValueError(f"{raw}: none of its {len(videos)} files can be used: {reasons}")
    _write(split(clips), folder / "clips.parquet")


def _state(raw: Path) -> str:
    """What a scan depends on, cheap to look up: names, sizes and times of files, and which class folders are known."""
    files = [path for path in [*scan.find(raw), "MANIFEST.csv"] if (raw / path).exists()]
    looks = [(path, (stat := (raw / path).stat()).st_size, stat.st_mtime_ns) for path in files]
    labelled = {folder: bool(exercise) for folder, exercise in vocabulary.FOLDERS.items()}  # not as what: see `load`
    return workspace.six_hex(looks, labelled)


def _scanned(folder: Path) -> str | None:
    file = folder / "scanned.txt"
    return file.read_text(encoding="utf-8") if file.exists() else None


def _write(table: pd.DataFrame, path: Path) -> None:
    with workspace.atomic(path) as part:
        table.to_parquet(part, index=False)


def load(name: str) -> ClipSet:
    """The clip set that was prepared under this name, with today's labels and marks: neither moves a clip to another split.

    Raises FileNotFoundError naming those that there are.
    """
    folder = workspace.clips_dir(name)
    if not (folder / "clips.parquet").exists():
        known = sorted(path.parent.name for path in folder.parent.glob("*/clips.parquet"))
        raise FileNotFoundError(
            f'no data set "{name}" in {folder.parent}.{vocabulary.nearest(name, known)} There:'
            f" {', '.join(known) or 'none'}. 01_data_prep.ipynb makes it, with the same dataset and preset."
        )
    videos, clips = (pd.read_parquet(folder / f"{table}.parquet") for table in ("videos", "clips"))
    exercise = {video.video_id: vocabulary.FOLDERS.get(video.folder.strip().lower()) for video in videos.itertuples()}
    videos, clips = (table.assign(exercise=table["video_id"].map(exercise)) for table in (videos, clips))
    clips = clips.dropna(subset=["exercise"]).reset_index(drop=True)
    return ClipSet(name, folder, videos, review.applied(clips, name, labels.read()))


def _column(split: str) -> str:
    if split not in ("video", "clip"):
        raise ValueError(f'split = "{split}" is not one of video, clip.{vocabulary.nearest(split, ("video", "clip"))}')
    return f"split_{split}"
