"""Labels as a value: exercises, muscles, which exercise works which muscles, and the folder names that lead to an exercise.

The paper's are the default (data/labels/exercises.csv; Tables 1 and 3). A data set's folder may hold an `exercises.csv` of its
own, which then counts for it. Muscles are looked up by exercise; nobody measured them on the people in the videos.
"""

import csv
import difflib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import zip_longest
from pathlib import Path

from exmus_lib import sheets

DEFAULT_FILE = Path(__file__).resolve().parents[1] / "data" / "labels" / "exercises.csv"
FILE_NAME = "exercises.csv"  # in a data set's folder
COLUMNS = ("folder", "exercise", "muscles")
# The order of the paper's muscle label vector; muscles of other names follow in the order of their file.
PAPER_MUSCLES = (
    "triceps", "lats", "biceps", "quads", "glutes", "shoulders", "abs", "obliques", "chest", "lower back", "hamstrings",
)  # fmt: skip


@dataclass(frozen=True)
class Labels:
    """`muscles_of`: exercise -> the muscles it works, in label order; `folders`: class folder -> exercise, None where it has no
    label (plank). An exercise's own name is a folder name too."""

    muscles_of: Mapping[str, tuple[str, ...]]
    folders: Mapping[str, str | None] = field(default_factory=dict, compare=False)

    @property
    def exercises(self) -> tuple[str, ...]:
        """All exercises in label order, which is that of their first lines (the paper's: of its Table 3)."""
        return tuple(self.muscles_of)

    @property
    def muscles(self) -> tuple[str, ...]:
        """All muscles in label order."""
        worked = dict.fromkeys(muscle for muscles in self.muscles_of.values() for muscle in muscles)
        return tuple(m for m in PAPER_MUSCLES if m in worked) + tuple(m for m in worked if m not in PAPER_MUSCLES)

    @cached_property
    def _exercises(self) -> dict[str, str | None]:
        names = {exercise: exercise for exercise in self.exercises} | dict(self.folders)
        return {same(name): exercise for name, exercise in names.items()}

    def exercise_of(self, folder: str) -> str | None:
        """The exercise of a class folder, in any case; None for one without a label. KeyError for an unknown folder."""
        return self._exercises[same(folder)]

    def unknown(self, folders: Iterable[str]) -> list[str]:
        """Those of the class folders that lead to nothing here."""
        return [folder for folder in folders if same(folder) not in self._exercises]

    def to_json(self) -> dict[str, list[str]]:
        """As run.json keeps them: exercise -> muscles, both in label order."""
        return {exercise: list(muscles) for exercise, muscles in self.muscles_of.items()}

    @classmethod
    def from_json(cls, muscles_of: Mapping[str, Iterable[str]]) -> "Labels":
        return cls({exercise: tuple(muscles) for exercise, muscles in muscles_of.items()})


def same(name: str) -> str:
    """Equal for names that people hold to be the same: any case, spaces around it, and accents as macOS or Windows write them."""
    return unicodedata.normalize("NFC", name).strip().casefold()


def read(path: Path = DEFAULT_FILE) -> Labels:
    """The labels of a CSV file with the columns folder, exercise and muscles, as spreadsheets save it.

    UTF-8 with or without a byte order mark, separated by commas, semicolons or tabs; muscles of any name, separated by semicolons
    (or commas). An empty exercise means that the folder has no label. Raises ValueError naming the line and what is wrong.
    """
    names, rows = sheets.rows(path, COLUMNS)
    last = len(names) - 1
    folders, muscles_of, spelled = {}, {}, {muscle: muscle for muscle in PAPER_MUSCLES}
    for line, row in rows:
        row = [cell.strip() for cell in row]
        # Muscles that are separated as the cells are make a row too long.
        cell = dict(zip_longest(names, [*row[:last], ";".join(row[last:])], fillvalue=""))
        folder, exercise = cell["folder"], cell["exercise"]
        if not (folder or exercise):
            raise ValueError(f"{path}, line {line}: neither a folder nor an exercise")
        exercise = next((known for known in muscles_of if same(known) == same(exercise)), exercise) or None
        muscles = [" ".join(muscle.split()) for muscle in re.split("[;,]", cell["muscles"]) if muscle.strip()]
        muscles = tuple(dict.fromkeys(spelled.setdefault(same(muscle), muscle) for muscle in muscles))
        if exercise and muscles_of.setdefault(exercise, muscles) != muscles:
            raise ValueError(f'{path}, line {line}: "{exercise}" has other muscles than on an earlier line')
        if folder and folders.setdefault(same(folder), exercise) != exercise:
            what = f'folder "{same(folder)}" leads to another exercise'
            raise ValueError(f"{path}, line {line}: {what} than on an earlier line")
    if not muscles_of:
        raise ValueError(f"{path} names no exercise")
    return Labels(muscles_of, folders)


def paper() -> Labels:
    """The paper's own 16 exercises and 11 muscles (data/paper/exercise_muscles.csv), whatever a data set's are."""
    with (DEFAULT_FILE.parents[1] / "paper" / "exercise_muscles.csv").open(newline="", encoding="utf-8") as file:
        return Labels({r["exercise_table3"]: tuple(r["muscles"].split(";")) for r in csv.DictReader(file)})


def nearest(word: object, known: Iterable[str]) -> str:
    """A hint for error messages: ' Did you mean "…"?' where a known word is a likely slip away, else nothing."""
    lowered = {k.lower(): k for k in known}
    close = difflib.get_close_matches(str(word).lower(), lowered, n=1)
    return f' Did you mean "{lowered[close[0]]}"?' if close else ""
