"""Exact joints through a camera, and what a pose estimator makes of them: image, world and visibility, as a Track has them.

All of it works on batches of B clips of T samples and the J joints of BODY, and is drawn from one generator, so that a seed gives
the same clips. Lengths are metres at the person's distance. How large the errors are is known from estimators' papers and from
how people film; `benchmarks/poses.py` measures them.
"""

from dataclasses import dataclass

import numpy as np

from exmus_lib.poses.track import BODY

PLACE = {name: place for place, name in enumerate(BODY)}
FLIP = np.array([PLACE[name.replace("left", "?").replace("right", "left").replace("?", "right")] for name in BODY])
HIPS, SHOULDERS = [PLACE["left hip"], PLACE["right hip"]], [PLACE["left shoulder"], PLACE["right shoulder"]]
SIDES = ("left", "right")
ARMS = {side: [PLACE[f"{side} {joint}"] for joint in ("elbow", "wrist")] for side in SIDES}
LEGS = {side: [PLACE[f"{side} {joint}"] for joint in ("knee", "ankle", "heel", "foot index")] for side in SIDES}
# Limbs (root, middle, end): an estimator shows them straighter than they are.
LIMBS = [[PLACE[f"{side} {joint}"] for joint in limb] for side in SIDES for limb in (
    ("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))]  # fmt: skip
# Metres by which each joint is off, as a standard deviation, in the picture; in depth it is DEPTH times as much.
SPREAD = np.array([3, 3, 3, 2.5, 2.5, 4, 4, 5.5, 5.5, 2.5, 2.5, 4, 4, 5, 5, 5.5, 5.5, 6, 6]) / 100
DEPTH = 2.2


@dataclass(frozen=True)
class Conditions:
    """How people film, and how an estimator errs: shares of clips, and factors of 1."""

    # Filmed from where the movement usually is, 20 degrees more to either side; else from anywhere.
    from_view: float = 0.6
    errors: float = 1.0  # factor of all errors
    swapped: float = 0.2  # left and right taken for each other, for a while or all along
    hidden: float = 0.25  # each limb: hidden, so that the other side's or a wandering one is seen
    cut_below: float = 0.25  # the picture ends somewhere between the hips and the feet
    cut_hands: float = 0.08  # the picture ends at the elbows or above them
    straight: float = 0.22  # by how much limbs are straightened: 0 is not at all, 1 altogether
    aspect: float = 0.1  # by how much a picture is stretched


USUAL = Conditions()


def observe(
    joints: np.ndarray, view: np.ndarray, rng: np.random.Generator, how: Conditions = USUAL
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image (B, T, J, 2), world (B, T, J, 3) and visibility (B, T, J) of joints (B, T, J, 3), x to the front, y left, z up.

    `view` (B, 2) are the least and greatest azimuth in degrees from which each movement is usually filmed.
    """
    image, seen = through_camera(joints, *camera(joints, view, rng, how))
    both = np.empty((*image.shape[:-1], 5), np.float32)
    both[..., :2], both[..., 2:] = image, seen - halfway(seen, HIPS)
    visibility = visible(both, rng)
    both = _straightened(both, rng, how)
    both = _erring(both, rng, how)
    both, visibility = _swapped(both, visibility, rng, how)
    # Random numbers are drawn for affected clips alone, from separate streams: other clips do not depend on shares in `how`.
    for mishap, stream in zip((_hidden, _cut), rng.spawn(2), strict=True):
        both, visibility = mishap(both, visibility, stream, how)
    image, world = both[..., :2], both[..., 2:]
    count = len(joints)
    wander = _slow((count, joints.shape[1], 1, 2), 0.97, rng) * 0.05 * how.errors * rng.random((count, 1, 1, 1))
    stretch = np.exp(how.aspect * rng.standard_normal((count, 1, 1, 2), np.float32))
    image = (image + wander.astype(np.float32)) * stretch
    image, world = _smoothed(image, world, rng)
    mirrored = rng.random(count) < 0.5
    return mirrored_where(mirrored, image, world, visibility)


def halfway(joints: np.ndarray, pair: list[int]) -> np.ndarray:
    """The middle (B, T, 1, axes) between two of the joints (B, T, J, axes)."""
    first, second = pair
    return (joints[:, :, first, None] + joints[:, :, second, None]) / 2


def camera(
    joints: np.ndarray, view: np.ndarray, rng: np.random.Generator, how: Conditions
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Position (B, 3), axes (B, 3, 3) right, down and ahead, and distance (B,) of a camera for each clip."""
    count = len(joints)
    least, greatest = view.T
    azimuth = (least - 20 + rng.random(count) * (greatest - least + 40)) * rng.choice([-1, 1], count)
    anywhere = rng.random(count) >= how.from_view
    azimuth = np.radians(np.where(anywhere, rng.uniform(-180, 180, count), azimuth))
    places = joints.reshape(count, -1, 3)
    middle = (places.max(axis=1) + places.min(axis=1)) / 2
    distance = rng.uniform(1.6, 5.5, count)
    eye = np.where(rng.random(count) < 0.2, rng.uniform(0.05, 0.5, count), rng.uniform(0.4, 1.9, count))
    height = np.clip(eye, middle[:, 2] - 0.5 * distance, middle[:, 2] + 0.8 * distance)
    position = np.stack([
        middle[:, 0] + distance * np.cos(azimuth), middle[:, 1] + distance * np.sin(azimuth), height
    ], axis=1)  # fmt: skip
    ahead = middle - position
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    right = np.cross(ahead, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    down = np.cross(ahead, right)
    roll = np.radians(rng.normal(0, 4, (count, 1)))
    c, s = np.cos(roll), np.sin(roll)
    return position, np.stack([c * right + s * down, c * down - s * right, ahead], axis=1), distance


def through_camera(
    joints: np.ndarray, position: np.ndarray, axes: np.ndarray, distance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Image (B, T, J, 2) by perspective, and the joints as the camera sees them (B, T, J, 3): right, down and away."""
    seen = ((joints - position[:, None, None]).reshape(len(joints), -1, 3) @ axes.swapaxes(1, 2)).reshape(joints.shape)
    return seen[..., :2] / np.maximum(seen[..., 2:], 0.4) * distance[:, None, None, None], seen


def visible(both: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """How visible an estimator finds each joint (B, T, J), from 0 to 1: less so limbs that lie behind the trunk."""
    count, samples, joints = both.shape[:3]
    away = both[..., 4]
    near = 1 / (1 + np.exp((away - rng.uniform(0.05, 0.25, (count, 1, 1))) * rng.uniform(8, 25, (count, 1, 1))))
    least = rng.uniform(0.05, 0.7, (count, 1, joints))
    seen = least + (1 - least) * near
    seen[..., [*range(5), *HIPS]] = 1.0
    return np.clip(seen + 0.05 * _slow((count, samples, joints), 0.9, rng), 0.02, 1.0)


def _straightened(both: np.ndarray, rng: np.random.Generator, how: Conditions) -> np.ndarray:
    count = len(both)
    share = np.abs(rng.normal(0, how.straight, (count, 2))) * how.errors
    for limb, (root, middle, end) in enumerate(LIMBS):
        a, b, c = (both[:, :, joint] for joint in (root, middle, end))
        on_line = a + (c - a) * 0.5
        towards = np.clip(share[:, limb % 2] * rng.uniform(0.6, 1.4, count), 0, 0.7)[:, None, None]
        both[:, :, middle] = b + towards * (on_line - b)
    return both


def _erring(both: np.ndarray, rng: np.random.Generator, how: Conditions) -> np.ndarray:
    """Each joint off by a constant, a slow and a fast error; depths squashed, the person leaning."""
    count, samples, joints, axes = both.shape
    size = (SPREAD[:, None] * np.array([1, 1, 1, 1, DEPTH]) * how.errors).astype(np.float32)
    size = size * np.exp(0.6 * rng.standard_normal((count, 1, 1, 1), np.float32) - 0.1)
    both += 0.9 * size * rng.standard_normal((count, 1, joints, axes), np.float32)
    both += 0.7 * size * _slow((count, samples, joints, axes), 0.8, rng)
    both[..., 4] *= 1 + rng.normal(0, 0.25 * how.errors, (count, 1, 1))
    both[..., 4] += both[..., 3] * rng.normal(0, 0.15 * how.errors, (count, 1, 1))
    return both


def _swapped(both, visibility, rng: np.random.Generator, how: Conditions):
    """Left and right taken for each other, of the legs, the arms or all. In place."""
    legs = np.isin(np.arange(len(BODY)), [*LEGS["left"], *LEGS["right"], *HIPS])
    arms = np.isin(np.arange(len(BODY)), [*ARMS["left"], *ARMS["right"], *SHOULDERS])
    for part in (legs, arms, np.ones(len(BODY), bool)):
        there, taken_for = _while(both, how.swapped / 2, rng), np.where(part, FLIP, np.arange(len(BODY)))
        both[there], visibility[there] = both[there][:, taken_for], visibility[there][:, taken_for]
    return both, visibility


def _hidden(both, visibility, rng: np.random.Generator, how: Conditions):
    """A hidden limb follows the other side's, or wanders; mostly the estimator knows that it does not see it. In place."""
    axes = both.shape[-1]
    for limbs in (ARMS, LEGS):
        for side, other in (SIDES, SIDES[::-1]):
            hidden = _while(both, how.hidden, rng)
            chosen = np.flatnonzero(hidden.any(axis=1))
            now, count = hidden[chosen], len(chosen)
            here, there = (np.ix_(chosen, range(both.shape[1]), limbs[s]) for s in (side, other))
            near, far = rng.standard_normal((2, count, 1, len(limbs[side]), axes), np.float32)
            lost = both[here] + 0.2 * far + 0.1 * _slow(both[here].shape, 0.9, rng)
            follows = rng.random((count, 1, 1, 1)) < 0.5
            both[here] = np.where(now[..., None, None], np.where(follows, both[there] + 0.06 * near, lost), both[here])
            doubt = np.where(rng.random((count, 1)) < 0.75, rng.uniform(0.05, 0.6, (count, 1)), 1.0)
            visibility[here] *= np.where(now, doubt, 1)[..., None]
    return both, visibility


def _cut(both, visibility, rng: np.random.Generator, how: Conditions):
    """Joints outside the picture are guessed, straight on from the trunk or the limb, and known to be unseen. In place."""
    trunk = (halfway(both, HIPS) - halfway(both, SHOULDERS))[:, :, 0]
    trunk /= np.maximum(np.linalg.norm(trunk, axis=-1, keepdims=True), 0.1)
    below, hands = (np.flatnonzero(rng.random(len(both)) < share) for share in (how.cut_below, how.cut_hands))
    from_knee = rng.random(len(below)) < 0.35

    def guessed(straight_on: np.ndarray, off: float, wander: float) -> np.ndarray:
        constant = rng.standard_normal((len(straight_on), 1, straight_on.shape[-1]), np.float32)
        return straight_on + off * constant + wander * _slow(straight_on.shape, 0.9, rng)

    for side in SIDES:
        hip = both[:, :, PLACE[f"{side} hip"]]
        for joint, reach in zip(LEGS[side], (0.42, 0.82, 0.88, 0.9), strict=True):
            clips = below[~from_knee] if joint == LEGS[side][0] else below
            both[clips, :, joint] = guessed(hip[clips] + trunk[clips] * reach, 0.12 * reach, 0.06 * reach)
            visibility[clips, :, joint] *= rng.uniform(0.02, 0.5, (len(clips), 1))
        elbow, wrist = ARMS[side]
        both[hands, :, wrist] = guessed(both[hands, :, elbow], 0.15, 0.1)
        visibility[hands, :, wrist] *= 0.3
    return both, visibility


def _smoothed(image: np.ndarray, world: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A tracker's filter lags behind quick movements."""
    keep = rng.uniform(0.0, 0.55, (len(image), 1, 1)).astype(np.float32)
    for values in (image, world):
        for sample in range(1, values.shape[1]):
            values[:, sample] = keep * values[:, sample - 1] + (1 - keep) * values[:, sample]
    return image, world


def mirrored_where(
    mirrored: np.ndarray, image: np.ndarray, world: np.ndarray, visibility: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The clips, left for right where `mirrored` (B,) says so."""
    image, world, visibility = image.copy(), world.copy(), visibility.copy()
    for values, sign in ((image, [-1, 1]), (world, [-1, 1, 1]), (visibility[..., None], [1])):
        values[mirrored] = values[mirrored][:, :, FLIP] * np.float32(sign)
    return image, world, visibility


def _while(both: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """For a share of the clips a stretch of time, of three in ten of these all of it: (B, T)."""
    count, samples = both.shape[:2]
    start, length = rng.random((2, count, 1)) * samples
    time = np.arange(samples)
    stretch = (time >= start) & (time < start + 3 + 0.7 * length) | (rng.random((count, 1)) < 0.3)
    return stretch & (rng.random((count, 1)) < share)


def _slow(shape: tuple[int, ...], memory: float, rng: np.random.Generator) -> np.ndarray:
    """Noise of unit size that changes slowly along the second axis."""
    noise = rng.standard_normal((shape[1], shape[0], *shape[2:]), np.float32)
    noise[1:] *= np.float32((1 - memory**2) ** 0.5)
    kept = np.empty_like(noise[0])
    for before, now in zip(noise[:-1], noise[1:], strict=True):
        now += np.multiply(before, np.float32(memory), out=kept)
    return noise.swapaxes(0, 1)
