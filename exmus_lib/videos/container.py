"""A video file opened, its packets and frames with their times, and what the file holds. Without numpy and pandas: see guard."""

import hashlib
import itertools
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from exmus_lib.videos import faults, guard
from exmus_lib.videos.faults import VideoError

THREADS_FROM = 480  # pixels of the shorter side; smaller clips are decoded in less time than threads take to start
GAP = 60.0  # seconds for which a picture may stand still; a longer step is a clock that jumped, and time goes on without it
LARGEST = 4096  # pixels of a side, in H.264 of level 5.1
# Texts that are not UTF-8: PyAV 19 reads them always, those before where they are asked to.
ANY_METADATA = {} if int(av.__version__.split(".")[0]) >= 19 else {"metadata_errors": "replace"}
# No playlist, nor anything else that makes FFmpeg open a second file; and no address, only files.
OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": "mov,matroska,webm,avi,mpeg,mpegts,mpegvideo,m4v,h264,hevc,av1,obu,ivf,vvc,vc1,asf,flv,live_flv,ogg,"
    "gif,apng,dv,mxf,nut,rm,yuv4mpegpipe,wtv,aac,mp3,wav,flac",
}


@dataclass(frozen=True)
class VideoInfo:
    """What a file holds. Width and height are as stored; turned by `rotation` degrees clockwise (and first mirrored left to right
    where the file says so) it stands upright."""

    seconds: float
    fps: float  # the mean: phones vary it
    width: int
    height: int
    rotation: int  # 0, 90, 180 or 270
    codec: str
    has_audio: bool
    frames: int


def info(path: str | Path) -> VideoInfo:
    """What the file really holds: every packet is counted, the first frame decoded. Raises VideoError when damaged."""
    first, stamps, decoding, last = None, [], [], (0, 0)
    with opened(path) as (container, stream):
        for packet in packets(container, stream):
            if first is None:
                first = next(iter(_decoded(container, stream, packet)), None)
            if not packet.is_discard:
                stamps.append(packet.dts if packet.pts is None else packet.pts)
                decoding.append(packet.dts)
                last = max(last, (stamps[-1] or 0, packet.duration or 0))
        first = first or next(iter(_decoded(container, stream, None)), None)
        if first is None or not stamps:
            raise VideoError(path, "holds no frame")
        end = sum(last)
        if irregular(stamps, decoding, stream):
            with opened(path) as again:
                *_, (moment, _) = timed_frames(*again)
            seconds = moment * len(stamps) / max(1, len(stamps) - 1)
        else:
            seconds = float((end - min(stamps)) * stream.time_base)
        if None not in stamps:
            check_whole(container, stream, float((end - min(stamps)) * stream.time_base))
        if seconds > GAP * len(stamps):
            raise VideoError(path, "damaged: by its time stamps it has less than a frame a minute")
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


def looked_at(path: Path) -> tuple[VideoInfo, str]:
    """What the file holds, and the SHA-256 of its content: the scan's job. Raises VideoError when it cannot be read."""
    facts, digest = info(path), hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 22):
                guard.progress()
                digest.update(block)
    except OSError as error:
        raise VideoError(path, faults.of_system(error)) from error
    return facts, digest.hexdigest()


@contextmanager
def opened(path: str | Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The file and its video stream. Whatever keeps it from being read becomes VideoError; what is raised as OSError comes from
    a file that is written meanwhile: a full disk."""
    if fault := faults.of_kind(path):
        raise VideoError(path, fault)
    try:
        with _opened(path) as (container, stream):
            yield container, stream
    except VideoError as error:
        if error.reason.startswith("cut short") or not (fault := faults.of_size(path)):
            raise
        raise VideoError(path, fault) from error


@contextmanager
def _opened(path: str | Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    guard.progress()
    try:
        # "file:", because a name with a colon looks like the address of a page
        container = av.open(f"file:{path}", options=OPTIONS, **ANY_METADATA)
    except (av.FFmpegError, OSError) as error:
        raise VideoError(path, faults.of_opening(path)) from error
    with container:
        # The cover picture of a piece of music counts as a video stream.
        streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
        if not streams:
            raise VideoError(path, "no video stream")
        stream = streams[0]
        if stream.codec_context is None:
            raise VideoError(path, "its codec is not known, or it is encrypted: convert it to H.264")
        stream.thread_type = "AUTO"
        if min(stream.width, stream.height) <= THREADS_FROM:
            stream.codec_context.thread_count = 1
        try:
            yield container, stream
        except av.FFmpegError as error:
            if isinstance(error, OSError):
                raise
            raise VideoError(path, faults.of_decoding(error)) from error


def packets(container: InputContainer, stream: VideoStream) -> Iterator[Packet]:
    """Those with content, in the order of decoding. Raises VideoError where the file is damaged or cannot be read on."""
    try:
        for packet in container.demux(stream):
            guard.progress()
            if packet.is_corrupt:
                raise VideoError(path_of(container), "damaged or cut short: a frame is not whole")
            if packet.size:  # an empty packet ends the stream, or in AVI says that the last frame stays
                yield packet
    except (av.FFmpegError, OSError) as error:
        raise VideoError(path_of(container), faults.of_decoding(error)) from error


def timed_frames(container: InputContainer, stream: VideoStream) -> Iterator[tuple[float, VideoFrame]]:
    """All frames from the first on, each with its time in seconds from the first. Raises VideoError at a broken one.

    Times rise strictly, whatever the file says: where its time stamps fall (loops that an editor joined) or jump by more than
    GAP, time goes on one frame later; of frames with equal ones the second is shown a tenth of a millisecond later. Frames
    without time stamps go by the frame rate that the video states.
    """
    origin, tick = stream.start_time or 0, float(stream.time_base)
    rate = float(stream.average_rate or 30)
    counted = container.format.name == "avi"  # its time stamps follow the order of decoding, not of showing
    shift, stamp, stamped, moment, step = 0.0, None, False, float("-inf"), min(1.0, 1 / rate)
    for count, frame in enumerate(_frames(container, stream)):
        before = stamp
        if frame.pts is not None and not counted:
            stamp, stamped = (frame.pts - origin) * tick, True
        elif stamped:  # one without, among others
            stamp += step
        else:
            stamp = count / (rate if counted else stated_rate(container, stream))
        if before is not None and not 0 <= stamp - before <= GAP:
            shift = moment + step - stamp
        last, moment = moment, max(stamp + shift, moment + 1e-4)
        step = moment - last if count else step
        if frame.is_corrupt:
            raise VideoError(path_of(container), f"damaged at {moment:.2f} s: a frame is not whole")
        yield moment, frame
    if stamp is None:
        raise VideoError(path_of(container), "holds no frame")


def stated_rate(container: InputContainer, stream: VideoStream) -> float:
    """Frames a second as the coded video itself states them. VideoError where it does not: FFmpeg's 25 would be a guess."""
    if not (rate := stream.codec_context.framerate):
        raise VideoError(
            path_of(container), "has neither time stamps nor a frame rate: convert it to MP4 at the right one"
        )
    return float(rate)


def check_whole(container: InputContainer, stream: VideoStream, seconds: float) -> None:
    """Raises VideoError for a file whose time stamps end after `seconds`, well before the end that its header promises."""
    promised = float((stream.duration or 0) * stream.time_base)
    if not promised and len(container.streams) == 1:
        # Matroska has one duration for all, counted from 0 and not from its first frame; sound may go on after the picture
        promised = ((container.duration or 0) - (container.start_time or 0)) / av.time_base
    if seconds < 0.95 * promised - 0.5:
        raise VideoError(path_of(container), f"cut short: {seconds:.2f} s of {promised:.2f} s are there")


def path_of(container: InputContainer) -> Path:
    """The file that was opened."""
    return Path(container.name.removeprefix("file:"))


def clockwise(frame: VideoFrame) -> int:
    """By how many degrees clockwise (0, 90, 180, 270) a frame must be turned to stand upright, after `mirrored`."""
    turn = round(-frame.rotation / 90) * 90
    # FFmpeg measures where the left edge goes; it came from the right.
    return (turn + 180 * mirrored(frame)) % 360


def mirrored(frame: VideoFrame) -> bool:
    """Whether a frame must first be mirrored, left to right: the determinant of its display matrix, which front cameras set."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return False
    a, b, _, c, d, *_ = struct.unpack("9i", bytes(matrix))
    return a * d - b * c < 0


def display_size(frame: VideoFrame, aspect: Fraction | None, side: int | None) -> tuple[int, int]:
    """Width and height of a frame (not yet turned) with square pixels; its shorter side scaled to `side`, both even and no larger
    than what players take.

    `aspect` is the width of a stored pixel over its height. Edited videos are often stored wide and shown narrow.
    """
    width, height = frame.width * float(aspect or 1), frame.height
    if side is None:
        return max(1, round(width)), height
    scale = side / min(width, height)
    return tuple(min(LARGEST, max(2, round(length * scale / 2) * 2)) for length in (width, height))


def irregular(stamps: list[int | None], decoding: list[int | None], stream: VideoStream) -> bool:
    """Whether packets lack time stamps, have equal ones, such that fall in the order of decoding, or jump: see timed_frames."""
    if None in stamps:
        return True
    known, gap = [stamp for stamp in decoding if stamp is not None], GAP / float(stream.time_base)
    falls = any(b <= a for a, b in itertools.pairwise(known))
    return falls or any(not 0 < b - a <= gap for a, b in itertools.pairwise(sorted(stamps)))


def _frames(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    for packet in packets(container, stream):
        yield from _decoded(container, stream, packet)
    yield from _decoded(container, stream, None)


def _decoded(container: InputContainer, stream: VideoStream, packet: Packet | None) -> list[VideoFrame]:
    try:
        return stream.decode(packet)
    except (av.FFmpegError, MemoryError) as error:
        stamp = None if packet is None or packet.pts is None else packet.pts - (stream.start_time or 0)
        moment = None if stamp is None else float(stamp * stream.time_base)
        raise VideoError(path_of(container), faults.of_decoding(error, moment)) from error
