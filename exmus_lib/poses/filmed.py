"""Rendered people through a real pose estimator: what it makes of known people, with all its errors."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from joblib import Parallel, cpu_count, delayed
from tqdm.auto import tqdm

from exmus_lib.labels import Labels
from exmus_lib.poses.estimate import loaded, track_of
from exmus_lib.poses.features import SAMPLES, SHORTEST, Joints, filled
from exmus_lib.poses.files import files
from exmus_lib.poses.project import mirrored_where
from exmus_lib.poses.track import RATE, Track
from exmus_lib.poses.virtual import SHORT, Way, between, ways

SECONDS = 6.0
SIZES = ((340, 256), (256, 340), (512, 384), (384, 512))  # width and height in pixels
NOISE = 4.0  # of the camera, in grey levels


def film(labels: Labels, each: int, folder: Path, progress: bool = True) -> list[tuple[Way, Track]]:
    """`each` videos of each way to do an exercise of the labels, or none, seen by the pose estimator; the tracks are kept in
    `folder`, so that what was interrupted goes on where it was. About 2 CPU seconds each; no picture is kept."""
    known = ways(labels)
    jobs = {
        (number, place): folder / f"{way.name}-{number}.npz"
        for number in range(each)
        for place, way in enumerate(known)
    }
    missing = {job: path for job, path in jobs.items() if not path.exists()}
    bar = partial(tqdm, desc="filming", total=len(missing), unit="video", disable=not progress or not missing)
    workers = Parallel(cpu_count(), return_as="generator_unordered")
    work = partial(_film, files())
    for _ in bar(workers(delayed(work)(known[place], [0, place, n], path) for (n, place), path in missing.items())):
        pass
    return [(known[place], Track.load(path)) for (_, place), path in jobs.items()]


def _film(network_files: tuple[Path, Path], way: Way, seed: list[int], path: Path) -> None:
    from exmus_lib.sample.film import Take, shoot_widely

    cv2.setNumThreads(1)  # the processes share the cores already
    rng = np.random.default_rng(seed)
    take = Take("", RATE, SECONDS, *SIZES[rng.integers(len(SIZES))])
    noise = rng.normal(0, NOISE, (take.height, take.width, 1))

    def pictures():
        for picture in shoot_widely(way.how, take, rng):
            yield np.clip(picture + np.roll(noise, rng.integers(take.height), axis=0), 0, 255).astype(np.uint8)

    track_of(pictures(), loaded(*network_files)).save(path)


@dataclass(frozen=True)
class Reels:
    """Tracks of equal length as arrays, N of T samples: image (N, T, J, 2) with lengths as in `world`, world (N, T, J, 3),
    visibility (N, T, J), `near` (N, T) where a person was found, exercises (N,) and their shares (N,) of the clips."""

    image: np.ndarray
    world: np.ndarray
    visibility: np.ndarray
    near: np.ndarray
    exercises: np.ndarray
    share: np.ndarray

    @classmethod
    def of(cls, tracks: list[tuple[Way, Track]]) -> "Reels":
        """Those tracks in which a person was found at least half of the time; ValueError where there is none."""
        kept = [(way, track) for way, track in tracks if track.found.mean() >= 0.5]
        if not kept:
            raise ValueError(f"a person was found half of the time in none of {len(tracks)} filmed videos")
        image, world, visibility, near = map(np.stack, zip(*(filled(track) for _, track in kept), strict=True))
        size = np.sqrt(((image - image.mean(axis=2, keepdims=True)) ** 2).sum(axis=-1).mean(axis=(1, 2)))
        share = np.array([way.share for way, _ in kept])
        return cls(
            (image / size[:, None, None, None] * 0.5).astype(np.float32), world.astype(np.float32),
            visibility.astype(np.float32), near, np.array([way.exercise for way, _ in kept]), share / share.sum(),
        )  # fmt: skip


def clips(reels: Reels, batch: int, rng: np.random.Generator) -> Iterator[tuple[Joints, np.ndarray, np.ndarray]]:
    """Batches without end, as virtual.clips has them: at another tempo, a little stretched and shaken, mirrored half the time."""
    while True:
        chosen = rng.choice(len(reels.share), batch, p=reels.share)
        joints, mask = _cut_out(reels, chosen, rng)
        yield joints, mask, reels.exercises[chosen]


def _cut_out(reels: Reels, chosen: np.ndarray, rng: np.random.Generator) -> tuple[Joints, np.ndarray]:
    batch, last, samples = len(chosen), reels.near.shape[1] - 1, np.arange(SAMPLES)
    step = np.exp(rng.uniform(-0.3, 0.3, (batch, 1)))
    start = rng.random((batch, 1)) * np.maximum(last - (SAMPLES - 1) * step, 0)
    place = np.minimum(start + samples * step, last - 1e-3)
    values = reels.image, reels.world, reels.visibility[..., None]
    image, world, visibility = (between(each, chosen, place) for each in values)
    shaken = 0.01 * rng.standard_normal((batch, 1, image.shape[2], 1), np.float32)
    stretched = np.exp(0.1 * rng.standard_normal((batch, 1, 1, 2), np.float32))
    length = np.where(rng.random(batch) < SHORT, rng.integers(SHORTEST, SAMPLES + 1, batch), SAMPLES)
    inside = (samples < length[:, None]) & (start + samples * step <= last)
    mask = inside & reels.near[chosen[:, None], place.astype(int)]
    mirror = rng.random(batch) < 0.5
    return mirrored_where(mirror, (image + shaken) * stretched, world, visibility[..., 0]), mask
