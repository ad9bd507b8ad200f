"""Decoded frames on disk, as a memory map that all processes share: epochs then cost no decoding."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import cpu_count
from tqdm.auto import tqdm

from exmus_lib import storage

MAX_DISK = 0.5  # of the free disk; what takes more is decoded anew in each epoch
AHEAD = 4  # clips for each thread that are decoded before they are written: they lie in memory until then
FRAMES, INDEX = "frames.uint8", "index.npz"

# A clip, a row of the table -> its frames (time, side, side, 3) uint8 and their times (time,) in seconds.
Decode = Callable[[object], tuple[np.ndarray, np.ndarray]]


class ViewCache:
    """The frames of clips that views are picked from, as a recipe sees them: neither augmented nor normalised."""

    def __init__(self, folder: Path):
        self.folder = folder
        with np.load(folder / INDEX, allow_pickle=False) as index:
            self.times, start, side = index["times"], index["start"], int(index["side"])
            self.parts = dict(zip(index["clip_id"].tolist(), map(slice, start[:-1], start[1:]), strict=True))
        self.frames = np.memmap(folder / FRAMES, np.uint8, "r").reshape(-1, side, side, 3)
        if not len(self.frames) == len(self.times) == start[-1]:
            raise ValueError(f"{len(self.frames)} frames, where the index has {start[-1]}")

    def __reduce__(self):
        return ViewCache, (self.folder,)  # else a spawned loader process would be sent all frames

    def frames_at(self, clip_id: str, times: Sequence[float]) -> np.ndarray:
        """The frames of a clip shown at times, as videos.read.read_frames chooses them: (time, side, side, 3) uint8."""
        part = self.parts[clip_id]
        picked = np.searchsorted(self.times[part], np.asarray(times) + 1e-6, side="right") - 1
        return np.asarray(self.frames[part][np.maximum(picked, 0)])


def kept(place: Path, clips: pd.DataFrame, decode: Decode, size: int) -> ViewCache | None:
    """The cache at `place`, <recipe>-<hash of the clip set>, made when missing; None, and it is said, where about `size` bytes
    would take more than MAX_DISK of the free disk. Caches of other clip sets than this one, which lie beside it, go."""
    with storage.alone(place):
        if place.exists():
            try:
                with storage.reading(place, "The views are decoded anew."):
                    if not {FRAMES, INDEX} <= set(os.listdir(place)):
                        raise ValueError("a part of it is gone")
                    return ViewCache(place)
            except storage.Damaged as error:
                print(error)
        if not place.exists():
            for other in place.parent.iterdir():
                hidden, damaged = other.name.startswith("."), ".damaged" in other.name
                if not (hidden or damaged or other.name.endswith(place.name.rpartition("-")[2])):
                    shutil.rmtree(other) if other.is_dir() else other.unlink()
            free = shutil.disk_usage(place.parent).free
            if size > MAX_DISK * free:
                print(f"views are decoded in each epoch: kept, they would take {size >> 20} of {free >> 20} MiB free")
                return None
            _make(place, clips, decode)
    return ViewCache(place)


def _make(place: Path, clips: pd.DataFrame, decode: Decode) -> None:
    """Decode all clips into a hidden folder that is then renamed: whole or absent. What a killed process left goes first."""
    part = place.with_name(f".{place.name}")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    try:
        with open(part / FRAMES, "wb") as file:
            times = []
            for frames, moments in tqdm(_decoded(clips, decode), "reading views", len(clips), unit="clip", leave=False):
                file.write(np.ascontiguousarray(frames))
                times.append(moments)
        start = np.cumsum([0, *map(len, times)])
        ids = clips["clip_id"].to_numpy(str)
        np.savez(part / INDEX, clip_id=ids, start=start, times=np.concatenate(times), side=frames.shape[1])
        part.rename(place)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _decoded(clips: pd.DataFrame, decode: Decode) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    rows, some = list(clips.itertuples()), AHEAD * cpu_count()
    with ThreadPoolExecutor(cpu_count()) as pool:
        for first in range(0, len(rows), some):
            yield from pool.map(decode, rows[first : first + some])
