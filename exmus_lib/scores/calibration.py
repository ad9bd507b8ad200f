"""Probabilities worth reading, and thresholds worth deciding by: fitted on the validation clips, test rows never looked at.

Both give a predictions table again, so that everything that reads one can read them.
"""

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, precision_recall_curve

from exmus_lib import predictions, vocabulary

BINS = 10
RIGHT = 0.8  # of the validation clips, from the confidence on at which an answer is called sure
FEWEST = (
    5  # validation clips that say yes, and that say no; with fewer, probabilities and thresholds are left as they are
)


def calibrated(table: pd.DataFrame, clips: pd.DataFrame, task: str) -> pd.DataFrame:
    """The predictions table with logits that make better probabilities.

    The order of a clip's labels stays (exercise), or that of the clips for a label (mgap).
    Exercises: all logits divided by one temperature (Guo et al. 2017). Muscles: each logit scaled and shifted (Platt 1999).
    """
    if task == "exercise":
        return predictions.with_logits(table, predictions.logits(table) / temperature(table, clips))
    scales, shifts = platt(table, clips)
    return predictions.with_logits(table, predictions.logits(table) * scales + shifts)


def temperature(table: pd.DataFrame, clips: pd.DataFrame) -> float:
    """The temperature of least log loss on validation: above 1 where a network is surer than it is right.

    1 where fewer than FEWEST validation clips are right, or wrong: nothing to tell by.
    """
    _, truth, logits = predictions.with_truth(table, clips, "exercise", "val")
    right = logits.argmax(axis=1) == truth
    if min(right.sum(), (~right).sum()) < FEWEST:
        return 1.0

    def loss(log_temperature: float) -> float:
        probabilities = predictions.probabilities(logits / np.exp(log_temperature), "exercise")
        return log_loss(truth, probabilities, labels=range(len(vocabulary.EXERCISES)))

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))


def sure_above(table: pd.DataFrame, clips: pd.DataFrame, share: float = RIGHT) -> float:
    """The lowest confidence such that of the validation clips at or above it `share` are right; infinite if there is none.

    Exercises only: an answer below it is better called unsure. At least FEWEST clips must lie above it.
    """
    _, truth, logits = predictions.with_truth(table, clips, "exercise", "val")
    likely = predictions.probabilities(logits, "exercise")
    order = np.argsort(-likely.max(axis=1), kind="stable")
    confidence, right = likely.max(axis=1)[order], (likely.argmax(axis=1) == truth)[order]
    last_of_equals = np.append(confidence[1:] < confidence[:-1], True)[: len(right)]
    kept = np.flatnonzero(last_of_equals & (np.cumsum(right) / np.arange(1, len(right) + 1) >= share))
    kept = kept[kept >= FEWEST - 1]
    return float(confidence[kept[-1]]) if len(kept) else np.inf


def platt(table: pd.DataFrame, clips: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Scale and shift (11,) of each muscle's logit, by logistic regression on validation; 1 and 0 where clips are too few.

    With scikit-learn's usual penalty, which keeps the scale finite where a muscle's clips are all told apart.
    """
    _, truth, logits = predictions.with_truth(table, clips, "mgap", "val")
    scales, shifts = np.ones(truth.shape[1]), np.zeros(truth.shape[1])
    for label in np.flatnonzero(np.minimum(truth.sum(axis=0), (1 - truth).sum(axis=0)) >= FEWEST):
        model = LogisticRegression().fit(logits[:, [label]], truth[:, label])
        if model.coef_[0, 0] > 0:  # never turn an order round
            scales[label], shifts[label] = model.coef_[0, 0], model.intercept_[0]
    return scales, shifts


def thresholds(table: pd.DataFrame, clips: pd.DataFrame) -> np.ndarray:
    """The probability (11,) above which a muscle's F1 on validation is highest; 0.5 where clips are too few."""
    _, truth, logits = predictions.with_truth(table, clips, "mgap", "val")
    probabilities, found = predictions.probabilities(logits, "mgap"), np.full(truth.shape[1], 0.5)
    for label in np.flatnonzero(np.minimum(truth.sum(axis=0), (1 - truth).sum(axis=0)) >= FEWEST):
        precision, recall, at = precision_recall_curve(truth[:, label], probabilities[:, label])
        f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
        best = int(np.argmax(f1[:-1]))
        below = at[best - 1] if best else 0.0
        found[label] = (at[best] + below) / 2  # in the middle of the gap between two clips
    return found


def decided(table: pd.DataFrame, clips: pd.DataFrame) -> pd.DataFrame:
    """The predictions table of mgap with each logit shifted by its threshold's: a muscle is predicted above probability 0.5.

    AUC and average precision do not change. The shifted logits are for deciding; as probabilities, read `calibrated`.
    """
    return predictions.with_logits(
        table, predictions.logits(table) - logit(np.clip(thresholds(table, clips), 1e-6, 1 - 1e-6))
    )


def reliability(truth: np.ndarray, probabilities: np.ndarray, bins: int = BINS) -> pd.DataFrame:
    """How often predictions of a probability come true: a row per bin of equal width that holds any.

    Of exercises (N,) with (N, 16) the predicted one counts, of muscles (N, 11) with (N, 11) every decision. Columns: count,
    confidence (their mean probability) and share (how many came true).
    """
    truth, probabilities = np.asarray(truth), np.asarray(probabilities)
    if truth.ndim == 1:
        truth, probabilities = probabilities.argmax(axis=1) == truth, probabilities.max(axis=1)
    said = pd.DataFrame({"confidence": probabilities.ravel(), "share": truth.ravel().astype(float)})
    groups = said.groupby(np.minimum((said["confidence"] * bins).astype(int), bins - 1))
    return groups.mean().assign(count=groups.size()).rename_axis("bin")


def calibration_error(truth: np.ndarray, probabilities: np.ndarray, bins: int = BINS) -> float:
    """The expected calibration error: |confidence - share| of `reliability`, averaged over all predictions."""
    table = reliability(truth, probabilities, bins)
    return float(np.average((table["confidence"] - table["share"]).abs(), weights=table["count"]))
