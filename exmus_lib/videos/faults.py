"""What can be wrong with a file that should be a video, in words that its owner understands.

FFmpeg says "Invalid data found when processing input" of a film without its end and of a shopping list.
"""

import os
import signal
import stat
import struct
from pathlib import Path

import av

# How files begin that are often called .mp4 and hold no video.
BEGINNINGS = {
    b"\x89PNG": "a picture (PNG), not a video",
    b"\xff\xd8\xff": "a picture (JPEG), not a video",
    b"%PDF": "a PDF document, not a video",
    b"PK\x03\x04": "a ZIP archive, not a video: unpack it",
    b"Rar!": "a RAR archive, not a video: unpack it",
    b"7z\xbc\xaf": "a 7z archive, not a video: unpack it",
    b"\x1f\x8b": "a gzip archive, not a video: unpack it",
    b"#EXTM3U": "a playlist, not a video",
    b"ffconcat": "a playlist, not a video",
    b"<": "a web page, not a video: a download that failed?",
    b"version https://git-lfs": "a Git LFS pointer, not a video: run git lfs pull",
}
KINDS = {
    stat.S_ISDIR: "a folder",
    stat.S_ISFIFO: "a pipe (FIFO)",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
}
BOX = struct.Struct(">I4s")


class VideoError(ValueError):
    """A file that cannot be read as video; says which and why."""

    def __init__(self, path: str | Path, reason: str):
        super().__init__(path, reason)  # both, so that it pickles
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


PASSING = "reading stopped"  # how a fault begins that may be the machine's, and is not kept as the file's


def of_kind(path: str | Path) -> str | None:
    """Why there is nothing to open: gone, a link that leads nowhere, a folder, a pipe, empty; None for a file with content."""
    try:
        facts = os.stat(path)
    except FileNotFoundError:
        return "a link to a file that is not there" if os.path.islink(path) else "the file is gone"
    except OSError as error:
        return of_system(error)
    for is_kind, name in KINDS.items():
        if is_kind(facts.st_mode):
            return f"{name}, not a file"
    return None if facts.st_size else "empty file"


def of_system(error: OSError) -> str:
    """Of a file that the system will not open or read on."""
    return f"cannot be opened: {os.strerror(error.errno) if error.errno else error}"


def of_opening(path: str | Path) -> str:
    """Why FFmpeg finds no video in a file: told by how the file begins, and in MP4 by its outermost boxes."""
    try:
        with open(path, "rb") as file:
            start = file.read(4096)
            boxes, _ = _boxes(file, start)
    except OSError as error:
        return of_system(error)
    for beginning, words in BEGINNINGS.items():
        if start.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(beginning):
            return words
    if not any(start):
        return "begins with zeros only: not a video, or a download that was never finished"
    if boxes and b"moov" not in boxes:
        return "cut short: the index at its end (moov) is missing"
    if boxes:
        return "damaged: its index (moov) cannot be read"
    if all(byte >= 32 or byte in b"\t\r\n" for byte in start):
        return "text, not a video"
    return "not a video that is known here, or damaged where it begins"


def of_size(path: str | Path) -> str | None:
    """What is missing of an MP4, by the sizes that its outermost boxes give; None where nothing is."""
    try:
        with open(path, "rb") as file:
            _, end = _boxes(file, file.read(16))
            size = file.seek(0, os.SEEK_END)
    except OSError:
        return None
    return f"cut short: {size / end:.0%} of {end / 1e6:.1f} MB are there" if end > size else None


def of_decoding(error: Exception, moment: float | None = None) -> str:
    """Why reading or decoding ended, once a video had been found in the file, and at what second."""
    if isinstance(error, MemoryError):
        return "needs too much memory to decode"
    if isinstance(error, av.PatchWelcomeError):
        return "is of a kind that FFmpeg cannot decode yet"
    if isinstance(error, av.EOFError):
        return "cut short: it ends within a frame"
    moment_of_it = "" if moment is None else f" at {moment:.2f} s"
    if isinstance(error, OSError):
        return f"damaged{moment_of_it}, or its disk fails: {os.strerror(error.errno) if error.errno else error}"
    return f"damaged{moment_of_it}: a frame cannot be decoded"


def of_end(code: int, seconds: int) -> str:
    """Why the process that read a file came to an end, by its exit code (subprocess.Popen.returncode); it has an alarm."""
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"code {code}"
    if name == "SIGALRM":
        return f"{PASSING}: no progress for {seconds} s"
    if name == "SIGKILL":
        return f"{PASSING}: the system ended it, likely for want of memory"
    return f"damaged: the decoder crashed on it ({name})"


def _boxes(file, start: bytes) -> tuple[list[bytes], int]:
    """The names of the outermost boxes of an MP4 (ISO/IEC 14496-12, 4.2), as far as they can be followed, and where the last one
    ends. None for what does not begin as one; `start` are its first bytes."""
    names, place = [], 0
    if start[4:8] not in (b"ftyp", b"mdat", b"moov", b"wide", b"free", b"skip"):
        return names, place
    while len(names) < 1000:
        file.seek(place)
        head = file.read(16)
        if len(head) < 8 or not head[4:8].isalnum():
            break
        size, name = BOX.unpack_from(head)
        if size == 1 and len(head) == 16:
            size = struct.unpack_from(">Q", head, 8)[0]
        if size and size < 8:
            break
        names.append(name)
        place += size
        if not size:  # to the end of the file
            break
    return names, place
