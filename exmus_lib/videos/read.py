"""Frames of a video file: those shown at the times asked for, upright, and no more decoded than they need."""

import bisect
import itertools
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from exmus_lib.videos.container import clockwise, display_size, irregular, mirrored, opened, timed_frames
from exmus_lib.videos.container import packets as packets_of

# libswscale's SWS_AREA and SWS_FULL_CHR_H_INT: without the second, scaled pictures come out darker by 2 levels of 255.
AREA_TRUE = 32 | 8192

Crop = Callable[[np.ndarray], np.ndarray]


def read_frames(
    path: str | Path, times: Sequence[float], side: int | None = None, crop: Crop | None = None
) -> np.ndarray:
    """The frames shown at `times`, in seconds from the first: (time, height, width, 3) uint8 RGB, upright.

    Shown at t is the last frame whose time stamp is at most t: the first frame before its time, the last one after
    the end. `side` scales the shorter side to so many pixels, as videos.cut does (libswscale, by area); without it the frames
    keep their size, but for pixels that are not square. `crop` takes a part of each (height, width, 3) before it is copied.
    Raises VideoError when the file is damaged where it is needed.
    """
    if not len(times):
        raise ValueError(f"{path}: no times asked for")
    with opened(path) as (container, stream):
        frames = _planned(container, stream, times)
        aspect = stream.sample_aspect_ratio
    if frames is None:
        with opened(path) as (container, stream):
            frames = _in_sequence(container, stream, times)
    return _pictures(frames, aspect, side, crop)


def read_all(path: str | Path, side: int | None = None, crop: Crop | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Every frame of a video, as `read_frames` has them, and their times (time,) in seconds from the first."""
    with opened(path) as (container, stream):
        times, frames = zip(*timed_frames(container, stream), strict=True)
        aspect = stream.sample_aspect_ratio
    return _pictures(frames, aspect, side, crop), np.array(times)


def _planned(container: InputContainer, stream: VideoStream, times: Sequence[float]) -> list[VideoFrame] | None:
    """Choose frames by the time stamps of packets, then decode from key frames on, and no further than wanted.

    None in the rare cases where that cannot be done (and _in_sequence can): packets without a time to be shown at, a file
    that does not begin with a key frame, a search that ends too late, a packet that gives no frame.
    """
    if container.format.name == "avi":  # see timed_frames
        return None
    origin, tick = stream.start_time or 0, float(stream.time_base)
    slack = 6e-4 if tick == 1e-3 else 1e-6  # Matroska rounds to the millisecond; the rest is floating point
    wanted = [origin + (max(t, 0) + slack) / tick for t in times]
    # Files with an index are searched exactly; in others time stamps after a jump are a guess.
    skipping = min(times) > 3 and container.format.name.startswith(("mov", "matroska"))
    if skipping:
        container.seek(int(min(wanted) - 1 / tick), stream=stream)
    packets = []
    for packet in packets_of(container, stream):
        if packet.pts is None:
            return None
        packets.append(packet)
        if packet.dts is not None and packet.dts > max(wanted):  # what is decoded later is shown later
            break
    if not packets or not packets[0].is_keyframe:
        return None
    # Behind a key frame may come frames that are shown before it, and need what lies ahead of it.
    entry = packets[0].pts
    if min(wanted) < entry if skipping else any(p.pts < entry for p in packets):
        return None
    packets = [p for p in packets if p.pts >= entry]
    if irregular([p.pts for p in packets], [p.dts for p in packets], stream):
        return None
    shown = sorted(p.pts for p in packets if not p.is_discard)
    stamps = [shown[max(bisect.bisect_right(shown, w) - 1, 0)] for w in wanted]
    decoded = _decode(stream, packets, set(stamps))
    return [decoded[s] for s in stamps] if decoded.keys() == set(stamps) else None


def _decode(stream: VideoStream, packets: list[Packet], wanted: set[int]) -> dict[int, VideoFrame]:
    """The frames with the time stamps wanted, decoded from packets in the order of decoding, the first a key frame."""
    decoded = {}
    entries = _entry_points([p.pts for p in packets], [p.is_keyframe for p in packets])
    for start, stop in zip(entries, [*entries[1:], len(packets)], strict=True):
        last = max((i for i in range(start, stop) if packets[i].pts in wanted), default=None)
        if last is not None:
            for packet in [*packets[start : last + 1], None]:  # None: hand out what is held back to be put in order
                decoded |= {f.pts: f for f in stream.decode(packet) if f.pts in wanted and not f.is_corrupt}
            stream.codec_context.flush_buffers()
    return decoded


def _entry_points(stamps: list[int], is_key: list[bool]) -> list[int]:
    """Where decoding can begin: key frames such that all before is shown before, and all behind is shown behind."""
    highest = [float("-inf"), *itertools.accumulate(stamps, max)]
    lowest = list(itertools.accumulate(reversed(stamps), min))[::-1]
    return [i for i, key in enumerate(is_key) if key and highest[i] < stamps[i] == lowest[i]]


def _in_sequence(container: InputContainer, stream: VideoStream, times: Sequence[float]) -> list[VideoFrame]:
    """Decode every frame up to the last one wanted: slower than a plan, and always possible."""
    shown: list[VideoFrame | None] = [None] * len(times)
    for moment, frame in timed_frames(container, stream):
        if moment > max(times) + 1e-6 and None not in shown:
            break
        shown = [frame if f is None or moment <= t + 1e-6 else f for f, t in zip(shown, times, strict=True)]
    return shown


def _pictures(frames: Sequence[VideoFrame], aspect: Fraction | None, side: int | None, crop: Crop | None) -> np.ndarray:
    """(time, height, width, 3) RGB of frames, upright and cropped; a frame asked for twice is converted once."""
    width, height = display_size(frames[0], aspect, side)
    scaler, pictures, first = VideoReformatter(), None, {}
    for place, frame in enumerate(frames):
        if id(frame) in first:
            pictures[place] = pictures[first[id(frame)]]
            continue
        first[id(frame)] = place
        way = "AREA" if (width, height) == (frame.width, frame.height) else AREA_TRUE
        scaled = scaler.reformat(frame, width, height, "rgb24", interpolation=way)
        plane = scaled.planes[0]  # looked at, not copied
        picture = np.ndarray((height, width, 3), np.uint8, plane, strides=(plane.line_size, 3, 1))
        picture = upright(picture, frame)
        picture = crop(picture) if crop else picture
        if pictures is None:
            pictures = np.empty((len(frames), *picture.shape), np.uint8)
        pictures[place] = picture
    return pictures


def upright(picture: np.ndarray, frame: VideoFrame) -> np.ndarray:
    """A picture (height, width, ...) of a frame, mirrored and turned as the frame says."""
    return np.rot90(picture[:, ::-1] if mirrored(frame) else picture, -clockwise(frame) // 90)
