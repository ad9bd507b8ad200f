"""Postures and limb paths that the variants share. Angles in degrees, arrays as in skeleton.py; each draws its own way."""

from __future__ import annotations

import numpy as np

from exmus_lib.sample.mesh import unit
from exmus_lib.sample.movements.scene import at_width, hip_height, mix, swing
from exmus_lib.sample.skeleton import Proportions, Torso, pair, point, torso, turn


def direction(raised, out=0.0) -> np.ndarray:
    """Unit directions (T, 2, 3): `raised` as in swing(), then turned away from the middle by `out`; each (T, 2), (T,) or
    a number."""
    angles = (np.radians(np.atleast_1d(a)) for a in (raised, out))
    r, o = np.broadcast_arrays(*(a if a.ndim == 2 else a[:, None] for a in angles), np.zeros((1, 2)))[:2]
    return np.stack([np.sin(r) * np.cos(o), np.sin(o) * [1.0, -1.0], -np.cos(r) * np.cos(o)], axis=-1)


def both(middle: np.ndarray, half) -> np.ndarray:
    """A point (T, 3) of the middle as a pair (T, 2, 3), `half` metres to each side."""
    return at_width(np.stack([middle, middle], axis=1), half)


def jointed(p: Proportions, trunk: Torso, upper: np.ndarray, lower: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fists and elbow poles of arms whose upper arms and forearms point in the given directions (T, 2, 3)."""
    upper = unit(upper)
    return trunk.shoulders + p.upper_arm * upper + (p.forearm + p.grip) * unit(lower), upper


def folded(p: Proportions) -> float:
    """How near a fist comes to its shoulder when the elbow bends as far as it can, to some 145 degrees."""
    return float(np.sqrt(p.upper_arm**2 + (p.forearm + p.grip) ** 2 - 1.64 * p.upper_arm * (p.forearm + p.grip)))


def unfolded(p: Proportions, trunk: Torso, grips: np.ndarray) -> np.ndarray:
    """The fists (T, 2, 3), moved away from the shoulders where no elbow could bend so far."""
    offset = grips - trunk.shoulders
    near = np.linalg.norm(offset, axis=-1, keepdims=True)
    return trunk.shoulders + offset * np.maximum(1.0, folded(p) / np.maximum(near, 1e-3))


def leg(p: Proportions, hips: np.ndarray, thigh, flexion, foot: float) -> dict[str, np.ndarray]:
    """Legs free in the air: `thigh` as in swing(), the knee flexed, `foot` 90 drawn up and 0 pointed."""
    shin = np.asarray(thigh) - flexion
    ankles = hips + p.thigh * swing(thigh) + p.shin * swing(shin)
    return dict(ankles=ankles, knee_poles=swing(np.asarray(thigh) + 90 - flexion / 2), toes=swing(shin + foot))


def either(side: int, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The pair `one` on a side (0 left, 1 right) and `other` on the opposite one."""
    one, other = np.broadcast_arrays(one, other)
    return np.stack([one[:, 0], other[:, 1]] if side == 0 else [other[:, 0], one[:, 1]], axis=1)


def in_turn(u: np.ndarray) -> np.ndarray:
    """u of two sides (T, 2) that take the repetitions in turn; the resting one stays near the start."""
    begins = np.diff(u >= 0.2, prepend=False) & (u >= 0.2)
    right = np.cumsum(begins) % 2 == 0
    rest = np.minimum(u, 0.2)
    return np.stack([np.where(right, rest, u), np.where(right, u, rest)], axis=1)


def each_side(u: np.ndarray, rng: np.random.Generator, together: float = 0.65) -> np.ndarray:
    """u of two sides (T, 2): together, by turns, or one up while the other goes down."""
    draw = rng.random()
    if draw < together:
        return np.stack([u, u], axis=1)
    return in_turn(u) if draw < 0.7 + 0.3 * together else np.stack([u, 1 - u], axis=1)


def stand(
    p: Proportions,
    rng: np.random.Generator,
    pitch: np.ndarray,
    straight: float | np.ndarray | None = None,
    roll: float = 0.0,
) -> tuple[Torso, dict[str, np.ndarray]]:
    """On two feet, side by side or one before the other, the hips behind by as much as the trunk (pitch (T,)) leans."""
    straight = rng.uniform(0.985, 0.999) if straight is None else straight
    half = rng.uniform(0.05, 0.26)
    step = rng.uniform(0.05, 0.22) * rng.choice([-1, 1]) if rng.random() < 0.2 else 0.0
    back = 0.02 + 0.4 * p.spine * np.sin(np.radians(pitch))
    reach = np.abs(back) + abs(step)
    pelvis = point(-0.04 - back, 0.0, hip_height(p, reach, half - p.hip, straight))
    ankles = pair(-0.04, half, p.ankle) + np.array([step, -step])[:, None] * (1.0, 0.0, 0.0)
    out = rng.uniform(0.0, 0.5)
    chest = turn(pitch + rng.uniform(-4, 8), 0.0, roll)
    return torso(p, pelvis, turn(pitch, 0.0, 0.5 * roll), chest), dict(
        ankles=ankles, knee_poles=pair(1.0, out), toes=pair(1.0, out)
    )


def sit(
    p: Proportions, rng: np.random.Generator, pitch: np.ndarray, height: float | None = None
) -> tuple[Torso, dict[str, np.ndarray]]:
    """On a bench or a machine's seat, feet on the floor; pitch (T,)."""
    height = rng.uniform(0.4, 0.52) if height is None else height
    half, out = rng.uniform(0.08, 0.34), rng.uniform(0.0, 0.5)
    trunk = torso(p, point(0.0, 0.0, height + p.seat) + 0 * pitch[:, None], turn(pitch - 3), turn(pitch))
    ankles = pair(rng.uniform(0.62, 1.25) * p.thigh, half, p.ankle)
    return trunk, dict(ankles=ankles, knee_poles=pair(0.7, 0.1 + half, 1.0), toes=pair(1.0, out))


def spare_hands(p: Proportions, trunk: Torso, rng: np.random.Generator, seated: bool = False) -> tuple:
    """Fists and poles of arms that have nothing to do: hanging, on the hips, on the thighs."""
    kind = rng.integers(2)
    if kind == 0 and seated:
        ahead = rng.uniform(0.5, 0.85) * p.thigh
        return trunk.hips + pair(ahead, rng.uniform(0.02, 0.1), 0.07), pair(-0.4, 0.8, -0.4)
    if kind == 0:
        return jointed(p, trunk, direction(rng.uniform(-8, 6), rng.uniform(4, 12)), direction(rng.uniform(6, 20), 4))
    return trunk.hips + pair(rng.uniform(-0.03, 0.08), rng.uniform(0.07, 0.11), 0.09), pair(-0.4, 1.0, 0.0)


def gaze(rng: np.random.Generator, pitch) -> np.ndarray:
    """Where the head points: between ahead and along the trunk, up or down a little, seldom to a side."""
    aside = rng.normal(0, 25) if rng.random() < 0.2 else 0.0
    return turn(np.asarray(pitch) * rng.uniform(0.2, 0.95) + rng.uniform(-14, 16), aside)


def sway(u: np.ndarray, rng: np.random.Generator, low: float, high: float, most: float) -> np.ndarray:
    """An angle (T,) drawn between low and high that moves by up to `most` on the way; often it hardly moves."""
    start = rng.uniform(low, high)
    return mix(start, start + rng.normal(0, 0.45 * most), u)
