"""Frames written as MP4, and the jobs that guarded processes do with whole videos. Without numpy and pandas: see guard."""

import itertools
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from exmus_lib.videos import limits
from exmus_lib.videos.container import clockwise, display_size, info, mirrored, opened, timed_frames
from exmus_lib.videos.faults import VideoError

SIDE = 256  # pixels of the shorter side: what the networks see at most
# A key frame every 8 frames and none that waits for later ones: reading a view decodes little more than the view.
# ultrafast leaves out what is slow to read, too (CABAC, deblocking); superfast takes a third longer for files that are
# a fifth (rendered videos) to a half (filmed ones) smaller.
ENCODER = {"preset": "ultrafast", "crf": "23", "g": "8", "bf": "0", "threads": "1"}
TICKS = 90_000  # per second: every common frame rate is a whole number of them
HELD = 0.5  # seconds after which a picture that stands still is written again, so that no clip is without one


def pieces(file: Path, seconds: float, fps: float, count: int, clips: dict[int, tuple[Path, str]]) -> None:
    """Decode a video once, from end to end, and write some of its `count` equal pieces: number -> path and origin.

    `seconds` and `fps` are what `container.info` says of it. Raises VideoError where the video proves damaged.
    """

    def piece_of(timed_frame: tuple[float, VideoFrame]) -> int:
        return min(int(timed_frame[0] / seconds * count + 1e-6), count - 1)

    written = set()
    with opened(file) as (container, stream):
        decoded = Counted(timed_frames(container, stream))
        for piece, part in itertools.groupby(held(file, decoded, seconds, fps), piece_of):
            if piece in clips:
                for _ in write(
                    part, stream.sample_aspect_ratio, round(fps / limits.frame_step(fps)), *clips[piece], SIDE
                ):
                    pass
                written.add(piece)
    limits.check_decoded(file, decoded.count if written == clips.keys() else 0, seconds * fps)


def copy(file: Path, path: Path, origin: str, side: int, shortest: float) -> Iterator[float]:
    """Write a whole video, as `pieces` does, and give the share done after each frame. VideoError where it is damaged or shorter
    than so many seconds."""
    facts = info(file)
    limits.check_length(file, facts.seconds, shortest)
    with opened(file) as (container, stream):
        decoded = Counted(timed_frames(container, stream))
        frames, fps = held(file, decoded, facts.seconds, facts.fps), round(facts.fps / limits.frame_step(facts.fps))
        for moment in write(frames, stream.sample_aspect_ratio, fps, path, origin, side):
            yield min(1.0, moment / facts.seconds)
    limits.check_decoded(file, decoded.count, facts.frames)


class Counted:
    """An iterator that counts what it gave."""

    def __init__(self, items: Iterable):
        self.items, self.count = iter(items), 0

    def __iter__(self) -> Iterator:
        return self

    def __next__(self):
        item = next(self.items)
        self.count += 1
        return item


def held(file: Path, decoded: Counted, seconds: float, fps: float) -> Iterator[tuple[float, VideoFrame]]:
    """No more than limits.MAX_FPS of the frames; one that is shown for long comes again every HELD seconds, also at the end
    of the video unless frames are lost. VideoError for frames well behind the end."""
    shown, before = None, 0.0
    for moment, frame in itertools.islice(decoded, 0, None, limits.frame_step(fps)):
        if moment > 1.05 * seconds + 0.5:
            raise VideoError(file, "damaged: the time stamps of its pictures contradict those of its packets")
        yield from _repeated(shown, before, moment)
        yield moment, frame
        before, shown = moment, frame
    if decoded.count >= round(seconds * fps):
        yield from _repeated(shown, before, seconds)


def _repeated(frame: VideoFrame | None, since: float, until: float) -> Iterator[tuple[float, VideoFrame]]:
    for repeat in range(1, round((until - since) / HELD)):
        yield since + repeat * HELD, frame


def write(
    frames: Iterable[tuple[float, VideoFrame]], aspect: Fraction | None, fps: int, path: Path, origin: str, side: int
) -> Iterator[float]:
    """Write frames (seconds, frame) as one upright clip, the first at time 0, and give the seconds of each that is written.

    `origin` is written into the file, to know it by; `aspect` is that of the stream's pixels.
    """
    scaler, output = VideoReformatter(), None
    with av.open(f"file:{path}", "w", options={"movflags": "+faststart"}) as container:
        container.metadata["comment"] = origin
        for moment, frame in frames:
            try:
                if output is None:
                    start, turn, size = moment, clockwise(frame), display_size(frame, aspect, side)
                    output = container.add_stream("libx264", rate=max(1, fps), options=ENCODER)
                    output.width, output.height = size[::-1] if turn % 180 else size
                    output.pix_fmt, output.codec_context.time_base = "yuv420p", Fraction(1, TICKS)
                small = _small(scaler, frame, size, turn)
                small.pts, small.time_base = round((moment - start) * TICKS), Fraction(1, TICKS)
                small.pict_type = 0  # else the encoder repeats the key frames of the source
                container.mux(output.encode(small))
            except (av.FFmpegError, ValueError) as error:
                if isinstance(error, OSError):
                    raise
                raise VideoError(path, f"its pictures cannot be converted: {error}") from error
            yield moment
        container.mux(output.encode(None))


def _small(scaler: VideoReformatter, frame: VideoFrame, size: tuple[int, int], turn: int) -> VideoFrame:
    """A frame scaled to size (width, height), then mirrored and turned; in the colours that players expect of a small video."""
    width, height = size
    interpolation = "AREA" if width <= frame.width else "BICUBIC"
    colours = {"dst_colorspace": "ITU601", "dst_color_range": "MPEG"}
    small = scaler.reformat(frame, width, height, "yuv420p", interpolation=interpolation, **colours)
    if not turn and not mirrored(frame):
        return small
    import numpy as np  # takes longer than all else that a guarded process imports, and few videos need it

    luma, chroma = np.split(small.to_ndarray(), [height])  # the chroma planes, half as high and wide, follow each other
    planes = [
        plane[:, :: -1 if mirrored(frame) else 1] for plane in (luma, *chroma.reshape(2, height // 2, width // 2))
    ]
    flat = np.concatenate([np.rot90(plane, -turn // 90).ravel() for plane in planes])
    return VideoFrame.from_ndarray(flat.reshape(-1, height if turn % 180 else width), "yuv420p")
