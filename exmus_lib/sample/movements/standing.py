"""Movements on two feet. Each takes the person, u (T,) between 0 (start) and 1 (end of the way), and chance."""

from __future__ import annotations

import numpy as np

from exmus_lib.sample import equipment as gear
from exmus_lib.sample.mesh import rod
from exmus_lib.sample.movements.scene import Scene, arm_height, at_width, feet, hip_height, mix, swing
from exmus_lib.sample.skeleton import SHOULDER_LEVEL, Proportions, Skeleton, Torso, assemble, pair, point, torso, turn


def upright(p: Proportions, pitch, half: float, lean_back: float = 0.0) -> tuple[Torso, np.ndarray]:
    """A standing trunk and its feet."""
    ankles = feet(p, half)
    pelvis = point(-0.03 - lean_back, 0.0, hip_height(p, 0.03, half - p.hip))
    return torso(p, pelvis, turn(pitch)), ankles


def curl(p: Proportions, trunk: Torso, ankles: np.ndarray, flexion: np.ndarray, half: np.ndarray) -> Skeleton:
    """Elbows at the sides, flexed by degrees (T, 2): the forearms turn, the upper arms drift forward a little."""
    raised = 2 + 16 * (flexion / 140) ** 2
    left, right = (
        swing(raised[:, k]) * p.upper_arm + swing(raised[:, k] + flexion[:, k]) * (p.forearm + p.grip) for k in (0, 1)
    )
    grips = trunk.shoulders + np.stack([left[:, 0], right[:, 1]], axis=1)
    return assemble(p, trunk, at_width(grips, half), pair(-0.6, 0.12, -1.0), ankles, pair(1.0, 0.15))


def barbell_curl(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    trunk, ankles = upright(p, mix(2, -3, u), rng.uniform(0.1, 0.17))
    half = rng.uniform(1.05, 1.35) * p.shoulder
    flexion = np.stack([mix(12, rng.uniform(128, 140), u)] * 2, axis=1)
    person = curl(p, trunk, ankles, flexion, half)
    bar = gear.barbell(person.grips.mean(1), rng, rng.uniform(0.62, 0.85), rng.uniform(0.11, 0.2))
    return Scene(person, bar)


def hammer_curl(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    trunk, ankles = upright(p, 1.0 + 0 * u, rng.uniform(0.1, 0.17))
    other = 1 - u if rng.random() < 0.4 else u  # some lift the dumbbells in turn
    flexion = np.stack([mix(10, 132, u), mix(10, 132, other)], axis=1)
    person = curl(p, trunk, ankles, flexion, 1.12 * p.shoulder)
    forearm = person.grips - person.elbows
    thumb_side = np.cross(forearm, np.array([0.0, 1.0, 0.0]))  # neutral grip: the handle lies in the plane of the arm
    return Scene(person, gear.dumbbells(person.grips, thumb_side, rng))


def lateral_raise(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    trunk, ankles = upright(p, rng.uniform(2, 8) + 0 * u, rng.uniform(0.1, 0.2))
    angle = np.radians(mix(9, rng.uniform(84, 94), u))
    forward = rng.uniform(0.06, 0.2)
    grips = trunk.shoulders + 0.97 * p.arm_reach * pair(forward, np.sin(angle), -np.cos(angle))
    person = assemble(p, trunk, grips, pair(-1.0, 0.0, 0.3), ankles, pair(1.0, 0.15))
    return Scene(person, gear.dumbbells(person.grips, pair(1.0), rng))


def shoulder_press(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    seated, barbell = rng.random() < 0.35, rng.random() < 0.5
    fixed = []
    if seated:
        trunk = torso(p, point(0.0, 0.0, 0.46 + p.seat) + 0 * u[:, None], turn(-8.0))
        ankles = pair(0.45, 0.22, p.ankle)
        colour, frame = gear.choose(rng, gear.PADS), gear.choose(rng, gear.FRAMES)
        fixed += gear.board((-0.2, 0, 0.46), (0.28, 0, 0.46), 0.3, colour, frame)
        back = trunk.spine[0, 4] - trunk.axes[0, 4, :, 0] * 0.14
        fixed += gear.board(back, back + trunk.axes[0, 4, :, 2] * 0.55, 0.28, colour, frame)
    else:
        trunk, ankles = upright(p, mix(-4, 0, u), rng.uniform(0.12, 0.22))
    shoulder = trunk.shoulders
    wide = (1.5, 1.5) if barbell else (1.65, 1.1)
    half = mix(wide[0] * p.shoulder, wide[1] * p.shoulder, u)
    forward = mix(0.16 if barbell else 0.05, 0.03, u)
    top = arm_height(p, (wide[1] - 1) * p.shoulder, 0.03) + 0.02 * p.height
    grips = at_width(shoulder + pair(forward, 0.0, mix(0.1 * p.height / 1.75, top, u)), half)
    person = assemble(p, trunk, grips, pair(0.3 if barbell else 0.1, 0.35, -1.0), ankles, pair(1.0, 0.2))
    if barbell:
        moving = gear.barbell(person.grips.mean(1), rng, rng.uniform(0.75, 0.95), rng.uniform(0.14, 0.225))
    else:
        moving = gear.dumbbells(person.grips, pair(0.0, 1.0), rng)
    return Scene(person, moving, fixed)


def squat(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    half = rng.uniform(0.17, 0.25)
    pitch = mix(5, rng.uniform(32, 42), u)
    deep = p.ankle + rng.uniform(0.82, 1.0) * p.shin
    height = mix(hip_height(p, 0.1, half - p.hip, 0.99), deep, u)
    trunk = torso(p, point(0.0, 0.0, height), turn(pitch))
    balance = trunk.chest(-0.1, 0.0, 0.03)[:, 0]  # the bar stays over the middle of the feet
    trunk = torso(p, point(-balance, 0.0, height), turn(pitch))
    bar = trunk.chest(-0.115 - 0.01 * p.build, 0.0, 0.03)
    width = rng.uniform(1.6, 2.1) * p.shoulder
    grips = at_width(np.stack([bar, bar], axis=1), width)
    ankles, toes = feet(p, half), pair(1.0, 0.4)
    person = assemble(p, trunk, grips, pair(-0.5, 0.1, -1.0), ankles, pair(1.0, 0.45), toes, turn(pitch * 0.4))
    fixed = []
    if rng.random() < 0.4:
        fixed = gear.uprights(rng.choice([-0.75, 0.75]), 0.55, 1.9, gear.choose(rng, gear.FRAMES), 1.35)
    return Scene(person, gear.barbell(bar, rng, rng.uniform(0.82, 1.0), rng.uniform(0.18, 0.225)), fixed)


def deadlift(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    plate = 0.225
    pitch = mix(rng.uniform(52, 64), 1, u**1.3)
    half = rng.uniform(0.12, 0.17)
    grip = half + 0.13
    level = SHOULDER_LEVEL * p.spine
    top = hip_height(p, 0.03, half - p.hip) + level
    reach = arm_height(p, grip - p.shoulder, 0.06, 0.99)
    lifted = mix(plate, top - reach, u)
    radians = np.radians(pitch)
    shoulder = point(mix(0.06, 0.0, u), 0.0, lifted + reach)
    pelvis = shoulder - level * point(np.sin(radians), 0.0, np.cos(radians))
    trunk = torso(p, pelvis, turn(pitch))
    bar = point(0.04 + 0.05 * u * (p.build + 0.3), 0.0, lifted)
    grips = at_width(np.stack([bar, bar], axis=1), grip)
    person = assemble(p, trunk, grips, pair(-1.0, 0.6), feet(p, half), pair(1.0, 0.2), head=turn(pitch * 0.45))
    return Scene(person, gear.barbell(bar, rng, rng.uniform(0.82, 1.0), plate))


def romanian_deadlift(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    pitch = mix(2, rng.uniform(68, 82), u)
    half, grip = rng.uniform(0.1, 0.15), rng.uniform(1.15, 1.45) * p.shoulder
    back = mix(0.0, rng.uniform(0.2, 0.26), u)
    pelvis = point(-0.03 - back, 0.0, hip_height(p, back, half - p.hip, mix(0.99, 0.965, u)))
    trunk = torso(p, pelvis, turn(pitch))
    shoulder = trunk.shoulders.mean(1)
    legs = -0.06 - back * (shoulder[:, 2] - p.arm_reach - p.ankle) / (p.thigh + p.shin) + 0.03 * (1 - u)
    x = legs + 0.1 + 0.03 * p.build
    height = shoulder[:, 2] - arm_height(p, grip - p.shoulder, x - shoulder[:, 0])
    bar = point(x, 0.0, height)
    grips = at_width(np.stack([bar, bar], axis=1), grip)
    person = assemble(p, trunk, grips, pair(-1.0, 0.5), feet(p, half), pair(1.0, 0.1), head=turn(pitch * 0.7))
    return Scene(person, gear.barbell(bar, rng, rng.uniform(0.8, 0.98), rng.uniform(0.15, 0.225)))


def t_bar_row(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    """Astride a bar whose rear end stays on the floor."""
    pitch = mix(rng.uniform(48, 60), 44, u)
    half = rng.uniform(0.2, 0.26)
    pelvis = point(-0.27, 0.0, hip_height(p, 0.2, half - p.hip, 0.93))
    trunk = torso(p, pelvis + 0 * u[:, None], turn(pitch))
    shoulder = trunk.shoulders[0].mean(0)
    low = np.array([shoulder[0] + 0.05, 0.0, shoulder[2] - arm_height(p, 0.12, 0.05)])
    anchor = np.array([-1.35, 0.0, 0.04])
    length = np.linalg.norm(low - anchor)
    start = np.degrees(np.arctan2(low[2] - anchor[2], low[0] - anchor[0]))
    angle = np.radians(mix(start, start + rng.uniform(13, 15), u))
    along = point(np.cos(angle), 0.0, np.sin(angle))
    grip = anchor + length * along
    grips = at_width(np.stack([grip, grip], axis=1), 0.08)
    person = assemble(p, trunk, grips, pair(-0.8, 0.4, 0.6), feet(p, half), pair(1.0, 0.3), head=turn(pitch * 0.5))
    colour = gear.choose(rng, gear.PLATES)
    moving = [rod(anchor, grip + 0.45 * along, 0.016, gear.STEEL, around=8)]
    for k in range(rng.integers(1, 4)):
        start_plate = grip + (0.2 + 0.05 * k) * along
        moving.append(rod(start_plate, start_plate + 0.042 * along, rng.uniform(0.15, 0.19), colour, around=20))
    handle = np.array([0.0, 0.16, 0.0])
    moving.append(rod(grip - handle, grip + handle, 0.014, (60, 60, 64), around=6))
    return Scene(person, moving)


def tricep_pushdown(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    trunk, ankles = upright(p, rng.uniform(6, 16) + 0 * u, rng.uniform(0.1, 0.18), lean_back=0.05)
    raised, flexion = rng.uniform(0, 10), mix(rng.uniform(105, 122), 8, u)
    rope = rng.random() < 0.45
    half = mix(0.06, 0.14, u) if rope else 0.16
    lower = p.forearm + p.grip
    grips = at_width(trunk.shoulders + swing(raised) * p.upper_arm + swing(raised + flexion) * lower, half)
    person = assemble(p, trunk, grips, pair(-1.0, 0.2, -0.7), ankles, pair(1.0, 0.15), head=turn(8.0))
    height, x = rng.uniform(2.0, 2.2), rng.uniform(0.78, 0.9)
    held = person.grips.mean(1)
    knot = held + (np.array([x - 0.4, 0.0, height]) - held) * (0.16 if rope else 0.07)
    moving = [gear.cable((x - 0.4, 0.0, height - 0.1), knot)]
    side = np.array([0.0, 0.25, 0.0])
    if rope:
        moving += [rod(knot, person.grips[:, k] * 1.06 - knot * 0.06, 0.014, (210, 205, 190), around=6) for k in (0, 1)]
    else:
        moving += [
            rod(held - side, held + side, 0.017, gear.STEEL, around=8),
            rod(knot, held, 0.012, gear.STEEL, around=6),
        ]
    return Scene(person, moving, gear.tower(x, height, gear.choose(rng, gear.FRAMES), 0.4))
