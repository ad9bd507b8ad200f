"""A video as pictures at even times, upright and small, and the cuts of its editor."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from exmus_lib.poses.track import RATE
from exmus_lib.videos import evenly, guard

SIDE = 640  # pixels of the longer side at most; the networks see 256 of the part around a person


def pictures(video: Path) -> Iterator[tuple[float, np.ndarray]]:
    """The share of a clip done, and the picture (height, width, 3) uint8 RGB, at 0, 1 / RATE ... seconds: see evenly.pictures."""
    return evenly.pictures(video, RATE, SIDE)


def guarded_pictures(video: Path) -> Iterator[tuple[float, np.ndarray]]:
    """The same of any file, made in a guarded process, a step ahead. Use it with contextlib.closing."""
    return guard.stream(evenly.pictures, video, RATE, SIDE)


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
        # The rest are an editor's bars.
        lively = [(both.max(axis) - both.min(axis)).max(axis=(0, 2)) > 12 for axis in (2, 1)]
        both = both[:, lively[0]][:, :, lively[1]]
        if not both.size:
            return False
        histograms = [cv2.calcHist([small], [0, 1, 2], None, [8, 8, 8], [0, 256] * 3) for small in both]
        shared = np.minimum(*histograms).sum() / histograms[0].sum()
        grey = both.mean(axis=3).reshape(2, -1)
        grey -= grey.mean(axis=1, keepdims=True)
        alike = grey[0] @ grey[1] / (np.linalg.norm(grey[0]) * np.linalg.norm(grey[1]) + 1e-9)
        return bool(shared < self.SHARED and alike < self.ALIKE)
