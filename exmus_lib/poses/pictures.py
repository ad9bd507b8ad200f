"""A video as pictures at even times, upright and small, and the cuts of its editor."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from av.video.reformatter import VideoReformatter

from exmus_lib.poses.track import RATE
from exmus_lib.videos import read

SIDE = 640  # pixels of the longer side at most; the networks see 256 of the part around a person


def pictures(video: Path) -> Iterator[tuple[float, np.ndarray]]:
    """The share of the video done, and the picture (height, width, 3) uint8 RGB, at 0, 1 / RATE, 2 / RATE ... seconds.

    Upright, with square pixels, the longer side scaled down to SIDE. One is held at a time. Raises VideoError for a
    file that cannot be read, or that is cut short (once all that is there was given).
    """
    with read.opened(video) as (container, stream):
        length = float((stream.duration or 0) * stream.time_base) or (container.duration or 0) / 1e6
        picture, shown, count, scaler = None, None, 0, VideoReformatter()
        for moment, frame in read.timed_frames(container, stream):
            while shown is not None and count / RATE < moment - 1e-6:
                picture = _upright(scaler, shown, stream.sample_aspect_ratio) if picture is None else picture
                yield min(1.0, count / RATE / length if length else 0.0), picture
                count += 1
            shown, picture = frame, None
        read.check_whole(container, stream, moment + float((shown.duration or 0) * shown.time_base))
        while count / RATE <= moment + 1e-6:
            picture = _upright(scaler, shown, stream.sample_aspect_ratio) if picture is None else picture
            yield 1.0, picture
            count += 1


def _upright(scaler: VideoReformatter, frame, aspect) -> np.ndarray:
    width, height = read.display_size(frame, aspect, None)
    scale = min(1.0, SIDE / max(width, height))
    size = round(width * scale), round(height * scale)
    small = scaler.reformat(frame, *size, "rgb24", interpolation="AREA").to_ndarray()
    return np.ascontiguousarray(np.rot90(small, -read.clockwise(frame) // 90))


class Cuts:
    """Tells where an edited video changes to another view: call it with each picture in order.

    Two measures must agree, so that neither a shaken camera (other places, same colours) nor a lamp (other colours, same places)
    counts as a cut: few of the colours are shared, and what is bright where has little to do with what it was.
    """

    SHARED, ALIKE = 0.8, 0.65  # at most: of the colour histograms, and the correlation of the grey values

    def __init__(self):
        self._before: np.ndarray | None = None

    def __call__(self, picture: np.ndarray) -> bool:
        before, self._before = self._before, cv2.resize(picture, (64, 64), interpolation=cv2.INTER_AREA)
        if before is None:
            return False
        both = np.stack([before, self._before])
        lively = [
            (both.max(axis) - both.min(axis)).max(axis=(0, 2)) > 12 for axis in (2, 1)
        ]  # the rest are an editor's bars
        both = both[:, lively[0]][:, :, lively[1]]
        if not both.size:
            return False
        histograms = [cv2.calcHist([small], [0, 1, 2], None, [8, 8, 8], [0, 256] * 3) for small in both]
        shared = np.minimum(*histograms).sum() / histograms[0].sum()
        grey = both.mean(axis=3).reshape(2, -1)
        grey -= grey.mean(axis=1, keepdims=True)
        alike = grey[0] @ grey[1] / (np.linalg.norm(grey[0]) * np.linalg.norm(grey[1]) + 1e-9)
        return bool(shared < self.SHARED and alike < self.ALIKE)
