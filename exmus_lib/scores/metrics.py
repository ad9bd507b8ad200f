"""Pooled metrics: computed once over all clips of a split, never averaged over batches.

Macro means are over classes (exercise) or labels (mgap). Where a metric has no value for one, it is NaN in per_label,
left out of the mean, and counted in `undefined`:

    recall, average precision    undefined without a positive clip
    AUC                          undefined without a positive or without a negative clip
    precision, F1                undefined when the class is neither present nor ever predicted

A class that is present but never predicted has precision 0, as its recall and F1 are: a network cannot take a class out
of its mean by keeping silent about it. One that is predicted but absent has precision and F1 0. All values are shares.
"""

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from exmus_lib import predictions, workspace
from exmus_lib.vocabulary import LABELS

METRICS = {
    "exercise": ("top1", "top5", "auc", "precision", "recall", "f1"),
    "mgap": ("accuracy", "exact_match", "auc", "precision", "recall", "f1", "map"),
}
THRESHOLD = 0.5  # a muscle is predicted above it


def score(run: workspace.Run | pd.DataFrame, clips: pd.DataFrame, task: str, split: str = "test") -> pd.Series:
    """The pooled metrics of a run, or of a predictions table, on one split; truth comes from the manifest by clip_id.

    The metrics of the task, then `undefined` (see above) and `clips`, how many there were. Raises ValueError when the
    split has no clips, or the predictions are of another task or clip set.
    """
    if isinstance(run, workspace.Run) and run.task != task:
        raise ValueError(f"{run.name} is a run of task {run.task}, not of {task}")
    table = predictions.read(run) if isinstance(run, workspace.Run) else predictions.check(run, task)
    if not (table["split"] == split).any():
        raise ValueError(f'no clips to score in split "{split}"; the predictions have {sorted(set(table["split"]))}')
    _, truth, logits = predictions.with_truth(table, clips, task, split)
    metrics = exercise_metrics if task == "exercise" else mgap_metrics
    return metrics(truth, predictions.probabilities(logits, task))


def exercise_metrics(truth: np.ndarray, probabilities: np.ndarray) -> pd.Series:
    """Metrics of N clips' classes (N,) and probabilities (N, 16): top-1, top-5; macro AUC, precision, recall and F1.

    AUC is that of each class against the rest. Of classes with equal probabilities the first one counts as higher.
    """
    labels = per_label(truth, probabilities)
    ranked = np.argsort(-np.asarray(probabilities), axis=1, kind="stable")
    hits = ranked == np.asarray(truth)[:, None]
    values = {"top1": hits[:, 0].mean(), "top5": hits[:, :5].any(axis=1).mean()}
    return _summary(values, labels, ["auc", "precision", "recall", "f1"], len(truth))


def mgap_metrics(truth: np.ndarray, probabilities: np.ndarray) -> pd.Series:
    """Metrics of N clips' muscles (N, 11), zeros and ones, and probabilities (N, 11), at threshold 0.5.

    accuracy is over all N x 11 decisions, exact_match the share of clips with all 11 right; macro AUC, precision,
    recall, F1 and average precision (`map`).
    """
    labels = per_label(truth, probabilities)
    right = (np.asarray(probabilities) > THRESHOLD) == np.asarray(truth, dtype=bool)
    values = {"accuracy": right.mean(), "exact_match": right.all(axis=1).mean()}
    summary = _summary(values, labels, ["auc", "precision", "recall", "f1", "average_precision"], len(truth))
    return summary.rename({"average_precision": "map"})


def per_label(truth: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    """One row per exercise, for (N,) class indices, or per muscle, for (N, 11) zeros and ones, in vocabulary order.

    Columns: support (clips that have it), predicted (clips said to have it), precision, recall, f1, auc and
    average_precision; NaN where undefined. Raises ValueError for no clips, shapes that do not fit, and probabilities
    outside 0 to 1.
    """
    truth, probabilities = np.asarray(truth), np.asarray(probabilities)
    names = LABELS["exercise" if truth.ndim == 1 else "mgap"]
    _check(truth, probabilities, len(names))
    if truth.ndim == 1:
        present = truth[:, None] == np.arange(len(names))
        chosen = probabilities.argmax(axis=1)[:, None] == np.arange(len(names))
    else:
        present, chosen = truth.astype(bool), probabilities > THRESHOLD
    support, predicted, hits = present.sum(axis=0), chosen.sum(axis=0), (present & chosen).sum(axis=0)
    return pd.DataFrame(
        {
            "support": support,
            "predicted": predicted,
            "precision": np.where((support > 0) & (predicted == 0), 0.0, _ratio(hits, predicted)),
            "recall": _ratio(hits, support),
            "f1": _ratio(2 * hits, support + predicted),
            "auc": _auc(present, probabilities),
            "average_precision": _average_precision(present, probabilities),
        },
        index=pd.Index(names, name="exercise" if truth.ndim == 1 else "muscle"),
    )


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, NaN where whole is 0."""
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)


# All labels at once, from ranks: a curve of 101 ensemble weights would wait for scikit-learn, which is the referee in tests
# (benchmarks/scoring.py has both times).
def _auc(present: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Of each label (L,) of (N, L): the share of pairs of a positive and a negative clip in right order, ties a half."""
    positive = present.sum(axis=0)
    ranks = np.where(present, rankdata(probabilities, axis=0), 0).sum(axis=0)
    return _ratio(ranks - positive * (positive + 1) / 2, positive * (len(present) - positive))


def _average_precision(present: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Of each label (L,) of (N, L): the mean, over its positive clips, of the precision when the threshold is that clip's."""
    found = np.full(present.shape[1], np.nan)
    for label in np.flatnonzero(present.any(axis=0)):
        everyone, positive = (np.sort(-probabilities[rows, label]) for rows in (slice(None), present[:, label]))
        at_least = np.searchsorted(positive, positive, side="right") / np.searchsorted(everyone, positive, side="right")
        found[label] = at_least.mean()
    return found


def _summary(values: dict[str, float], labels: pd.DataFrame, macro: list[str], clips: int) -> pd.Series:
    """The values, the means over labels where each is defined, and how many labels at least one of them lacks."""
    undefined = labels[macro].isna().any(axis=1).sum()
    return pd.Series({**values, **labels[macro].mean(), "undefined": undefined, "clips": clips}, dtype=float)


def _check(truth: np.ndarray, probabilities: np.ndarray, count: int) -> None:
    if not len(truth):
        raise ValueError("no clips to score")
    wanted = (len(truth), count)
    if probabilities.shape != wanted or truth.shape not in (wanted[:1], wanted):
        raise ValueError(
            f"truth {truth.shape} and probabilities {probabilities.shape}: for this truth {wanted} are wanted"
        )
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise ValueError("probabilities are not all within 0 and 1: were logits handed over?")
    top = count - 1 if truth.ndim == 1 else 1
    if not np.isin(truth, np.arange(top + 1)).all():
        raise ValueError(
            f"truth holds {np.setdiff1d(truth, np.arange(top + 1))[:5]}; it must be whole numbers from 0 to {top}"
        )
