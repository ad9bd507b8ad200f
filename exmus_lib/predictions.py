"""The narrow waist: one table of logits per run, one row per clip, that every score, figure and widget reads.

Columns: clip_id, video_id, split (train, val or test), then logit/<label> in label order. Always logits, never truth:
truth is joined from the clip manifest by clip_id, so a corrected label needs no network to run again.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from exmus_lib import runfile, storage, workspace
from exmus_lib.labels import nearest
from exmus_lib.tasks import Task, task

KEYS = ["clip_id", "video_id", "split"]
SPLITS = ("train", "val", "test")


def table(clips: pd.DataFrame, logits: np.ndarray, names: Sequence[str]) -> pd.DataFrame:
    """A predictions table from the manifest rows of N clips and their (N, L) logits, in the same order, of L labels."""
    columns = [f"logit/{name}" for name in names]
    values = pd.DataFrame(np.asarray(logits, dtype=np.float32), columns=columns, index=clips.index)
    return check(pd.concat([clips[KEYS], values], axis=1).reset_index(drop=True), names)


def names_of(predictions: pd.DataFrame) -> tuple[str, ...]:
    """The labels of a predictions table, in its order."""
    return tuple(column.removeprefix("logit/") for column in predictions if column.startswith("logit/"))


def check(predictions: pd.DataFrame, names: Sequence[str], source: str = "predictions") -> pd.DataFrame:
    """The table itself when it is sound and of these labels; ValueError naming `source` and what is wrong otherwise."""
    expected = [*KEYS, *(f"logit/{name}" for name in names)]
    if list(predictions.columns) != expected:
        raise ValueError(f"{source}: columns {list(predictions.columns)} are not those of these labels: {expected}")
    twice = predictions["clip_id"][predictions["clip_id"].duplicated()]
    if len(twice):
        raise ValueError(f"{source}: clips listed twice: {list(twice[:5])}")
    if not set(predictions["split"]) <= set(SPLITS):
        raise ValueError(f"{source}: splits {sorted(set(predictions['split']))} are not among {SPLITS}")
    broken = predictions["clip_id"][~np.isfinite(logits(predictions)).all(axis=1)]
    if len(broken):
        raise ValueError(f"{source}: logits that are not numbers for {list(broken[:5])}; was training diverging?")
    return predictions


def write(path: Path, predictions: pd.DataFrame, names: Sequence[str]) -> None:
    """Write the checked table; it appears whole or not at all."""
    check(predictions, names, str(path))
    storage.write_parquet(predictions, path)


def path(run: workspace.Run, views: int = 1) -> Path:
    """The file of a run's predictions: of one view of each clip, or of several, averaged."""
    return run.folder / ("predictions.parquet" if views == 1 else f"predictions-v{views}.parquet")


def read(run: workspace.Run, views: int = 1) -> pd.DataFrame:
    """The checked predictions of a run; FileNotFoundError says which runs there are when it is not complete."""
    file = path(run, views)
    if not file.exists():
        known = [r.name for r in workspace.find_runs(run.dataset, run.task)]
        raise FileNotFoundError(
            f'no complete run "{run.name}" for {run.dataset}/{run.task}.{nearest(run.name, known)}'
            f" Complete runs: {known or 'none; train one with 02_x3d.ipynb or 03_slowfast.ipynb'}"
        )
    with storage.reading(file, runfile.WAY_OUT):
        table = pd.read_parquet(file)
    return check(table, task_of(run).names, str(file))


def task_of(run: workspace.Run) -> Task:
    """The task of a run, with the labels that it was made with."""
    return task(run.task, run.labels())


def store(
    dataset: str, task: Task, name: str, predictions: pd.DataFrame, facts: dict, overwrite: bool = False
) -> workspace.Run:
    """A complete run made without training (a baseline, an ensemble), called <name>-<six hex over `facts`>.

    `facts` (its run.json) say what it was made from. An equal run stays as it is, unless with `overwrite`; one of other
    predictions, as of members that were trained anew, is replaced.
    """
    run = workspace.Run(dataset, task.name, f"{name}-{workspace.six_hex(facts)}")
    names = names_of(check(predictions, names_of(predictions), name))
    if overwrite or not (run.complete and read(run).equals(predictions.reset_index(drop=True))):
        run.write_facts({"task": task.name, "labels": task.labels.to_json(), **facts, **workspace.provenance()})
        write(run.folder / "predictions.parquet", predictions, names)
    return run


def logits(predictions: pd.DataFrame) -> np.ndarray:
    """The (N, L) logits of a predictions table."""
    return predictions.filter(regex="^logit/").to_numpy(np.float64)


def with_logits(predictions: pd.DataFrame, values: np.ndarray) -> pd.DataFrame:
    """The same predictions table with other logits (N, L), as a table stores them."""
    columns = [column for column in predictions if column.startswith("logit/")]
    return predictions.assign(**dict(zip(columns, values.astype(np.float32).T, strict=True)))


def with_truth(
    predictions: pd.DataFrame, clips: pd.DataFrame, task: Task, split: str | None = "test"
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Rows of one split (None: all) joined to the manifest by clip_id: (joined table, truth, logits).

    Truth is (N,) class indices or (N, L) zeros and ones, in the order of the table's labels; what an exercise works is what
    `task` says today. Clips marked `unusable` (exmus_lib.review) are left out. A clip that the manifest lacks, or has in another
    split, one of the split that the predictions lack, and a true label that they do not have are errors.
    """
    known = clips.set_index("clip_id")
    unknown = sorted(set(predictions["clip_id"]) - set(known.index))
    if unknown:
        absent = f"{len(unknown)} predicted clips are not in the manifest (first: {unknown[0]})"
        raise ValueError(f"{absent}: not the same clip set")
    if "split" in known:
        present = known["split"].loc[predictions["clip_id"]].to_numpy()
        moved = predictions[predictions["split"].to_numpy() != present]
        if len(moved):
            first = moved.iloc[0]
            raise ValueError(
                f"{len(moved)} predicted clips stand in another split in the manifest (first: {first.clip_id}, predicted as"
                f" {first.split}, there {known['split'][first.clip_id]}): not the same split"
            )
        lacking = known.index[known["split"].eq(split) | (split is None)].difference(predictions["clip_id"])
        if len(lacking):
            absent = f"no prediction for {len(lacking)} clips of the manifest (first: {lacking[0]})"
            raise ValueError(f"{absent}: predict them before scoring")
    rows = predictions if split is None else predictions[predictions["split"] == split]
    if "unusable" in known:
        rows = rows[~known["unusable"].loc[rows["clip_id"]].to_numpy()]
    rows = rows.assign(exercise=known.exercise.loc[rows["clip_id"]].to_numpy())
    return rows, task.truth(rows.exercise, names_of(rows)), logits(rows)
