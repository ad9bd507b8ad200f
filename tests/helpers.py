"""Videos made on the spot whose frames tell their own number, and files as phones and accidents leave them."""

import os
import socket
import struct
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

BITS = 8
FPS = {"24": Fraction(24), "25": Fraction(25), "29.97": Fraction(30000, 1001), "30": Fraction(30), "60": Fraction(60)}


def picture(number: int, width: int, height: int) -> np.ndarray:
    """(height, width, 3): upper half a row of blocks, white where the number has a 1; lower half white on the left."""
    image = np.zeros((height, width, 3), np.uint8)
    for bit in range(BITS):
        image[: height // 2, bit * width // BITS : (bit + 1) * width // BITS] = 255 * (number >> bit & 1)
    image[height // 2 :, : width // 2] = 255
    return image


def number_of(image: np.ndarray) -> int:
    """The number that a picture carries; fails when it does not stand upright."""
    height, width = image.shape[:2]
    lower = image[3 * height // 4]
    assert lower[width // 4].min() > 128 > lower[3 * width // 4].max(), "the picture does not stand upright"
    return sum(int(image[height // 4, (2 * bit + 1) * width // (2 * BITS)].mean() > 128) << bit for bit in range(BITS))


def numbers_of(images: np.ndarray) -> list[int]:
    return [number_of(image) for image in images]


def write_video(
    path: Path,
    frames: int | Sequence[float],
    fps: Fraction | int = 30,
    size: tuple[int, int] = (128, 96),
    turned: int = 0,
    codec: str = "libx264",
    audio: bool = False,
    aspect: Fraction | None = None,
    pixels: str = "yuv420p",
    format: str | None = None,
    **options: str,
) -> Path:
    """A video of numbered frames: so many at `fps`, or one at each of the times given, in seconds.

    It stands upright when turned `turned` degrees clockwise, which its display matrix says. `size` is as stored.
    `pixels` and `format` are FFmpeg's names of a pixel format and a container. `options` go to the
    encoder; x264 uses three B-frames and key frames 12 apart unless they say otherwise.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    times = [i / Fraction(fps) for i in range(frames)] if isinstance(frames, int) else frames
    upright = size[::-1] if turned % 180 else size
    with av.open(f"file:{path}", "w", format, options={"movflags": options.pop("movflags", "faststart")}) as container:
        if codec == "libx264":
            options = {"preset": "ultrafast", "bf": "3", "g": "12", **options}
        stream = container.add_stream(codec, rate=fps, options=options)
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        tick = 1 / Fraction(fps) if isinstance(frames, int) else Fraction(1, 90000)
        stream.codec_context.time_base = tick
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        sound = container.add_stream("aac", rate=44100) if audio else None
        for number, time in enumerate(times):
            image = np.rot90(picture(number, *upright), turned // 90)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24")
            frame.time_base, frame.pts = tick, round(time / tick)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound:
            silence = av.AudioFrame.from_ndarray(np.zeros((2, 44100), np.float32), "fltp", "stereo")
            silence.rate, silence.pts = 44100, 0
            container.mux([*sound.encode(silence), *sound.encode(None)])
    if codec == "libsvtav1" and sys.platform == "linux":
        # Root's thread that calls it becomes one of real time, as all that it starts: they would keep other processes waiting.
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    if turned:
        set_display_matrix(path, turned)
    return path


def gym(folder: Path, videos: int = 10) -> Path:
    """The folder, with two class folders of so many short videos in all, of as many lengths: equal files would be one group."""
    for i in range(videos):
        write_video(folder / ("Squat", "Push-up")[i % 2] / f"{i}.mp4", 26 + i, Fraction(12), size=(64, 48))
    return folder


def set_display_matrix(path: Path, clockwise: int) -> None:
    """Write the display matrix of an MP4 as a phone does: a point (x, y) of the frame is shown at (ax + cy, bx + dy).

    y points down, so that a quarter turn clockwise takes right to below: (1, 0) -> (0, 1), hence a = 0, b = 1.
    """
    a, b = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}[clockwise]
    data = bytearray(path.read_bytes())
    box = data.index(b"tkhd") + 4
    matrix = box + (52 if data[box] else 40)  # version 1 has longer times
    data[matrix : matrix + 36] = struct.pack(">9i", a << 16, b << 16, 0, -b << 16, a << 16, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


def damage(path: Path, number: int) -> None:
    """Overwrite the packet of a video that is number `number` in the order of decoding."""
    with av.open(str(path)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    position, size = packets[number]
    data[position : position + size] = bytes(b ^ 0x5A for b in data[position : position + size])
    path.write_bytes(data)


def still_stamps(path: Path, frames: int, number: int) -> Path:
    """An MP4 of numbered frames at 30 a second in which frame `number` has the time stamp of the one before."""
    write_video(path, [i / 30 + 0.02 * (i >= number) for i in range(frames)], bf="0")
    data = bytearray(path.read_bytes())
    table = (
        data.index(b"stts") + 8
    )  # entries of (frames, ticks to the next): up to the gap of 0.02 s, the gap, and behind it
    assert struct.unpack_from(">I", data, table) == (3,) and struct.unpack_from(">I", data, table + 12) == (1,)
    struct.pack_into(">I", data, table + 16, 0)
    path.write_bytes(data)
    return path


def loops(path: Path, frames: int, times: int) -> Path:
    """A transport stream joined of the same piece several times, whose time stamps therefore start anew each time."""
    path.write_bytes(write_video(path, frames).read_bytes() * times)
    return path


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, marker: Path):
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
