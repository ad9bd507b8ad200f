"""Clips as a PyTorch data set: a window in time, frames spread evenly over it, scaled and cropped to one view.

A view stays uint8 until it is on the device (`normalise`): a quarter of the bytes to copy, cache and hand between processes. Its
memory is that of decoded frames, colours innermost, which is what networks compute in (channels last).
"""

from collections.abc import Sequence
from functools import partial
from math import floor
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.nn.functional import interpolate, pad
from torch.utils.data import Dataset

from exmus_lib.recipes import Recipe
from exmus_lib.tasks import Task
from exmus_lib.videos import cache, windows
from exmus_lib.videos.cache import ViewCache
from exmus_lib.videos.encode import SIDE
from exmus_lib.videos.read import read_all, read_frames

MEAN, STD = 0.45, 0.225  # of Kinetics, for each channel, as the pretrained networks expect
MIN_CROP, MIN_CROP_EPOCH = 0.65, 20  # share of the side, and the epoch that first crops as tightly: see `augmented`


def scale(frames: torch.Tensor, side: int, fit: str) -> torch.Tensor:
    """Frames (time, 3, height, width) uint8 scaled for a view: short side to `side` (crop), both (squash), or the long one, with
    grey around the rest (pad). Bilinear as PyTorchVideo's ShortSideScale, rounded; frames of the right size stay as they are."""
    height, width = frames.shape[2:]
    if fit == "squash":
        size = (side, side)
    else:
        reference = min(height, width) if fit == "crop" else max(height, width)
        size = tuple(side if n == reference else max(1, floor(n / reference * side)) for n in (height, width))
    if size != (height, width):
        frames = interpolate(frames, size=size, mode="bilinear", align_corners=False)
    if fit != "pad":
        return frames
    below, right = side - frames.shape[2], side - frames.shape[3]
    margins = (right // 2, right - right // 2, below // 2, below - below // 2)
    return pad(frames, margins, value=round(255 * MEAN))


def _middle(length: int, side: int) -> slice:
    """The middle `side` of so many pixels, rounded as torchvision's CenterCropVideo."""
    start = round((length - side) / 2.0)
    return slice(start, start + side)


def centre_crop(frames: torch.Tensor, side: int) -> torch.Tensor:
    """The middle side x side pixels of frames (..., height, width)."""
    height, width = frames.shape[-2:]
    return frames[..., _middle(height, side), _middle(width, side)]


def view_of(frames: np.ndarray, recipe: Recipe) -> torch.Tensor:
    """The evaluation view of frames (time, height, width, 3) uint8: (3, time, side, side) uint8."""
    frames = torch.from_numpy(frames).permute(0, 3, 1, 2)
    return centre_crop(scale(frames, recipe.side, recipe.fit), recipe.side).transpose(0, 1)


def read_view(path: Path, times: Sequence[float], recipe: Recipe) -> torch.Tensor:
    """The evaluation view of a clip's frames at times, in seconds: (3, time, side, side) uint8."""
    return view_of(read_frames(path, times, *_decoding(recipe)), recipe)


def _decoding(recipe: Recipe) -> tuple:
    """What may be done to frames as they are decoded: their shorter side scaled, and a function that crops them.

    Views of at most half a clip's side (the presets below the paper's) are scaled there, by area: it costs next to nothing, and
    every pixel has a say. Larger ones are equal to PyTorchVideo's, whose bilinear scaling skips pixels: see `scale`.
    """
    if recipe.fit != "crop":
        return None, None
    scaled = recipe.side if recipe.side <= SIDE // 2 and recipe.side % 2 == 0 else None  # libswscale's sides are even
    return scaled, partial(_cropped, side=recipe.side)


def _cropped(picture: np.ndarray, side: int) -> np.ndarray:
    """The middle of a picture (height, width, 3) that needs no scaling any more; any other as it is."""
    height, width = picture.shape[:2]
    return picture[_middle(height, side), _middle(width, side)] if min(height, width) == side else picture


def augmented(view: torch.Tensor, epoch: int, rng: np.random.Generator) -> torch.Tensor:
    """A training view (3, time, side, side) uint8: cropped at random and scaled back, mirrored half the time.

    The smallest crop shrinks from epoch to epoch until it is MIN_CROP of the side: short runs cannot afford tight crops, long
    ones overfit without (progressive regularisation, Tan and Le 2021).
    """
    side = view.shape[-1]
    smallest = 1 - (1 - MIN_CROP) * min(1, epoch / MIN_CROP_EPOCH)
    size = round(side * rng.uniform(smallest, 1))
    if size < side:
        top, left = rng.integers(0, side - size + 1, 2).tolist()
        cropped = view[..., top : top + size, left : left + size].transpose(0, 1)
        view = interpolate(cropped, size=(side, side), mode="bilinear", align_corners=False).transpose(0, 1)
    return view.flip(-1) if rng.random() < 0.5 else view


def colours(rng: np.random.Generator) -> torch.Tensor:
    """How the colours of a training view are shifted: (4,), gains of red, green and blue, and a change in brightness."""
    return torch.from_numpy(np.append(rng.uniform(0.8, 1.2, 3), rng.uniform(-0.1, 0.1)).astype(np.float32))


def normalise(views: torch.Tensor, colours: torch.Tensor | None = None) -> torch.Tensor:
    """Views (batch, 3, time, height, width) uint8 as floats of zero mean and unit deviation, on the device they are on; their
    colours shifted by `colours` (batch, 4) on the way."""
    floats = views.float()
    if colours is None:  # in one pass over memory; exporters know no `out`
        out = None if torch.jit.is_tracing() else floats
        return torch.add(torch.tensor(-MEAN / STD), floats, alpha=1 / (255 * STD), out=out)
    # As long as a row of pixels: a gain of three values would be the inner loop of the product.
    gain = colours[:, None, None, None, :3].expand(-1, 1, 1, views.shape[-1], 3).movedim(-1, 1) / (255 * STD)
    shift = (colours[:, 3, None, None, None, None] - MEAN) / STD
    return floats.mul_(gain).add_(shift).clamp_(-MEAN / STD, (1 - MEAN) / STD)


def shown(item: tuple[torch.Tensor, ...]) -> np.ndarray:
    """The view of an item of a ClipDataset, as a network sees it, for figures: (3, time, side, side), values from 0 to 1."""
    view, _, *colours = item
    return (normalise(view[None], *(shift[None] for shift in colours)) * STD + MEAN)[0].numpy()


def view_cache(clips: pd.DataFrame, folder: Path, recipe: Recipe, name: str) -> ViewCache | None:
    """The decoded frames of these clips that a recipe's views may show, made when missing under folder/views; None where the disk
    has no room. Views of whole clips show always the same, windows of so many seconds any: `name` is the hash of the clip set."""
    frames = recipe.frames * len(clips) if recipe.seconds is None else int((clips["seconds"] * clips["fps"]).sum())
    place = folder / "views" / f"{'all' if recipe.seconds else recipe.frames}x{recipe.side}-{recipe.fit}-{name}"
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # each, as there is one thread a core
    try:
        decode = partial(_frames_of, folder=folder, recipe=recipe)
        return cache.kept(place, clips, decode, frames * recipe.side**2 * 3)
    finally:
        torch.set_num_threads(threads)


def _frames_of(clip, folder: Path, recipe: Recipe) -> tuple[np.ndarray, np.ndarray]:
    path = folder / clip.path
    if recipe.seconds is None:
        times = windows.view_times(0.0, clip.seconds, recipe.frames, clip.fps)
        view = read_view(path, times, recipe)
    else:
        frames, times = read_all(path, *_decoding(recipe))
        view = view_of(frames, recipe)
    return view.movedim(0, -1).numpy(), times


def targets(task: Task, exercises: Sequence[str]) -> torch.Tensor:
    """Class indices (N,), or zeros and ones (N, labels) as float32 where several labels may be right at once."""
    truth = task.truth(exercises)
    return torch.from_numpy(truth.astype(np.float32) if task.multilabel else truth)


class ClipDataset(Dataset):
    """Views of clips with their labels: item i is (view (3, frames, side, side) uint8, target).

    Evaluation takes the window at `position` (0 to 1, see videos.windows.window), no longer than the share `max_share` of the
    clip. In training item (epoch, i), or i for the first epoch, has a random window, is augmented where the recipe says so, and
    then has a third part, its `colours`; chance depends on `seed`, epoch and i alone, whichever process reads it. A clip that
    cannot be read raises VideoError, which names the file.
    """

    def __init__(
        self, clips: pd.DataFrame, folder: Path, recipe: Recipe, task: Task, train: bool, cache: ViewCache | None,
        position: float = 0.5, max_share: float = 1.0, seed: int = 0,
    ):  # fmt: skip
        self.clips = clips[["clip_id", "path", "seconds", "fps"]].to_dict("records")  # which pickle, as rows do not
        self.folder, self.recipe, self.seed = folder, recipe, seed
        self.train, self.cache, self.position, self.max_share = train, cache, position, max_share
        self.targets = targets(task, clips.exercise)

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, item: int | tuple[int, int]) -> tuple[torch.Tensor, ...]:
        epoch, i = item if isinstance(item, tuple) else (0, item)
        clip, recipe = self.clips[i], self.recipe
        rng = np.random.default_rng([self.seed, epoch, i])
        position = rng.random() if self.train else self.position
        start, length = windows.window(clip["seconds"], clip["fps"], recipe, position, self.max_share)
        times = windows.view_times(start, length, recipe.frames, clip["fps"])
        if self.cache:
            view = view_of(self.cache.frames_at(clip["clip_id"], times), recipe)
        else:
            view = read_view(self.folder / clip["path"], times, recipe)
        if not (self.train and recipe.augment):
            return view, self.targets[i]
        return augmented(view, epoch, rng), self.targets[i], colours(rng)
