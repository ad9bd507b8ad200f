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
from exmus_lib.videos import read, windows
from exmus_lib.videos.dataset import view_of

Report = Callable[[float], None]  # takes the share that is done


@dataclass(frozen=True)
class Hybrid:
    """Runs of one task and the same labels, trained networks, mixed: `x` for the first, the rest shared evenly."""

    runs: Sequence[workspace.Run]
    x: float = 0.5

    @property
    def task(self) -> Task:
        """With the labels that the runs were trained on."""
        return predictions.task_of(self.runs[0])


def analyse(copy: Path, facts: read.VideoInfo, hybrids: Sequence[Hybrid], report: Report) -> pd.DataFrame:
    """What the hybrids predict for each window of a video made by cut.small_copy: a row per window.

    Columns: start, end (seconds), and <task>/<label>, probabilities, for the tasks of the hybrids. What `report` raises ends it.
    """
    networks = {run: predict.restore(run) for hybrid in hybrids for run in hybrid.runs}
    rows = []
    spans = windows.spans(facts.seconds)
    for number, (start, end) in enumerate(spans):
        report(number / len(spans))
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
    report(1.0)
    return pd.DataFrame(rows)
