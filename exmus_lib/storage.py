"""Files that are whole or absent: written beside their place and renamed, one writer at a time, set aside where damaged."""

import errno
import hashlib
import os
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from functools import cache
from inspect import signature
from itertools import count
from pathlib import Path
from uuid import uuid4

import pandas as pd
import psutil
from filelock import FileLock, Timeout

PART = ".exmus-"  # how the name of what is being written begins; host, process and random digits follow
LEFT_BEHIND = 24 * 3600  # seconds after which a part that another machine writes is of a dead one
_SWEPT: set[Path] = set()  # folders that this process has written to


@contextmanager
def atomic(path: Path, synced: bool = True) -> Iterator[Path]:
    """A temporary sibling of `path` to write to: renamed onto it on success, removed on error. Whole or absent, never half.

    Not `synced`, a machine that dies may leave a damaged file under the new name, though a process that dies does not. The first
    time that a process writes to a folder, what killed processes left there goes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.parent not in _SWEPT:
        sweep(path.parent)
        _SWEPT.add(path.parent)
    part = path.with_name(f"{part_name()}{path.suffix}")
    try:
        yield part
        if synced:
            with part.open("r+b") as file:  # Windows syncs only what may be written
                os.fsync(file.fileno())  # else a machine that dies may keep the new name and not what is in the file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_parquet(table: pd.DataFrame, path: Path) -> None:
    """Write a table without its index, whole or not at all."""
    with atomic(path) as part:
        table.to_parquet(part, index=False)


@contextmanager
def scratch() -> Iterator[Path]:
    """A temporary folder, removed at the end; that of a killed process goes when the next one asks for its own."""
    sweep(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=part_name()) as folder:
        yield Path(folder)


def part_name() -> str:
    """A name that `sweep` knows: when this process is gone, what is called so goes."""
    return f"{PART}{_host()}-{os.getpid()}-{uuid4().hex[:8]}"


@cache
def _host() -> str:
    return hashlib.sha256(platform.node().encode()).hexdigest()[:6]


def sweep(folder: Path) -> None:
    """Remove parts that killed processes left in a folder; those of living ones, and of other machines for a day, stay."""
    for part in folder.glob(f"{PART}*"):
        match = re.fullmatch(r"([0-9a-f]{6})-(\d+)-[0-9a-f]{8}.*", part.name.removeprefix(PART))
        if not match:
            continue  # somebody else's file
        host, process = match.groups()
        with suppress(OSError):  # another process sweeps too, or it is another user's
            old = time.time() - part.stat().st_mtime > LEFT_BEHIND
            if old if host != _host() else not psutil.pid_exists(int(process)):
                shutil.rmtree(part) if part.is_dir() else part.unlink()


class Damaged(ValueError):
    """A file that cannot be read; the message names it, what became of it, and the way out."""


@contextmanager
def reading(path: Path, way_out: str) -> Iterator[None]:
    """Where the block fails because of what `path` holds, the file is set aside, and Damaged says so and `way_out`.

    A file that is gone, or may not be read, stays, with the error of the system, which names it.
    """
    try:
        yield
    except MemoryError:
        problem = "asks for more memory than there is; if other files can be read it is damaged: remove it"
        raise Damaged(f"{path} {problem}. {way_out}") from None
    except Damaged:
        raise
    except Exception as error:  # readers of damaged files fail in every way there is
        if isinstance(error, OSError) and error.filename is not None:
            raise
        words = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        raise Damaged(f"{path} is damaged ({words}). {set_aside(path)} {way_out}") from error


def set_aside(path: Path) -> str:
    """Rename a damaged file to <name>.damaged (or .damaged1, ...), so that it is made anew; a sentence that says so."""
    names = (path.with_name(f"{path.name}.damaged{i or ''}") for i in count())
    try:
        return f"It was renamed to {path.rename(next(name for name in names if not name.exists())).name}."
    except OSError as error:
        return f"It cannot be renamed ({error.strerror}): remove it by hand."


def plain(name: str) -> str:
    """The name itself where it is that of one file or folder, so that it leads nowhere else; ValueError otherwise."""
    if name in ("", "..") or "\0" in name or Path(name).name != name:
        raise ValueError(f"{name!r} cannot be the name of a data set or run: it must not be a path, as a/b or .. are")
    return name


def short(name: str, most: int = 120) -> str:
    """A name cut to so many bytes, that something can be added to: file systems take 255. What is no UTF-8 is left out."""
    return os.fsencode(name)[:most].decode("utf-8", "ignore")


# File systems whose locks no server keeps: another machine that writes to the same place does not see them.
LOCAL_LOCKS = ("fuse.drive", "fuse.sshfs", "fuse.rclone", "fuse.s3fs", "fuse.gcsfuse")
NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
# A soft lock, which newer versions of filelock fall back to, outlives its process; older ones have no such option.
HARD = {"fallback_to_soft": False} if "fallback_to_soft" in signature(FileLock.__init__).parameters else {}
READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """While one process makes `folder`, any other that wants to waits, and then finds it made; a killed one holds nobody up.

    Where nothing can be written nothing can be made either, and nobody waits. Where the file system has no locks, or none that
    other machines see (Drive on Colab), a printed line says so.
    """
    with _lock(folder):
        sweep(folder)
        yield


def _lock(folder: Path) -> AbstractContextManager:
    place = folder.parent
    try:
        place.mkdir(parents=True, exist_ok=True)
        lock = FileLock(place / f".{folder.name}.lock", **HARD)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            print(f"waiting for another process that makes {folder}")
            lock.acquire()
    except (OSError, NotImplementedError) as error:  # filelock's word for a file system without locks is the latter
        number = getattr(error, "errno", errno.ENOSYS)
        if number not in (*NO_LOCKS, *READ_ONLY):
            raise
        if number in NO_LOCKS:
            _say(f"{place} has no file locks: let no other process make the same there")
        return nullcontext()
    if (kind := _file_system(place)) in LOCAL_LOCKS:
        _say(f"{place} is {kind}, whose locks hold on this machine alone: let no other make the same there")
    stack = ExitStack()
    stack.callback(lock.release)
    return stack


@contextmanager
def where_possible() -> Iterator[None]:
    """What the block would keep where nothing can be written is not kept, and a printed line says so: finished runs can be looked
    at all the same."""
    try:
        yield
    except OSError as error:
        if error.errno not in READ_ONLY:
            raise
        _say(f"{Path(error.filename or '.').parent} cannot be written to: nothing is kept there")


@cache
def _say(text: str) -> None:
    """Once in a process."""
    print(text)


@cache
def _file_system(folder: Path) -> str:
    disks = {Path(disk.mountpoint): disk.fstype for disk in psutil.disk_partitions(all=True)}
    return next((disks[place] for place in (folder, *folder.parents) if place in disks), "")
