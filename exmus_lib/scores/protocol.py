"""The paper's own protocol, to read its numbers by: every metric per batch, then the unweighted mean over the batches.

Read off the authors' notebooks. An exercise that a batch lacks has recall 1, and one never named in it precision 1; a
muscle has 0 for either; AUC is over all decisions of a batch. Each loader worker hands out a short last batch of its own; so
these values depend on batch size, workers and order of the clips. Never choose a network by them: `scores.metrics` has
the pooled ones.
"""

from functools import cache

import numpy as np
import pandas as pd
import scipy

from exmus_lib import labels, tasks, workspace
from exmus_lib.scores.metrics import decisions, scored
from exmus_lib.tasks import Exercise, Muscles, Task

BATCH = 8
WORKERS = (4, 6, 8, 10)  # the authors' numbers of loader workers, which differ from row to row
ORDERS = 200  # of the clips
BLOCK = 10_000  # clips, of all orders that are counted at once: 10 MB
TEST_CLIPS = 330  # that the authors' loader took, of 442


def batches(clips: int, workers: int, batch: int = BATCH, order: np.ndarray | None = None) -> list[np.ndarray]:
    """Which clips meet in a batch: arrays of indices below `clips`, taken in `order` (None: as they stand).

    Each worker has a piece of the order, as from PyTorchVideo's MultiProcessSampler, and batches its own. ValueError for
    fewer than one worker, or than one clip a batch.
    """
    if workers < 1 or batch < 1:
        raise ValueError(f"workers = {workers}, batch = {batch}: at least 1 of each is wanted")
    order = np.arange(clips) if order is None else order
    shares = np.array_split(order, workers)
    return [share[start : start + batch] for share in shares for start in range(0, len(share), batch)]


def protocol_metrics(truth: np.ndarray, probabilities: np.ndarray, parts: list[np.ndarray]) -> pd.Series:
    """The paper's metrics of N clips in the batches `parts` (see `batches`): shares, named as in Task.protocol.

    truth is (N,) class indices with probabilities (N, L), or (N, L) zeros and ones with (N, L). ValueError for no batch, or an
    empty one.
    """
    return _of_batches(truth, probabilities, parts).mean()


def _of_batches(truth: np.ndarray, probabilities: np.ndarray, parts: list[np.ndarray]) -> pd.DataFrame:
    """The metrics of each batch, a row each."""
    if not parts or not all(map(len, parts)):
        raise ValueError("batches of at least one clip each are wanted")
    truth, probabilities = np.asarray(truth), np.asarray(probabilities, dtype=float)
    present, chosen, shares = decisions(truth, probabilities)
    task, absent = (Exercise, 1.0) if truth.ndim == 1 else (Muscles, 0.0)
    order, sizes = np.concatenate(parts), np.array([len(part) for part in parts])
    starts = np.cumsum(sizes) - sizes

    def summed(values: np.ndarray) -> np.ndarray:
        """The sum of each batch: (batches,), or (batches, labels)."""
        return np.add.reduceat(values[order].astype(float), starts)

    auc = np.zeros(len(parts))
    for size in np.unique(sizes):
        of_size = np.flatnonzero(sizes == size)
        clips = order[starts[of_size, None] + np.arange(size)]  # (batches, size)
        auc[of_size] = _micro_auc(present[clips].reshape(len(clips), -1), probabilities[clips].reshape(len(clips), -1))
    hits, predicted, support = map(summed, (present & chosen, chosen, present))
    values = {
        "auc": auc,
        "precision": _share(hits, predicted, absent),
        "recall": _share(hits, support, absent),
        "f1": _share(2 * hits, predicted + support, absent),
        **{name: summed(share) / sizes for name, share in shares.items()},
    }
    return pd.DataFrame({name: values[name].reshape(len(parts), -1).mean(axis=1) for name in task.protocol})


def _share(part: np.ndarray, whole: np.ndarray, absent: float) -> np.ndarray:
    return np.where(whole > 0, part / np.maximum(whole, 1), absent)


def _micro_auc(present: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Over all decisions (batches, D) of each batch, the share (batches,) of pairs of a yes and a no in right order, ties a half.

    0 where a batch has no such pair, as torchmetrics has it.
    """
    yes = present.sum(axis=1)
    pairs = yes * (present.shape[1] - yes)
    ahead = (scipy.stats.rankdata(scores, axis=1) * present).sum(axis=1) - yes * (yes + 1) / 2
    return ahead / np.maximum(pairs, 1) * (pairs > 0)


def possible_workers(row: pd.Series) -> tuple[int, ...]:
    """The numbers of loader workers with which the shares in a row of the paper can have come about, of `WORKERS`.

    A mean over batches of known sizes takes certain values only: over 48 batches of 8, 2 and 1 clips multiples of 1/384.
    Top-1 and top-5 often leave one answer, a muscle accuracy always several. All where none fits, as of a misprinted row.
    """
    task = tasks.task(row["task"], labels.paper())
    decisions = len(task.names) if task.multilabel else 1
    given = row[[metric for metric in ("top1", "top5", "accuracy") if metric in row]].dropna().to_numpy(float) / 100
    fits = [w for w in WORKERS if all(_can_be(share, w, decisions) for share in given)]
    return tuple(fits) or WORKERS


@cache
def _can_be(share: float, workers: int, decisions: int) -> bool:
    """Whether a share, given to two decimals of a percent, can be a mean over the authors' batches of yes-or-no decisions."""
    sizes = np.array([len(part) for part in batches(TEST_CLIPS, workers)])
    short = np.zeros(1)  # what the batches that are not full can add up to
    for size in sizes[sizes < BATCH]:
        short = np.unique(np.add.outer(short, np.arange(size * decisions + 1) / (size * decisions)).round(9))
    # What is left over must be a whole number of right decisions in full batches.
    hits = (share * len(sizes) - short) * BATCH * decisions
    whole = hits.round().clip(0, (sizes == BATCH).sum() * BATCH * decisions)
    return bool((np.abs(hits - whole) < 0.000051 * len(sizes) * BATCH * decisions).any())


def score(run: workspace.Run | pd.DataFrame, clips: pd.DataFrame, task: Task, split: str = "test") -> pd.DataFrame:
    """The paper's metrics of a run on one split: a row for each of `WORKERS`, the mean over 20 orders of the clips."""
    _, truth, logits = scored(run, clips, task, split)
    likely = task.probabilities(logits)
    return pd.DataFrame({w: over_orders(truth, likely, w, orders=20).mean() for w in WORKERS}).T


def over_orders(
    truth: np.ndarray, probabilities: np.ndarray, workers: int, batch: int = BATCH, orders: int = ORDERS
) -> pd.DataFrame:
    """The paper's metrics of one and the same predictor, a row for each of so many orders of its clips."""
    at_once, rows = max(1, BLOCK // len(truth)), []
    for first in range(0, orders, at_once):
        seeds = range(first, min(first + at_once, orders))
        drawn = (np.random.default_rng(seed).permutation(len(truth)) for seed in seeds)
        parts = [batches(len(truth), workers, batch, order) for order in drawn]
        each = _of_batches(truth, probabilities, [clips for order in parts for clips in order])
        rows.append(each.groupby(np.repeat(seeds, len(parts[0]))).mean())
    return pd.concat(rows)


def authors_test_clips() -> pd.Series:
    """The exercise of each of the 330 test clips that the authors' loader took, by their counts (.MOV clips it dropped)."""
    counts = pd.read_csv(workspace.PAPER_DIR / "authors_counts.csv")
    return counts.exercise.repeat(counts["test_clips_mp4"]).reset_index(drop=True)
