"""Curls, presses, raises, pushdowns and rows: the trunk is held, the arms move."""

from __future__ import annotations

import numpy as np

from exmus_lib.sample.mesh import unit
from exmus_lib.sample.movements.scene import Scene, arm_height, at_width, hip_height, mix
from exmus_lib.sample.movements.variants.common import (
    both,
    direction,
    each_side,
    either,
    gaze,
    jointed,
    sit,
    spare_hands,
    stand,
    sway,
    unfolded,
)  # fmt: skip
from exmus_lib.sample.skeleton import Proportions, Torso, assemble, pair, point, torso, turn


def curled(p: Proportions, trunk: Torso, u: np.ndarray, rng: np.random.Generator, base: float, drift: float) -> tuple:
    """Fists and poles of arms that curl: u (T, 2), upper arms `base` degrees before the vertical, by `drift` more at the
    top."""
    low, high = rng.uniform(4, 42), rng.uniform(110, 146)
    flexion = low + (high - low) * u
    raised = base + drift * (flexion / 140) ** 2
    return jointed(
        p,
        trunk,
        direction(raised, rng.uniform(0, 16)),
        direction(raised + flexion, rng.uniform(-10, 18) * (1 - 0.3 * u)),
    )


def standing_curl(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    """Bar, dumbbells or cable; together, by turns, one up one down, or one arm alone; strict or with swing."""
    pitch = sway(u, rng, -8, 10, 9)
    trunk, legs = stand(p, rng, pitch)
    grips, poles = curled(p, trunk, each_side(u, rng), rng, rng.uniform(-10, 14), rng.uniform(0, 30))
    if rng.random() < 0.12:
        side, spare = rng.integers(2), spare_hands(p, trunk, rng)
        grips, poles = either(side, grips, spare[0]), either(side, poles, spare[1])
    return Scene(assemble(p, trunk, grips, poles, **legs, head=gaze(rng, pitch)))


def seated_curl(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    """Upright on a bench, or leaning back on an inclined one with the arms hanging."""
    pitch = rng.choice([rng.uniform(-12, 8), rng.uniform(-48, -20)]) + 0 * u
    trunk, legs = sit(p, rng, pitch)
    grips, poles = curled(p, trunk, each_side(u, rng), rng, rng.uniform(-12, 8), rng.uniform(0, 20))
    return Scene(assemble(p, trunk, grips, poles, **legs, head=gaze(rng, pitch)))


def preacher_curl(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    """Upper arms lie on a slope before the chest; seated, or standing behind it."""
    pitch = rng.uniform(0, 24) + 0 * u
    seated = rng.random() < 0.75
    trunk, legs = sit(p, rng, pitch) if seated else stand(p, rng, pitch)
    grips, poles = curled(p, trunk, np.stack([u, u], axis=1), rng, rng.uniform(32, 72), 0.0)
    if rng.random() < 0.3:
        side = rng.integers(2)
        spare = jointed(p, trunk, direction(45, 5), direction(100, -35))
        grips, poles = either(side, grips, spare[0]), either(side, poles, spare[1])
    return Scene(assemble(p, trunk, grips, poles, **legs, head=gaze(rng, pitch)))


def concentration_curl(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    """Seated, bent forward, one elbow against the inside of the thigh, the other hand on its knee."""
    pitch = rng.uniform(32, 58) + 0 * u
    trunk, legs = sit(p, rng, pitch)
    legs["ankles"] = pair(rng.uniform(0.8, 1.1) * p.thigh, rng.uniform(0.24, 0.36), p.ankle)
    raised, flexion = rng.uniform(-5, 20), mix(rng.uniform(10, 40), rng.uniform(105, 138), u)
    curl = jointed(p, trunk, direction(raised, rng.uniform(-6, 6)), direction(raised + flexion, rng.uniform(-25, 0)))
    rest = trunk.hips + pair(0.85 * p.thigh, 0.1, 0.07), pair(-0.4, 1.0, 0.2)
    side = rng.integers(2)
    grips, poles = either(side, curl[0], rest[0]), either(side, curl[1], rest[1])
    return Scene(assemble(p, trunk, grips, poles, **legs, head=turn(pitch + rng.uniform(-15, 15))))


def overhead(p: Proportions, trunk: Torso, u: np.ndarray, rng: np.random.Generator, behind: bool) -> tuple:
    """Fists and poles of a press: u (T, 2), from the height of the shoulders or ears to overhead."""
    low_half, high_half = rng.uniform(1.05, 2.0) * p.shoulder, rng.uniform(0.7, 1.7) * p.shoulder
    low = rng.uniform(0.0, 0.22) * p.height / 1.75
    top = arm_height(p, max(abs(high_half - p.shoulder), 0.02), 0.05) * rng.uniform(0.88, 1.01) + 0.022 * p.height
    ahead = rng.uniform(-0.1, -0.04) if behind else rng.uniform(0.03, 0.22)
    path = [
        np.stack([mix(a, b, u[:, k]) for k in (0, 1)], axis=1)
        for a, b in ((ahead, rng.uniform(-0.06, 0.1)), (low, top))
    ]
    offset = np.stack([path[0], 0 * u, path[1]], axis=-1)
    grips = trunk.shoulders + offset
    half = mix(low_half, high_half, u.mean(1))
    return unfolded(p, trunk, at_width(grips, half)), pair(
        -0.2 if behind else rng.uniform(0.0, 0.7), rng.uniform(0.15, 0.8), -1.0
    )


def standing_press(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    """Bar or dumbbells; some dip the knees to start, some press with one arm or by turns."""
    pitch = sway(u, rng, -9, 3, 6)
    dip = rng.uniform(0.03, 0.1) if rng.random() < 0.25 else 0.0
    straight = 0.992 - dip * np.exp(-(((u - 0.12) / 0.1) ** 2))
    trunk, legs = stand(p, rng, pitch, straight)
    grips, poles = overhead(p, trunk, each_side(u, rng, 0.85), rng, rng.random() < 0.1)
    if rng.random() < 0.12:
        side, spare = rng.integers(2), spare_hands(p, trunk, rng)
        grips, poles = either(side, grips, spare[0]), either(side, poles, spare[1])
    return Scene(assemble(p, trunk, grips, poles, **legs, head=gaze(rng, pitch)))


def seated_press(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    """On a bench with or without a back, or in a machine; before or behind the head."""
    pitch = rng.uniform(-24, 3) + 0 * u
    trunk, legs = sit(p, rng, pitch)
    grips, poles = overhead(p, trunk, each_side(u, rng, 0.93), rng, rng.random() < 0.15)
    return Scene(assemble(p, trunk, grips, poles, **legs, head=gaze(rng, pitch)))


def arnold_press(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    """From fists together before the face, elbows in front, the arms open on the way up."""
    pitch = rng.uniform(-15, 3) + 0 * u
    trunk, legs = sit(p, rng, pitch) if rng.random() < 0.6 else stand(p, rng, pitch)
    opened = np.clip(u / rng.uniform(0.4, 0.8), 0, 1)
    half = mix(rng.uniform(0.45, 0.8), rng.uniform(1.3, 1.7), opened) - 0.4 * np.clip(u - 0.6, 0, 1)
    top = arm_height(p, 0.06, 0.03) * rng.uniform(0.9, 1.0) + 0.02 * p.height
    offset = point(mix(rng.uniform(0.2, 0.28), 0.02, opened), 0.0, mix(rng.uniform(0.02, 0.12), top, u))
    grips = at_width(trunk.shoulders + offset[:, None], half * p.shoulder)
    poles = pair(mix(1.0, 0.1, opened), mix(0.1, 0.7, opened), -1.0)
    return Scene(assemble(p, trunk, grips, poles, **legs, head=gaze(rng, pitch)))


def raised_sideways(
    p: Proportions, trunk: Torso, u: np.ndarray, rng: np.random.Generator, most: float = 116.0
) -> tuple:
    """Fists and poles of arms lifted to the sides: u (T, 2); a little in front, elbows straight to bent."""
    out = rng.uniform(3, 18) + (rng.uniform(62, most) - 12) * u
    upper = direction(rng.uniform(4, 26), out)
    bend = np.radians(rng.choice([rng.uniform(5, 30), rng.uniform(30, 85)], p=[0.75, 0.25]))
    ahead = unit(pair(1.0, 0.0, rng.uniform(-0.5, 0.1)) - 0.0 * upper)
    ahead = unit(ahead - (ahead * upper).sum(-1, keepdims=True) * upper)
    return jointed(p, trunk, upper, np.cos(bend) * upper + np.sin(bend) * ahead)


def standing_raise(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    """Dumbbells, together or by turns, upright or leaning a little, strict or with a shrug and swing."""
    pitch = sway(u, rng, -3, 20, 8)
    trunk, legs = stand(p, rng, pitch)
    grips, poles = raised_sideways(p, trunk, each_side(u, rng, 0.9), rng)
    return Scene(assemble(p, trunk, grips, poles, **legs, head=gaze(rng, pitch)))


def seated_raise(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    """On a bench or in a machine that lifts the bent arms by the elbows."""
    pitch = sway(u, rng, -8, 15, 5)
    trunk, legs = sit(p, rng, pitch)
    grips, poles = raised_sideways(p, trunk, np.stack([u, u], axis=1), rng, 100.0)
    return Scene(assemble(p, trunk, grips, poles, **legs, head=gaze(rng, pitch)))


def one_arm_raise(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    """Cable or dumbbell in one hand, the other holds on, rests or hangs; some lean away from what they hold."""
    side, pitch = rng.integers(2), rng.uniform(-2, 10) + 0 * u
    lean = rng.uniform(0, 18) if rng.random() < 0.6 else 0.0
    trunk, legs = stand(p, rng, pitch, roll=-lean if side == 0 else lean)
    raised = raised_sideways(p, trunk, np.stack([u, u], axis=1), rng, 105.0)
    spare = spare_hands(p, trunk, rng)
    if lean > 6:
        spare = jointed(p, trunk, direction(15, rng.uniform(35, 80)), direction(60, rng.uniform(45, 85)))
    grips, poles = either(side, raised[0], spare[0]), either(side, raised[1], spare[1])
    return Scene(assemble(p, trunk, grips, poles, **legs, head=gaze(rng, pitch)))


def pushdown(p: Proportions, u: np.ndarray, rng: np.random.Generator, one_arm: bool = False) -> Scene:
    """Bar, rope or one handle, upright or leaning over it; the hands stay narrow and before the trunk."""
    pitch = sway(u, rng, 0, 34, 7)
    trunk, legs = stand(p, rng, pitch, rng.uniform(0.96, 0.993))
    raised = mix(rng.uniform(-4, 30), rng.uniform(-12, 14), u)
    flexion = mix(rng.uniform(80, 124), rng.uniform(3, 32), u)
    grips, poles = jointed(p, trunk, direction(raised, rng.uniform(0, 22)), direction(raised + flexion))
    start = rng.uniform(0.03, 0.18)
    grips = at_width(grips, mix(start, start + rng.choice([0.0, rng.uniform(0.02, 0.16)]), u))
    if one_arm:
        side, spare = rng.integers(2), spare_hands(p, trunk, rng)
        grips = either(side, at_width(grips, rng.uniform(0.1, 0.2)), spare[0])
        poles = either(side, poles, spare[1])
    return Scene(assemble(p, trunk, grips, poles, **legs, head=gaze(rng, pitch)))


def rowed(p: Proportions, trunk: Torso, u: np.ndarray, rng: np.random.Generator) -> tuple:
    """Fists and poles of a row: from hanging arms to the chest or the belly."""
    half = rng.uniform(0.05, 0.3)
    reach = arm_height(p, max(abs(half - p.shoulder), 0.02), 0.06) * rng.uniform(0.95, 1.0)
    low = trunk.shoulders.mean(1)[:1] + point(rng.uniform(-0.04, 0.1), 0.0, -reach)
    high = trunk.chest(rng.uniform(0.14, 0.26), 0.0, -rng.uniform(0.05, 0.3))
    lean = float(trunk.axes[0, -3, 0, 2])  # 1 where the trunk is level: the elbows go up, else back
    poles = pair(-0.8, rng.uniform(0.2, 0.9), 0.7 * lean**2)
    return unfolded(p, trunk, both(low + (high - low) * u[:, None], half)), poles


def bent_row(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    """Astride a bar on its pivot, knees bent; the trunk 25 to 75 degrees off the vertical, some jerk it up."""
    start = rng.uniform(28, 76)
    pitch = mix(start, start - rng.choice([rng.uniform(0, 6), rng.uniform(6, 16)]), u)
    half = rng.uniform(0.12, 0.33)
    back = 0.06 + 0.5 * p.spine * np.sin(np.radians(start))
    height = hip_height(p, back - 0.06, half - p.hip, rng.uniform(0.86, 0.975))
    trunk = torso(p, point(-back, 0.0, height) + 0 * u[:, None], turn(pitch), turn(pitch + rng.uniform(-4, 12)))
    grips, poles = rowed(p, trunk, u, rng)
    out = rng.uniform(0.05, 0.5)
    legs = dict(ankles=pair(-0.06, half, p.ankle), knee_poles=pair(1.0, out), toes=pair(1.0, out))
    return Scene(assemble(p, trunk, grips, poles, **legs, head=gaze(rng, pitch)))


def supported_row(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    """Chest on a sloping pad, feet on a plate, legs nearly straight."""
    pitch = rng.uniform(32, 62) + 0 * u
    bent = rng.uniform(0.9, 0.99)
    slope = np.radians(rng.uniform(0, 24) + 0.3 * pitch[0])
    ankle = p.ankle + rng.uniform(0.0, 0.2)
    drop = bent * (p.thigh + p.shin)
    pelvis = point(-0.06 + drop * np.sin(slope) - 0.35, 0.0, ankle + drop * np.cos(slope)) + 0 * u[:, None]
    trunk = torso(p, pelvis, turn(pitch), turn(pitch - rng.uniform(0, 8) * u))
    grips, poles = rowed(p, trunk, u, rng)
    legs = dict(ankles=pair(-0.41, rng.uniform(0.1, 0.28), ankle), knee_poles=pair(1.0, 0.1), toes=pair(1.0, 0.15))
    return Scene(assemble(p, trunk, grips, poles, **legs, head=gaze(rng, pitch)))
