"""What any network must beat, and what the paper lacks: prevalence, the exercise-to-muscle look-up, the linear probe.

None trains a network. Each makes the same predictions table as a run; `store` makes it one.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.special import logit, logsumexp
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from exmus_lib import predictions, vocabulary
from exmus_lib.labels import Labels
from exmus_lib.tasks import Muscles
from exmus_lib.workspace import Run

SURE = 30.0  # the largest logit of a look-up: finite, and a probability of 1 to twelve digits
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)  # of the probe: scikit-learn's C, small is strong regularisation


def prevalence(clips: pd.DataFrame, task: str) -> pd.DataFrame:
    """The same answer for every clip: how often each exercise or muscle occurs among the training clips.

    `clips` has a column `split`; the result is a predictions table. Its AUC is 50 % by construction; its top-1 is the
    share of the exercise most frequent in training; a muscle that fewer than half of the clips work is never predicted.
    """
    train = vocabulary.truth(clips["exercise"][clips["split"] == "train"], task)
    if not len(train):
        raise ValueError("no training clips to count")
    labels = len(vocabulary.LABELS[task])
    counts = np.bincount(train, minlength=labels) if task == "exercise" else train.sum(axis=0)
    share = (counts + 0.5) / (len(train) + 1)  # never 0 or 1, whose logits are infinite
    logits = np.log(share) if task == "exercise" else logit(share)
    return predictions.table(clips, np.tile(logits, (len(clips), 1)), task)


def lookup(exercises: pd.DataFrame) -> pd.DataFrame:
    """Muscles out of exercises: the probability of a muscle is the sum of those of the exercises that work it.

    Takes the predictions table of an exercise run, gives one of mgap. Muscles are a function of the exercise (paper,
    Table 1), so any exercise classifier is a muscle classifier too.
    """
    values = predictions.logits(exercises)
    works = vocabulary.truth(vocabulary.EXERCISES, "mgap").T.astype(bool)  # (11 muscles, 16 exercises)
    with np.errstate(divide="ignore"):
        muscles = [logsumexp(values[:, w], axis=1) - logsumexp(values[:, ~w], axis=1) for w in works]
    return predictions.table(exercises, np.clip(np.stack(muscles, axis=1), -SURE, SURE), "mgap")


def muscles_of(probabilities: np.ndarray, labels: Labels) -> np.ndarray:
    """Probabilities (N, muscles) or (muscles,) out of those of the exercises: the sum over the exercises that work each."""
    return probabilities @ Muscles(labels).truth(labels.exercises)


def probe(run: Run, clips: pd.DataFrame, task: str) -> pd.DataFrame:
    """A linear probe: logistic regression on a run's frozen embeddings, one for each muscle at mgap.

    Fitted on the training clips; its strength is that of least log loss on the validation clips. A label that no training
    clip has gets the lowest logit of a look-up. Raises ValueError without training or validation clips.
    """
    clip_id, split, embedding = run.embeddings()
    rows = clips.set_index("clip_id").loc[clip_id].reset_index()
    truth = vocabulary.truth(rows["exercise"], task)
    train, val = split == "train", split == "val"
    if not (train.any() and val.any()):
        raise ValueError(f"{run.name}: a probe needs training and validation clips")
    fit = _exercise_probe if task == "exercise" else _mgap_probe
    fitted = [fit(embedding[train], truth[train], strength) for strength in STRENGTHS]
    losses = [_loss(logits(embedding[val]), truth[val], task) for logits in fitted]
    return predictions.table(rows, fitted[int(np.argmin(losses))](embedding), task)


def store(run: Run | None, kind: str, table: pd.DataFrame, dataset: str, task: str, facts: dict) -> Run:
    """A baseline as a run: <kind>[-<network it reads>]-<six hex>. `facts`: preset, split, seed and clip_set."""
    parent = {"parent": f"{run.dataset}/{run.task}/{run.name}"} if run else {}
    name = f"{kind}-{run.facts()['network']}" if run else kind
    return predictions.store(dataset, task, name, table, {"network": kind, **facts, **parent})


def _exercise_probe(embedding: np.ndarray, truth: np.ndarray, strength: float) -> Callable[[np.ndarray], np.ndarray]:
    model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=2000)).fit(embedding, truth)

    def logits(rows: np.ndarray) -> np.ndarray:
        found = np.full((len(rows), len(vocabulary.EXERCISES)), -SURE)
        found[:, model.classes_] = np.log(np.maximum(model.predict_proba(rows), np.exp(-SURE)))
        return found

    return logits


def _mgap_probe(embedding: np.ndarray, truth: np.ndarray, strength: float) -> Callable[[np.ndarray], np.ndarray]:
    varies = truth.any(axis=0) & ~truth.all(axis=0)
    one = LogisticRegression(C=strength, max_iter=2000)
    model = make_pipeline(StandardScaler(), MultiOutputClassifier(one)).fit(embedding, truth[:, varies])

    def logits(rows: np.ndarray) -> np.ndarray:
        found = np.where(truth.all(axis=0), SURE, -SURE) * np.ones((len(rows), 1))
        likely = np.stack([p[:, 1] for p in model.predict_proba(rows)], axis=1)
        found[:, varies] = np.clip(logit(likely), -SURE, SURE)
        return found

    return logits


def _loss(logits: np.ndarray, truth: np.ndarray, task: str) -> float:
    probabilities = predictions.probabilities(logits, task)
    if task == "exercise":
        return log_loss(truth, probabilities, labels=range(len(vocabulary.EXERCISES)))
    return float(np.mean([log_loss(t, p, labels=[0, 1]) for t, p in zip(truth.T, probabilities.T, strict=True)]))
