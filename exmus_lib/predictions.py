"""The narrow waist: one table of logits per run, one row per clip, that every score, figure and widget reads.

Columns: clip_id, video_id, split (train, val or test), then logit/<label> in vocabulary order. Always logits, never truth:
truth is joined from the clip manifest by clip_id, so a corrected label needs no network to run again.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit, softmax

from exmus_lib import vocabulary, workspace

KEYS = ["clip_id", "video_id", "split"]
SPLITS = ("train", "val", "test")


def columns(task: str) -> list[str]:
    """The logit columns of a task, in vocabulary order."""
    return [f"logit/{label}" for label in vocabulary.LABELS[task]]


def table(clips: pd.DataFrame, logits: np.ndarray, task: str) -> pd.DataFrame:
    """A predictions table from the manifest rows of N clips and their (N, L) logits, in the same order."""
    values = pd.DataFrame(np.asarray(logits, dtype=np.float32), columns=columns(task), index=clips.index)
    return check(pd.concat([clips[KEYS], values], axis=1).reset_index(drop=True), task)


def check(predictions: pd.DataFrame, task: str, name: str = "predictions") -> pd.DataFrame:
    """The table itself when it is sound; ValueError naming `name` and what is wrong otherwise."""
    wanted = KEYS + columns(task)
    if list(predictions.columns) != wanted:
        raise ValueError(f"{name}: columns {list(predictions.columns)} are not those of task {task}: {wanted}")
    if predictions["clip_id"].duplicated().any():
        raise ValueError(
            f"{name}: clips listed twice: {list(predictions.clip_id[predictions.clip_id.duplicated()][:5])}"
        )
    if not set(predictions["split"]) <= set(SPLITS):
        raise ValueError(f"{name}: splits {sorted(set(predictions['split']))} are not among {SPLITS}")
    broken = ~np.isfinite(logits(predictions)).all(axis=1)
    if broken.any():
        raise ValueError(
            f"{name}: logits that are not numbers for {list(predictions.clip_id[broken][:5])}; was training diverging?"
        )
    return predictions


def write(path: Path, predictions: pd.DataFrame, task: str) -> None:
    """Write the checked table; it appears whole or not at all."""
    check(predictions, task, str(path))
    with workspace.atomic(path) as part:
        predictions.to_parquet(part, index=False)


def path(run: workspace.Run, views: int = 1) -> Path:
    """The file of a run's predictions: of one view of each clip, or of several, averaged."""
    return run.folder / ("predictions.parquet" if views == 1 else f"predictions-v{views}.parquet")


def read(run: workspace.Run, views: int = 1) -> pd.DataFrame:
    """The checked predictions of a run; FileNotFoundError says which runs there are when it is not complete."""
    file = path(run, views)
    if not file.exists():
        known = [r.name for r in workspace.find_runs(run.dataset, run.task)]
        raise FileNotFoundError(
            f'no complete run "{run.name}" for {run.dataset}/{run.task}.{vocabulary.nearest(run.name, known)}'
            f" Complete runs: {known or 'none; train one with 02_x3d.ipynb or 03_slowfast.ipynb'}"
        )
    return check(pd.read_parquet(file), run.task, str(file))


def store(dataset: str, task: str, name: str, predictions: pd.DataFrame, facts: dict) -> workspace.Run:
    """A complete run made without training (a baseline, an ensemble), called <name>-<six hex over `facts`>.

    `facts` (its run.json) say what it was made from. Made again from members that were trained anew, it is replaced.
    """
    run = workspace.Run(dataset, task, f"{name}-{workspace.six_hex(facts)}")
    check(predictions, task, name)
    if not (run.complete and read(run).equals(predictions.reset_index(drop=True))):
        run.write_facts({"task": task, **facts, **workspace.provenance()})
        write(run.folder / "predictions.parquet", predictions, task)
    return run


def logits(predictions: pd.DataFrame) -> np.ndarray:
    """The (N, L) logits of a predictions table."""
    return predictions.filter(regex="^logit/").to_numpy(np.float64)


def with_logits(predictions: pd.DataFrame, values: np.ndarray) -> pd.DataFrame:
    """The same predictions table with other logits (N, L), as a table stores them."""
    columns = [column for column in predictions if column.startswith("logit/")]
    return predictions.assign(**dict(zip(columns, values.astype(np.float32).T, strict=True)))


def probabilities(values: np.ndarray, task: str) -> np.ndarray:
    """Logits (N, L) to probabilities: softmax over the 16 exercises, a sigmoid for each of the 11 muscles."""
    return softmax(values, axis=1) if task == "exercise" else expit(values)


def with_truth(predictions: pd.DataFrame, clips: pd.DataFrame, task: str, split: str | None = "test"):
    """Rows of one split (None: all) joined to the manifest by clip_id: (joined table, truth, logits).

    Truth is (N,) class indices or (N, 11) zeros and ones. Clips marked `unusable` (exmus_lib.review) are left out. A clip that
    the manifest lacks, or has in another split, is an error: another clip set or split.
    """
    known = clips.set_index("clip_id")
    unknown = sorted(set(predictions["clip_id"]) - set(known.index))
    if "split" in known and not unknown:
        now = known["split"].loc[predictions["clip_id"]].to_numpy()
        moved = predictions[predictions["split"].to_numpy() != now]
        if len(moved):
            first = moved.iloc[0]
            raise ValueError(
                f"{len(moved)} predicted clips stand in another split in the manifest (first: {first.clip_id}, predicted as"
                f" {first.split}, there {known['split'][first.clip_id]}): not the same split"
            )
    if unknown:
        raise ValueError(
            f"{len(unknown)} predicted clips are not in the manifest (first: {unknown[0]}): not the same clip set"
        )
    rows = predictions if split is None else predictions[predictions["split"] == split]
    if "unusable" in known:
        rows = rows[~known["unusable"].loc[rows["clip_id"]].to_numpy()]
    rows = rows.assign(exercise=known["exercise"].loc[rows["clip_id"]].to_numpy())
    return rows, vocabulary.truth(rows["exercise"], task), logits(rows)
