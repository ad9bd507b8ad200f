"""What is no video though its name says so, and what file systems hold besides files."""

import gzip
import io
import os
import socket
import wave
import zipfile
from pathlib import Path

import av
import numpy as np
from helpers import write_video
from PIL import Image

from corpus import Case

GB = 1 << 30


def content(data: bytes):
    return lambda path: path.write_bytes(data)


def picture(kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(file, kind)
    return file.getvalue()


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("squat.mp4", b"x" * 99)
    return file.getvalue()


def music(path: Path) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 8000, "NONE", ""))
        file.writeframes(bytes(16000))


def music_with_cover(path: Path) -> None:
    with av.open(str(path), "w", "mp4") as container:
        sound = container.add_stream("aac", rate=44100)
        silence = av.AudioFrame.from_ndarray(np.zeros((2, 44100), np.float32), "fltp", "stereo")
        silence.rate, silence.pts = 44100, 0
        container.mux([*sound.encode(silence), *sound.encode(None)])


def renamed(old: bytes, new: bytes):
    """What writes a film in which a name of its index is another one."""
    return lambda path: path.write_bytes(write_video(path, 75, 25, (64, 48)).read_bytes().replace(old, new))


def sparse(beginning: int):
    """What writes 60 GB of which only the beginning (bytes of a film) takes room."""

    def make(path: Path) -> None:
        path.write_bytes(write_video(path, 125, 25, (64, 48)).read_bytes()[:beginning])
        os.truncate(path, 60 * GB)

    return make


def sock(path: Path) -> None:
    """A socket's whole name may not be longer than 100 bytes: it is made nearby and moved."""
    with socket.socket(socket.AF_UNIX) as opened:
        short = f"/tmp/{os.getpid()}.sock"
        opened.bind(short)
    try:
        os.rename(short, path)
    except OSError:  # another file system
        os.unlink(short)
        raise


def without_rate(path: Path) -> None:
    """A raw stream whose codec states no frame rate."""
    raw = path.with_name("raw.hevc")
    write_video(
        raw,
        75,
        25,
        (64, 48),
        codec="libx265",
        preset="ultrafast",
        **{"x265-params": "log-level=none:vui-timing-info=0"},
    )
    raw.replace(path)


rng = np.random.default_rng(0)
CONTENT = {
    "empty": (b"", "^empty file$"),
    "one byte": (b"\0", "^begins with zeros only"),
    "zeros": (bytes(1 << 20), "^begins with zeros only"),
    "noise": (rng.bytes(1 << 20), "^not a video that is known here"),
    "noise, short": (rng.bytes(99), "^not a video that is known here"),
    "notes": (b"squats, 3 x 12\n" * 9, "^text, not a video"),
    "json": (b'{"error": "quota exceeded"}', "^text, not a video"),
    "page": (b"\n<!DOCTYPE html><html><body>404</body></html>", "^a web page, not a video"),
    "xml": (b'<?xml version="1.0"?><Error>AccessDenied</Error>', "^a web page, not a video"),
    "png": (picture("PNG"), r"^a picture \(PNG\), not a video"),
    "jpeg": (picture("JPEG"), r"^a picture \(JPEG\), not a video"),
    "raw jpeg": (picture("JPEG") * 60, r"^a picture \(JPEG\), not a video"),
    "webp": (picture("WEBP"), "^not a video that is known here"),
    "pdf": (b"%PDF-1.4\n" + rng.bytes(999), "^a PDF document"),
    "zip": (zipped(), "^a ZIP archive"),
    "gzip": (gzip.compress(b"squat" * 99), "^a gzip archive"),
    "playlist": (b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n/etc/passwd\n#EXT-X-ENDLIST\n", "^a playlist"),
    "concat": (b"ffconcat version 1.0\nfile good.mp4\n", "^a playlist"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "^a Git LFS pointer"),
    "subtitles": (b"1\n00:00:01,000 --> 00:00:02,000\nup\n", "^text, not a video"),
    "drm": (b"\0\0\0\x08wide\0\0\0\x08mdat", r"^cut short: the index at its end \(moov\) is missing"),
}
MADE = {
    "single picture.gif": (content(picture("GIF")), "^shorter than 2 s"),
    "music.mp4": (music, "^no video stream"),
    "song.m4v": (music_with_cover, "^no video stream"),
    "unknown codec.mp4": (renamed(b"avc1", b"xyz1"), "^its codec is not known, or it is encrypted"),
    "encrypted.mp4": (renamed(b"avc1", b"encv"), "^its codec is not known, or it is encrypted"),
    "no moov.mp4": (renamed(b"moov", b"xxxx"), r"^cut short: the index at its end \(moov\) is missing"),
    "no track.mp4": (renamed(b"trak", b"free"), "^no video stream|^damaged: its index"),
    "no samples.mp4": (renamed(b"stbl", b"free"), "^holds no frame|^damaged|^its codec is not known|^no video stream"),
    "no rate called.mp4": (without_rate, "^has neither time stamps nor a frame rate"),
    "sparse.mp4": (sparse(0), "^begins with zeros only"),
    "sparse, begun.mp4": (sparse(2000), "^damaged|^cut short|^holds no frame"),
    "pipe.mp4": (os.mkfifo, r"^a pipe \(FIFO\), not a file"),
    "sock.mp4": (sock, "^a socket, not a file"),
    "nowhere.mp4": (lambda path: path.symlink_to("gone.mp4"), "^a link to a file that is not there"),
    "itself.mp4": (lambda path: path.symlink_to(path), "^cannot be opened: Too many levels"),
    "notes.txt": (content(b"3 x 12"), r"^not a video file \(.txt\)"),
    "no suffix": (content(b"3 x 12"), r"^not a video file \(no suffix\)"),
    "single frame.mp4": (lambda path: write_video(path, 1), "^shorter than 2 s"),
    "1.96 s.mp4": (lambda path: write_video(path, 49, 25), r"^shorter than 2 s \(1.96 s\)"),
}

CASES = [
    *(Case(f"Squat/{name}.mp4", content(data), reason=reason) for name, (data, reason) in CONTENT.items()),
    *(Case(f"Squat/{name}", make, reason=reason) for name, (make, reason) in MADE.items()),
    Case("Deadlift/circle", lambda path: path.symlink_to(".."), reason="^a link that leads in a circle"),
    Case("Deadlift/good beside them.mp4", lambda path: write_video(path, 125, 25), 2),
]
