"""Made-up predictions: what the paper's protocol makes of a known accuracy, and whether intervals keep their word."""

import numpy as np
import pandas as pd

from exmus_lib import labels
from exmus_lib.scores import intervals, protocol
from exmus_lib.scores.metrics import measure
from exmus_lib.scores.protocol import BATCH, ORDERS
from exmus_lib.tasks import Task


def classifiers(truth: np.ndarray, top1: float, workers: int, draws: int = ORDERS, batch: int = BATCH) -> pd.DataFrame:
    """The paper's metrics of made-up classifiers, a row each.

    Each is right on a share `top1` of the paper's exercises (N,), drawn at random, and else names any other one.
    """
    classes, rows = len(labels.paper().exercises), []
    for seed in range(draws):
        random = np.random.default_rng(seed)
        shift = np.where(random.random(len(truth)) < top1, 0, random.integers(1, classes, len(truth)))
        parts = protocol.batches(len(truth), workers, batch, random.permutation(len(truth)))
        rows.append(protocol.protocol_metrics(truth, np.eye(classes)[(truth + shift) % classes], parts))
    return pd.DataFrame(rows)


def beside(rows: pd.DataFrame, truth: np.ndarray, draws: int = 100) -> pd.DataFrame:
    """How far made-up classifiers of equal top-1 come to rows of the paper (paper.paper_rows), in points: simulated less paper.

    A row for each of the numbers of loader workers that a row of the paper may have had; truth (N,) is the exercise of each clip.
    """
    shown, scores = ["precision", "recall", "f1"], {}
    for _, row in rows.iterrows():
        for workers in protocol.possible_workers(row):
            made_up = 100 * classifiers(truth, row["top1"] / 100, workers, draws).mean()
            scores[f"{row['model']}, {row['variant']}", workers] = [row["top1"], *(made_up - row)[shown]]
    table = pd.DataFrame.from_dict(scores, orient="index", columns=["top1", *shown]).astype(float)
    return table.set_index(pd.MultiIndex.from_tuples(scores, names=["network", "workers"]))


def coverage(task: Task, sources: int, trials: int = 100) -> pd.DataFrame:
    """How often 95 % intervals hold the true score: a row per metric, columns "over sources" and "over clips".

    Of made-up predictions, three clips a source that are right or wrong together to a large part; "over clips" takes each
    for a source of its own. Their true scores are those of 8,000 sources.
    """
    everything = _made_up(task, 8000, 1, seed=0)
    truth = measure(*everything[:2]).iloc[0]
    covered = pd.DataFrame(0.0, index=list(task.metrics), columns=["over sources", "over clips"])
    for seed in range(1, trials + 1):
        has, likely, source = _made_up(task, sources, 3, seed)
        for column, groups in zip(covered, (source, np.arange(len(source))), strict=True):
            values = measure(has, likely, np.vstack([*intervals.resamples(groups, 400, seed)]))[covered.index]
            low, high = intervals.interval(values, len(np.unique(groups)))
            covered[column] += (low <= truth[covered.index]) & (truth[covered.index] <= high)
    return covered / trials


def _made_up(task: Task, sources: int, clips_of_each: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth and probabilities of clips, the exercises taking turns, and the source of each clip."""
    random, source = np.random.default_rng(seed), np.repeat(np.arange(sources), clips_of_each)
    truth = task.truth(np.resize(task.labels.exercises, sources)[source])
    positive = truth if task.multilabel else np.eye(len(task.names))[truth]
    evidence = 1.5 * positive + 0.8 * random.normal(size=(sources, positive.shape[1]))[source]
    return truth, task.probabilities(3 * evidence + 2 * random.normal(size=evidence.shape) - 2), source
