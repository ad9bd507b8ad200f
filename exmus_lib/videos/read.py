"""Frames of a video file: those shown at the times asked for, upright, and no more decoded than they need."""

import bisect
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

# libswscale's SWS_AREA and SWS_FULL_CHR_H_INT: without the second, scaled pictures come out darker by 2 levels of 255.
AREA_TRUE = 32 | 8192
THREADS_FROM = 480  # pixels of the shorter side; smaller clips are decoded in less time than threads take to start


class VideoError(ValueError):
    """A file that cannot be read as video; says which and why."""

    def __init__(self, path: str | Path, reason: str):
        super().__init__(path, reason)  # both, so that it pickles
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@dataclass(frozen=True)
class VideoInfo:
    """What a file holds. Width and height are as stored; turned by `rotation` degrees clockwise it stands upright."""

    seconds: float
    fps: float  # the mean: phones vary it
    width: int
    height: int
    rotation: int  # 0, 90, 180 or 270
    codec: str
    has_audio: bool
    frames: int


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


def info(path: str | Path) -> VideoInfo:
    """What the file really holds: every packet is counted, the first frame decoded. Raises VideoError when damaged."""
    first, stamps, decoding, end = None, [], [], 0
    with opened(path) as (container, stream):
        for packet in _packets(container, stream):
            if first is None:
                first = next(iter(packet.decode()), None)
            if not packet.is_discard:
                stamps.append(packet.dts if packet.pts is None else packet.pts)
                decoding.append(packet.dts)
                end = max(end, stamps[-1] + (packet.duration or 0))
        first = first or next(iter(stream.decode(None)), None)
        if first is None or not stamps:
            raise VideoError(path, "holds no frame")
        seconds = float((end - min(stamps)) * stream.time_base)
        if _joined(stamps, decoding):
            with opened(path) as again:
                *_, (last, _) = timed_frames(*again)
            seconds = last * len(stamps) / max(1, len(stamps) - 1)
        check_whole(container, stream, seconds)
        return VideoInfo(
            seconds=round(seconds, 4),
            fps=round(len(stamps) / seconds, 3) if seconds else 0.0,
            width=first.width,
            height=first.height,
            rotation=clockwise(first),
            codec=stream.codec_context.codec.canonical_name,  # av1; its decoder is called libdav1d
            has_audio=bool(container.streams.audio),
            frames=len(stamps),
        )


@contextmanager
def opened(path: str | Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The file and its video stream. What FFmpeg has against the content becomes VideoError; a full disk stays OSError."""
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            # The cover picture of a piece of music counts as a video stream.
            streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
            if not streams:
                raise VideoError(path, "no video stream")
            stream = streams[0]
            stream.thread_type = "AUTO"
            if min(stream.width, stream.height) <= THREADS_FROM:
                stream.codec_context.thread_count = 1
            yield container, stream
    except av.FFmpegError as error:
        if isinstance(error, OSError):
            raise
        raise VideoError(path, f"cannot be decoded: {error.strerror or error}") from error


def timed_frames(container: InputContainer, stream: VideoStream) -> Iterator[tuple[float, VideoFrame]]:
    """All frames from the first on, each with its time in seconds from the first. Raises VideoError at a broken one.

    Times rise strictly, whatever the file says: where its time stamps fall (loops that an editor joined), time goes on one
    frame later; of frames with equal ones the second is shown a tenth of a millisecond later.
    """
    origin, tick, rate = stream.start_time or 0, float(stream.time_base), float(stream.average_rate or 30)
    counted = container.format.name == "avi"  # its time stamps follow the order of decoding, not of showing
    shift, stamp, moment = 0.0, float("-inf"), float("-inf")
    for count, frame in enumerate(container.decode(stream)):
        before, stamp = stamp, count / rate if counted or frame.pts is None else (frame.pts - origin) * tick
        if stamp < before:
            shift = moment + 1 / rate - stamp
        moment = max(stamp + shift, moment + 1e-4)
        if frame.is_corrupt:
            raise VideoError(container.name, f"damaged at {moment:.2f} s")
        yield moment, frame
    if moment < 0:
        raise VideoError(container.name, "holds no frame")


def check_whole(container: InputContainer, stream: VideoStream, seconds: float) -> None:
    """Raises VideoError for a file that ends after `seconds`, well before the end that its header promises."""
    promised = float((stream.duration or 0) * stream.time_base)
    if (
        not promised and len(container.streams) == 1
    ):  # Matroska has one duration for all; sound may go on after the picture
        promised = (container.duration or 0) / av.time_base
    if seconds < 0.95 * promised - 0.5:
        raise VideoError(container.name, f"cut short: {seconds:.2f} s of {promised:.2f} s are there")


def clockwise(frame: VideoFrame) -> int:
    """By how many degrees clockwise (0, 90, 180, 270) a frame must be turned to stand upright: its display matrix."""
    return round(-frame.rotation / 90) % 4 * 90


def display_size(frame: VideoFrame, aspect: Fraction | None, side: int | None) -> tuple[int, int]:
    """Width and height of a frame (not yet turned) with square pixels; its shorter side scaled to `side`, both even.

    `aspect` is the width of a stored pixel over its height. Edited videos are often stored wide and shown narrow.
    """
    width, height = frame.width * float(aspect or 1), frame.height
    if side is None:
        return round(width), height
    scale = side / min(width, height)
    return round(width * scale / 2) * 2, round(height * scale / 2) * 2


def _packets(container: InputContainer, stream: VideoStream) -> Iterator[Packet]:
    for packet in container.demux(stream):
        if packet.is_corrupt:
            raise VideoError(container.name, "damaged or cut short: a frame is not whole")
        if packet.size:  # an empty packet ends the stream, or in AVI says that the last frame stays
            yield packet


def _joined(stamps: list[int], decoding: list[int | None]) -> bool:
    """Whether packets have equal time stamps, or such that fall in the order of decoding: see timed_frames."""
    known = [stamp for stamp in decoding if stamp is not None]
    return len(set(stamps)) < len(stamps) or any(b <= a for a, b in itertools.pairwise(known))


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
    for packet in _packets(container, stream):
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
    if _joined([p.pts for p in packets], [p.dts for p in packets]):
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
        picture = np.rot90(picture, -clockwise(frame) // 90)
        picture = crop(picture) if crop else picture
        if pictures is None:
            pictures = np.empty((len(frames), *picture.shape), np.uint8)
        pictures[place] = picture
    return pictures
