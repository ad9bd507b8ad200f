"""What was recognised in a video, as the player, the picture and the files to take away show it."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from exmus_lib.pictures import timeline
from exmus_lib.pictures.explorer import shown
from exmus_lib.tasks import Exercise, Muscles

if TYPE_CHECKING:  # PyTorch would keep the page waiting for seconds
    from exmus_lib.networks.recognise import Recognition

BLUE, GREY = (11, 61, 110), (90, 90, 90)  # ink of the muscles along time


@dataclass(frozen=True)
class Result:
    """`table` has the windows: start, end, <task>/<label>, answer, sure, warning; `why` is what to say of them in a sentence.

    `recognition` is there where joints told: then `table` is its own, with idle and found.
    """

    table: pd.DataFrame
    why: str
    recognition: Recognition | None = None

    @property
    def weighed(self) -> pd.DataFrame:
        """The windows with probabilities as they are shown: that of an exercise, or a muscle, times that of any exercise."""
        if "idle" not in self.table:
            return self.table
        likely = [column for task in (Exercise, Muscles) for column in timeline.columns(self.table, task).values()]
        return self.table.assign(**self.table[likely].mul(1 - self.table["idle"], axis=0))

    @property
    def lines(self) -> list[str]:
        """A sentence for each stretch of one exercise."""
        stretches = self.recognition.stretches if self.recognition else ()
        return [f"{s.start:.1f} to {s.end:.1f} s: {s.exercise}, {s.details}" for s in stretches]

    @property
    def turns(self) -> list[float]:
        """The seconds at which repetitions turn."""
        stretches = self.recognition.stretches if self.recognition else ()
        return sorted({round(r.turn, 3) for s in stretches for r in s.repetitions})

    def picture(self, title: str) -> Figure:
        return timeline.timeline(self.weighed, title, self.lines, self.turns)

    def windows(self) -> list[dict]:
        """The windows as the player takes them."""
        table = self.weighed
        return [_window(row, table, self._stretch(row)) for _, row in table.iterrows()]

    def html(self) -> str:
        """Stretches and notes as a list; "" where there are none."""
        if not self.recognition:
            return ""
        lines, likely = [escape(line) for line in self.lines], self.recognition.exercises().head(3)
        if not lines:
            guess = ", ".join(f"{name} {share:.0%}" for name, share in likely.items())
            seen = self.recognition.track.found.any()
            lines = [escape(self.recognition.unsure + (f"; the likeliest: {guess}" if seen else ""))]
        lines += [f"note: {escape(note)}" for note in self.recognition.notes]
        return f"<ul>{''.join(f'<li>{line}</li>' for line in lines)}</ul>"

    def files(self) -> dict[str, bytes]:
        """What is to be taken away as CSV, by the end of its name: the windows, and the stretches with their repetitions."""
        files = {".csv": self.table.to_csv(index=False).encode()}
        if self.recognition:
            from exmus_lib.networks.recognise import SUMMARY

            stretches = pd.DataFrame(self.recognition.rows(), columns=SUMMARY)
            files["-stretches.csv"] = stretches.to_csv(index=False).encode()
        return files

    def _stretch(self, row: pd.Series) -> str:
        """Details of the stretch that a window belongs to; "" if none."""
        stretches = self.recognition.stretches if self.recognition else ()
        return next((s.details for s in stretches if s.exercise == row.answer and s.start <= row.start < s.end), "")


def _window(row: pd.Series, table: pd.DataFrame, details: str) -> dict:
    """A row of the table as the player takes it: the answer, and the top three of each task."""
    from exmus_lib.networks.recognise import IDLE

    lines = [f"<b>{row.start:.1f} to {row.end:.1f} s: {escape(row.answer)}</b>"]
    lines += [escape(text) for text in (details, row.warning) if text]
    exercises, muscles = (
        {label: row[column] for label, column in timeline.columns(table, task).items()} for task in (Exercise, Muscles)
    )
    number, colour = timeline.look(row.answer, list(exercises))
    idle = {IDLE: row["idle"]} if "idle" in row else {}
    html = "<br>".join(lines) + _bars("exercises", exercises | idle) + _bars("muscles", muscles)
    grey = row.warning or (idle and not row.sure)
    look = {"answer": row.answer, "number": number, "colour": colour, "ink": GREY if grey else BLUE}
    return shown.window(row.start, row.end, html, muscles, **look)


def _bars(title: str, likely: dict[str, float]) -> str:
    return shown.bars({title: np.array([*likely.values()])}, [*likely], count=3) if likely else ""
