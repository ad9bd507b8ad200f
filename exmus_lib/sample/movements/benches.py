"""Movements on a bench."""

from __future__ import annotations

import numpy as np

from exmus_lib.sample import equipment as gear
from exmus_lib.sample.mesh import rod, slab
from exmus_lib.sample.movements.scene import Scene, arm_height, at_width, mix
from exmus_lib.sample.skeleton import Proportions, Torso, assemble, pair, point, torso, turn


def press(
    p: Proportions,
    u: np.ndarray,
    rng: np.random.Generator,
    trunk: Torso,
    ankles,
    knee_poles,
    barbell: bool,
    touch: float,
):
    """Up from the chest: the person and what they lift. touch: metres below the shoulders at which the bar meets it."""
    wide = (rng.uniform(1.75, 2.1),) * 2 if barbell else (1.9, 1.15)
    shoulder = trunk.shoulders.mean(1)
    low = trunk.chest(0.125 + 0.02 * p.build, 0.0, -touch)
    top = shoulder + point(0.01, 0.0, arm_height(p, (wide[1] - 1) * p.shoulder, 0.01) + 0.012 * p.height)
    path = top + (low - top) * u[:, None]
    grips = at_width(np.stack([path, path], axis=1), mix(wide[1], wide[0], u) * p.shoulder)
    flared = rng.uniform(0.9, 1.4)
    poles = trunk.axes[:, -3, None, :, 2] * -0.7 + pair(0.0, flared, -0.7)
    head = trunk.axes[:, -3] @ turn(-6.0)
    person = assemble(p, trunk, grips, poles, ankles, knee_poles, head=head)
    if barbell:
        return person, gear.barbell(person.grips.mean(1), rng, rng.uniform(0.85, 1.0), rng.uniform(0.17, 0.225))
    return person, gear.dumbbells(person.grips, pair(0.0, 1.0), rng)


def lying(p: Proportions, pelvis: np.ndarray, pitch: float, frames: int) -> Torso:
    """A trunk on its back, head towards -x, with a slight arch."""
    return torso(p, np.repeat(pelvis, frames, axis=0), turn(pitch + 3), turn(pitch + 6))


def bench_press(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    seat = rng.uniform(0.43, 0.47)
    trunk = lying(p, point(0.0, 0.0, seat + p.seat), -90.0, len(u))
    ankles = pair(rng.uniform(0.28, 0.45), rng.uniform(0.2, 0.3), p.ankle)
    barbell = rng.random() < 0.85
    person, moving = press(p, 1 - u, rng, trunk, ankles, pair(1.0, 0.5, 0.8), barbell, rng.uniform(0.08, 0.15))
    colour, frame = gear.choose(rng, gear.PADS), gear.choose(rng, gear.FRAMES)
    fixed = gear.board((0.17, 0, seat), (-0.5 * p.height, 0, seat), 0.3, colour, frame)
    if barbell:
        fixed += gear.uprights(float(trunk.shoulders[0, 0, 0]) - 0.3, 0.52, 1.05, frame, 0.98)
    return Scene(person, moving, fixed)


def incline_bench_press(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    seat, slope = rng.uniform(0.44, 0.48), rng.uniform(32, 46)
    trunk = torso(p, point(0.0, 0.0, seat + p.seat) + 0 * u[:, None], turn(slope - 90 - 4), turn(slope - 90 + 2))
    ankles = pair(rng.uniform(0.4, 0.52), rng.uniform(0.2, 0.3), p.ankle)
    barbell = rng.random() < 0.6
    person, moving = press(p, 1 - u, rng, trunk, ankles, pair(1.0, 0.5, 0.8), barbell, rng.uniform(0.02, 0.07))
    colour, frame = gear.choose(rng, gear.PADS), gear.choose(rng, gear.FRAMES)
    along = turn(slope - 90)[0] @ np.array([0.0, 0.0, 1.0])
    hinge = np.array([-0.13, 0.0, seat - 0.01])
    fixed = gear.board((-0.1, 0, seat), (0.3, 0, seat), 0.3, colour, frame)
    fixed += gear.board(hinge + 0.03 * along, hinge + 0.46 * p.height * along, 0.3, colour, frame)
    if barbell:
        fixed += gear.uprights(float(trunk.shoulders[0, 0, 0]) - 0.32, 0.52, 1.4, frame, 1.3)
    return Scene(person, moving, fixed)


def decline_bench_press(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    slope = rng.uniform(14, 22)
    trunk = lying(p, point(0.0, 0.0, 0.74), -90.0 - slope, len(u))
    thigh, shin = np.radians(rng.uniform(2, 10)), np.radians(rng.uniform(62, 75))
    knee = point(p.thigh * np.cos(thigh), 0.0, 0.74 + p.thigh * np.sin(thigh))
    ankle = knee + p.shin * point(np.cos(shin), 0.0, -np.sin(shin))
    ankles = at_width(np.stack([ankle, ankle], axis=1), 0.12)
    barbell = rng.random() < 0.75
    person, moving = press(p, 1 - u, rng, trunk, ankles, pair(0.5, 0.1, 1.0), barbell, rng.uniform(0.1, 0.17))
    colour, frame = gear.choose(rng, gear.PADS), gear.choose(rng, gear.FRAMES)
    along = turn(-90.0 - slope)[0] @ np.array([0.0, 0.0, 1.0])
    under = np.array([0.0, 0.0, 0.74]) - turn(-90.0 - slope)[0, :, 0] * 0.125
    fixed = gear.board(under - 0.2 * along, under + 0.5 * p.height * along, 0.3, colour, frame)
    across = np.array([0.0, 0.3, 0.0])
    for centre in (knee[0] - (0.03, 0, 0.13), ankle[0] + (0.1, 0, 0.05)):
        fixed += [rod(centre - across, centre + across, 0.055, colour, around=12)]
    fixed += [
        gear.post((float(knee[0, 0]), 0.0, float(knee[0, 2]) - 0.13), frame),
        slab(under - 0.15 * along, knee[0] - (0.03, 0, 0.13), 0.06, 0.06, frame),
    ]
    fixed += [slab(knee[0] - (0.03, 0, 0.13), ankle[0] + (0.1, 0, 0.05), 0.05, 0.05, frame)]
    if barbell:
        fixed += gear.uprights(float(trunk.shoulders[0, 0, 0]) - 0.3, 0.52, 1.05, frame, 0.98)
    return Scene(person, moving, fixed)


def hip_thrust(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    """Shoulder blades on a bench that stands across, bar over the hips."""
    seat = rng.uniform(0.38, 0.43)
    pitch = mix(-rng.uniform(50, 58), -rng.uniform(90, 94), u)
    radians = np.radians(pitch)
    level = 0.78 * p.spine  # what lies on the edge of the bench
    contact = point(0.0, 0.0, seat + 0.1)
    pelvis = contact - level * point(np.sin(radians), 0.0, np.cos(radians))
    trunk = torso(p, pelvis, turn(pitch))
    far = level + p.thigh * rng.uniform(0.95, 1.05)
    half = rng.uniform(0.14, 0.2)
    ankles = pair(far, half, p.ankle)
    bar = pelvis + trunk.axes[:, 1, :, 0] * (0.13 + 0.02 * p.build)
    grips = at_width(np.stack([bar, bar], axis=1), rng.uniform(1.4, 1.7) * p.shoulder)
    head = turn(mix(-30, -62, u))
    person = assemble(p, trunk, grips, pair(-0.5, 0.8, -0.6), ankles, pair(0.3, 0.3, 1.0), head=head)
    colour, frame = gear.choose(rng, gear.PADS), gear.choose(rng, gear.FRAMES)
    x = np.array([1.0, 0.0, 0.0])
    fixed = [slab((-0.12, -0.6, seat - 0.04), (-0.12, 0.6, seat - 0.04), 0.3, 0.08, colour, x)]
    for y in (-0.42, 0.42):
        fixed += [gear.post((-0.12, y, seat - 0.08), frame), gear.beam((-0.3, y, 0.03), (0.06, y, 0.03), frame)]
    moving = gear.barbell(bar, rng, rng.uniform(0.8, 0.98), rng.uniform(0.19, 0.225))
    pad = np.array([0.0, 0.2, 0.0])
    moving.append(rod(bar - pad, bar + pad, 0.045, gear.choose(rng, gear.PADS), around=10))
    return Scene(person, moving, fixed)
