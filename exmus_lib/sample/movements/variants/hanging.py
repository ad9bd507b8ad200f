"""Under a bar, between bars and in pads: pull-ups, hanging leg raises, dips. Fists stay where they are."""

from __future__ import annotations

import numpy as np

from exmus_lib.sample.movements.machines import below
from exmus_lib.sample.movements.scene import Scene, arm_height, mix
from exmus_lib.sample.movements.variants.common import either, folded, gaze, leg
from exmus_lib.sample.skeleton import SHOULDER_LEVEL, Proportions, assemble, pair, point, torso, turn


def pull_up(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    """Wide, close or underhand; from a dead hang or not, to the chin or the chest; legs straight, crossed behind,
    drawn up or on an assisting pad: they keep their shape while the whole body rises."""
    bar, half = rng.uniform(1.34, 1.45) * p.height, rng.uniform(0.45, 2.2) * p.shoulder
    pitch = mix(rng.uniform(-6, 6), rng.uniform(-28, 2), u)
    hang = arm_height(p, abs(half - p.shoulder)) * rng.uniform(0.9, 1.0) + 0.022 * p.height
    behind = rng.uniform(0.02, 0.2)
    nearest = np.sqrt(max(folded(p) ** 2 - (half - p.shoulder) ** 2 - behind**2, 0)) + 0.03
    shoulder = point(mix(0.0, -behind, u), 0.0, bar - mix(hang, max(rng.uniform(0.02, 0.22), nearest), u))
    trunk = torso(
        p, shoulder + SHOULDER_LEVEL * p.spine * below(pitch), turn(pitch), turn(pitch - rng.uniform(0, 8) * u)
    )
    kind = rng.choice(4, p=[0.38, 0.34, 0.16, 0.12])
    thigh, flexion = (
        (rng.uniform(-12, 16), rng.uniform(2, 20)),
        (rng.uniform(-15, 18), rng.uniform(35, 105)),
        (rng.uniform(20, 60), rng.uniform(10, 100)),
        (rng.uniform(0, 25), rng.uniform(80, 100)),
    )[kind]
    kip = rng.normal(0, 5) * np.sin(np.pi * u) + rng.normal(0, 4) * u
    legs = leg(p, trunk.hips, thigh + kip, flexion, rng.uniform(10, 70))
    if kind == 1 and rng.random() < 0.6:  # ankles crossed
        legs["ankles"] = legs["ankles"] + pair(0.0, -1.25 * p.hip)
    head = turn(mix(rng.uniform(-30, 5), rng.uniform(-35, 5), u))
    poles = pair(rng.uniform(0.3, 1.0) if half < p.shoulder else rng.uniform(-0.2, 0.6), rng.uniform(0.2, 0.9), -1.0)
    return Scene(assemble(p, trunk, pair(0.0, half, bar), poles, **legs, head=head))


def hanging_leg_raise(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    """From a bar, arms straight, or on the forearms between pads; knees straight or bent; up to the hips or higher, both
    legs or one. Fists, shoulders and elbows stay."""
    bar, half = rng.uniform(1.34, 1.45) * p.height, rng.uniform(0.95, 1.6) * p.shoulder
    pads = rng.random() < 0.45
    hang = arm_height(p, half - p.shoulder) * rng.uniform(0.985, 1.0) + 0.02 * p.height
    pitch = mix(rng.uniform(-6, 6), rng.uniform(-24, 2) * (0.4 if pads else 1.0), u)
    shoulder = point(rng.uniform(-0.06, 0.0) * u * (not pads), 0.0, bar - hang)
    trunk = torso(
        p, shoulder + SHOULDER_LEVEL * p.spine * below(pitch), turn(pitch - rng.uniform(0, 15) * u), turn(pitch)
    )
    if pads:
        elbow_height = bar - hang - p.upper_arm + rng.uniform(0.0, 0.05)
        grips = pair(
            (p.forearm + p.grip) * 0.95, rng.uniform(1.0, 1.4) * p.shoulder, elbow_height + rng.uniform(0, 0.06)
        )
        poles = pair(-1.0, 0.3, -1.0)
    else:
        grips, poles = pair(0.0, half, bar), pair(0.3, 0.6, -0.6)
    start, end = rng.uniform(2, 25), rng.choice([rng.uniform(2, 30), rng.uniform(60, 125)], p=[0.55, 0.45])
    low, high = rng.uniform(-8, 14), rng.uniform(60, 125)
    bend, foot = mix(start, end, u), rng.uniform(15, 80)
    legs = leg(p, trunk.hips, mix(low, high, u), bend, foot)
    if rng.random() < 0.07:
        still = leg(p, trunk.hips, low + 0 * u, start + 0 * u, foot)
        side = rng.integers(2)
        legs = {name: either(side, legs[name], still[name]) for name in legs}
    return Scene(assemble(p, trunk, np.repeat(grips, len(u), axis=0), poles, **legs, head=gaze(rng, pitch)))


def bar_dip(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    """Between parallel bars, upright or leaning, shallow or deep; legs straight, bent behind, drawn up or on a pad."""
    bar, half = rng.uniform(1.12, 1.4), rng.uniform(1.15, 1.7) * p.shoulder
    start = rng.uniform(-4, 16)
    pitch = mix(start, start + rng.uniform(0, 30), u)
    top = arm_height(p, half - p.shoulder, 0.03) * rng.uniform(0.93, 1.0)
    bottom = rng.uniform(0.14, 0.4) * p.height / 1.75
    shoulder = point(mix(0.02, rng.uniform(0.04, 0.2), u), 0.0, bar + mix(top, bottom, u))
    trunk = torso(p, shoulder + SHOULDER_LEVEL * p.spine * below(pitch), turn(pitch), turn(pitch + rng.uniform(-2, 10)))
    kind = rng.choice(4, p=[0.5, 0.25, 0.13, 0.12])
    thigh, flexion = (
        (rng.uniform(-14, 18), rng.uniform(50, 115)),
        (rng.uniform(-14, 12), rng.uniform(2, 30)),
        (rng.uniform(20, 60), rng.uniform(20, 100)),
        (rng.uniform(0, 25), rng.uniform(80, 100)),
    )[kind]
    clear = (bar + bottom - SHOULDER_LEVEL * p.spine - 0.22) / (p.thigh + p.shin)  # straight legs need room under them
    flexion = max(flexion, 2 * np.degrees(np.arccos(np.clip(clear, 0.2, 1.0))))
    legs = leg(p, trunk.hips, thigh + rng.normal(0, 5) * u, flexion, rng.uniform(15, 70))
    if kind == 0 and rng.random() < 0.5:
        legs["ankles"] = legs["ankles"] + pair(0.0, -1.2 * p.hip)
    poles = pair(-1.0, rng.uniform(0.0, 0.6))
    return Scene(assemble(p, trunk, pair(0.0, half, bar), poles, **legs, head=gaze(rng, pitch)))


def bench_dip(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    """Hands on the edge of a bench behind the back; legs straight or bent, heels on the floor or a second bench."""
    seat, half = rng.uniform(0.36, 0.56), rng.uniform(0.95, 1.55) * p.shoulder
    pitch = mix(rng.uniform(-8, 6), rng.uniform(-8, 14), u)
    level = SHOULDER_LEVEL * p.spine * below(pitch)
    top = arm_height(p, half - p.shoulder, 0.2) * rng.uniform(0.97, 1.0)
    height = np.maximum(seat + mix(top, rng.uniform(0.24, 0.4), u) + level[:, 2], p.seat)
    heels = rng.uniform(0.3, 0.5) if rng.random() < 0.15 else 0.06
    long = rng.uniform(0.9, 0.985) if heels > 0.1 else rng.choice([rng.uniform(0.64, 0.82), rng.uniform(0.85, 0.985)])
    ahead = np.sqrt(np.maximum((long * (p.thigh + p.shin)) ** 2 - (height - heels) ** 2, 0.04))
    far = rng.uniform(0.1, 0.16) + ahead[u.argmax()]
    x = np.clip(far - ahead, 0.08, 0.2)  # straight legs swing the hips towards the bench on the way down
    trunk = torso(p, point(x, 0.0, height), turn(pitch))
    flat = 0.0 if long < 0.83 else rng.uniform(0.5, 1.2)
    legs = dict(
        ankles=pair(far, rng.uniform(0.05, 0.2), heels + (0.02 if flat else 0.03)),
        knee_poles=pair(0.3, 0.1, 1.0),
        toes=pair(1.0, 0.15, flat),
    )
    poles = pair(-1.0, rng.uniform(0.0, 0.4), rng.uniform(-0.1, 0.5))
    grips = np.repeat(pair(0.0, half, seat + 0.03), len(u), axis=0)
    return Scene(assemble(p, trunk, grips, poles, **legs, head=gaze(rng, pitch)))
