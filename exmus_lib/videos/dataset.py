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
from exmus_lib.tasks import Task
from exmus_lib.videos import windows
from exmus_lib.videos.read import read_frames

MEAN, STD = 0.45, 0.225  # of Kinetics, for each channel, as the pretrained networks expect
MIN_CROP, MIN_CROP_EPOCH = 0.65, 20  # share of the side, and the epoch that first crops as tightly: see `augmented`
CACHE_LIMIT = 1 << 30  # bytes; views beyond it are decoded anew in each epoch


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


def augmented(view: torch.Tensor, epoch: int) -> torch.Tensor:
    """A training view (3, time, side, side): cropped at random and scaled back, mirrored half the time, its colours and
    brightness shifted.

    The smallest crop shrinks from epoch to epoch until it is MIN_CROP of the side: short runs cannot afford tight crops, long
    ones overfit without (progressive regularisation, Tan and Le 2021).
    """
    side = view.shape[-1]
    smallest = 1 - (1 - MIN_CROP) * min(1, epoch / MIN_CROP_EPOCH)
    size = round(side * (smallest + (1 - smallest) * torch.rand(1).item()))
    if size < side:
        top, left = torch.randint(0, side - size + 1, (2,)).tolist()
        cropped = view[..., top : top + size, left : left + size].transpose(0, 1)
        view = interpolate(cropped, size=(side, side), mode="bilinear", align_corners=False).transpose(0, 1)
    if torch.rand(1) < 0.5:
        view = view.flip(-1)
    gain, shift = 0.8 + 0.4 * torch.rand(3, 1, 1, 1), 0.2 * (torch.rand(1) - 0.5)
    return (((view * STD + MEAN) * gain + shift).clamp(0, 1) - MEAN) / STD


def _float(frames: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).float()


@dataclass(frozen=True)
class ViewCache:
    """The views of clips before they are augmented: epochs then cost no decoding."""

    views: np.ndarray  # (clips, time, side, side, 3) uint8
    rows: dict[str, int]  # clip_id -> index into `views`

    def view(self, clip_id: str) -> torch.Tensor:
        """The normalised view of a clip: (3, time, side, side) float32."""
        return normalise(_float(self.views[self.rows[clip_id]]))


def view_cache(clips: pd.DataFrame, folder: Path, recipe: Recipe, name: str) -> ViewCache | None:
    """The cache of these clips' views, made when missing under folder/views; None where the recipe has windows of so many
    seconds, which may lie anywhere in a clip, and where the views would be too large."""
    clips = clips.sort_values("clip_id")
    if recipe.seconds is not None or len(clips) * recipe.frames * recipe.side**2 * 3 > CACHE_LIMIT:
        return None
    path = folder / "views" / f"{recipe.frames}x{recipe.side}-{recipe.fit}-{name}.npy"
    if not path.exists():
        with workspace.atomic(path) as part:
            np.save(part, _views(clips, folder, recipe))
    return ViewCache(np.load(path), {clip: row for row, clip in enumerate(clips["clip_id"])})


def _views(clips: pd.DataFrame, folder: Path, recipe: Recipe) -> np.ndarray:
    """The views of whole clips, neither augmented nor normalised: (clips, time, side, side, 3) uint8."""

    def view(clip) -> np.ndarray:
        times = windows.view_times(0.0, clip.seconds, recipe.frames, clip.fps)
        scaled = scale(_float(read_frames(folder / clip.path, times)), recipe.side, recipe.fit)
        return centre_crop(scaled, recipe.side).round().byte().permute(0, 2, 3, 1).numpy()

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # each, as there is one thread a core
    try:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            views = tqdm(pool.map(view, clips.itertuples()), "reading views", len(clips), unit="clip", leave=False)
            return np.fromiter(views, np.dtype((np.uint8, (recipe.frames, recipe.side, recipe.side, 3))), len(clips))
    finally:
        torch.set_num_threads(threads)


class ClipDataset(Dataset):
    """Views of clips with their labels: item i is (view (3, frames, side, side) float32, target).

    The target is a class index, or zeros and ones (labels,) as float32 where several labels may be right at once. Training
    takes a random window as long as the recipe says, evaluation the one at `position` (0 to 1, see videos.windows.window), no
    longer than the share `max_share` of the clip. A clip that cannot be read raises VideoError, which names the file.
    """

    def __init__(
        self, clips: pd.DataFrame, folder: Path, recipe: Recipe, task: Task, train: bool, cache: ViewCache | None,
        position: float = 0.5, max_share: float = 1.0,
    ):  # fmt: skip
        self.clips = clips[["clip_id", "path", "seconds", "fps"]].to_dict("records")  # which pickle, as rows do not
        self.folder, self.recipe = folder, recipe
        self.train, self.cache, self.position, self.max_share = train, cache, position, max_share
        # Set while training; loader processes see it change.
        self.epoch = torch.zeros((), dtype=torch.long).share_memory_()
        truth = task.truth(clips.exercise)
        self.targets = torch.from_numpy(truth.astype(np.float32) if task.multilabel else truth)

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, torch.Tensor]:
        clip, recipe = self.clips[i], self.recipe
        position = torch.rand(1).item() if self.train else self.position
        if self.cache:
            view = self.cache.view(clip["clip_id"])
        else:
            start, length = windows.window(clip["seconds"], clip["fps"], recipe, position, self.max_share)
            times = windows.view_times(start, length, recipe.frames, clip["fps"])
            view = view_of(read_frames(self.folder / clip["path"], times), recipe)
        return augmented(view, int(self.epoch)) if self.train and recipe.augment else view, self.targets[i]
