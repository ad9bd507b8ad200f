"""Tracks of known people: the sample's performances as joints, seen by a camera without perspective."""

from dataclasses import replace

import numpy as np

from exmus_lib import labels
from exmus_lib.poses.track import ARRAYS, BODY, RATE, Track
from exmus_lib.sample.body import draw_person
from exmus_lib.sample.movements import MOVEMENTS

JITTER = 0.02  # of the torso's length


def times_there_and_back(count: float, seconds: float = 2.0, begin: float = 0.0, rest: float = 1.0) -> np.ndarray:
    """How far along its way the movement is (0 near, 1 far), `count` times from the share `begin` of one, with rests around."""
    phase = begin + np.arange(0, count, 1 / (seconds * RATE))
    still = round(rest * RATE)
    phase = np.pad(phase, still, constant_values=(begin, begin + count))
    return (1 - np.cos(2 * np.pi * phase)) / 2


def filmed(folder: str, way: np.ndarray, seed: int = 0, jitter: float = JITTER) -> Track:
    """The joints of a person who performs `way` (T,), seen from the movement's view without perspective."""
    rng = np.random.default_rng(seed)
    skeleton = MOVEMENTS[folder].perform(draw_person(rng)[0], way, rng).skeleton
    names = dict(
        shoulder="shoulders", elbow="elbows", wrist="wrists", hip="hips", knee="knees", ankle="ankles", heel="ankles"
    )
    joints = np.empty((len(way), len(BODY), 3))
    for k, name in enumerate(BODY):
        side, _, part = name.partition(" ")
        if part in names:
            joints[:, k] = getattr(skeleton, names[part])[:, int(side == "right")]
        elif part == "foot index":
            joints[:, k] = (skeleton.ankles + 0.15 * skeleton.toes)[:, int(side == "right")]
        else:
            joints[:, k] = skeleton.torso.neck + 0.15 * skeleton.head[:, :, 2]
    joints -= skeleton.hips.mean(axis=1)[:, None]
    joints += rng.normal(0, jitter * skeleton.proportions.spine, joints.shape)
    azimuth = np.radians(rng.uniform(*MOVEMENTS[folder].view) * rng.choice([-1, 1]))
    right, away = np.array([-np.sin(azimuth), np.cos(azimuth), 0]), -np.array([np.cos(azimuth), np.sin(azimuth), 0])
    world = np.stack([joints @ right, -joints[..., 2], joints @ away], axis=-1)
    count = len(way)
    image, seen = 300 + 200 * world[..., :2], np.ones(joints.shape[:2])
    return Track(image, world, seen, np.ones(count, bool), np.zeros(count, int), np.arange(count) / RATE, (600, 600))


def after(first: Track, second: Track) -> Track:
    """Two shots of one video."""
    later = replace(second, times=second.times + first.times[-1] + 1 / RATE, shot=second.shot + 1)
    return replace(first, **{name: np.concatenate([getattr(first, name), getattr(later, name)]) for name in ARRAYS})


def unseen(track: Track, start: float, end: float) -> Track:
    lost = (track.times >= start) & (track.times < end)
    blank = {
        name: np.where(lost.reshape(-1, *[1] * (getattr(track, name).ndim - 1)), np.nan, getattr(track, name))
        for name in ("image", "world", "visibility")
    }
    return replace(track, found=track.found & ~lost, **blank)


def nobody(samples: int = 60) -> Track:
    return unseen(filmed("squat", np.zeros(samples)), 0, np.inf)


class Told:
    """In place of a Recogniser: what it is told of each window, an exercise, its probability and that of no exercise."""

    def __init__(self, *answers: tuple[str, float, float], sure_above: float = 0.5):
        self.labels, self.sure_above, self.answers = labels.paper(), sure_above, answers

    def probabilities(self, joints, mask: np.ndarray) -> np.ndarray:
        answers = self.answers if len(self.answers) > 1 else self.answers * len(mask)
        likely = np.empty((len(mask), len(self.labels.exercises) + 1))
        for row, (exercise, probability, idle) in zip(likely, answers, strict=True):
            row[:] = (1 - probability) * (1 - idle) / (len(row) - 2)
            row[self.labels.exercises.index(exercise)] = probability * (1 - idle)
            row[-1] = idle
        return likely
