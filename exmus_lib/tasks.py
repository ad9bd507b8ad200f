"""What a task is, in one place: its labels, how logits become probabilities and decisions, its metrics and its headline.

Its loss stands in networks.fit, since it needs torch. A third task would be one more class here and one more loss there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import expit, softmax

from exmus_lib.labels import Labels, nearest

THRESHOLD = 0.5  # a muscle is predicted above it
METRIC_TITLES = {
    "top1": "top-1", "top5": "top-5", "accuracy": "accuracy", "exact_match": "subset acc.", "auc": "AUC",
    "precision": "precision", "recall": "recall", "f1": "F1", "map": "mAP",
}  # fmt: skip


@dataclass(frozen=True)
class Task:
    """A task with the labels of a clip set or a run. `headline` is the metric that runs are ranked by, and that an ensemble's
    weight is chosen by; `protocol` are the metrics that the paper gives; `averaged` are means over labels, the others shares of
    clips or decisions."""

    labels: Labels
    name: ClassVar[str]  # as in parameters and folders
    title: ClassVar[str]
    noun: ClassVar[str]  # one label
    metrics: ClassVar[tuple[str, ...]]
    protocol: ClassVar[tuple[str, ...]]
    headline: ClassVar[str]
    multilabel: ClassVar[bool]  # several labels of a clip may be right at once
    averaged: ClassVar[tuple[str, ...]] = ("auc", "precision", "recall", "f1")

    @property
    def names(self) -> tuple[str, ...]:
        """The labels in order."""
        raise NotImplementedError

    def truth(self, exercises: Sequence[str], names: Sequence[str] | None = None) -> np.ndarray:
        """The true labels of N clips, given their exercises; `names` are other labels than the task's own, a run's.

        Raises ValueError where a clip's true label is not among them.
        """
        raise NotImplementedError

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Logits (N, L) to probabilities (N, L)."""
        raise NotImplementedError

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Exercise(Task):
    """Which exercise? Truth is a class index (N,), probabilities are a softmax."""

    name, title, noun = "exercise", "Exercises", "exercise"
    metrics = protocol = ("top1", "top5", "auc", "precision", "recall", "f1")
    headline, multilabel = "top1", False

    @property
    def names(self) -> tuple[str, ...]:
        return self.labels.exercises

    def truth(self, exercises: Sequence[str], names: Sequence[str] | None = None) -> np.ndarray:
        index = {name: i for i, name in enumerate(names or self.names)}
        _check_known(set(exercises) - index.keys(), self.noun, index)
        return np.array([index[exercise] for exercise in exercises], dtype=np.int64)

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        return softmax(logits, axis=1)


@dataclass(frozen=True)
class Muscles(Task):
    """Which muscles (MGAP)? Truth is zeros and ones (N, L), probabilities are a sigmoid each."""

    name, title, noun = "mgap", "Muscles", "muscle"
    metrics = ("accuracy", "exact_match", "auc", "precision", "recall", "f1", "map")
    protocol = ("accuracy", "auc", "precision", "recall", "f1")
    # Not mean average precision: of few sources its bootstrap interval holds the truth too rarely (scores.simulation.coverage).
    headline, multilabel = "auc", True
    averaged = (*Task.averaged, "map")

    @property
    def names(self) -> tuple[str, ...]:
        return self.labels.muscles

    def truth(self, exercises: Sequence[str], names: Sequence[str] | None = None) -> np.ndarray:
        names, muscles_of = list(names or self.names), self.labels.muscles_of
        _check_known(set(exercises) - muscles_of.keys(), "exercise", muscles_of)
        _check_known({m for e in set(exercises) for m in muscles_of[e]} - set(names), self.noun, names)
        rows = {e: np.isin(names, muscles_of[e]).astype(np.int64) for e in set(exercises)}
        return np.array([rows[e] for e in exercises], dtype=np.int64).reshape(-1, len(names))

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        return expit(logits)


TASKS = {task.name: task for task in (Exercise, Muscles)}


def task(name: str, labels: Labels) -> Task:
    """The task of this name with these labels. Raises ValueError for an unknown name, and where there is nothing to tell."""
    if name not in TASKS:
        raise ValueError(f'task = "{name}" is not one of: {", ".join(TASKS)}.{nearest(name, TASKS)}')
    made = TASKS[name](labels)
    if not made.names:
        raise ValueError(f"task {name} has no label: fill in the column {made.noun}s of exercises.csv")
    return made


def _check_known(unknown: set[str], noun: str, names: Sequence[str]) -> None:
    if unknown:
        raise ValueError(f"other labels: {noun} {', '.join(sorted(unknown))} is not among {', '.join(names)}")
