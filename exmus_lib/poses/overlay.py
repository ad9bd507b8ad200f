"""A video with the skeleton of its track drawn over every frame."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame

from exmus_lib.poses.draw import skeleton_over
from exmus_lib.poses.track import RATE, Track
from exmus_lib.videos import container, cut


def overlay(video: Path, track: Track, path: Path, report: Callable[[float], None] = lambda share: None) -> None:
    """Write a video, one that videos.cut.small_copy made, with the skeleton over each frame in which a person was found.

    `report` is called with the share done; what it raises ends the work.
    """
    facts = container.info(video)
    scale = np.array([facts.width, facts.height]) / track.size[::-1]

    def frames() -> Iterator[tuple[float, VideoFrame]]:
        with container.opened(video) as opened:
            for moment, frame in container.timed_frames(*opened):
                report(min(1.0, moment / facts.seconds))
                joints, visibility = at(track, moment)
                picture = skeleton_over(frame.to_ndarray(format="rgb24"), joints * scale, visibility)
                yield moment, VideoFrame.from_ndarray(picture, "rgb24")

    side = min(facts.width, facts.height)
    cut.write(frames(), round(facts.fps), path, "skeleton", side)


def at(track: Track, moment: float) -> tuple[np.ndarray, np.ndarray]:
    """Joints in the picture (J, 2) and their visibility (J,) at a moment, in seconds: interpolated within a shot, else those of
    the nearest sample; NaN and 0 where nobody was found."""
    place = float(np.clip(moment * RATE, 0, len(track) - 1))
    before = int(place)
    after, share = min(before + 1, len(track) - 1), place - before
    if track.found[before] and track.found[after] and track.shot[before] == track.shot[after]:
        return tuple((1 - share) * values[before] + share * values[after] for values in (track.image, track.visibility))
    nearest = before if share < 0.5 else after
    return track.image[nearest], track.visibility[nearest]
