"""Make the data set: about 14 source videos an exercise, rendered, encoded and laid out as the Kaggle set is."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np
from joblib import Parallel, cpu_count, delayed
from tqdm.auto import tqdm

from exmus_lib import labels
from exmus_lib.sample.film import Take, shoot
from exmus_lib.sample.movements import MOVEMENTS
from exmus_lib.storage import atomic

VIDEOS_PER_EXERCISE = 14  # shared by the folders of an exercise; enough for 3 in validation and 3 in test
UNLABELLED_VIDEOS = 3  # of plank, which has no exercise in the paper
WORTH_WORKERS = 40  # videos; starting processes takes some seconds
SMOKE_VIDEOS = 3  # of the first folder of each exercise
# width and height in pixels of landscape videos; portrait ones are turned
SIZES, SMOKE_SIZES = ((342, 256), (384, 256), (456, 256)), ((128, 96), (170, 96))
NOISE = 2.0  # of the camera, in grey levels
SAMPLE_RATE = 16000
# Matrix of a track header (ISO/IEC 14496-12, 8.3.2): how a player turns the stored picture. Fixed point 16.16, 2.30 in
# the last column.
UPRIGHT = (0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


def plan(smoke: bool = False) -> list[tuple[str, int]]:
    """Folder and number of every video of the data set; the numbers start at 1 in each folder."""
    known = labels.read()
    folders_of: dict[str | None, list[str]] = {}
    for folder in MOVEMENTS:
        folders_of.setdefault(known.exercise_of(folder), []).append(folder)
    if smoke:
        return [(folders[0], n) for e, folders in folders_of.items() if e for n in range(1, SMOKE_VIDEOS + 1)]
    videos = [folders_of[None][0]] * UNLABELLED_VIDEOS
    for exercise, folders in folders_of.items():
        if exercise:
            videos += [folders[k % len(folders)] for k in range(VIDEOS_PER_EXERCISE)]
    return [(folder, n) for folder, count in Counter(videos).items() for n in range(1, count + 1)]


def make(folder: Path, smoke: bool = False, seed: int = 0, progress: bool = True) -> None:
    """Render the data set into folder/<Kaggle folder>/<Kaggle folder>_<n>.mp4 or .MOV.

    smoke: a few small, short videos of each exercise. The same seed gives the same videos. Finished videos are kept when
    this runs again, so that an interrupted rendering goes on where it stopped.
    """
    one = partial(render, Path(folder), smoke=smoke, seed=seed)
    jobs = [video for video in plan(smoke) if not finished(Path(folder), *video)]
    if not jobs:
        return
    bar = partial(tqdm, desc="rendering the sample", total=len(jobs), unit="video", disable=not progress)
    if len(jobs) < WORTH_WORKERS:
        for job in bar(jobs):
            one(*job)
        return
    list(shoot(Take("squat", 24, 0.1, 64, 64), np.random.default_rng(0)))  # compile once, here; the workers load it
    # joblib's processes are no forks, which may hang where threads run (a notebook's, torch's), and need no __main__ guard.
    workers = Parallel(min(cpu_count(), 8), return_as="generator_unordered")
    for _ in bar(workers(delayed(one)(*job) for job in jobs)):
        pass


def finished(root: Path, folder: str, n: int) -> bool:
    """Whether a video was rendered before."""
    return any((root / folder / f"{folder}_{n}.{suffix}").exists() for suffix in ("mp4", "MOV"))


def render(root: Path, folder: str, n: int, smoke: bool, seed: int) -> None:
    """Draw by chance how a video is filmed and stored, and write it."""
    cv2.setNumThreads(1)  # the processes share the cores already
    rng = np.random.default_rng([seed, list(MOVEMENTS).index(folder), n])
    fps = int(rng.choice([24, 25, 30], p=[0.5, 0.32, 0.18]))
    sizes = SMOKE_SIZES if smoke else SIZES
    width, height = sizes[int(rng.integers(4)) % len(sizes)]
    portrait = rng.random() < 0.5
    if portrait:
        width, height = height, width
    take = Take(folder, 24 if smoke else fps, 2.2 if smoke else 4 + 2 * rng.beta(1, 3), width, height)
    turned = int(rng.choice([0, 0, 90, 270])) if portrait else 0
    suffix = "MOV" if rng.random() < 0.25 else "mp4"
    sound = bool(rng.random() < 0.25)
    with atomic(root / folder / f"{folder}_{n}.{suffix}") as path:
        encode(path, take, turned, sound, rng)
        if turned:
            set_display_matrix(path, turned, height)


def encode(path: Path, take: Take, turned: int, sound: bool, rng: np.random.Generator) -> None:
    """Write one H.264 video, its pictures stored turned clockwise by 0, 90 or 270 degrees, with quiet sound or none."""
    with av.open(str(path), "w", format="mov" if path.suffix == ".MOV" else "mp4") as container:
        options = {"preset": "ultrafast", "crf": "25"}
        stream = container.add_stream("libx264", rate=Fraction(take.fps), options=options)
        stream.width, stream.height = (take.height, take.width) if turned else (take.width, take.height)
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        if sound:
            audio = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono", options={"aac_coder": "fast"})
            write_sound(container, audio, take.seconds, rng)
        noise = rng.normal(0, NOISE, (stream.height + 32, stream.width + 32)).astype(np.int16)
        for image in shoot(take, rng):
            if turned:
                image = cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE if turned == 90 else cv2.ROTATE_90_COUNTERCLOCKWISE)
            planes = cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420)
            y, x = rng.integers(32, size=2)
            luma = planes[: stream.height]
            cv2.add(luma, noise[y : y + stream.height, x : x + stream.width], luma, dtype=cv2.CV_8U)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
        container.mux(stream.encode())


def write_sound(container, stream, seconds: float, rng: np.random.Generator) -> None:
    """A quiet rustle: smoothed noise."""
    rustle = np.convolve(rng.normal(0, 0.02, int(seconds * SAMPLE_RATE)), np.ones(32) / 32, "same").astype(np.float32)
    for start in range(0, len(rustle), 1024):
        frame = av.AudioFrame.from_ndarray(rustle[None, start : start + 1024], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


def set_display_matrix(path: Path, turned: int, stored_width: int) -> None:
    """Tell players to turn a picture stored `turned` degrees clockwise back, as phones do.

    PyAV cannot write this side data, so the matrix in the video track's header is overwritten in place.
    """
    one = 0x10000
    if turned == 90:
        matrix = (0, -one, 0, one, 0, 0, 0, stored_width * one, 0x40000000)
    else:
        matrix = (0, one, 0, -one, 0, 0, stored_width * one, 0, 0x40000000)
    before, after = (b"".join(v.to_bytes(4, "big", signed=True) for v in m) for m in (UPRIGHT, matrix))
    data = path.read_bytes()
    start = data.index(before, data.index(b"tkhd"))
    path.write_bytes(data[:start] + after + data[start + len(after) :])
