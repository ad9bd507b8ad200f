"""A video as pictures at even times, upright and small: the job that a guarded process does for the pose estimator."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from exmus_lib.videos import container as containers
from exmus_lib.videos import read


def pictures(video: Path, rate: float, side: int) -> Iterator[tuple[float, np.ndarray]]:
    """The share of the video done, and the picture (height, width, 3) uint8 RGB, at 0, 1 / rate, 2 / rate ... seconds.

    Upright, with square pixels, the longer side scaled down to `side`. One is held at a time. Raises VideoError for a
    file that cannot be read, or that is cut short (once all that is there was given).
    """
    with containers.opened(video) as (container, stream):
        length = float((stream.duration or 0) * stream.time_base) or (container.duration or 0) / 1e6
        picture, shown, count, scaler = None, None, 0, VideoReformatter()
        for moment, frame in containers.timed_frames(container, stream):
            while shown is not None and count / rate < moment - 1e-6:
                picture = _small(scaler, shown, stream.sample_aspect_ratio, side) if picture is None else picture
                yield min(1.0, count / rate / length if length else 0.0), picture
                count += 1
            shown, picture = frame, None
        if shown.pts is not None:
            end = shown.pts - (stream.start_time or 0) + (shown.duration or 0)
            containers.check_whole(container, stream, float(end * stream.time_base))
        while count / rate <= moment + 1e-6:
            picture = _small(scaler, shown, stream.sample_aspect_ratio, side) if picture is None else picture
            yield 1.0, picture
            count += 1


def _small(scaler: VideoReformatter, frame: VideoFrame, aspect: Fraction | None, side: int) -> np.ndarray:
    width, height = containers.display_size(frame, aspect, None)
    scale = min(1.0, side / max(width, height))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = scaler.reformat(frame, *size, "rgb24", interpolation="AREA").to_ndarray()
    return np.ascontiguousarray(read.upright(small, frame))
