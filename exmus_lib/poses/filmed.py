"""Rendered people through a real pose estimator: what it makes of known people, with all its errors."""

import os
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from joblib import Parallel, delayed
from tqdm.auto import tqdm

from exmus_lib.labels import Labels
from exmus_lib.poses.estimate import loaded, track_of
from exmus_lib.poses.files import files
from exmus_lib.poses.track import RATE, Track
from exmus_lib.poses.virtual import Way, ways
from exmus_lib.sample.film import Take, shoot_widely

SECONDS = 6.0
SIZES = ((340, 256), (256, 340), (512, 384), (384, 512))  # width and height in pixels
NOISE = 4.0  # of the camera, in grey levels


def film(labels: Labels, each: int, folder: Path, seed: int = 0, progress: bool = True) -> list[tuple[Way, Track]]:
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
    workers = Parallel(os.cpu_count() or 1, return_as="generator_unordered")
    work = partial(_film, files())
    for _ in bar(workers(delayed(work)(known[place], [seed, place, n], path) for (n, place), path in missing.items())):
        pass
    return [(known[place], Track.load(path)) for (_, place), path in jobs.items()]


def _film(network_files: tuple[Path, Path], way: Way, seed: list[int], path: Path) -> None:
    cv2.setNumThreads(1)  # the processes share the cores already
    rng = np.random.default_rng(seed)
    take = Take("", RATE, SECONDS, *SIZES[rng.integers(len(SIZES))])
    noise = rng.normal(0, NOISE, (take.height, take.width, 1))

    def pictures():
        for picture in shoot_widely(way.how, take, rng):
            yield np.clip(picture + np.roll(noise, rng.integers(take.height), axis=0), 0, 255).astype(np.uint8)

    track_of(pictures(), loaded(*network_files)).save(path)
