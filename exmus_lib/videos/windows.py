"""Windows in time: over a video of any length, within a clip, and the frames that a view shows of one.

Clips, `exmus_lib.predict` and the explorer ask here, so that one video gets one answer.
"""

from math import ceil, floor

import numpy as np

from exmus_lib.recipes import Recipe
from exmus_lib.videos.container import VideoInfo

WINDOW, STRIDE = 3.0, 1.5  # seconds: as long as a clip, and each begins in the middle of the one before


def spans(seconds: float) -> list[tuple[float, float]]:
    """Start and end of the windows over a video: overlapping, the last one ending where the video does."""
    length = min(WINDOW, seconds)
    starts = np.append(np.arange(0, seconds - length - 1e-6, STRIDE), seconds - length)
    return [(float(start), float(start + length)) for start in starts]


def span_times(span: tuple[float, float], video: VideoInfo, recipe: Recipe) -> np.ndarray:
    """Times, in seconds of the video, of the frames that a recipe's view shows of a span: (frames,), all inside the video."""
    offset, length = window(span[1] - span[0], video.fps, recipe)
    start = ceil(span[0] * video.fps - 1e-6) / video.fps + offset  # where a frame begins, as clips do
    return np.minimum(view_times(start, length, recipe.frames, video.fps), video.seconds - 0.5 / video.fps)


def window(
    seconds: float, fps: float, recipe: Recipe, position: float = 0.5, max_share: float = 1.0
) -> tuple[float, float]:
    """Start and length, in seconds, of a recipe's window in a clip: position 0 is the earliest, 0.5 the centre, 1 the latest.

    It begins where a frame does, and is no longer than the share `max_share` of the clip.
    """
    length = min(recipe.seconds or seconds, max_share * seconds)
    return floor((seconds - length) * position * fps + 1e-6) / fps, length


def view_times(start: float, seconds: float, frames: int, fps: float) -> np.ndarray:
    """Times of `frames` frames spread evenly over a window: (frames,) seconds.

    The frames shown then are those that PyTorchVideo's UniformTemporalSubsample picks out of the frames in the window.
    """
    inside = max(1, round(seconds * fps))
    picked = np.arange(frames) * (inside - 1) // max(1, frames - 1)
    return start + (picked + 0.5) / fps
