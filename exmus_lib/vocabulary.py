"""The words of the data set: 16 exercises, 11 muscles, and which exercise works which (paper, Tables 1 and 3).

Everything is read from data/labels/exercises.csv, so another data set or class needs only another such file.
Muscles are looked up by exercise; nobody measured them on the people in the videos.
"""

import csv
import difflib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

LABELS_DIR = Path(__file__).resolve().parents[1] / "data" / "labels"

# The order of the paper's muscle label vector.
MUSCLES = (
    "triceps", "lats", "biceps", "quads", "glutes", "shoulders", "abs", "obliques", "chest", "lower back", "hamstrings",
)  # fmt: skip


def nearest(word: str, known: Sequence[str]) -> str:
    """A hint for error messages: ' Did you mean "…"?' for a likely slip, ' Nearest: "…".' for a far one, else nothing."""
    lowered = {k.lower(): k for k in known}
    if not word or not known:
        return ""
    close = difflib.get_close_matches(str(word).lower(), lowered, n=1, cutoff=0.4)
    if close:
        return f' Did you mean "{lowered[close[0]]}"?'
    far = max(known, key=lambda k: difflib.SequenceMatcher(None, str(word).lower(), k.lower()).ratio())
    return f' Nearest: "{far}".'


def _read(path: Path) -> tuple[dict[str, str | None], dict[str, tuple[str, ...]]]:
    folders, muscles_of = {}, {}
    with path.open(newline="", encoding="utf-8") as file:
        for line, row in enumerate(csv.DictReader(file), start=2):
            exercise = row["exercise"].strip() or None
            muscles = tuple(m.strip() for m in row["muscles"].split(";") if m.strip())
            for muscle in muscles:
                if muscle not in MUSCLES:
                    raise ValueError(
                        f'{path}, line {line}: unknown muscle "{muscle}".{nearest(muscle, MUSCLES)} Known: {MUSCLES}'
                    )
            if exercise and muscles_of.setdefault(exercise, muscles) != muscles:
                raise ValueError(f'{path}, line {line}: "{exercise}" has other muscles than on an earlier line')
            folders[row["folder"].strip().lower()] = exercise
    return folders, muscles_of


# FOLDERS: class folder in lower case -> exercise, None where it has no label (plank); MUSCLES_OF: exercise -> its muscles.
FOLDERS, MUSCLES_OF = _read(LABELS_DIR / "exercises.csv")
# In the order of their first lines, which is that of the paper's Table 3 (its t-SNE identities).
EXERCISES = tuple(MUSCLES_OF)
LABELS = {"exercise": EXERCISES, "mgap": MUSCLES}
TASKS = tuple(LABELS)
# Of the 22 names two lead a double life ("squat" is a folder and an exercise), and both lead to the same exercise.
FOLDERS.update({exercise.lower(): exercise for exercise in EXERCISES})


def exercise_of(folder: str) -> str | None:
    """The exercise of a class folder, named as Kaggle does or by its exercise, in any case; None for one without (plank).

    Raises ValueError for an unknown folder, with the nearest known one.
    """
    try:
        return FOLDERS[folder.strip().lower()]
    except KeyError:
        raise ValueError(
            f'unknown class folder "{folder}".{nearest(folder, tuple(FOLDERS))}'
            f" Name it as an exercise ({', '.join(EXERCISES)}), or add it to {LABELS_DIR / 'exercises.csv'}."
        ) from None


def truth(exercises: Sequence[str], task: str) -> np.ndarray:
    """The true labels of N clips: (N,) class indices for `exercise`, (N, 11) zeros and ones for `mgap`."""
    index = np.array([EXERCISES.index(e) for e in exercises], dtype=np.int64)
    if task == "exercise":
        return index
    muscles = np.array([[m in MUSCLES_OF[e] for m in MUSCLES] for e in EXERCISES], dtype=np.int64)
    return muscles[index]
