"""Files in which nothing is wrong, though many are odd: all of them are kept."""

import shutil
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from helpers import loops, picture, still_stamps, write_video

from corpus import Case

SMALL = (64, 48)
X264 = {"preset": "ultrafast"}


def film(frames=125, fps=25, size=SMALL, **facts):
    """What writes so many frames."""
    return lambda path: write_video(path, frames, fps, size, **facts)


def codec(name: str, pixels: str = "yuv420p", size=SMALL, fps=25, **options):
    return film(int(5 * fps), fps, size, codec=name, pixels=pixels, **options)


def matrix(*abcd: int):
    """What writes a film with the display matrix (a, b, c, d)."""

    return lambda path: set_matrix(write_video(path, 125, 25, SMALL), *abcd)


def set_matrix(path: Path, *abcd: int) -> None:
    data = bytearray(path.read_bytes())
    box = data.index(b"tkhd") + 4
    place = box + (52 if data[box] else 40)
    a, b, c, d = (value << 16 for value in abcd)
    struct.pack_into(">9i", data, place, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


def stored_for(a: int, b: int, c: int, d: int):
    """What writes a numbered film that stands upright once its matrix (a, b, c, d), a turn and perhaps a mirror, is obeyed."""

    def make(path: Path) -> None:
        width, height = 128, 96
        upright = np.stack([picture(number, *((height, width) if b else (width, height))) for number in range(125)])
        rows, columns = np.mgrid[:height, :width] - np.array([(height - 1) / 2, (width - 1) / 2])[:, None, None]
        # A point (x, y) of what is stored is shown at (ax + cy, bx + dy), from the middle.
        x, y = a * columns + c * rows, b * columns + d * rows
        stored = upright[:, (y + (upright.shape[1] - 1) / 2).astype(int), (x + (upright.shape[2] - 1) / 2).astype(int)]
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=25, options=X264)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for number, image in enumerate(stored):
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24")
                frame.pts = number
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        set_matrix(path, a, b, c, d)

    return make


def called(suffix: str, make):
    """What writes a file of another kind than its name says."""

    def make_and_move(path: Path) -> None:
        other = path.with_name(f"other.{suffix}")
        make(other)
        other.replace(path)

    return make_and_move


def jump(at: int, seconds: float, **facts):
    """What writes 125 frames at 25 a second with a jump in their time stamps."""
    return film([i / 25 + seconds * (i >= at) for i in range(125)], **facts)


def joined(*makes):
    """Streams, one behind the other."""

    def make(path: Path) -> None:
        content = b""
        for part in makes:
            part(path)
            content += path.read_bytes()
        path.write_bytes(content)

    return make


def two_streams(path: Path) -> None:
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("libx264", rate=25, options=X264) for _ in range(2)]
        for stream in streams:
            stream.width, stream.height, stream.pix_fmt = *SMALL, "yuv420p"
        for number in range(125):
            for stream in streams:
                frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number, np.uint8), "rgb24")
                frame.pts = number
                container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode(None))


def copied(name: str):
    """What puts a good film under another name, in a place where no encoder has to write."""

    def make(path: Path) -> None:
        plain = path.parent / "plain-for-copies.mp4"
        write_video(plain, 125, 25, SMALL)
        shutil.move(plain, path)

    return make


CODECS = {
    "h264.mp4": codec("libx264"),
    "h264.mov": codec("libx264"),
    "h264.m4v": codec("libx264"),
    "h264.mkv": codec("libx264"),
    "h264.avi": codec("libx264", bf="0"),
    "h264.ts": codec("libx264"),
    "h264.mts": codec("libx264", format="mpegts"),
    "h264.m2ts": codec("libx264", format="mpegts"),
    "h264.flv": codec("libx264"),
    "h264.3gp": codec("libx264"),
    "h264.3g2": codec("libx264"),
    "long-gop.mp4": codec("libx264", g="500"),
    "intra.mp4": codec("libx264", g="1", bf="0"),
    "open-gop.mp4": codec("libx264", **{"x264-params": "open-gop=1"}),
    "interlaced.mp4": codec("libx264", **{"x264-params": "interlaced=1"}),
    "ten-bit.mp4": codec("libx264", "yuv420p10le"),
    "yuv444.mp4": codec("libx264", "yuv444p"),
    "grey.mp4": codec("libx264", "gray"),
    "fragmented.mp4": codec("libx264", movflags="frag_keyframe+empty_moov"),
    "index-behind.mp4": codec("libx264", movflags="write_colr"),
    "hevc.mp4": codec("libx265", preset="ultrafast", **{"x265-params": "log-level=none"}),
    "hevc.mkv": codec("libx265", "yuv420p10le", preset="ultrafast", **{"x265-params": "log-level=none"}),
    "av1.mp4": codec("libsvtav1", preset="13", size=(64, 64)),
    "vp8.webm": codec("libvpx", deadline="realtime"),
    "vp9.webm": codec("libvpx-vp9", deadline="realtime", **{"cpu-used": "8"}),
    "vp9.mp4": codec("libvpx-vp9", deadline="realtime", **{"cpu-used": "8"}),
    "alpha.webm": codec("libvpx-vp9", "yuva420p", deadline="realtime", **{"cpu-used": "8"}),
    "mpeg4.mp4": codec("mpeg4"),
    "mpeg4.avi": codec("mpeg4", bf="2"),
    "xvid.divx": codec("mpeg4", format="avi"),
    "msmpeg4.avi": codec("msmpeg4"),
    "mjpeg.avi": codec("mjpeg", "yuvj420p"),
    "mjpeg.mov": codec("mjpeg", "yuvj420p"),
    "huffyuv.avi": codec("ffvhuff"),
    "ffv1.mkv": codec("ffv1"),
    "raw.avi": codec("rawvideo"),
    "mpeg1.mpg": codec("mpeg1video"),
    "mpeg2.mpeg": codec("mpeg2video"),
    "mpeg2.ts": codec("mpeg2video"),
    "mpeg2.mkv": codec("mpeg2video"),
    "wmv2.wmv": codec("wmv2"),
    "wmv1.asf": codec("wmv1"),
    "flv1.flv": codec("flv"),
    "h263.3gp": codec("h263", size=(176, 144)),
    "prores.mov": codec("prores_ks", "yuv422p10le"),
    "animation.mov": codec("qtrle", "rgb24"),
    "moving.gif": codec("gif", "rgb8"),
    "matroska called.mp4": called("mkv", codec("libx264")),
    "mov called.avi": called("mov", codec("libx264")),
    "webm called.MP4": called("webm", codec("libvpx", deadline="realtime")),
    "raw h264 called.mp4": called("h264", codec("libx264")),
    "raw hevc called.mp4": called(
        "hevc", codec("libx265", preset="ultrafast", **{"x265-params": "log-level=none:vui-timing-info=1"})
    ),
    "with sound.mp4": film(audio=True),
    "two streams.mp4": two_streams,
}
RATES = {
    "every 5 s": (Fraction(1, 5), 3, 7),
    "every 2 s": (Fraction(1, 2), 5, 5),
    "1 fps": (1, 6, 3),
    "2 fps": (2, 10, 2),
    "5 fps": (5, 25, 2),
    "7.5 fps": (Fraction(15, 2), 40, 2),
    "12 fps": (12, 60, 2),
    "23.976 fps": (Fraction(24000, 1001), 120, 2),
    "29.97 fps": (Fraction(30000, 1001), 150, 2),
    "48 fps": (48, 240, 2),
    "50 fps": (50, 250, 2),
    "59.94 fps": (Fraction(60000, 1001), 300, 2),
    "120 fps": (120, 600, 2),
    "240 fps": (240, 1200, 2),
}
SIZES = {
    "1 x 1": (1, 1),
    "1 x 64": (1, 64),
    "2 x 2": (2, 2),
    "3 x 50": (3, 50),
    "64 x 3": (64, 3),
    "odd": (63, 47),
    "panorama": (5000, 16),
    "tower": (16, 5000),
    "wide 8K": (8192, 32),
}
MATRICES = {
    "turned 90": (0, 1, -1, 0),
    "turned 180": (-1, 0, 0, -1),
    "turned 270": (0, -1, 1, 0),
    "mirrored": (-1, 0, 0, 1),
    "mirrored, turned 90": (0, -1, -1, 0),
    "mirrored, turned 180": (1, 0, 0, -1),
    "mirrored, turned 270": (0, 1, 1, 0),
    "sheared": (1, 1, 0, 1),
    "nothing": (0, 0, 0, 0),
}
ASPECTS = {
    "narrow": Fraction(3, 8),
    "a hundredth": Fraction(1, 100),
    "hundredfold": Fraction(100),
    "PAL": Fraction(16, 11),
}
TIMES = {
    "still for 5 s.mp4": (jump(60, 5), 5),
    "still for 20 s.mkv": (jump(60, 20), 12),
    "still at once.mp4": (film([0, *(6 + i / 25 for i in range(100))]), 5),
    "a jump of 10 minutes.mkv": (jump(60, 600), 2),
    "a jump of 6 hours.mp4": (jump(60, 6 * 3600), 2),
    "a jump of a day.mkv": (jump(60, 86400), 2),
    "a jump of two years.mkv": (jump(60, 2 * 365 * 86400), 2),
    "begins after an hour.mkv": (film([3600 + i / 25 for i in range(125)]), 2),
    "uneven.mp4": (film([i / 25 + 0.02 * (i % 3 == 1) for i in range(125)]), 2),
    "stands still.mp4": (lambda path: still_stamps(path, 75, 41), 1),
    "loops.ts": (lambda path: loops(path, 75, 2), 2),
    "two sizes.mp4": (called("h264", joined(film(75), film(75, size=(96, 64)))), 3),
    "exactly 2 s.mp4": (film(50), 1),
    "3.96 s.mp4": (film(99), 1),
}
NAMES = [
    "12:30 squat.mp4", "http:__gym.example_squat.mp4", "%03d.mp4", "what*is?this[1].mp4", "a\nb.mp4", "tab\there.mp4",
    "'quoted\".mp4", "$HOME `id` \\x.mp4", "<b>bold</b>.mp4", "-i.mp4", "深蹲 🏋.mp4", "e\u0301te\u0301.mp4", "file:x.mp4",
    "ends in a blank .mp4", "LOUD.MP4", "mp4.mp4", "l" * 251 + ".mp4", "é" * 125 + ".mp4", "n\udce9e.mp4",
    "\udcff\udcfe.mp4", "a/b/c/d/e/f/deep.mp4", "concat:a|b.mp4", "comma, semicolon;.mp4", "pipe:0.mp4",
]  # fmt: skip

CASES = [
    *(Case(f"Squat/{name}", make, 2) for name, make in CODECS.items()),
    *(Case(f"Squat/{name}.mp4", film(frames, fps), clips) for name, (fps, frames, clips) in RATES.items()),
    *(Case(f"Squat/size {name}.mov", film(size=size, codec="png", pixels="rgb24"), 2) for name, size in SIZES.items()),
    *(Case(f"Squat/{name}.mp4", matrix(*values), 2) for name, values in MATRICES.items()),
    *(Case(f"Squat/pixels {name}.mp4", film(aspect=aspect), 2) for name, aspect in ASPECTS.items()),
    *(Case(f"Squat/{name}", make, clips) for name, (make, clips) in TIMES.items()),
    *(Case(f"Deadlift/{name}", copied(name), 2) for name in NAMES),
]
