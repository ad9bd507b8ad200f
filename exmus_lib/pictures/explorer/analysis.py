"""A video of any length, window by window: what runs predict for each, with memory that does not grow with the video."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from exmus_lib import predictions, workspace
from exmus_lib.networks import predict
from exmus_lib.scores import ensembles
from exmus_lib.tasks import Task
from exmus_lib.videos import cut, read
from exmus_lib.videos.dataset import view_of, view_times, window_of
from exmus_lib.videos.scan import SHORTEST

WINDOW, STEP = 3.0, 1.5  # seconds: as long as a clip, and each begins in the middle of the one before
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
    facts = read.info(video)
    if facts.seconds < SHORTEST:
        raise read.VideoError(video, f"shorter than {SHORTEST:g} s ({facts.seconds:.2f} s)")
    step = max(1, int(np.ceil(facts.fps / cut.TOP_FPS - 0.1)))

    def frames() -> Iterator:
        for moment, frame in itertools.islice(read.timed_frames(container, stream), 0, None, step):
            if stopped():
                raise Cancelled
            report(min(1.0, moment / facts.seconds), "reading")
            yield moment, frame

    with read.opened(video) as (container, stream):
        count = cut.encode(frames(), stream.sample_aspect_ratio, round(facts.fps / step), copy, str(video))
    if count < 0.8 * facts.seconds * facts.fps / step:
        raise read.VideoError(video, f"damaged: only {count} of its frames can be decoded")
    return read.info(copy)


def spans(seconds: float) -> list[tuple[float, float]]:
    """Start and end of the windows over a video: overlapping, the last one ending where the video does."""
    length = min(WINDOW, seconds)
    starts = np.append(np.arange(0, seconds - length - 1e-6, STEP), seconds - length)
    return [(float(start), float(start + length)) for start in starts]


def analyse(
    copy: Path, facts: read.VideoInfo, hybrids: Sequence[Hybrid], report: Report, stopped: Callable[[], bool]
) -> pd.DataFrame:
    """What the hybrids predict for each window of a video made by `small_copy`: a row per window.

    Columns: start, end (seconds), and <task>/<label>, probabilities, for the tasks of the hybrids. Raises Cancelled.
    """
    networks = {run: predict.restore(run) for hybrid in hybrids for run in hybrid.runs}
    rows = []
    windows = spans(facts.seconds)
    for number, (start, end) in enumerate(windows):
        if stopped():
            raise Cancelled
        report(number / len(windows), "recognising")
        views, row = {}, {"start": round(start, 3), "end": round(end, 3)}
        for hybrid in hybrids:
            logits = []
            for run in hybrid.runs:
                network, how = networks[run]
                if how not in views:
                    offset, window = window_of(end - start, facts.fps, how)
                    begin = np.ceil(start * facts.fps - 1e-6) / facts.fps + offset
                    times = np.minimum(
                        view_times(begin, window, how.frames, facts.fps), facts.seconds - 0.5 / facts.fps
                    )
                    views[how] = view_of(read.read_frames(copy, times), how)[None]
                logits.append(predict.forward(network, views[how], run.facts()["network"])[0])
            mixed, task = logits[0] if len(logits) == 1 else ensembles.mean(np.stack(logits), hybrid.x), hybrid.task
            likely = task.probabilities(mixed.astype(float))[0].tolist()
            row |= {f"{task.name}/{label}": p for label, p in zip(task.names, likely, strict=True)}
        rows.append(row)
    report(1.0, "done")
    return pd.DataFrame(rows)
