"""In machines: flyes, pulldowns, leg extensions, the dip machine."""

from __future__ import annotations

import numpy as np

from exmus_lib.sample.movements.scene import Scene, arm_height, mix
from exmus_lib.sample.movements.variants.common import (
    both,
    direction,
    either,
    gaze,
    in_turn,
    jointed,
    leg,
    sit,
    stand,
    unfolded,
)
from exmus_lib.sample.skeleton import Proportions, Torso, assemble, pair, point, torso, turn


def hugged(p: Proportions, trunk: Torso, u: np.ndarray, rng: np.random.Generator, drop: float) -> tuple:
    """Fists and poles of arms that close before the chest like round a tree, fists `drop` of their reach lower."""
    reach = rng.uniform(0.78, 1.0) * p.arm_reach
    start = rng.uniform(62, 98)
    apart = rng.choice([rng.uniform(0.02, 0.08), rng.uniform(0.08, 0.26)], p=[0.75, 0.25])
    angle = np.radians(mix(start, np.degrees(np.arcsin((apart - p.shoulder) / reach)), u))
    way = pair(np.cos(angle), np.sin(angle), drop)
    grips = trunk.shoulders + reach * way / np.linalg.norm(way, axis=-1, keepdims=True)
    return grips, pair(mix(-1.0, -0.2, u), mix(0.2, 1.0, u), rng.uniform(-0.9, 0.0))


def fly(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    """Seated in a pec deck, fists on handles at the height of the chest."""
    pitch = rng.uniform(-14, 3) + 0 * u
    trunk, legs = sit(p, rng, pitch, rng.uniform(0.4, 0.58))
    grips, poles = hugged(p, trunk, u, rng, rng.uniform(-0.22, 0.1))
    return Scene(assemble(p, trunk, grips, poles, **legs, head=gaze(rng, pitch)))


def pad_fly(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    """Seated in a pec deck with pads: elbows at right angles, forearms up."""
    pitch = rng.uniform(-12, 3) + 0 * u
    trunk, legs = sit(p, rng, pitch, rng.uniform(0.4, 0.58))
    out = mix(rng.uniform(65, 94), rng.uniform(-4, 28), u)
    upper = direction(rng.uniform(72, 100), out)
    lower = direction(180 - rng.uniform(-15, 20), rng.uniform(-12, 12)) + 0.15 * upper
    grips, poles = jointed(p, trunk, upper, lower)
    return Scene(assemble(p, trunk, grips, poles, **legs, head=gaze(rng, pitch)))


def cable_fly(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    """Standing between two cables, one foot before the other, from high, level or low pulleys."""
    pitch = rng.uniform(0, 26) + 0 * u
    trunk, legs = stand(p, rng, pitch, rng.uniform(0.95, 0.99))
    ends = rng.uniform(-0.2, 0.35), rng.uniform(-0.75, 0.1)
    grips, poles = hugged(p, trunk, u, rng, mix(*ends, u))
    return Scene(assemble(p, trunk, grips, poles, **legs, head=gaze(rng, pitch)))


def pulldown(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    """Wide, close or underhand, to the chest, the chin or behind the neck; upright, leaning back or rocking."""
    lean = rng.uniform(-16, 5)
    pitch = mix(lean, lean - rng.choice([rng.uniform(0, 6), rng.uniform(6, 26)]), u)
    trunk, legs = sit(p, rng, pitch, rng.uniform(0.42, 0.56))
    behind = rng.random() < 0.1
    half = rng.uniform(1.5, 2.4) * p.shoulder if behind else rng.uniform(0.25, 2.4) * p.shoulder
    ahead = rng.uniform(-0.02, 0.06) if behind else rng.uniform(0.07, 0.32)
    top = trunk.shoulders.mean(1)[:1] + point(
        ahead, 0.0, arm_height(p, abs(half - p.shoulder), ahead) * rng.uniform(0.9, 1.0) + 0.02 * p.height
    )
    low = trunk.chest(
        -0.1 if behind else rng.uniform(0.1, 0.24), 0.0, rng.uniform(0.02, 0.25) if behind else rng.uniform(-0.18, 0.1)
    )
    grips = unfolded(p, trunk, both(top + (low - top) * u[:, None], half))
    forward = rng.uniform(0.3, 0.9) if half < 0.9 * p.shoulder else rng.uniform(-0.4, 0.4)
    head = turn(mix(-rng.uniform(0, 28), -rng.uniform(-5, 25), u))
    poles = pair(forward, rng.uniform(0.1, 0.9), -1.0)
    return Scene(assemble(p, trunk, grips, poles, **legs, head=head))


def leg_extension(p: Proportions, u: np.ndarray, rng: np.random.Generator, one_leg: bool = False) -> Scene:
    """Upright or leaning back, hands at handles, on the thighs or folded; both legs, by turns or one; full or part way."""
    height, lean = rng.uniform(0.46, 0.66), rng.uniform(-34, 4)
    pitch = lean + rng.uniform(-5, 5) * u
    trunk = torso(p, point(0.0, 0.0, height + p.seat) + 0 * u[:, None], turn(lean), turn(pitch))
    thigh = 90 + rng.uniform(-4, 8) + rng.normal(0, 2) * u
    low, high = rng.uniform(78, 112), rng.choice([rng.uniform(2, 18), rng.uniform(18, 40)], p=[0.7, 0.3])
    foot = rng.uniform(65, 100)
    sides = np.stack([u, u], axis=1)
    if one_leg:
        sides = in_turn(u) if rng.random() < 0.4 else np.stack([u, 0 * u], axis=1)[:, rng.permutation(2)]
    left, right = (leg(p, trunk.hips, thigh, mix(low, high, sides[:, k]), foot) for k in (0, 1))
    legs = {name: either(0, left[name], right[name]) for name in left}
    apart = rng.uniform(-0.04, 0.08)
    legs["ankles"] = legs["ankles"] + pair(0.0, apart)
    legs["knee_poles"] = legs["knee_poles"] + pair(0.0, 2 * apart)
    kind = rng.choice(3, p=[0.75, 0.17, 0.08])
    if kind == 0:
        grips = (
            pair(rng.uniform(-0.08, 0.2), rng.uniform(0.2, 0.34), height + rng.uniform(-0.06, 0.14))
            + 0 * u[:, None, None]
        )
        poles = pair(-1.0, rng.uniform(0.1, 0.6))
    elif kind == 1:
        grips, poles = trunk.hips + pair(rng.uniform(0.12, 0.34), rng.uniform(-0.04, 0.06), 0.09), pair(-0.5, 0.8, -0.3)
    else:
        grips, poles = (
            both(trunk.chest(0.16, 0.0, -rng.uniform(0.05, 0.2)), -rng.uniform(0.04, 0.1)),
            pair(0.3, 1.0, -0.4),
        )
    return Scene(assemble(p, trunk, grips, poles, **legs, head=gaze(rng, pitch)))


def dip_machine(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    """Seated, the handles beside the hips are pushed down (u = 1) and come up until the elbows are bent behind."""
    pitch = rng.uniform(-8, 18) + 0 * u
    trunk, legs = sit(p, rng, pitch, rng.uniform(0.42, 0.56))
    half = rng.uniform(1.1, 1.6) * p.shoulder
    low = arm_height(p, half - p.shoulder, 0.08) * rng.uniform(0.94, 1.0)
    drop = mix(rng.uniform(0.2, 0.36) * p.height / 1.75, low, u)
    path = trunk.shoulders.mean(1) + point(rng.uniform(0.02, 0.14), 0.0, -drop)
    return Scene(
        assemble(p, trunk, both(path, half), pair(-1.0, rng.uniform(0.0, 0.5), 0.3), **legs, head=gaze(rng, pitch))
    )
