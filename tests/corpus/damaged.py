"""Good films, damaged: cut off, with flipped bits, zeros, missing and repeated parts."""

import struct
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np

from corpus import Case
from corpus.intact import CODECS

# Words for whatever is done to the content of a film: none of them tells of an exception, or of a process that had to be ended.
ANY = r"^(damaged|cut short|not a video|begins with zeros|no video stream|holds no frame|shorter than 2 s|its codec is not known"
ANY += r"|text, not a video|has neither time stamps)"
CUT = r"^(cut short|damaged or cut short)"


@cache
def film(kind: str) -> bytes:
    """One of the good films of the corpus, 5 s long."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / kind
        CODECS[kind](path)
        return path.read_bytes()


@cache
def samples(kind: str) -> list[tuple[int, int]]:
    """Place and size of each packet of such a film, in the order of decoding."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / kind
        path.write_bytes(film(kind))
        with av.open(str(path)) as container:
            return [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]


def changed(kind: str, change):
    return lambda path: path.write_bytes(change(bytearray(film(kind))))


def kept(share: float):
    return lambda data: data[: int(len(data) * share)]


def behind(share: float):
    return lambda data: data[int(len(data) * share) :]


def flipped(bits: int, seed: int):
    """Bits anywhere."""

    def change(data: bytearray) -> bytearray:
        for place in np.random.default_rng(seed).integers(0, 8 * len(data), bits):
            data[place // 8] ^= 1 << place % 8
        return data

    return change


def zeroed(start: float, end: float):
    def change(data: bytearray) -> bytearray:
        first, last = int(len(data) * start), int(len(data) * end)
        data[first:last] = bytes(last - first)
        return data

    return change


def left_out(start: float, end: float):
    return lambda data: data[: int(len(data) * start)] + data[int(len(data) * end) :]


def shuffled(data: bytearray) -> bytearray:
    """Blocks of 1 KB in another order, the first in its place, as a broken file system returns them."""
    blocks = [data[i : i + 1024] for i in range(0, len(data), 1024)]
    return bytearray().join([blocks[0], *reversed(blocks[1:])])


def swapped(data: bytearray, a: bytes, b: bytes) -> bytearray:
    return data.replace(a, b"\0\0\0\0").replace(b, a).replace(b"\0\0\0\0", b)


def wrong_frame(kind: str, number: int):
    """A frame of which nothing can be decoded; number counts in the order of decoding."""

    def change(data: bytearray) -> bytearray:
        place, size = samples(kind)[number]
        place, size = place + 16, size - 16  # what Matroska writes before it, and what MP4 counts by
        data[place : place + size] = bytes(byte ^ 0x5A for byte in data[place : place + size])
        return data

    return change


def number_in_box(box: bytes, offset: int, value: int):
    """One field (32 bits) of a box of an MP4's index."""

    def change(data: bytearray) -> bytearray:
        struct.pack_into(">I", data, data.index(box) + 4 + offset, value)
        return data

    return change


FIELDS = {  # box, place in it, value: ISO/IEC 14496-12, 8
    "no time scale": (b"mdhd", 12, 0),
    "a time scale of 1": (b"mdhd", 12, 1),
    "the largest time scale": (b"mdhd", 12, 0xFFFFFFFF),
    "no duration": (b"mdhd", 16, 0),
    "the longest duration": (b"mdhd", 16, 0xFFFFFFFE),
    "no samples": (b"stsz", 8, 0),
    "four billion samples": (b"stsz", 8, 0xFFFFFFFF),
    "frames of 4 GB": (b"stsz", 4, 0xFFFFFFFF),
    "no time to sample": (b"stts", 4, 0),
    "four billion times to sample": (b"stts", 4, 0xFFFFFFFF),
    "a frame of a day": (b"stts", 12, 0x7FFFFFFF),
    "no chunks": (b"stco", 4, 0),
    "a chunk behind the end": (b"stco", 8, 0x7FFFFFFF),
    "a moov of 0 bytes": (b"moov", -8, 0),
    "a moov of 4 GB": (b"moov", -8, 0xFFFFFFFF),
    "a track of 0 bytes": (b"trak", -8, 0),
    "60,000 pixels wide": (b"avc1", 24, 0xEA60EA60),
    "no pixels": (b"avc1", 24, 0),
}
# A container whose header promises a length, or whose index stands at its end, tells that it was cut off; a stream is shorter.
PROMISES = "index-behind.mp4 h264.mp4 h264.mov hevc.mp4 prores.mov av1.mp4 h264.mkv vp9.webm vp8.webm h264.flv".split()
STREAMS = "fragmented.mp4 h264.ts h264.avi mpeg4.avi mpeg2.mpeg wmv2.wmv mjpeg.avi moving.gif".split()
PARTS = {
    "zeros in the middle": zeroed(0.4, 0.6),
    "zeros at the end": zeroed(0.7, 1.0),
    "zeros at the beginning": zeroed(0.0, 0.01),
    "begins later": behind(0.1),
    "a tenth left out": left_out(0.5, 0.6),
    "blocks in another order": shuffled,
}


def named(kind: str, what: str) -> str:
    """Squat/h264 <what>.mp4"""
    stem, suffix = kind.split(".")
    return f"Squat/{stem} {what}.{suffix}"


CASES = [
    *(
        Case(named(kind, f"cut at {share:.0%}"), changed(kind, kept(share)), reason=CUT)
        for kind in PROMISES
        for share in (0.3, 0.6, 0.8)
    ),
    *(Case(named(kind, "cut at 2%"), changed(kind, kept(0.02)), reason=ANY) for kind in (*PROMISES, *STREAMS)),
    *(
        Case(named(kind, f"cut at {share:.0%}"), changed(kind, kept(share)), 1, ANY)
        for kind in STREAMS
        for share in (0.3, 0.6)
    ),
    *(
        Case(named(kind, f"{bits} bits, seed {seed}"), changed(kind, flipped(bits, seed)), (1, 2), ANY)
        for kind in (*PROMISES, *STREAMS)
        for bits, seed in ((1, 1), (40, 2), (1000, 3))
    ),
    *(
        Case(named(kind, what), changed(kind, change), (1, 2), ANY)
        for kind in (*PROMISES, *STREAMS)
        for what, change in PARTS.items()
    ),
    *(
        Case(named(kind, "frame 60 wrong"), changed(kind, wrong_frame(kind, 60)), reason="^damaged at 2")
        for kind in ("h264.mp4", "h264.mkv", "h264.avi", "prores.mov")
    ),
    # Nothing comes behind that could not be decoded without it, or the decoder fills in, and does not say so.
    *(
        Case(named(kind, f"frame {number} wrong"), changed(kind, wrong_frame(kind, number)), 2, "^damaged")
        for kind in ("h264.mp4", "h264.mkv", "hevc.mp4", "mpeg4.avi")
        for number in (1, 124)
    ),
    Case(
        "Squat/moov and mdat swapped.mp4", changed("h264.mp4", lambda data: swapped(data, b"moov", b"mdat")), reason=ANY
    ),
    Case(
        "Squat/head of one, body of another.mp4",
        changed("h264.mp4", lambda data: data[:9000] + film("hevc.mp4")[9000:]),
        2,
        ANY,
    ),
    Case("Squat/twice.mp4", changed("h264.mp4", lambda data: data * 2), 2),
    Case("Squat/rubbish behind.mp4", changed("h264.mp4", lambda data: data + bytes(range(256)) * 400), 2),
    Case("Squat/rubbish before.mp4", changed("h264.mp4", lambda data: bytes(range(256)) * 400 + data), 2, ANY),
    *(Case(f"Squat/{what}.mp4", changed("h264.mp4", number_in_box(*field)), 2, ANY) for what, field in FIELDS.items()),
]
