"""Clips as a PyTorch data set: a window in time, frames spread evenly over it, scaled, cropped and normalised to one view."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import floor
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.nn.functional import interpolate, pad
from torch.utils.data import Dataset
from tqdm.auto import tqdm

from exmus_lib import workspace
from exmus_lib.recipes import Recipe
from exmus_lib.videos.read import read_frames
from exmus_lib.vocabulary import truth

MEAN, STD = 0.45, 0.225  # of Kinetics, for each channel, as the pretrained networks expect
CACHE_LIMIT = 1 << 30  # bytes; a set of views beyond it is decoded anew in each epoch


def view_times(start: float, seconds: float, frames: int, fps: float) -> np.ndarray:
    """Times of `frames` frames spread evenly over a window: (frames,) seconds.

    The frames shown then are those that PyTorchVideo's UniformTemporalSubsample picks out of the frames in the window.
    """
    inside = max(1, round(seconds * fps))
    picked = torch.linspace(0, inside - 1, frames).long().numpy()
    return start + (picked + 0.5) / fps


def scale(frames: torch.Tensor, side: int, fit: str) -> torch.Tensor:
    """Float frames (time, 3, height, width) scaled for a view: short side to `side` (crop), both (squash), or the long one,
    with grey around the rest (pad). Bilinear as PyTorchVideo's ShortSideScale."""
    height, width = frames.shape[2:]
    if fit == "squash":
        size = (side, side)
    else:
        reference = min(height, width) if fit == "crop" else max(height, width)
        size = tuple(side if n == reference else max(1, floor(n / reference * side)) for n in (height, width))
    frames = interpolate(frames, size=size, mode="bilinear", align_corners=False)
    if fit != "pad":
        return frames
    below, right = side - frames.shape[2], side - frames.shape[3]
    margins = (right // 2, right - right // 2, below // 2, below - below // 2)
    return pad(frames, margins, value=255 * MEAN)


def centre_crop(frames: torch.Tensor, side: int) -> torch.Tensor:
    """The middle side x side pixels of frames (..., height, width), rounded as torchvision's CenterCropVideo."""
    top, left = (round((n - side) / 2.0) for n in frames.shape[-2:])
    return frames[..., top : top + side, left : left + side]


def normalise(frames: torch.Tensor) -> torch.Tensor:
    """Frames (time, 3, height, width) of 0..255 to a view (3, time, height, width) of zero mean and unit deviation."""
    return ((frames / 255 - MEAN) / STD).transpose(0, 1)


def view_of(frames: np.ndarray, recipe: Recipe) -> torch.Tensor:
    """The evaluation view of frames (time, height, width, 3) uint8: (3, time, side, side) float32."""
    return normalise(centre_crop(scale(_float(frames), recipe.side, recipe.fit), recipe.side))


def augmented(view: torch.Tensor) -> torch.Tensor:
    """A training view (3, time, side, side), mirrored half the time, its colours and brightness shifted."""
    if torch.rand(1) < 0.5:
        view = view.flip(-1)
    gain, shift = 0.8 + 0.4 * torch.rand(3, 1, 1, 1), 0.2 * (torch.rand(1) - 0.5)
    return (((view * STD + MEAN) * gain + shift).clamp(0, 1) - MEAN) / STD


def _float(frames: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).float()


@dataclass(frozen=True)
class FrameCache:
    """Every frame of every clip, scaled once for a recipe: epochs then cost no decoding. A flat file, mapped into memory."""

    pixels: np.ndarray  # (bytes,) uint8
    shapes: dict[str, tuple[int, int, int, int]]  # clip_id -> offset, frames, height, width

    def frames(self, clip_id: str, times: np.ndarray, fps: float) -> torch.Tensor:
        """The scaled frames shown at `times`: (time, 3, height, width) float32 of 0..255."""
        offset, count, height, width = self.shapes[clip_id]
        whole = self.pixels[offset : offset + count * height * width * 3].reshape(count, height, width, 3)
        return _float(whole[np.clip((times * fps).astype(int), 0, count - 1)])


def frame_cache(clips: pd.DataFrame, folder: Path, recipe: Recipe, name: str) -> FrameCache | None:
    """The cache of these clips at the recipe's size, made when missing under folder/frames; None when it would be too large."""
    total = int((clips["seconds"] * clips["fps"]).sum() * 1.8 * recipe.side**2 * 3)
    if total > CACHE_LIMIT:
        return None
    path = folder / "frames" / f"{recipe.fit}{recipe.side}-{name}.bin"
    index = path.with_suffix(".parquet")
    if not index.exists():
        _fill(clips, folder, recipe, path, index)
    shapes = pd.read_parquet(index).set_index("clip_id")
    where = dict(zip(shapes.index, shapes.itertuples(index=False, name=None), strict=True))
    return FrameCache(np.memmap(path, np.uint8, "r"), where)


def _fill(clips: pd.DataFrame, folder: Path, recipe: Recipe, path: Path, index: Path) -> None:
    def scaled(clip) -> np.ndarray:
        count = max(1, round(clip.seconds * clip.fps))
        frames = read_frames(folder / clip.path, (np.arange(count) + 0.5) / clip.fps)
        small = torch.cat(
            [scale(_float(part), recipe.side, recipe.fit) for part in np.array_split(frames, -(-count // 32))]
        )
        return small.round().byte().permute(0, 2, 3, 1).numpy()

    rows, offset = [], 0
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(os.cpu_count()) as pool, workspace.atomic(path) as part, part.open("wb") as file:
            work = tqdm(pool.map(scaled, clips.itertuples()), f"frames at {recipe.side} px", len(clips), leave=False)
            for clip, small in zip(clips.itertuples(), work, strict=True):
                rows.append((clip.clip_id, offset, *small.shape[:3]))
                file.write(small.tobytes())
                offset += small.size
    finally:
        torch.set_num_threads(threads)
    with workspace.atomic(index) as part:  # written last: its existence means that the cache is whole
        pd.DataFrame(rows, columns=["clip_id", "offset", "frames", "height", "width"]).to_parquet(part, index=False)


class ClipDataset(Dataset):
    """Views of clips with their labels: item i is (view (3, frames, side, side) float32, target).

    The target is a class index (exercise) or 11 zeros and ones as float32 (mgap). Training takes a random window as long as
    the recipe says, evaluation the centre one. A clip that cannot be read raises VideoError, which names the file.
    """

    def __init__(
        self, clips: pd.DataFrame, folder: Path, recipe: Recipe, task: str, train: bool, cache: FrameCache | None
    ):
        self.clips, self.folder, self.recipe = list(clips.itertuples()), folder, recipe
        self.train, self.cache = train, cache
        labels = truth(clips["exercise"], task)
        self.targets = torch.from_numpy(labels if task == "exercise" else labels.astype(np.float32))

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, torch.Tensor]:
        clip, recipe = self.clips[i], self.recipe
        window = min(recipe.seconds or clip.seconds, clip.seconds)
        start = (clip.seconds - window) * (torch.rand(1).item() if self.train else 0.5)
        start = floor(start * clip.fps + 1e-6) / clip.fps  # windows begin where a frame does
        times = view_times(start, window, recipe.frames, clip.fps)
        if self.cache:
            frames = self.cache.frames(clip.clip_id, times, clip.fps)
        else:
            frames = scale(_float(read_frames(self.folder / clip.path, times)), recipe.side, recipe.fit)
        view = normalise(centre_crop(frames, recipe.side))
        return augmented(view) if self.train and recipe.augment else view, self.targets[i]
