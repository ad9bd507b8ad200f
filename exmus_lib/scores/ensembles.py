"""The hybrid: logits of several runs, averaged with weights before any softmax or sigmoid (paper, section IV.E: V = xX + sS).

Two runs share x + s = 1. Of more than two the first has x, and the others share the rest evenly. Rows meet by clip_id.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from exmus_lib import predictions
from exmus_lib.scores.metrics import measure
from exmus_lib.tasks import THRESHOLD, Task
from exmus_lib.workspace import Run

WEIGHTS = (0.75, 0.5, 0.25)  # of the first run, as in the paper's Tables 9 to 11
STEPS = np.linspace(0, 1, 101)


def check(runs: Sequence[Run]) -> None:
    """ValueError for fewer than two runs, and for two of another task, data set, split, clip set or of other labels."""
    if len(runs) < 2:
        raise ValueError(f"an ensemble needs two runs or more, got {[run.name for run in runs]}")

    def kind(run: Run) -> dict[str, str]:
        facts, names = run.facts(), ", ".join(predictions.task_of(run).names)
        made = {"split": facts["split"], "clip set": facts["clip_set"], "labels": names}
        return {"task": run.task, "data set": run.dataset, **made}

    first, theirs = runs[0], kind(runs[0])
    for run in runs[1:]:
        for what, other in kind(run).items():
            if other != theirs[what]:
                raise ValueError(f"{first.name} and {run.name} cannot be averaged: {what} {theirs[what]} and {other}")


def combine(tables: Sequence[pd.DataFrame], x: float) -> pd.DataFrame:
    """The predictions table of the ensemble of tables. ValueError as `aligned` and `mean` raise it."""
    return predictions.with_logits(tables[0], mean(aligned(tables), x))


def aligned(tables: Sequence[pd.DataFrame]) -> np.ndarray:
    """The logits (tables, clips, labels) of predictions tables, rows in the order of the first one's.

    Raises ValueError for tables of other clips, splits or labels than the first one's.
    """
    first = tables[0].set_index("clip_id")
    rows = [table.set_index("clip_id").reindex(first.index) for table in tables]
    for number, (table, row) in enumerate(zip(tables, rows, strict=True), start=1):
        if list(row) != list(first) or len(table) != len(first) or row["split"].isna().any():
            raise ValueError(f"table {number} has other clips or labels than table 1")
        if not row["split"].equals(first["split"]):
            raise ValueError(f"table {number} has other splits than table 1")
    return np.stack([predictions.logits(row) for row in rows])


def mean(logits: np.ndarray, x: float) -> np.ndarray:
    """The weighted mean (clips, labels) of logits (tables, clips, labels); ValueError unless 0 <= x <= 1."""
    if not 0 <= x <= 1:
        raise ValueError(f"x = {x}: a weight from 0 to 1 is wanted")
    return (x * logits[0] + (1 - x) * logits[1:].mean(axis=0)).astype(np.float32)


def right(table: pd.DataFrame, clips: pd.DataFrame, task: Task, split: str = "test") -> np.ndarray:
    """Whether each clip of a split is right (N,): its first exercise, or all of its muscles."""
    _, truth, logits = predictions.with_truth(table, clips, task, split)
    if task.multilabel:
        return ((task.probabilities(logits) > THRESHOLD) == truth).all(axis=1)
    return logits.argmax(axis=1) == truth


def curve(tables: Sequence[pd.DataFrame], clips: pd.DataFrame, task: Task, split: str) -> pd.DataFrame:
    """All metrics of a split for each weight x of the first table: one row per x, a column per metric."""
    rows, truth, _ = predictions.with_truth(tables[0], clips, task, split)
    logits = aligned(tables)[:, tables[0].index.get_indexer(rows.index)]
    scores = {x: measure(truth, task.probabilities(mean(logits, x).astype(float))).iloc[0] for x in STEPS}
    return pd.DataFrame.from_dict(scores, orient="index").rename_axis("x")[list(task.metrics)]


def best(values: pd.Series) -> float | None:
    """The x of the highest value; where several have it, the middle of the longest stretch of them: least by chance.

    None where no x has a value, as of a metric that is undefined on so few clips.
    """
    if values.isna().all():
        return None
    highest = np.flatnonzero(values == values.max())
    longest = max(np.split(highest, np.flatnonzero(np.diff(highest) > 1) + 1), key=len)
    return float(values.index[longest[len(longest) // 2]])


def store(runs: Sequence[Run], x: float, chosen: bool = False, overwrite: bool = False) -> Run:
    """The ensemble as a run of its own: ensemble-<network>-<x>-<network>-<1 - x>-...

    `chosen`: x was chosen on validation. An equal one that is there stays, unless with `overwrite`.
    """
    check(runs)
    facts = [run.facts() for run in runs]
    weights = [round(x, 4), *[round((1 - x) / (len(runs) - 1), 4)] * (len(runs) - 1)]
    made_of = {
        "network": "ensemble",
        "members": [run.name for run in runs],
        "networks": [fact["network"] for fact in facts],
        "inits": [fact.get("init") for fact in facts],
        "recipes": [fact.get("recipe") for fact in facts],
        "weights": weights,
        "chosen_on_validation": chosen,
        **{name: facts[0][name] for name in ("preset", "split", "seed", "clip_set")},
    }
    if any(tags := [fact.get("tag") for fact in facts]):
        made_of["tags"] = tags
    parts = "-".join(f"{fact['network']}-{weight:.2f}" for fact, weight in zip(facts, weights, strict=True))
    table = combine([predictions.read(run) for run in runs], x)
    task = predictions.task_of(runs[0])
    return predictions.store(runs[0].dataset, task, f"ensemble-{parts}", table, made_of, overwrite)
