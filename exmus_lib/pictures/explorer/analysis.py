"""A video of any length, window by window: what runs predict for each, with memory that does not grow with the video."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from exmus_lib import predictions, workspace
from exmus_lib.networks import predict
from exmus_lib.scores import ensembles
from exmus_lib.tasks import Task
from exmus_lib.videos import cut, read, windows
from exmus_lib.videos.dataset import view_of

Report = Callable[[float, str], None]  # the share done, and what is being done


class Cancelled(Exception):
    """Somebody pressed cancel."""


@dataclass(frozen=True)
class Hybrid:
    """Runs of one task and the same labels, trained networks, mixed: `x` for the first, the rest shared evenly."""

    runs: Sequence[workspace.Run]
    x: float = 0.5

    @property
    def task(self) -> Task:
        """With the labels that the runs were trained on."""
        return predictions.task_of(self.runs[0])


def small_copy(video: Path, copy: Path, report: Report, stopped: Callable[[], bool]) -> read.VideoInfo:
    """Write the video upright, 256 pixels at its shorter side, as clips are cut: what networks see and a browser plays.

    Raises VideoError naming the file and why when it cannot be read or is shorter than a clip, Cancelled when `stopped` says so.
    """

    def reading(share: float) -> None:
        if stopped():
            raise Cancelled
        report(share, "reading")

    return cut.small_copy(video, copy, reading)


def analyse(
    copy: Path, facts: read.VideoInfo, hybrids: Sequence[Hybrid], report: Report, stopped: Callable[[], bool]
) -> pd.DataFrame:
    """What the hybrids predict for each window of a video made by `small_copy`: a row per window.

    Columns: start, end (seconds), and <task>/<label>, probabilities, for the tasks of the hybrids. Raises Cancelled.
    """
    networks = {run: predict.restore(run) for hybrid in hybrids for run in hybrid.runs}
    rows = []
    spans = windows.spans(facts.seconds)
    for number, (start, end) in enumerate(spans):
        if stopped():
            raise Cancelled
        report(number / len(spans), "recognising")
        views, row = {}, {"start": round(start, 3), "end": round(end, 3)}
        for hybrid in hybrids:
            logits = []
            for run in hybrid.runs:
                network, recipe = networks[run]
                if recipe not in views:
                    times = windows.span_times((start, end), facts, recipe)
                    views[recipe] = view_of(read.read_frames(copy, times), recipe)[None]
                logits.append(predict.forward(network, views[recipe], run.facts()["network"])[0])
            mixed, task = logits[0] if len(logits) == 1 else ensembles.mean(np.stack(logits), hybrid.x), hybrid.task
            likely = task.probabilities(mixed.astype(float))[0].tolist()
            row |= {f"{task.name}/{label}": p for label, p in zip(task.names, likely, strict=True)}
        rows.append(row)
    report(1.0, "done")
    return pd.DataFrame(rows)
