"""What any network must beat, and what the paper lacks: prevalence, the exercise-to-muscle look-up, the linear probe.

None trains a network. Each makes the same predictions table as a run; `store` makes it one.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.special import logit, logsumexp

from exmus_lib import predictions, review
from exmus_lib.labels import Labels
from exmus_lib.tasks import Muscles, Task
from exmus_lib.workspace import Run

SURE = 30.0  # the largest logit of a look-up: finite, and a probability of 1 to twelve digits
Probe = Callable[[np.ndarray], np.ndarray]  # embeddings (N, D) to logits (N, L)
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)  # of the probe: scikit-learn's C, small is strong regularisation


def prevalence(clips: pd.DataFrame, task: Task) -> pd.DataFrame:
    """The same answer for every clip: how often each exercise or muscle occurs among the usable training clips.

    `clips` has a column `split`; the result is a predictions table. Its AUC is 50 % by construction; its top-1 is the
    share of the exercise most frequent in training; a muscle that fewer than half of the clips work is never predicted.
    Raises ValueError without training clips.
    """
    train = task.truth(review.usable(clips[clips["split"] == "train"]).exercise)
    if not len(train):
        raise ValueError("no training clips to count")
    counts = train.sum(axis=0) if task.multilabel else np.bincount(train, minlength=len(task.names))
    share = (counts + 0.5) / (len(train) + 1)  # never 0 or 1, whose logits are infinite
    logits = logit(share) if task.multilabel else np.log(share)
    return predictions.table(clips, np.tile(logits, (len(clips), 1)), task.names)


def lookup(exercises: pd.DataFrame, labels: Labels) -> pd.DataFrame:
    """Muscles out of exercises (paper, Table 1): a muscle's probability is the sum of those of the exercises that work it.

    Takes the predictions table of an exercise run, gives one of the muscles of `labels`. ValueError for exercises that
    `labels` lack.
    """
    values = predictions.logits(exercises)
    works = Muscles(labels).truth(predictions.names_of(exercises)).T.astype(bool)  # (muscles, exercises)

    def likely(chosen: np.ndarray) -> np.ndarray:
        return logsumexp(np.where(chosen, values, -np.inf), axis=1)

    muscles = [likely(worked) - likely(~worked) for worked in works]
    return predictions.table(exercises, np.clip(np.stack(muscles, axis=1), -SURE, SURE), labels.muscles)


def muscles_of(probabilities: np.ndarray, labels: Labels) -> np.ndarray:
    """Probabilities (N, muscles) or (muscles,) out of those of the exercises: the sum over the exercises that work each."""
    return probabilities @ Muscles(labels).truth(labels.exercises)


def probe(run: Run, clips: pd.DataFrame, task: Task) -> pd.DataFrame:
    """A linear probe: logistic regression on a run's frozen embeddings, one for each muscle at mgap.

    Fitted on the usable training clips; its strength is that of least log loss on the usable validation clips. A label that
    no training clip has gets logit -SURE, one that all have SURE. ValueError without training or validation clips.
    """
    clip_id, split, embedding = run.embeddings()
    rows = clips.set_index("clip_id").loc[clip_id].reset_index()
    truth, usable = task.truth(rows.exercise), np.isin(clip_id, review.usable(clips)["clip_id"])
    train, val = (usable & (split == part) for part in ("train", "val"))
    if not (train.any() and val.any()):
        raise ValueError(f"{run.name}: a probe needs training and validation clips")
    fit = _muscle_probe if task.multilabel else _exercise_probe
    fitted = [fit(embedding[train], truth[train], strength, len(task.names)) for strength in STRENGTHS]
    losses = [_loss(truth[val], task.probabilities(logits(embedding[val]))) for logits in fitted]
    return predictions.table(rows, fitted[int(np.argmin(losses))](embedding), task.names)


def store(run: Run | None, kind: str, table: pd.DataFrame, dataset: str, task: Task, facts: dict) -> Run:
    """A baseline as a run: <kind>[-<network it reads>]-<six hex>. `facts`: preset, split, seed and clip_set."""
    parent = {"parent": f"{run.dataset}/{run.task}/{run.name}"} if run else {}
    name = f"{kind}-{run.facts()['network']}" if run else kind
    return predictions.store(dataset, task, name, table, {"network": kind, **facts, **parent})


def _regression(strength: float):
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=2000))


def _exercise_probe(x: np.ndarray, truth: np.ndarray, strength: float, count: int) -> Probe:
    model = _regression(strength).fit(x, truth)

    def logits(rows: np.ndarray) -> np.ndarray:
        values = np.full((len(rows), count), -SURE)
        values[:, model.classes_] = np.log(np.maximum(model.predict_proba(rows), np.exp(-SURE)))
        return values

    return logits


def _muscle_probe(x: np.ndarray, truth: np.ndarray, strength: float, count: int) -> Probe:
    always, never = truth.all(axis=0), ~truth.any(axis=0)
    models = {label: _regression(strength).fit(x, truth[:, label]) for label in np.flatnonzero(~always & ~never)}

    def logits(rows: np.ndarray) -> np.ndarray:
        values = np.tile(np.where(always, SURE, -SURE), (len(rows), 1))
        for label, model in models.items():
            values[:, label] = np.clip(model.decision_function(rows), -SURE, SURE)
        return values

    return logits


def _loss(truth: np.ndarray, probabilities: np.ndarray) -> float:
    from sklearn.metrics import log_loss

    if truth.ndim == 1:
        return log_loss(truth, probabilities, labels=range(probabilities.shape[1]))
    return float(np.mean([log_loss(t, p, labels=[0, 1]) for t, p in zip(truth.T, probabilities.T, strict=True)]))
