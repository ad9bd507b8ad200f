"""A video of any length, window by window: what runs say of each, with memory that does not grow with the video."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from exmus_lib import predictions, workspace
from exmus_lib.networks import predict
from exmus_lib.scores import ensembles
from exmus_lib.videos import cut, read, windows
from exmus_lib.videos.dataset import view_of
from exmus_lib.vocabulary import LABELS

Said = Callable[[float, str], None]  # the share done, and what is being done


class Cancelled(Exception):
    """Somebody pressed cancel."""


@dataclass(frozen=True)
class Hybrid:
    """Runs of one task, trained networks, mixed: `x` for the first, the rest shared evenly."""

    task: str
    runs: Sequence[workspace.Run]
    x: float = 0.5


def small_copy(video: Path, copy: Path, said: Said, stopped: Callable[[], bool]) -> read.VideoInfo:
    """Write the video upright, 256 pixels at its shorter side, as clips are cut: what networks see and a browser plays.

    Raises VideoError naming the file and why when it cannot be read or is shorter than a clip, Cancelled when `stopped` says so.
    """

    def report(share: float) -> None:
        if stopped():
            raise Cancelled
        said(share, "reading")

    return cut.small_copy(video, copy, report)


def analyse(
    copy: Path, facts: read.VideoInfo, hybrids: Sequence[Hybrid], said: Said, stopped: Callable[[], bool]
) -> pd.DataFrame:
    """What the hybrids say of each window of a video made by `small_copy`: a row per window.

    Columns: start, end (seconds), and <task>/<label>, probabilities, for the tasks of the hybrids. Raises Cancelled.
    """
    networks = {run: predict.restore(run) for hybrid in hybrids for run in hybrid.runs}
    rows = []
    spans = windows.spans(facts.seconds)
    for number, (start, end) in enumerate(spans):
        if stopped():
            raise Cancelled
        said(number / len(spans), "recognising")
        views, row = {}, {"start": round(start, 3), "end": round(end, 3)}
        for hybrid in hybrids:
            logits = []
            for run in hybrid.runs:
                network, how = networks[run]
                if how not in views:
                    times = windows.span_times((start, end), facts, how)
                    views[how] = view_of(read.read_frames(copy, times), how)[None]
                logits.append(predict.forward(network, views[how], run.facts()["network"])[0])
            mixed = logits[0] if len(logits) == 1 else ensembles.mean(np.stack(logits), hybrid.x)
            likely = predictions.probabilities(mixed.astype(float), hybrid.task)[0]
            row |= {f"{hybrid.task}/{label}": float(p) for label, p in zip(LABELS[hybrid.task], likely, strict=True)}
        rows.append(row)
    said(1.0, "done")
    return pd.DataFrame(rows)
