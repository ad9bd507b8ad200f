"""What a video must be to become clips, and how many of its frames they take."""

from math import ceil
from pathlib import Path

from exmus_lib.videos.faults import VideoError

SHORTEST = 2.0  # seconds: a clip lasts 2 <= t < 4 (paper, section III)
MAX_FPS = 30  # faster videos are thinned out to it
MIN_DECODED = 0.8  # of the frames that a file promises; with fewer it counts as damaged


def frame_step(fps: float) -> int:
    """Every how many frames one is kept: 60 frames a second become 30, 50 become 25."""
    return max(1, ceil(fps / MAX_FPS - 0.1))


def check_length(path: str | Path, seconds: float, shortest: float = SHORTEST) -> None:
    """Raises VideoError for a video that is shorter than so many seconds: usually too short for one clip."""
    if seconds < shortest:
        raise VideoError(path, f"shorter than {shortest:g} s ({seconds:.2f} s)")


def check_decoded(path: str | Path, decoded: int, promised: float) -> None:
    """Raises VideoError where too few of the frames that a file promises could be decoded."""
    if decoded < MIN_DECODED * promised:
        raise VideoError(path, f"damaged: only {decoded} of {promised:.0f} frames can be decoded")
