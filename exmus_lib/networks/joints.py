"""Clips as the joints of their person: views of them, as numbers or as drawn limbs, and what networks on them are trained on.

An epoch of such a training is of EPOCH views: virtual clips where the data set is rendered (poses.virtual), else its own training
clips, mirrored, stretched, at another tempo, from another start. Clips are judged by what the pose estimator finds in them.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.utils.data import Dataset

from exmus_lib import workspace
from exmus_lib.poses import features, virtual
from exmus_lib.poses.draw import drawn
from exmus_lib.poses.features import MIN_FOUND, SAMPLES, Joints
from exmus_lib.poses.project import mirrored_where
from exmus_lib.poses.track import RATE, Track
from exmus_lib.recipes import Recipe
from exmus_lib.tasks import Task
from exmus_lib.videos import windows
from exmus_lib.videos.container import VideoInfo
from exmus_lib.videos.dataset import targets, view_of
from exmus_lib.videos.faults import VideoError

EPOCH = {"pose": 512, "joints": 2048}  # views; a network of drawn ones takes hundreds of times as long for each
EACH = 8  # performances of each way to do an exercise, by other people
FPS = 30  # of the imagined film of a virtual clip

# Where the clips of a training come from: a source has `exercises`, those that it draws, each as often as the others, and gives
# by `draw` joints (batch, SAMPLES, ...), mask (batch, SAMPLES) and exercises (batch,).


class Virtual:
    """Virtual clips of the exercises of labels: other ones in each batch, without end."""

    def __init__(self, task: Task, seed: int):
        self.performances = virtual.perform(task.labels, EACH, seed, idle=False)
        self.exercises = sorted(set(self.performances.exercises.tolist()))

    def draw(self, batch: int, rng: np.random.Generator) -> tuple[Joints, np.ndarray, np.ndarray]:
        return next(virtual.clips(self.performances, batch, rng))


class Filmed:
    """The clips of a data set, by their tracks; `augment`: mirrored half the time, a little stretched, at another tempo and from
    another start. Clips in which hardly anybody was found are left out; ValueError where none is left."""

    def __init__(self, clips: pd.DataFrame, tracks: Mapping[str, Track], augment: bool):
        known = [clip in tracks and tracks[clip].found.mean() >= MIN_FOUND for clip in clips["clip_id"]]
        if not all(known):
            print(f"training goes without {len(known) - sum(known)} clips in which hardly anybody was found")
        if not any(known):
            raise ValueError("no joints to train on: hardly anybody was found in any training clip; train on pixels")
        clips = clips[known]
        parts = [features.filled(tracks[clip]) for clip in clips["clip_id"]]
        self.exercises, self.augment = clips.exercise.to_numpy(str), augment
        self.last = np.array([len(part[0]) - 1 for part in parts])
        longest = self.last.max() + 1
        self.image, self.world, self.visibility, self.near = (
            np.stack([np.pad(part[k], [(0, longest - len(part[k]))] + [(0, 0)] * (part[k].ndim - 1)) for part in parts])
            for k in range(4)
        )  # fmt: skip

    def draw(self, batch: int, rng: np.random.Generator) -> tuple[Joints, np.ndarray, np.ndarray]:
        chosen, at = rng.integers(len(self.exercises), size=batch), np.arange(SAMPLES)
        last = self.last[chosen][:, None]
        step = np.exp(rng.uniform(-0.3, 0.3, (batch, 1)) * self.augment)
        start = rng.uniform(0, 0.3, (batch, 1)) * last * self.augment
        place = start + at * step
        inside, place = place <= last, np.minimum(place, last)
        values = self.image, self.world, self.visibility[..., None]
        image, world, visibility = (virtual.between(each, chosen, place) for each in values)
        image = image * np.exp(0.1 * self.augment * rng.standard_normal((batch, 1, 1, 2)))
        joints = mirrored_where(self.augment & (rng.random(batch) < 0.5), image, world, visibility[..., 0])
        return joints, inside & self.near[chosen[:, None], place.astype(int)], self.exercises[chosen]


class TrainingViews(Dataset):
    """An epoch of views, batch by batch: item (epoch, i) is (views (batch, channels, time, side, side), targets), uint8 if drawn.
    They depend on seed, epoch and i alone, whatever was drawn before."""

    def __init__(self, source: Virtual | Filmed, recipe: Recipe, task: Task, seed: int):
        self.source, self.recipe, self.task, self.seed = source, recipe, task, seed
        self.targets = targets(task, source.exercises)

    def __len__(self) -> int:
        return max(1, EPOCH[self.recipe.input] // self.recipe.batch)

    def __getitem__(self, item: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
        rng = np.random.default_rng([self.seed, *item])
        joints, mask, exercises = self.source.draw(self.recipe.batch, rng)
        if self.recipe.input == "joints":
            view = torch.from_numpy(features.views(joints, mask, "deep"))
        else:
            drawn_ones = [
                _drawn_by_chance(image, np.where(there, seen.T, 0).T, there, self.recipe, rng).movedim(0, -1)
                for image, seen, there in zip(joints[0], joints[2], mask, strict=True)
            ]
            view = torch.stack(drawn_ones).movedim(-1, 1)  # colours stay innermost, as in networks.loading.collate
        return view, targets(self.task, exercises)


def _drawn_by_chance(
    image: np.ndarray, visibility: np.ndarray, there: np.ndarray, recipe: Recipe, rng: np.random.Generator
) -> torch.Tensor:
    """The drawn view of a window as long as the recipe says, anywhere in a clip."""
    seconds = (np.flatnonzero(there).max(initial=0) + 1) / RATE
    start, length = windows.window(seconds, FPS, recipe, rng.random())
    return drawn_view(image, visibility, windows.view_times(start, length, recipe.frames, FPS), recipe)


def drawn_view(image: np.ndarray, visibility: np.ndarray, times: np.ndarray, recipe: Recipe) -> torch.Tensor:
    """Joints (T, J, 2), RATE a second, drawn as they are at times (frames,) in seconds: (3, frames, side, side)
    uint8, as views of pixels are."""
    place = np.clip(times * RATE, 0, len(image) - 1)
    before = place.astype(int)
    after, share = np.minimum(before + 1, len(image) - 1), (place - before)[:, None]
    image = image[before] * (1 - share[..., None]) + image[after] * share[..., None]
    return view_of(drawn(image, np.minimum(visibility[before], visibility[after]), recipe.side), recipe)


def training_views(
    clips: pd.DataFrame, dataset: str, tracks: Mapping[str, Track], recipe: Recipe, task: Task, seed: int
) -> TrainingViews:
    """What a network on joints is trained on: virtual clips where the data set is rendered, else these clips of it."""
    rendered = workspace.is_rendered(dataset)
    source = Virtual(task, seed) if rendered else Filmed(clips, tracks, recipe.augment)
    return TrainingViews(source, recipe, task, seed)


class TrackDataset(Dataset):
    """Views of clips by their tracks, for evaluation, as videos.dataset.ClipDataset has those of pixels: item i is
    (view (channels, time, side, side), uint8 if drawn, target). A clip without a track raises VideoError, which names it."""

    def __init__(
        self, clips: pd.DataFrame, folder: Path, tracks: Mapping[str, Track], recipe: Recipe, task: Task,
        position: float = 0.5, max_share: float = 1.0,
    ):  # fmt: skip
        self.clips = clips[["clip_id", "path", "seconds", "fps"]].to_dict("records")
        self.folder, self.recipe, self.cache = folder, recipe, tracks
        self.position, self.max_share = position, max_share
        self.targets = targets(task, clips.exercise)

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, torch.Tensor]:
        clip, recipe = self.clips[i], self.recipe
        if clip["clip_id"] not in self.cache:
            raise VideoError(self.folder / clip["path"], "no joints are known of it: it could not be read")
        track = self.cache[clip["clip_id"]]
        start, length = windows.window(clip["seconds"], clip["fps"], recipe, self.position, self.max_share)
        if recipe.input == "joints":
            return joints_view(track.part(start, start + length), (0.0, length)), self.targets[i]
        times = windows.view_times(start, length, recipe.frames, clip["fps"])
        return track_view(track, times, recipe), self.targets[i]


def span_view(track: Track, span: tuple[float, float], video: VideoInfo, recipe: Recipe) -> torch.Tensor:
    """The view of a span, in seconds, of a video whose track this is. As numbers it shows more than the span, SAMPLES in all."""
    if recipe.input == "joints":
        return joints_view(track, span)
    return track_view(track, windows.span_times(span, video, recipe), recipe)


def joints_view(track: Track, span: tuple[float, float]) -> torch.Tensor:
    """(channels, SAMPLES, 1, 1) of the samples around the middle of a span."""
    joints, mask, _ = features.windows(track, [span])
    return torch.from_numpy(features.views(joints, mask, "deep"))[0]


def track_view(track: Track, times: np.ndarray, recipe: Recipe) -> torch.Tensor:
    """The drawn view of a track at times; black where nobody is found, or in another shot than that of their middle."""
    image, _, visibility, near = features.filled(track)
    middle = min(int(times.mean() * RATE), len(track) - 1)
    there = near & (track.shot == track.shot[middle])
    return drawn_view(image, np.where(there[:, None], visibility, 0), times, recipe)
