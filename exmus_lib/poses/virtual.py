"""Virtual clips: the exact joints of rendered movements, without a pixel; project.py makes of them what an estimator sees."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from tqdm.auto import tqdm

from exmus_lib.labels import Labels
from exmus_lib.poses.features import SAMPLES, SHORTEST, Joints
from exmus_lib.poses.project import USUAL, Conditions, observe
from exmus_lib.poses.track import RATE
from exmus_lib.sample.body import draw_person
from exmus_lib.sample.mesh import unit
from exmus_lib.sample.movements import MOVEMENTS, Movement
from exmus_lib.sample.movements.tempo import tempo
from exmus_lib.sample.movements.variants import VARIANTS, Variant
from exmus_lib.sample.skeleton import Skeleton

IDLE = "no exercise"  # what the variants show that belong to none
IDLE_SHARE = 0.12  # of the clips
SECONDS, DENSE = 9.0, 20  # of a performance, and its samples a second: clips are cut out of it at other tempi
AVERAGE = 1.75  # metres: everybody is scaled to this height, as no camera tells how tall somebody is
SHORT = 0.4  # share of clips that are shorter than SAMPLES, down to SHORTEST


@dataclass(frozen=True)
class Performances:
    """Exact joints (N, SECONDS * DENSE, J, 3) float16 in metres, x to the front, y left, z up; for each of the N its exercise (or
    IDLE), the directions in degrees (N, 2) from which it is filmed, and its share (N,) of the clips."""

    joints: np.ndarray
    exercises: np.ndarray
    view: np.ndarray
    share: np.ndarray


def perform(labels: Labels, each: int, seed: int = 0, idle: bool = True, progress: bool = True) -> Performances:
    """`each` performances, by other people, of each way (MOVEMENTS and VARIANTS) to do an exercise of the labels; `idle`: of what
    is no exercise, too. All exercises have equal shares. Raises ValueError where the labels have none that can be performed."""
    times = np.arange(int(SECONDS * DENSE)) / DENSE
    rows = []
    for place, way in enumerate(tqdm(ways(labels, idle), "performing", leave=False, disable=not progress)):
        for number in range(each):
            rng = np.random.default_rng([seed, place, number])
            person, _ = draw_person(rng)
            skeleton = way.how.perform(person, tempo(times, way.how.seconds, rng), rng).skeleton
            rows.append((body_joints(skeleton).astype(np.float16), way.exercise, way.how.view, way.share / each))
    joints, exercises, view, share = map(np.array, zip(*rows, strict=True))
    return Performances(joints, exercises, view.astype(float), share / share.sum())


@dataclass(frozen=True)
class Way:
    """A way to do an exercise, or IDLE, and its share of the clips: all exercises have equal shares."""

    name: str
    exercise: str
    how: Movement | Variant
    share: float


def ways(labels: Labels, idle: bool = True) -> list[Way]:
    """All that MOVEMENTS and VARIANTS know of the exercises of the labels, and, with `idle`, of what is none.

    Raises ValueError where they know nothing.
    """
    known = [
        (name, labels.exercise_of(name), how, 1.0) for name, how in MOVEMENTS.items() if not labels.unknown([name])
    ]
    known += [(name, how.exercise or IDLE, how, how.weight) for name, how in VARIANTS.items()]
    known = [row for row in known if row[1] in labels.exercises or (idle and row[1] == IDLE)]
    total = Counter()
    for _, exercise, _, weight in known:
        total[exercise] += weight
    if not total.keys() - {IDLE}:
        raise ValueError(f"none of these exercises can be performed virtually: {', '.join(labels.exercises)}")
    of_all = {exercise: IDLE_SHARE * len(total) if exercise == IDLE else 1.0 for exercise in total}
    return [
        Way(name, exercise, how, weight / total[exercise] * of_all[exercise]) for name, exercise, how, weight in known
    ]


def body_joints(skeleton: Skeleton) -> np.ndarray:
    """The joints of track.BODY (T, J, 3), of a person scaled to AVERAGE height."""
    scale = skeleton.proportions.height / AVERAGE
    frames = len(skeleton.torso.neck)
    ahead, left, up = (np.broadcast_to(skeleton.head[:, :, k], (frames, 3)) for k in range(3))
    neck = skeleton.torso.neck
    nose = neck + scale * (0.175 * up + 0.105 * ahead)
    ears = [neck + scale * (0.2 * up + sign * 0.075 * left) for sign in (1, -1)]
    knees, ankles, toes = (np.broadcast_to(a, (frames, 2, 3)) for a in (skeleton.knees, skeleton.ankles, skeleton.toes))
    shin = knees - ankles
    sole = unit((shin * toes).sum(-1, keepdims=True) * toes - shin)  # down, across the foot
    heels = ankles + scale * (0.06 * sole - 0.045 * toes)
    tips = ankles + scale * 0.05 * sole + 1.15 * skeleton.proportions.foot * toes
    pairs = [skeleton.shoulders, skeleton.elbows, skeleton.wrists, skeleton.hips, knees, ankles, heels, tips]
    pairs = [np.broadcast_to(joint, (frames, 2, 3)) for joint in pairs]
    return np.concatenate([np.stack([nose, *ears], axis=1), *pairs], axis=1) / scale


def clips(
    performances: Performances, batch: int, rng: np.random.Generator, how: Conditions = USUAL
) -> Iterator[tuple[Joints, np.ndarray, np.ndarray]]:
    """Batches without end: joints as an estimator sees them, mask (batch, SAMPLES), and the exercises (batch,)."""
    while True:
        chosen = rng.choice(len(performances.share), batch, p=performances.share)
        joints = cut_out(performances.joints, chosen, rng)
        lengths = np.where(rng.random(batch) < SHORT, rng.integers(SHORTEST, SAMPLES + 1, batch), SAMPLES)
        mask = np.arange(SAMPLES) < lengths[:, None]
        yield observe(joints, performances.view[chosen], rng, how), mask, performances.exercises[chosen]


def cut_out(joints: np.ndarray, chosen: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """SAMPLES samples of the chosen performances from a time and at a tempo drawn by chance: (B, SAMPLES, J, 3) float32."""
    step = np.exp(rng.uniform(-0.3, 0.3, len(chosen))) * DENSE / RATE
    last = joints.shape[1] - 1
    start = rng.random(len(chosen)) * np.maximum(last - (SAMPLES - 1) * step, 0)
    place = np.minimum(start[:, None] + np.arange(SAMPLES) * step[:, None], last - 1e-3)
    return between(joints, chosen, place)


def between(values: np.ndarray, chosen: np.ndarray, place: np.ndarray) -> np.ndarray:
    """The chosen (B,) of values (N, T, J, axes) at places (B, SAMPLES) from 0 to T - 1 along time, interpolated, as float32."""
    rows, before = chosen[:, None], place.astype(int)
    after = np.minimum(before + 1, values.shape[1] - 1)
    share = (place - before)[..., None, None].astype(np.float32)
    return values[rows, before].astype(np.float32) * (1 - share) + values[rows, after].astype(np.float32) * share
