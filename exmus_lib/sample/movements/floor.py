"""Movements on the floor."""

from __future__ import annotations

import numpy as np

from exmus_lib.sample import equipment as gear
from exmus_lib.sample.body import ball
from exmus_lib.sample.mesh import rod
from exmus_lib.sample.movements.scene import Scene, mix
from exmus_lib.sample.skeleton import SHOULDER_LEVEL, Proportions, assemble, pair, point, torso, turn


def prone(p: Proportions, shoulder_height: np.ndarray) -> tuple:
    """A straight body over its toes, shoulders at the given height (T,): trunk, ankles, toes, pitch in degrees."""
    ankle = np.array([-0.45 * p.height, 0.0, 0.12 * p.height])
    length = SHOULDER_LEVEL * p.spine + 0.996 * (p.thigh + p.shin)
    slope = np.arcsin((shoulder_height - ankle[2]) / length)
    along = point(np.cos(slope), 0.0, np.sin(slope))
    pelvis = ankle + 0.996 * (p.thigh + p.shin) * along
    pitch = 90 - np.degrees(slope)
    return torso(p, pelvis, turn(pitch)), pair(ankle[0], p.hip, ankle[2]), pair(0.3, 0.0, -0.95), pitch


def push_up(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    half = rng.uniform(1.2, 1.7) * p.shoulder
    top = 0.035 + np.sqrt((0.985 * (p.upper_arm + p.forearm)) ** 2 - (half - p.shoulder) ** 2)
    height = mix(top, rng.uniform(0.2, 0.27) * p.height / 1.75, u)
    trunk, ankles, toes, pitch = prone(p, height)
    x = float(prone(p, np.array([top]))[0].shoulders[0, 0, 0]) - 0.01
    palms = np.repeat(pair(x + p.grip, half, 0.03), len(u), axis=0)
    poles = pair(-1.0, rng.uniform(0.4, 1.0), 0.4)
    person = assemble(
        p, trunk, palms, poles, ankles, pair(0.0, 0.0, -1.0), toes, turn(pitch - 14), hands=pair(1.0, 0.1)
    )
    fixed = gear.mat((-1.0, 0), (0.9, 0), rng) if rng.random() < 0.4 else []
    return Scene(person, [], fixed)


def plank(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    height = p.upper_arm + 0.06 + 0.008 * u
    trunk, ankles, toes, pitch = prone(p, height)
    shoulder = trunk.shoulders.mean(1)
    palms = pair(shoulder[:, 0] + p.forearm + p.grip, p.shoulder * 0.8, 0.06)
    person = assemble(p, trunk, palms, pair(-0.3, 0.1, -1.0), ankles, pair(0.0, 0.0, -1.0), toes, turn(pitch - 10))
    return Scene(person, [], gear.mat((-1.0, 0), (0.9, 0), rng) if rng.random() < 0.7 else [])


def leg_raises(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    curl = mix(0, 10, u)
    trunk = torso(p, point(0.0, 0.0, 0.03 + p.seat + 0.0 * u), turn(-90 - curl), turn(-88.0))
    raised = np.radians(mix(rng.uniform(4, 12), rng.uniform(80, 92), u))
    straight = rng.uniform(0.955, 0.995)
    ankles = trunk.hips + straight * (p.thigh + p.shin) * pair(np.cos(raised), 0.0, np.sin(raised))
    front = pair(-np.sin(raised), 0.0, np.cos(raised))
    toes = 0.75 * front + 0.6 * pair(np.cos(raised), 0.0, np.sin(raised))
    palms = np.repeat(pair(0.08, rng.uniform(0.2, 0.27), 0.045), len(u), axis=0)
    head = turn(rng.uniform(-80, -55))
    person = assemble(p, trunk, palms, pair(-0.3, 1.0, 0.3), ankles, front, toes, head, hands=pair(1.0, 0.1))
    return Scene(person, [], gear.mat((-1.0, 0), (0.95, 0), rng) if rng.random() < 0.85 else [])


def russian_twist(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    """A V-sit; the chest turns from side to side with what the hands hold."""
    side = 2 * u - 1
    lean, swing = rng.uniform(-46, -34), rng.uniform(48, 64)
    trunk = torso(p, point(0.0, 0.0, 0.025 + p.seat) + 0 * u[:, None], turn(lean + 4), turn(lean, swing * side))
    lifted, far = rng.uniform(0.1, 0.28), rng.uniform(0.58, 0.72)
    ankles = np.repeat(pair(far, 0.08, p.ankle + lifted), len(u), axis=0)
    low = -0.2 - 0.1 * np.abs(side)
    shift = trunk.axes[:, -3] @ np.array([0.36, 0.0, 0.0]) + low[:, None] * trunk.axes[:, -3, :, 2]
    held = trunk.shoulders.mean(1) + shift
    across = trunk.axes[:, -3, :, 1]
    kind = rng.integers(3)
    gap = (0.11, 0.13, 0.05)[kind]
    grips = np.stack([held + gap * across, held - gap * across], axis=1)
    poles = across[:, None] * np.array([1.0, -1.0])[:, None] + pair(0.0, 0.0, -1.0)
    head = turn(lean + 18, 0.6 * swing * side)
    person = assemble(p, trunk, grips, poles, ankles, pair(0.2, 0.1, 1.0), pair(0.85, 0.08, 0.5), head)
    colour = gear.choose(rng, gear.PLATES + gear.MATS)
    if kind == 0:
        moving = [ball(held, trunk.axes[:, -3], (0.11, 0.11, 0.11), 1.0, colour)]
    elif kind == 1:
        forward = trunk.axes[:, -3, :, 0]
        moving = [rod(held - 0.02 * forward, held + 0.02 * forward, 0.15, colour, around=22)]
    else:
        moving = gear.dumbbell(held, across, 0.065, colour)
    return Scene(person, moving, gear.mat((-0.9, 0), (0.9, 0), rng) if rng.random() < 0.7 else [])
