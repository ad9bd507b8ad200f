"""On a bench and on the floor: presses, push-ups, hip thrusts, leg raises, twists."""

from __future__ import annotations

import numpy as np

from exmus_lib.sample.movements.scene import Scene, arm_height, at_width, mix
from exmus_lib.sample.movements.variants.common import both, either, leg, unfolded
from exmus_lib.sample.skeleton import SHOULDER_LEVEL, Proportions, assemble, pair, point, torso, turn


def bench_press(p: Proportions, u: np.ndarray, rng: np.random.Generator, sloped: bool = False) -> Scene:
    """Flat, or sloped: inclined or declined; bar, dumbbells or a close grip; feet on the floor, on the bench or in the air."""
    slope = rng.uniform(15, 55) if rng.random() < 0.7 else rng.uniform(-24, -8)
    slope = slope if sloped else rng.uniform(-2, 4)
    seat, arch = rng.uniform(0.36, 0.5), rng.uniform(0, 14)
    pelvis = point(0.0, 0.0, seat + p.seat + max(-slope, 0) * 0.01) + 0 * u[:, None]
    trunk = torso(p, pelvis, turn(slope - 90 - 0.5 * arch), turn(slope - 90 + 0.6 * arch))
    feet = rng.choice(3, p=[0.84, 0.1, 0.06]) if slope > -5 else 3
    if feet == 0:
        legs = dict(ankles=pair(rng.uniform(0.1, 0.5), rng.uniform(0.12, 0.4), p.ankle), knee_poles=pair(1.0, 0.6, 0.8))
    elif feet == 1:
        legs = dict(ankles=pair(rng.uniform(0.35, 0.5), 0.1, seat + 0.09), knee_poles=pair(0.3, 0.1, 1.0))
    elif feet == 2:
        legs = leg(p, trunk.hips, rng.uniform(165, 190) + 0 * u, rng.uniform(70, 100), 60)
    else:
        legs = leg(p, trunk.hips, rng.uniform(86, 105) + 0 * u, rng.uniform(60, 88), 80)
    wide = rng.choice([rng.uniform(1.5, 2.25), rng.uniform(0.6, 1.2)], p=[0.82, 0.18])
    ends = (wide, wide) if rng.random() < 0.6 else (rng.uniform(1.5, 2.1), rng.uniform(0.6, 1.5))
    low = trunk.chest(rng.uniform(0.1, 0.2), 0.0, -rng.uniform(0.0, 0.2))
    across = max(abs(ends[1] - 1) * p.shoulder, 0.02)
    top = trunk.shoulders.mean(1) + point(
        rng.uniform(-0.05, 0.1), 0.0, arm_height(p, across, 0.06) * rng.uniform(0.92, 1.02) + 0.012 * p.height
    )
    path = low + (top - low) * u[:, None]
    grips = unfolded(p, trunk, both(path, mix(*ends, u) * p.shoulder))
    flared = rng.uniform(0.3, 1.5) if ends[0] > 1.2 else rng.uniform(0.1, 0.6)
    poles = trunk.axes[:, -3, None, :, 2] * -0.7 + pair(0.0, flared, -0.7)
    head = trunk.axes[:, -3] @ turn(rng.uniform(-12, 20))
    return Scene(assemble(p, trunk, grips, poles, **legs, head=head))


def push_up(p: Proportions, u: np.ndarray, rng: np.random.Generator, kneeling: bool = False) -> Scene:
    """On the toes or knees, hands close to wide, hands or feet raised, hips straight, sagging or piked, deep or shallow.
    u = 1 is low."""
    hand = rng.choice([0.03, rng.uniform(0.1, 0.6)], p=[0.8, 0.2])
    foot = rng.uniform(0.25, 0.55) if hand < 0.05 and not kneeling and rng.random() < 0.12 else 0.0
    half = rng.choice([rng.uniform(1.0, 1.9), rng.uniform(0.25, 0.8)], p=[0.8, 0.2]) * p.shoulder
    ankle = foot + rng.uniform(0.1, 0.12) * p.height  # up on the toes
    legs_long = p.thigh if kneeling else p.thigh + 0.985 * p.shin
    length = SHOULDER_LEVEL * p.spine + legs_long
    base = point(0.0, 0.0, 0.06 if kneeling else ankle)
    top = hand + np.sqrt((0.995 * (p.upper_arm + p.forearm)) ** 2 - (half - p.shoulder) ** 2)
    height = mix(top, hand + rng.choice([rng.uniform(0.15, 0.23), rng.uniform(0.22, 0.34)]), u)
    slope = np.arcsin(np.clip((height - base[:, 2]) / length, -0.6, 0.9))
    along = point(np.cos(slope), 0.0, np.sin(slope))
    across = point(-np.sin(slope), 0.0, np.cos(slope))
    sag = mix(rng.normal(0.02, 0.05), rng.normal(0.0, 0.06), u)
    shoulder = base + length * along
    pelvis = base + legs_long * along + np.clip(sag, -0.08, 0.16)[:, None] * across
    rise = shoulder - pelvis
    pitch = np.degrees(np.arctan2(rise[:, 0], rise[:, 2]))
    trunk = torso(p, pelvis, turn(pitch))
    palms = np.repeat(pair(shoulder[:, 0].mean() + rng.uniform(-0.14, 0.06) + p.grip, half, hand), len(u), axis=0)
    if kneeling:
        knees = base[:, None] + pair(0.0, p.hip)
        bent = np.radians(rng.uniform(0, 75))
        ankles = knees + p.shin * pair(-np.cos(bent), 0.0, np.sin(bent))
        legs = dict(ankles=ankles, knee_poles=pair(0.3, 0.0, -1.0), toes=pair(-0.8, 0.0, 0.6))
    else:
        apart = rng.uniform(0.3, 2.5) * p.hip
        legs = dict(ankles=pair(0.0, apart, ankle), knee_poles=pair(0.0, 0.0, -1.0), toes=pair(0.3, 0.0, -0.95))
    poles = pair(-1.0, rng.uniform(0.1, 1.3), 0.4)
    head = turn(pitch - rng.uniform(-12, 40))
    return Scene(assemble(p, trunk, palms, poles, **legs, head=head, hands=pair(1.0, rng.uniform(-0.4, 0.2))))


def hip_thrust(p: Proportions, u: np.ndarray, rng: np.random.Generator, floor: bool = False) -> Scene:
    """Shoulder blades on a bench, or flat on the floor; one foot or two, near or far; hands on a bar, folded or down."""
    level = (0.95 if floor else rng.uniform(0.72, 0.95)) * p.spine
    contact = point(0.0, 0.0, 0.1 if floor else rng.uniform(0.3, 0.48) + 0.1) + 0 * u[:, None]
    if floor:
        high = np.arcsin(np.clip(rng.uniform(0.2, 0.34) / level, 0, 0.75))
        lean = -90 - np.degrees(mix(np.arcsin(np.clip((p.seat + 0.02 - 0.1) / level, -0.1, 0.2)), high, u))
    else:
        lean = mix(-rng.uniform(44, 74), -rng.uniform(84, 99), u)
    radians = np.radians(lean)
    pelvis = contact - level * point(np.sin(radians), 0.0, np.cos(radians))
    trunk = torso(p, pelvis, turn(lean - rng.uniform(0, 8)), turn(lean + rng.uniform(0, 8)))
    far = level + p.thigh * (rng.uniform(0.6, 1.15) if not floor else rng.uniform(0.55, 1.0))
    out = rng.uniform(0.0, 0.5)
    ankles = pair(far, rng.uniform(0.08, 0.26), p.ankle)
    poles, toes = pair(0.3, out, 1.0), pair(1.0, out)
    if rng.random() < 0.15:
        side = rng.integers(2)
        free = leg(p, trunk.hips, rng.uniform(110, 150) + 0 * u, rng.uniform(5, 80), 80)
        ankles, poles, toes = (
            either(side, np.repeat(a, len(u), axis=0), free[name])
            for a, name in ((ankles, "ankles"), (poles, "knee_poles"), (toes, "toes"))
        )
    kind = rng.choice(3, p=[0.15, 0.05, 0.8] if floor else [0.7, 0.2, 0.1])
    if kind == 0:
        grips = both(pelvis + trunk.axes[:, 1, :, 0] * (0.12 + 0.02 * p.build), rng.uniform(0.8, 1.8) * p.shoulder)
        elbows = pair(-0.5, 0.8, -0.6)
    elif kind == 1:
        grips, elbows = at_width(np.repeat(trunk.chest(0.14, 0, -0.1)[:, None], 2, axis=1), -0.06), pair(0.2, 1.0, 0.1)
    else:
        down = 0.05 if floor else contact[0, 2] - 0.05
        ahead = (0.5, 0.62) if floor else (0.02, 0.12)
        grips = np.repeat(pair(rng.uniform(*ahead) * p.height / 1.75, rng.uniform(0.26, 0.5), down), len(u), axis=0)
        elbows = pair(-0.3, 1.0, -0.2)
    head = turn(-80.0 - rng.uniform(-8, 15)) if floor else turn(mix(-rng.uniform(10, 60), -rng.uniform(45, 90), u))
    return Scene(assemble(p, trunk, unfolded(p, trunk, grips), elbows, ankles, poles, toes, head))


def leg_raise(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    """On the back: legs straight or bent, the hips lifting or not; hands beside or under the hips, or holding on
    overhead; on the floor or a bench; both legs, or in turn as a flutter."""
    bench = rng.uniform(0.38, 0.5) if rng.random() < 0.15 else 0.0
    lift = rng.uniform(0, 28) if rng.random() < 0.3 else rng.uniform(0, 8)
    hips = point(0.0, 0.0, bench + 0.02 + p.seat + 0.003 * lift * u)
    raised_chest = rng.uniform(0, 25) if rng.random() < 0.2 else 0.0
    trunk = torso(p, hips, turn(-90 - lift * u), turn(-89 + raised_chest))
    low, high = rng.uniform(-4, 24), rng.uniform(58, 102)
    start, end = rng.choice([rng.uniform(2, 22), rng.uniform(30, 85)], p=[0.8, 0.2], size=2)
    bend = mix(start, end, u)

    def legs_at(way: np.ndarray) -> dict[str, np.ndarray]:
        thigh = 90 + mix(low, high, way)
        thigh = np.maximum(thigh, 90 + 0.5 * bend - (30 if bench else 0))  # heels stay over the floor
        return leg(p, trunk.hips, thigh, bend, foot)

    foot = rng.uniform(20, 85)
    legs = legs_at(u)
    if rng.random() < 0.12:
        other = legs_at(1 - u)
        legs = {name: either(0, legs[name], other[name]) for name in legs}
    kind = rng.choice(3, p=[0.62, 0.28, 0.1])
    floor = bench + 0.045
    if kind == 0:
        palms, along = pair(rng.uniform(-0.05, 0.14), rng.uniform(0.08, 0.3), floor), pair(1.0, 0.1)
    elif kind == 1:
        back = SHOULDER_LEVEL * p.spine + rng.uniform(0.22, 0.55)
        palms, along = pair(-back, rng.uniform(0.05, 0.2), floor + rng.uniform(0.0, 0.12)), pair(-1.0, 0.0, 0.1)
    else:
        palms, along = pair(-0.42, rng.uniform(0.5, 0.75), floor), pair(0.2, 1.0)
    head = turn(rng.uniform(-92, -50) + raised_chest)
    palms = np.repeat(palms, len(u), axis=0)
    return Scene(assemble(p, trunk, palms, pair(-0.3, 1.0, 0.3), **legs, head=head, hands=along))


def twist(p: Proportions, u: np.ndarray, rng: np.random.Generator, feet_up: bool = False) -> Scene:
    """Sitting, leaning back, feet up or down; hands folded or round a weight go from side to side, near or far."""
    side = (2 * u - 1) * rng.uniform(0.7, 1.0)
    lean, swung = -rng.uniform(20, 58), rng.uniform(32, 76)
    yaw = swung * side * rng.uniform(0.8, 1.0)
    trunk = torso(
        p,
        point(0.0, 0.0, 0.025 + p.seat) + 0 * u[:, None],
        turn(lean + 4, rng.choice([0.0, rng.uniform(0.0, 0.25)]) * yaw),
        turn(lean, yaw),
    )
    lifted = rng.uniform(0.06, 0.34) if feet_up else 0.0
    far = rng.uniform(0.48, 0.8)
    sway = rng.uniform(-0.08, 0.02) * side if lifted else 0 * u  # free legs swing against the arms
    ankles = pair(far, rng.uniform(0.03, 0.16), p.ankle + lifted) + point(0.0, sway, 0.0)[:, None]
    axes = trunk.axes[:, -3]
    front, left, up = (axes[:, :, k] for k in range(3))
    reach, drop = rng.uniform(0.22, 0.5), rng.uniform(0.05, 0.32) + rng.uniform(0.0, 0.2) * np.abs(side)
    held = (
        trunk.shoulders.mean(1) + reach * front - drop[:, None] * up + (rng.uniform(0.0, 0.22) * side)[:, None] * left
    )
    held[:, 2] = np.maximum(held[:, 2], 0.08)
    gap = rng.uniform(0.02, 0.15)
    grips = np.stack([held + gap * left, held - gap * left], axis=1)
    elbows = left[:, None] * np.array([1.0, -1.0])[:, None] + pair(0.0, 0.0, -1.0)
    head = turn(lean + rng.uniform(5, 30), rng.uniform(0.1, 1.0) * yaw)
    tilt = 0.5 if lifted else rng.uniform(-0.1, 0.5)
    return Scene(
        assemble(p, trunk, grips, elbows, ankles, pair(0.2, rng.uniform(0.0, 0.3), 1.0), pair(0.85, 0.08, tilt), head)
    )
