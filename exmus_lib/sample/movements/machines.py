"""Movements in machines, under a bar and between bars."""

from __future__ import annotations

import numpy as np

from exmus_lib.sample import equipment as gear
from exmus_lib.sample.mesh import rod, slab
from exmus_lib.sample.movements.scene import Scene, arm_height, at_width, mix, swing
from exmus_lib.sample.skeleton import SHOULDER_LEVEL, Proportions, assemble, pair, point, torso, turn


def below(pitch) -> np.ndarray:
    """Direction (T, 3) from the shoulders to the pelvis of a straight spine."""
    radians = np.radians(pitch)
    return -point(np.sin(radians), 0.0, np.cos(radians))


def seat(height: float, back_pitch: float, p: Proportions, colour, frame) -> list:
    """A machine's seat and back pad; the back passes behind a pelvis at x = 0."""
    parts = gear.board((-0.22, 0, height), (0.3, 0, height), 0.4, colour, frame)
    along = turn(back_pitch)[0] @ np.array([0.0, 0.0, 1.0])
    foot = np.array([-0.15, 0.0, height + 0.05]) - 0.04 * turn(back_pitch)[0, :, 0]
    return [*parts, slab(foot, foot + 0.36 * p.height * along, 0.36, 0.08, colour)]


def lat_pulldown(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    height = 0.5
    trunk = torso(
        p,
        point(0.0, 0.0, height + p.seat) + 0 * u[:, None],
        turn(mix(-3, -10, u)),
        turn(mix(-3, -rng.uniform(14, 22), u)),
    )
    half = rng.uniform(1.7, 2.2) * p.shoulder
    shoulder = trunk.shoulders.mean(1)
    forward = 0.14
    top = shoulder + point(forward, 0.0, arm_height(p, half - p.shoulder, forward) + 0.02 * p.height)
    low = trunk.chest(0.2, 0.0, rng.uniform(-0.02, 0.08))
    path = top + (low - top) * u[:, None]
    grips = at_width(np.stack([path, path], axis=1), half)
    person = assemble(
        p,
        trunk,
        grips,
        pair(0.1, 0.5, -1.0),
        pair(0.42, 0.17, p.ankle),
        pair(0.6, 0.15, 1.0),
        head=turn(mix(-18, -8, u)),
    )
    held = person.grips.mean(1)
    frame, colour = gear.choose(rng, gear.FRAMES), gear.choose(rng, gear.PADS)
    side, wing = np.array([0.0, 0.3, 0.0]), np.array([0.0, half + 0.07, -0.06])
    pulley = np.array([held[:, 0].mean(), 0.0, top[:, 2].max() + 0.38])
    moving = [gear.cable(pulley, held + (0, 0, 0.09)), rod(held + (0, 0, 0.09), held, 0.014, gear.STEEL, around=6)]
    moving.append(rod(held - side, held + side, 0.017, gear.STEEL, around=8))
    moving += [
        rod(held + sign * side, held + wing * (1, sign, 1), 0.017, gear.STEEL, around=8) for sign in gear.LEFT_RIGHT
    ]
    knee = float(person.knees[0, 0, 2])
    fixed = gear.board((-0.2, 0, height), (0.26, 0, height), 0.36, colour, frame)
    fixed += gear.tower(pulley[0] + 0.72, pulley[2] + 0.1, frame, 0.72)
    fixed += [rod((0.27, -0.26, knee + 0.13), (0.27, 0.26, knee + 0.13), 0.06, colour, around=12)]
    fixed += [gear.beam((0.27, 0, knee + 0.13), (pulley[0] + 0.72, 0, knee + 0.13), frame, 0.05)]
    return Scene(person, moving, fixed)


def chest_fly(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    """Arms nearly straight at shoulder height, from wide open to hands together."""
    height = rng.uniform(0.48, 0.54)
    trunk = torso(p, point(0.0, 0.0, height + p.seat) + 0 * u[:, None], turn(-5.0))
    angle = np.radians(mix(rng.uniform(92, 102), rng.uniform(-12, -7), u))
    drop = rng.uniform(-0.06, 0.02)
    grips = trunk.shoulders + 0.92 * p.arm_reach * pair(np.cos(angle), np.sin(angle), drop)
    poles = pair(mix(-1.0, -0.1, u), mix(0.0, 1.0, u), -0.45)
    person = assemble(p, trunk, grips, poles, pair(0.44, 0.2, p.ankle), pair(0.6, 0.2, 1.0))
    frame, colour = gear.choose(rng, gear.FRAMES), gear.choose(rng, gear.PADS)
    shoulder = trunk.shoulders[0]
    over = float(trunk.neck[0, 2]) + 0.26 * p.height / 1.75 + 0.1
    moving = []
    for k in (0, 1):
        pivot = np.array([shoulder[k, 0] - 0.05, shoulder[k, 1] * 0.9, over])
        grip = person.grips[:, k]
        corner = grip * (1, 1, 0) + (0, 0, over)
        moving += [rod(pivot, corner, 0.028, frame, around=8), rod(corner, grip - (0, 0, 0.1), 0.02, frame, around=8)]
        moving.append(rod(pivot - (0, 0, 0.05), pivot + (0, 0, 0.08), 0.05, (70, 70, 74), around=12))
    fixed = seat(height, -5.0, p, colour, frame)
    fixed += [
        gear.post((-0.4, 0, over + 0.12), frame, 0.16),
        gear.beam((-0.4, 0, over + 0.1), (shoulder[0, 0], 0, over + 0.1), frame, 0.08),
    ]
    fixed += [
        gear.beam((shoulder[0, 0] - 0.05, -0.24, over + 0.1), (shoulder[0, 0] - 0.05, 0.24, over + 0.1), frame, 0.07)
    ]
    fixed += [
        slab((-0.62, 0, 0.05), (-0.62, 0, 1.45), 0.42, 0.24, (44, 44, 48)),
        slab((-0.62, 0, 0.03), (0.4, 0, 0.03), 0.1, 0.06, frame),
    ]
    return Scene(person, moving, fixed)


def leg_extension(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    height, lean = rng.uniform(0.5, 0.56), rng.uniform(-20, -8)
    trunk = torso(p, point(0.0, 0.0, height + p.seat) + 0 * u[:, None], turn(lean))
    shin = mix(-rng.uniform(4, 14), rng.uniform(76, 86), u)
    knee = trunk.hips + pair(np.sqrt(p.thigh**2 - 0.03**2), 0.03, 0.0)
    ankles = knee + swing(shin) * p.shin
    toes = swing(shin + 80)
    grips = np.repeat(pair(0.04, 0.29, height + 0.04), len(u), axis=0)
    person = assemble(p, trunk, grips, pair(-1.0, 0.3), ankles, pair(0.35, 0.0, 1.0), toes)
    frame, colour = gear.choose(rng, gear.FRAMES), gear.choose(rng, gear.PADS)
    roller = ankles.mean(1) + 0.09 * swing(shin + 90)[:, 0] - 0.05 * swing(shin)[:, 0]
    across = np.array([0.0, 0.26, 0.0])
    moving = [rod(roller - across, roller + across, 0.065, colour, around=14)]
    pivot = knee[0].mean(0) - (0, 0, 0.02)
    for sign in gear.LEFT_RIGHT:
        end = roller + sign * np.array([0.0, 0.27, 0.0])
        moving.append(rod(pivot + (0, sign * 0.27, 0), end, 0.022, frame, around=8))
    fixed = seat(height, lean, p, colour, frame)
    fixed += [
        rod(pivot + (0, s * 0.24, 0), pivot + (0, s * 0.3, 0), 0.07, (70, 70, 74), around=14) for s in gear.LEFT_RIGHT
    ]
    for s in gear.LEFT_RIGHT:
        fixed += [slab((-0.15, s * 0.25, height - 0.05), pivot + (0, s * 0.25, -0.03), 0.05, 0.06, frame)]
        fixed += [
            gear.post((0.04, s * 0.29, height + 0.02), frame, 0.04),
            rod((-0.03, s * 0.29, height + 0.04), (0.11, s * 0.29, height + 0.04), 0.016, (30, 30, 32)),
        ]
    fixed += [
        slab((-0.62, 0, 0.05), (-0.62, 0, 1.3), 0.4, 0.26, (44, 44, 48)),
        slab((-0.6, 0, 0.03), (0.35, 0, 0.03), 0.1, 0.06, frame),
    ]
    return Scene(person, moving, fixed)


def pull_up(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    bar = 1.32 * p.height
    half = rng.uniform(1.35, 2.0) * p.shoulder
    pitch = mix(0, rng.uniform(-16, -6), u)
    hang = arm_height(p, half - p.shoulder) + 0.022 * p.height
    shoulder = point(mix(0.0, -0.13, u), 0.0, bar - mix(hang, rng.uniform(0.07, 0.13), u))
    pelvis = shoulder + SHOULDER_LEVEL * p.spine * below(pitch)
    trunk = torso(p, pelvis, turn(pitch))
    grips = pair(0.0, half, bar)
    bent = rng.uniform(0.05, 0.4)
    ankles = trunk.hips + pair(-bent, -0.02, -np.sqrt((0.97 * (p.thigh + p.shin)) ** 2 - bent**2) * (1 - 0.5 * bent))
    person = assemble(
        p,
        trunk,
        grips,
        pair(0.25, 0.6, -1.0),
        ankles,
        pair(1.0, 0.1),
        pair(0.75, 0.05, -0.65),
        head=turn(mix(-14, -22, u)),
    )
    frame = gear.choose(rng, gear.FRAMES)
    side = rng.uniform(0.62, 0.85)
    fixed = [rod((0, -side, bar), (0, side, bar), 0.02, frame, around=10)]
    for sign in gear.LEFT_RIGHT:
        fixed += [
            gear.post((0, sign * side, bar + 0.06), frame, 0.08),
            gear.beam((-0.5, sign * side, 0.04), (0.5, sign * side, 0.04), frame),
        ]
    return Scene(person, [], fixed)


def tricep_dips(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    bar, half = rng.uniform(1.1, 1.25), rng.uniform(1.35, 1.55) * p.shoulder
    pitch = mix(rng.uniform(4, 10), rng.uniform(20, 34), u)
    top = arm_height(p, half - p.shoulder, 0.02)
    shoulder = point(mix(0.02, 0.13, u), 0.0, bar + mix(top, rng.uniform(0.26, 0.3) * p.height / 1.75, u))
    pelvis = shoulder + SHOULDER_LEVEL * p.spine * below(pitch)
    trunk = torso(p, pelvis, turn(pitch))
    bent = rng.uniform(0.22, 0.42)
    ankles = trunk.hips + pair(-bent, -0.03, -0.72 * (p.thigh + p.shin))
    person = assemble(
        p,
        trunk,
        pair(0.0, half, bar),
        pair(-1.0, 0.25),
        ankles,
        pair(1.0, 0.1),
        pair(0.6, 0.05, -0.8),
        head=turn(pitch * 0.4),
    )
    frame = gear.choose(rng, gear.FRAMES)
    fixed = []
    for sign in gear.LEFT_RIGHT:
        y = sign * half
        fixed += [rod((-0.45, y, bar), (0.3, y, bar), 0.024, frame, around=10), gear.post((-0.45, y, bar), frame)]
        fixed += [gear.post((0.24, y, bar - 0.02), frame), gear.beam((-0.6, y, 0.03), (0.45, y, 0.03), frame)]
    fixed += [gear.beam((-0.45, -half, 0.5), (-0.45, half, 0.5), frame, 0.05)]
    return Scene(person, [], fixed)
