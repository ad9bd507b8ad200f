"""Probabilities worth reading, thresholds worth deciding by: fitted on validation clips, test rows never looked at.

Both give a predictions table again, so that everything that reads one can read them.
"""

import numpy as np
import pandas as pd
import scipy
from scipy.special import logit

from exmus_lib import predictions
from exmus_lib.tasks import THRESHOLD, Task

BINS = 10
RIGHT = 0.8  # share of validation clips, from the confidence on at which an answer is called sure
# Validation clips that have a label, and that lack it; with fewer, probabilities and thresholds are left as they are.
FEWEST = 5


def calibrated(table: pd.DataFrame, clips: pd.DataFrame, task: Task) -> pd.DataFrame:
    """The predictions table with logits that make better probabilities.

    Exercises: all divided by one temperature (Guo et al. 2017), which keeps the order of a clip's labels. Muscles: each
    scaled and shifted (Platt 1999), which keeps the order of the clips for a label.
    """
    logits = predictions.logits(table)
    if not task.multilabel:
        return predictions.with_logits(table, logits / temperature(table, clips, task))
    scales, shifts = platt(table, clips, task)
    return predictions.with_logits(table, logits * scales + shifts)


def temperature(table: pd.DataFrame, clips: pd.DataFrame, task: Task) -> float:
    """The temperature of least log loss on validation: above 1 where a network is surer than it is right.

    1 where fewer than FEWEST validation clips are right, or wrong: nothing to tell by. For tasks with one label a clip.
    """
    from sklearn.metrics import log_loss

    _, truth, logits = predictions.with_truth(table, clips, task, "val")
    right = logits.argmax(axis=1) == truth
    if min(right.sum(), (~right).sum()) < FEWEST:
        return 1.0

    def loss(log_temperature: float) -> float:
        return log_loss(truth, task.probabilities(logits / np.exp(log_temperature)), labels=range(logits.shape[1]))

    return float(np.exp(scipy.optimize.minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))


def sure_above(table: pd.DataFrame, clips: pd.DataFrame, task: Task) -> float:
    """The lowest confidence such that of the validation clips at or above it a share RIGHT is right; infinite without one.

    For tasks with one label a clip: an answer below it is better called unsure. At least FEWEST clips must lie above it.
    """
    _, truth, logits = predictions.with_truth(table, clips, task, "val")
    likely = task.probabilities(logits)
    right = pd.Series(likely.argmax(axis=1) == truth).groupby(likely.max(axis=1)).agg(["sum", "size"])
    above = right[::-1].cumsum()  # of each confidence, the highest first: right answers and clips at or above it
    enough = above[(above["sum"] / above["size"] >= RIGHT) & (above["size"] >= FEWEST)]
    return float(enough.index[-1]) if len(enough) else np.inf


def platt(table: pd.DataFrame, clips: pd.DataFrame, task: Task) -> tuple[np.ndarray, np.ndarray]:
    """Scale and shift (L,) of each muscle's logit, by logistic regression on validation; 1 and 0 where clips are too few.

    With scikit-learn's usual penalty, which keeps the scale finite where a muscle's clips are all told apart.
    """
    from sklearn.linear_model import LogisticRegression

    _, truth, logits = predictions.with_truth(table, clips, task, "val")
    scales, shifts = np.ones(truth.shape[1]), np.zeros(truth.shape[1])
    for label in _frequent(truth):
        model = LogisticRegression().fit(logits[:, [label]], truth[:, label])
        if model.coef_[0, 0] > 0:  # never turn an order round
            scales[label], shifts[label] = model.coef_[0, 0], model.intercept_[0]
    return scales, shifts


def thresholds(table: pd.DataFrame, clips: pd.DataFrame, task: Task) -> np.ndarray:
    """The probability (L,) above which a muscle's F1 on validation is highest; 0.5 where clips are too few."""
    from sklearn.metrics import precision_recall_curve

    _, truth, logits = predictions.with_truth(table, clips, task, "val")
    probabilities, chosen = task.probabilities(logits), np.full(truth.shape[1], THRESHOLD)
    for label in _frequent(truth):
        precision, recall, at = precision_recall_curve(truth[:, label], probabilities[:, label])
        best = int(np.argmax((precision * recall / np.maximum(precision + recall, 1e-12))[:-1]))  # half of F1
        chosen[label] = np.append(0, at)[best : best + 2].mean()  # in the middle of the gap between two clips
    return chosen


def _frequent(truth: np.ndarray) -> np.ndarray:
    """The labels of truth (N, L) that enough clips have, and that enough lack."""
    return np.flatnonzero(np.minimum(truth.sum(axis=0), (1 - truth).sum(axis=0)) >= FEWEST)


def decided(table: pd.DataFrame, clips: pd.DataFrame, task: Task) -> pd.DataFrame:
    """The predictions table of muscles with each logit shifted by its threshold's: predicted above probability 0.5.

    AUC and average precision do not change. The shifted logits are for deciding; as probabilities, read `calibrated`.
    """
    limits = np.clip(thresholds(table, clips, task), 1e-6, 1 - 1e-6)
    return predictions.with_logits(table, predictions.logits(table) - logit(limits))


def reliability(truth: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    """How often predictions of a probability come true: a row for each of BINS bins of equal width that holds any.

    Of classes (N,) with probabilities (N, L) the predicted one counts, of zeros and ones (N, L) every decision. Columns:
    confidence (mean probability), share (how many came true) and count.
    """
    truth, probabilities = np.asarray(truth), np.asarray(probabilities)
    if truth.ndim == 1:
        truth, probabilities = probabilities.argmax(axis=1) == truth, probabilities.max(axis=1)
    pairs = pd.DataFrame({"confidence": probabilities.ravel(), "share": truth.ravel().astype(float)})
    groups = pairs.groupby(np.minimum((pairs["confidence"] * BINS).astype(int), BINS - 1))
    return groups.mean().assign(count=groups.size()).rename_axis("bin")


def calibration_error(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """The expected calibration error: |confidence - share| of `reliability`, averaged over all predictions."""
    table = reliability(truth, probabilities)
    return float(np.average((table["confidence"] - table["share"]).abs(), weights=table["count"]))
