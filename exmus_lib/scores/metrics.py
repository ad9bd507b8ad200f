"""Pooled metrics: computed once over all clips of a split, never averaged over batches.

Macro means are over classes (exercise) or labels (mgap). Where a metric has no value for one, it is NaN in per_label,
left out of the mean, and counted in `undefined`:

    recall, average precision    undefined without a positive clip
    AUC                          undefined without a positive or without a negative clip
    precision, F1                undefined when the class is neither present nor ever predicted

A class that is present but never predicted has precision 0, as its recall and F1 are: a network cannot take a class out
of its mean by keeping silent about it. One that is predicted but absent has precision and F1 0. All values are shares.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from exmus_lib import predictions, workspace
from exmus_lib.tasks import THRESHOLD, Exercise, Muscles, Task

Scored = workspace.Run | pd.DataFrame  # a run, or the predictions table of one


def score(
    run: Scored | Sequence[Scored], clips: pd.DataFrame, task: Task, split: str = "test", unit: str = "clip"
) -> pd.Series:
    """The pooled metrics of a run, or of a predictions table, on one split; of several, seeds of one set-up, their mean.

    The metrics of the task, then `undefined` (see above) and `clips`, how many there were. `unit` "video" scores source
    videos, each by the mean of its clips' logits. Raises ValueError when the split has no clips, or the predictions are of
    another task, of other labels or of another clip set.
    """
    if not isinstance(run, Scored):
        return sum(score(one, clips, task, split, unit) for one in run) / len(run)
    _, truth, logits = scored(run, clips, task, split, unit)
    return measure(truth, task.probabilities(logits)).iloc[0]


def scored(
    run: Scored, clips: pd.DataFrame, task: Task, split: str = "test", unit: str = "clip"
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """The clips of a split, or its videos, with their truth and logits, as predictions.with_truth gives them.

    A video has the mean of its clips' logits, and its first clip's row. Raises as `score` does.
    """
    if isinstance(run, workspace.Run) and run.task != task.name:
        raise ValueError(f"{run.name} is a run of task {run.task}, not of {task.name}")
    table = predictions.read(run) if isinstance(run, workspace.Run) else run
    rows, truth, logits = predictions.with_truth(table, clips, task, split)
    if rows.empty:
        raise ValueError(f'no clips to score in split "{split}"; the predictions have {sorted(set(table["split"]))}')
    if unit == "clip":
        return rows, truth, logits
    _, first, video = np.unique(rows["video_id"], return_index=True, return_inverse=True)
    sums = np.stack([np.bincount(video, column) for column in logits.T], axis=1)
    return rows.iloc[first], truth[first], sums / np.bincount(video)[:, None]


def measure(
    truth: np.ndarray,
    probabilities: np.ndarray,
    weights: np.ndarray | Iterable[np.ndarray] | None = None,
    thresholds: float | np.ndarray = THRESHOLD,
) -> pd.DataFrame:
    """All metrics of N clips with L labels, a row for each row of `weights` (R, N): how often each clip counts (None: once).

    Weights may come in several blocks, so that not all are in memory at once.

    Both tasks have macro AUC, precision, recall and F1. Classes (N,) with probabilities (N, L) have top-1 and top-5 too (NaN for
    five classes or fewer); of equal probabilities the first counts as higher. Zeros and ones (N, L) have `accuracy` over all
    N x L decisions at `thresholds` (one, or one for each label), `exact_match` (subset accuracy) and mean average precision
    (`map`). Raises ValueError as `per_label` does.
    """
    truth, probabilities = np.asarray(truth), np.asarray(probabilities)
    present, chosen, shares = decisions(truth, probabilities, thresholds)
    if weights is None or isinstance(weights, np.ndarray):
        weights = [np.ones((1, len(truth))) if weights is None else weights]
    macro, ranks = (Exercise if truth.ndim == 1 else Muscles).averaged, _ranks(present, probabilities)
    blocks = [_measured(present, chosen, ranks, shares, np.asarray(block, dtype=float), macro) for block in weights]
    return pd.concat(blocks, ignore_index=True)


def _measured(
    present: np.ndarray, chosen: np.ndarray, ranks: list[tuple], shares: dict, weights: np.ndarray, macro: Sequence[str]
) -> pd.DataFrame:
    """The rows of `measure` under one block of weights."""
    labels = _per_label(present, chosen, ranks, weights)
    labels["map"] = labels.pop("average_precision")
    clips = weights.sum(axis=1)
    return pd.DataFrame({
        **{name: weights @ share / clips for name, share in shares.items()},
        **{name: _mean_of_defined(labels[name]) for name in macro},
        "undefined": np.isnan([labels[name] for name in macro]).any(axis=0).sum(axis=1), "clips": clips,
    }, dtype=float)  # fmt: skip


def per_label(
    truth: np.ndarray, probabilities: np.ndarray, names: Sequence[str], thresholds: float | np.ndarray = THRESHOLD
) -> pd.DataFrame:
    """One row per label of `names`: exercises, for (N,) class indices, or muscles, for (N, L) zeros and ones.

    Columns: support (clips that have it), predicted (clips for which it is predicted), precision, recall, f1, auc and
    average_precision; NaN where undefined. Raises ValueError for no clips, shapes that do not fit, unknown labels, and
    probabilities outside 0 to 1.
    """
    truth, probabilities = np.asarray(truth), np.asarray(probabilities)
    present, chosen, _ = decisions(truth, probabilities, thresholds)
    labels = _per_label(present, chosen, _ranks(present, probabilities), np.ones((1, len(truth))))
    counts = {"support": present.sum(axis=0), "predicted": chosen.sum(axis=0)}
    index = pd.Index(names, name=(Exercise if truth.ndim == 1 else Muscles).noun)
    return pd.DataFrame({**counts, **{name: values[0] for name, values in labels.items()}}, index=index)


def decisions(
    truth: np.ndarray, probabilities: np.ndarray, thresholds: float | np.ndarray = THRESHOLD
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Which labels each clip has, and which are predicted: (N, L) booleans each; and its part (N,) in each mean over clips.

    Raises ValueError as `per_label` does.
    """
    _check(truth, probabilities)
    if truth.ndim == 1:
        ranked, classes = np.argsort(-probabilities, axis=1, kind="stable"), np.arange(probabilities.shape[1])
        hits = ranked == truth[:, None]
        shares = {"top1": hits[:, 0], "top5": hits[:, :5].any(axis=1)}
        if len(classes) <= 5:  # five guesses are always right
            shares["top5"] = np.full(len(hits), np.nan)
        return truth[:, None] == classes, ranked[:, :1] == classes, shares
    present, chosen = truth.astype(bool), probabilities > thresholds
    right = present == chosen
    return present, chosen, {"accuracy": right.mean(axis=1), "exact_match": right.all(axis=1)}


def _per_label(
    present: np.ndarray, chosen: np.ndarray, ranks: list[tuple], weights: np.ndarray
) -> dict[str, np.ndarray]:
    """precision, recall, f1, auc and average_precision, (R, L) each, of (N, L) decisions with `_ranks` under weights (R, N)."""
    support, predicted, hits = (weights @ counted for counted in (present, chosen, present & chosen))
    ranked = [_ranked(*rank, weights) for rank in ranks]
    auc, average_precision = np.array(ranked).transpose(1, 2, 0)
    return {
        "precision": np.where((support > 0) & (predicted == 0), 0.0, _ratio(hits, predicted)),
        "recall": _ratio(hits, support),
        "f1": _ratio(2 * hits, support + predicted),
        "auc": auc,
        "average_precision": average_precision,
    }


def _ranks(present: np.ndarray, probabilities: np.ndarray) -> list[tuple]:
    """Of each label of (N, L) what `_ranked` needs besides weights: the clips by falling score (N,), the positive ones among
    them (P,), and of each positive clip how many clips, and how many positive ones, lie strictly above it and with its equals."""
    ranks = []
    for positive, scores in zip(present.T, probabilities.T, strict=True):
        order = np.argsort(-scores)
        ordered, positives = -scores[order], order[positive[order]]
        both = [[np.searchsorted(among, -scores[positives], side) for side in ("left", "right")]
                for among in (ordered, -scores[positives])]  # fmt: skip
        ranks.append((order, positives, *both))
    return ranks


# Our own, since the bootstrap and a curve of 101 ensemble weights would wait for scikit-learn, which is the referee in tests
# (benchmarks/scoring.py has both times).
def _ranked(
    order: np.ndarray, positives: np.ndarray, of_all: list, of_positives: list, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """AUC and average precision (R,) of one label, given its part of `_ranks`, under weights (R, N).

    AUC is the share of pairs of a positive and a negative clip in right order, ties a half. Average precision is the mean,
    over the positive clips, of the precision when the threshold is that clip's score.
    """
    counted = weights[:, positives]
    everyone, right = _sums(weights[:, order]), _sums(counted)
    (before, through), (right_before, right_through) = (
        [s[:, i] for i in at] for s, at in ((everyone, of_all), (right, of_positives))
    )
    count, others = right[:, -1], everyone[:, -1:] - right[:, -1:]
    above = (before - right_before + through - right_through) / 2
    auc = _ratio((counted * (others - above)).sum(axis=1), count * others[:, 0])
    precision = _ratio(right_through, through)  # NaN where all clips so far have weight 0
    return auc, _ratio(np.nansum(counted * precision, axis=1), count)


def _sums(values: np.ndarray) -> np.ndarray:
    """Of (R, N) the sums (R, N + 1) of none, of the first, of the first two, and so on."""
    sums = np.zeros((len(values), values.shape[1] + 1))
    np.cumsum(values, axis=1, out=sums[:, 1:])
    return sums


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, NaN where whole is 0."""
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)


def _mean_of_defined(values: np.ndarray) -> np.ndarray:
    """Means (R,) over the labels of (R, L) that are not NaN; NaN, and no warning, where all are."""
    return _ratio(np.nansum(values, axis=1), (~np.isnan(values)).sum(axis=1))


def _check(truth: np.ndarray, probabilities: np.ndarray) -> None:
    if not len(truth):
        raise ValueError("no clips to score")
    if probabilities.ndim != 2 or truth.shape not in (probabilities.shape[:1], probabilities.shape):
        shapes = f"truth {truth.shape} and probabilities {probabilities.shape}"
        raise ValueError(f"{shapes} do not fit: (N,) or (N, L) and (N, L)")
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise ValueError("probabilities are not all within 0 and 1: were logits handed over?")
    top = probabilities.shape[1] - 1 if truth.ndim == 1 else 1
    unknown = np.setdiff1d(truth, np.arange(top + 1))
    if len(unknown):
        raise ValueError(f"truth holds {unknown[:5]}; it must be whole numbers from 0 to {top}")
