"""What people in gym videos do between exercises: distractors. u is only a clock; everything moves little or aimlessly."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from exmus_lib.sample.movements.scene import Scene, mix
from exmus_lib.sample.movements.variants.common import (
    both,
    direction,
    either,
    gaze,
    jointed,
    sit,
    spare_hands,
    stand,
)  # fmt: skip
from exmus_lib.sample.skeleton import Proportions, Torso, assemble, pair, point, torso, turn


def aimless(u: np.ndarray, rng: np.random.Generator, size: float = 1.0) -> np.ndarray:
    """A smooth wander (T,) about 0 made of u: not in step with it."""
    speeds, starts = rng.uniform(0.8, 5.0, 3), rng.uniform(0, 6.28, 3)
    return size * np.sin(u[:, None] * speeds + starts) @ np.array([0.5, 0.3, 0.2])


def at_ease(p: Proportions, trunk: Torso, u: np.ndarray, rng: np.random.Generator) -> tuple:
    """Fists and poles of arms that hang, rest on the hips, are folded, or are behind the back."""
    kind = rng.choice(4, p=[0.4, 0.25, 0.22, 0.13])
    if kind == 0:
        raised = rng.uniform(-8, 8) + aimless(u, rng, 5)
        return jointed(p, trunk, direction(raised, rng.uniform(3, 14)), direction(raised + rng.uniform(6, 25), 3))
    if kind == 1:
        return trunk.hips + pair(rng.uniform(-0.04, 0.08), rng.uniform(0.07, 0.12), rng.uniform(0.05, 0.14)), pair(
            -0.4, 1.0
        )
    if kind == 2:
        return both(trunk.chest(0.17, 0.0, -rng.uniform(0.12, 0.22)), -rng.uniform(0.08, 0.15)), pair(0.2, 1.0, -0.8)
    return both(trunk.chest(-0.14, 0.0, -rng.uniform(0.3, 0.4)), 0.04), pair(-0.3, 1.0, 0.0)


def standing(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    """Stands and shifts the weight."""
    pitch = rng.uniform(-4, 8) + aimless(u, rng, 3)
    trunk, legs = stand(p, rng, pitch)
    trunk = torso(
        p, trunk.hips.mean(1) + point(0.0, aimless(u, rng, 0.05), 0.0), turn(pitch), turn(pitch, aimless(u, rng, 14))
    )
    grips, poles = at_ease(p, trunk, u, rng)
    return Scene(assemble(p, trunk, grips, poles, **legs, head=turn(rng.uniform(-10, 25), aimless(u, rng, 35))))


def talking(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    """Stands or sits, explains and gestures with one hand or both, each in its own way."""
    pitch = rng.uniform(-5, 8) + aimless(u, rng, 3)
    seated = rng.random() < 0.2
    trunk, legs = sit(p, rng, pitch) if seated else stand(p, rng, pitch)
    raised, flexion, out, inward = (
        np.stack([at + aimless(u, rng, size) for _ in (0, 1)], axis=1)
        for at, size in (
            (rng.uniform(0, 25), 22), (rng.uniform(50, 105), 50), (rng.uniform(6, 22), 10), (rng.uniform(-25, 20), 25),
        )
    )  # fmt: skip
    grips, poles = jointed(p, trunk, direction(raised, out), direction(raised + flexion, inward))
    if rng.random() < 0.4:
        side, spare = rng.integers(2), spare_hands(p, trunk, rng, seated)
        grips, poles = either(side, grips, spare[0]), either(side, poles, spare[1])
    return Scene(assemble(p, trunk, grips, poles, **legs, head=turn(rng.uniform(-5, 15), aimless(u, rng, 30))))


def walking(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    """Walks on the spot, or up and down across the picture; u there and back is two steps."""
    angle = 2 * u - 1
    stride = rng.uniform(10, 26)
    pitch = rng.uniform(-2, 10) + 0 * u
    away = rng.choice([0.0, rng.uniform(0.2, 0.5)]) * angle
    pelvis = point(away, 0.0, p.standing - 0.03 - 0.02 * np.abs(angle))
    trunk = torso(p, pelvis, turn(pitch, 0.0), turn(pitch, rng.uniform(0, 8) * angle))
    on_spot = rng.random() < 0.4
    ahead = [sign * np.gradient(u) > 0 for sign in (1, -1)]  # which foot is in the air
    lifted = [
        np.maximum(s * angle, 0) if on_spot else (1 - angle**2) * moves for s, moves in zip((1, -1), ahead, strict=True)
    ]
    forward = [
        0.12 * w if on_spot else np.sin(np.radians(stride)) * s * angle * 0.8
        for w, s in zip(lifted, (1, -1), strict=True)
    ]
    ankles = np.stack(
        [
            point(
                away + forward[k],
                s * rng.uniform(0.07, 0.12),
                p.ankle + rng.uniform(0.05, 0.22 if on_spot else 0.1) * lifted[k],
            )
            for k, s in ((0, 1.0), (1, -1.0))
        ],
        axis=1,
    )
    arms = np.stack([-angle, angle], axis=1) * rng.uniform(5, 30)
    grips, poles = jointed(p, trunk, direction(arms, 7), direction(arms + rng.uniform(10, 60), 2))
    return Scene(assemble(p, trunk, grips, poles, ankles, pair(1.0, 0.1), head=gaze(rng, pitch)))


def approach(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    """Bends to a bar, a bag or a plate, fumbles and comes up, one hand or both, round-backed and turned."""
    pitch = mix(rng.uniform(0, 8), rng.uniform(35, 85), np.clip(1.6 * u, 0, 1))
    trunk, legs = stand(p, rng, pitch, mix(0.99, rng.uniform(0.72, 0.95), np.clip(1.6 * u, 0, 1)))
    trunk = torso(p, trunk.hips.mean(1), turn(pitch * 0.8), turn(pitch, rng.uniform(-30, 30) * u))
    raised = np.stack([rng.uniform(5, 40) * u + aimless(u, rng, 14) for _ in (0, 1)], axis=1)
    grips, poles = jointed(
        p, trunk, direction(raised, 6), direction(raised + rng.uniform(10, 50), rng.uniform(-15, 10))
    )
    if rng.random() < 0.5:
        side, spare = rng.integers(2), (trunk.hips + pair(0.22, 0.04, -0.12), pair(-0.3, 0.7))
        grips, poles = either(side, grips, spare[0]), either(side, poles, spare[1])
    return Scene(assemble(p, trunk, grips, poles, **legs, head=gaze(rng, pitch)))


def resting(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    """Sits on a bench, hands on the knees or elbows on the thighs, or leans back."""
    pitch = rng.choice([rng.uniform(-18, 10), rng.uniform(10, 50)]) + aimless(u, rng, 4)
    trunk, legs = sit(p, rng, pitch)
    ahead = rng.uniform(0.4, 0.95) * p.thigh
    grips = (
        trunk.hips
        + pair(ahead, rng.uniform(-0.04, 0.1), rng.uniform(0.07, 0.1))
        + point(0, 0, aimless(u, rng, 0.02))[:, None]
    )
    return Scene(
        assemble(p, trunk, grips, pair(-0.4, 1.0, -0.2), **legs, head=turn(pitch * 0.7 + 6, aimless(u, rng, 25)))
    )


def lying(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    """Lies on the floor or a bench, knees up or legs flat, hands on the belly, beside or behind the head."""
    bench = rng.choice([0.0, rng.uniform(0.38, 0.5)])
    trunk = torso(p, point(0.0, 0.0, bench + 0.02 + p.seat) + 0 * u[:, None], turn(-90 + aimless(u, rng, 1.5)))
    flat = bench == 0 and rng.random() < 0.4
    far = (
        rng.uniform(0.3, 0.5)
        if bench
        else rng.uniform(0.96, 0.99) * (p.thigh + p.shin)
        if flat
        else rng.uniform(0.3, 0.55)
    )
    ankles = pair(far, rng.uniform(0.08, 0.3), p.ankle if not flat else 0.07)
    kind = rng.integers(3)
    if kind == 0:
        grips = both(trunk.chest(0.16, 0.0, -rng.uniform(0.1, 0.35)), rng.uniform(0.02, 0.1))
    elif kind == 1:
        grips = pair(rng.uniform(-0.05, 0.12), rng.uniform(0.26, 0.4), bench + 0.06) + 0 * u[:, None, None]
    else:
        grips = both(trunk.chest(-0.04, 0.0, 0.22), 0.1)
    grips = grips + point(0.0, 0.0, np.abs(aimless(u, rng, 0.04)))[:, None]
    head = turn(-88 + rng.uniform(0, 20), 0.0)
    toes = pair(0.3, 0.3, 1.0) if flat else None
    return Scene(assemble(p, trunk, grips, pair(-0.2, 1.0, -0.2), ankles, pair(0.3, 0.2, 1.0), toes, head))


def stretching(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    """One arm across the chest or pulled behind the head, both hands overhead with a side bend, arms swung to and fro."""
    kind, side = rng.integers(4), rng.integers(2)
    pitch = rng.uniform(-6, 6) + 0 * u
    trunk, legs = stand(p, rng, pitch, roll=aimless(u, rng, 22) if kind == 2 else 0.0)
    if kind == 0:
        stretched = jointed(p, trunk, direction(82 + aimless(u, rng, 8), -45), direction(85, -60))
        helper = trunk.chest(0.3, 0.0, -0.03)
        grips, poles = either(side, stretched[0], np.stack([helper, helper], axis=1)), pair(0.5, 0.6, -1.0)
    elif kind == 1:
        behind = both(trunk.chest(-0.12, 0.0, 0.05 + 0.04 * u.mean()), 0.03)
        elbow = both(trunk.chest(-0.02, 0.0, 0.3), -0.12)
        grips = either(side, behind, elbow) + point(0.0, 0.0, aimless(u, rng, 0.02))[:, None]
        poles = pair(0.1, 0.4, 1.0)
    elif kind == 2:
        up = trunk.axes[:, -3, :, 2]
        grips = both(trunk.shoulders.mean(1) * (1, 0, 1), 0.04) + (0.93 * p.arm_reach * up)[:, None]
        grips[:, :, 1] += trunk.shoulders.mean(1)[:, None, 1]
        poles = pair(0.0, 1.0, 0.0)
    else:
        swung = mix(-rng.uniform(10, 40), rng.uniform(100, 190), u)
        out = rng.uniform(3, 25)
        grips, poles = jointed(p, trunk, direction(swung, out), direction(swung + rng.uniform(4, 30), out))
    return Scene(assemble(p, trunk, grips, poles, **legs, head=gaze(rng, pitch)))


def hands_at(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    """Rubs chalk, drinks, or sets clothes, hair or a phone to rights: one or two hands busy at one place."""
    kind = rng.integers(4)
    pitch = rng.uniform(-4, 10) + aimless(u, rng, 3)
    trunk, legs = sit(p, rng, pitch) if rng.random() < 0.25 else stand(p, rng, pitch)
    shift = point(aimless(u, rng, 0.03), 0.0, aimless(u, rng, 0.04))
    forward, up, half = (
        (rng.uniform(0.24, 0.36), -rng.uniform(0.12, 0.3), 0.035),  # chalk, belt, phone
        (0.16 + 0.05 * (1 - u), mix(-0.2, 0.1, np.clip(1.5 * u, 0, 1)), 0.03),  # bottle
        (rng.uniform(0.1, 0.18), -rng.uniform(0.3, 0.5), rng.uniform(0.06, 0.18)),  # clothes
        (rng.uniform(-0.06, 0.08), rng.uniform(0.2, 0.28), rng.uniform(0.05, 0.1)),  # hair, glasses
    )[kind]
    place = trunk.shoulders.mean(1) + np.einsum("tij,tj->ti", trunk.axes[:, -3], point(forward, 0.0, up) + 0 * shift)
    grips, poles = both(place + shift, half), pair(-0.1, 0.9, -0.7)
    if kind in (1, 3) and rng.random() < 0.7:
        side, spare = rng.integers(2), spare_hands(p, trunk, rng)
        grips, poles = either(side, grips, spare[0]), either(side, poles, spare[1])
    return Scene(assemble(p, trunk, grips, poles, **legs, head=turn(rng.uniform(-5, 30), aimless(u, rng, 12))))


def held(
    perform: Callable[[Proportions, np.ndarray, np.random.Generator], Scene], span: tuple[float, float]
) -> Callable[[Proportions, np.ndarray, np.random.Generator], Scene]:
    """The movement held still at a place drawn from the range `span` of its way, with a tremble."""

    def hold(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
        return perform(p, np.clip(rng.uniform(*span) + aimless(u, rng, 0.03), 0, 1), rng)

    return hold


def plank(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    """On the forearms, hips level, high or low."""
    ankle = point(0.0, 0.0, 0.115 * p.height) + 0 * u[:, None]
    legs_long, shoulder_height = 0.99 * (p.thigh + p.shin), p.upper_arm + 0.06
    length = legs_long + 0.93 * p.spine
    slope = np.arcsin((shoulder_height - 0.115 * p.height) / length) + 0.01 * aimless(u, rng)
    along = point(np.cos(slope), 0.0, np.sin(slope))
    hips = ankle + legs_long * along + point(0.0, 0.0, rng.uniform(-0.05, 0.12))
    rise = ankle + length * along - hips
    pitch = np.degrees(np.arctan2(rise[:, 0], rise[:, 2]))
    trunk = torso(p, hips, turn(pitch))
    ahead = trunk.shoulders.mean(1)[:, 0] + p.forearm + rng.uniform(-0.03, 0.05)
    palms = pair(ahead, rng.uniform(0.2, 0.9) * p.shoulder, 0.05)
    head = turn(pitch - rng.uniform(-10, 35))
    return Scene(
        assemble(p, trunk, palms, pair(-0.3, 0.2, -1.0), ankle[:, None] + pair(0.0, 0.1), pair(0.0, 0.0, -1.0),
                 pair(0.3, 0.0, -0.95), head)
    )  # fmt: skip
