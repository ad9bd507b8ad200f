"""Poses from a folder of videos, timed and held against MediaPipe: `python benchmarks/poses.py FOLDER [--mediapipe PYTHON]`.

PYTHON is the interpreter of an environment with mediapipe==0.10.14 and numpy<2, made for this: it cannot share ours.
Both follow one person through the same pictures, SAMPLES successive ones from the middle of each of VIDEOS videos.
"""

import argparse
import itertools
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from exmus_lib.poses.blazepose import BlazePose, Pose
from exmus_lib.poses.estimate import estimate
from exmus_lib.poses.files import files
from exmus_lib.poses.pictures import pictures
from exmus_lib.videos import prepare
from exmus_lib.videos.scan import find, is_video

VIDEOS, SAMPLES = 20, 10
REFEREE = """
import sys
import mediapipe, numpy as np
joints = {}
for name, frames in np.load(sys.argv[1]).items():
    with mediapipe.solutions.pose.Pose(model_complexity=1) as pose:
        size = frames.shape[2], frames.shape[1]
        landmarks = [pose.process(frame).pose_landmarks for frame in frames]
        joints[name] = np.array([
            [[p.x * size[0], p.y * size[1]] for p in found.landmark] if found else np.full((33, 2), np.nan)
            for found in landmarks
        ])
np.savez(sys.argv[2], **joints)
"""


def middle(video: Path) -> np.ndarray:
    """SAMPLES successive pictures (time, height, width, 3) from the middle of a video."""
    count = sum(1 for _ in pictures(video))
    start = max(0, (count - SAMPLES) // 2)
    return np.stack([picture for _, picture in itertools.islice(pictures(video), start, start + SAMPLES)])


def alone(network: BlazePose, frames: np.ndarray) -> list[Pose | None]:
    """The poses of one person, as MediaPipe follows one: the surest found, until lost."""
    poses, person = [], None
    for frame in frames:
        person = person or next(iter(network.find(frame)), None)
        poses.append(person and network.follow(frame, person))
        person = poses[-1] and person
    return poses


def compare(python: Path, frames: dict[str, np.ndarray]) -> None:
    """Print how many pictures have a person for both or neither, and how far apart the joints are."""
    with tempfile.TemporaryDirectory() as folder:
        given, answer = Path(folder, "frames.npz"), Path(folder, "joints.npz")
        np.savez(given, **frames)
        subprocess.run([python, "-c", REFEREE, given, answer], check=True, capture_output=True)
        theirs = np.concatenate([np.load(answer)[name] for name in frames])
    network = BlazePose(*files())
    poses = [pose for each in frames.values() for pose in alone(network, each)]
    ours = np.stack([pose.image[:, :2] if pose else np.full((33, 2), np.nan) for pose in poses])
    seen = ~np.isnan(ours[:, 0, 0]), ~np.isnan(theirs[:, 0, 0])
    both = seen[0] & seen[1]
    ours, theirs = ours[both], theirs[both]
    torso = np.linalg.norm(theirs[:, [11, 12]].mean(axis=1) - theirs[:, [23, 24]].mean(axis=1), axis=1)
    apart = np.linalg.norm(ours - theirs, axis=2)
    share = 100 * apart / torso[:, None]
    print(
        f"{len(both)} pictures of {len(frames)} videos: a person found alike in {100 * (seen[0] == seen[1]).mean():.1f} %"
    )
    print(
        f"joints apart in the {both.sum()} with both: median {np.median(share):.2f} % of the torso, mean {share.mean():.2f} %,"
        f" 95th percentile {np.percentile(share, 95):.2f} %; median {np.median(apart):.2f} px"
    )


def poses() -> Iterator[dict]:
    """On rendered people, for bench.py: CPU milliseconds of a picture and of a sample of a video."""
    clips = prepare.prepare("sample")
    videos = [clips.path(clip) for clip in clips.clips.sample(6, random_state=0).itertuples()]
    picture, sample, _ = timed(videos, [middle(video) for video in videos])
    yield {"what": "one person, the detector once in ten pictures", "unit": "CPU ms a picture", "ours": picture}
    yield {"what": "estimate(), decoding and all", "unit": "CPU ms a sample", "ours": sample}


def timed(videos: list[Path], frames: list[np.ndarray]) -> tuple[float, float, float]:
    """Milliseconds: CPU of one picture in which one person is followed, CPU and wall of one sample of `estimate`."""
    network = BlazePose(*files())
    started = time.process_time()
    for each in frames:
        alone(network, each)
    picture = (time.process_time() - started) / sum(map(len, frames))
    started, cpu = time.perf_counter(), time.process_time()
    samples = sum(len(estimate(video, network=network)) for video in videos)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - started
    return 1000 * picture, 1000 * cpu / samples, 1000 * wall / samples


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--mediapipe", type=Path, metavar="PYTHON")
    given = parser.parse_args()
    names = [name for name in find(given.folder) if is_video(name)]
    names = names[:: max(1, len(names) // VIDEOS)][:VIDEOS]
    frames = {f"video{i}": middle(given.folder / name) for i, name in enumerate(names)}
    if given.mediapipe:
        compare(given.mediapipe, frames)
    picture, cpu, wall = timed([given.folder / name for name in names], list(frames.values()))
    print(f"one person: {picture:.1f} CPU ms a picture, the detector once in {SAMPLES}")
    print(f"estimate(), decoding and all: {cpu:.1f} CPU ms and {wall:.1f} ms a sample")


if __name__ == "__main__":
    sys.exit(main())
