"""Transitional: the default labels under their old names, until every module takes labels from a clip set or a run."""

import numpy as np

from exmus_lib import labels, tasks
from exmus_lib.labels import nearest  # noqa: F401

_DEFAULT = labels.read()
EXERCISES, MUSCLES, MUSCLES_OF = _DEFAULT.exercises, _DEFAULT.muscles, _DEFAULT.muscles_of
FOLDERS = {exercise.lower(): exercise for exercise in EXERCISES} | dict(_DEFAULT.folders)
LABELS = {"exercise": EXERCISES, "mgap": MUSCLES}
TASKS = tuple(LABELS)
exercise_of = _DEFAULT.exercise_of


def truth(exercises, task) -> np.ndarray:
    return tasks.task(str(task), _DEFAULT).truth(exercises)
