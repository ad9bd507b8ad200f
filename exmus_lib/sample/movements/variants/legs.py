"""Squats and deadlifts, the ways people do them. Each takes the person, u (T,) between 0 and 1, and chance."""

from __future__ import annotations

import numpy as np

from exmus_lib.sample.movements.scene import Scene, arm_height, hip_height, mix
from exmus_lib.sample.movements.variants.common import both, direction, gaze, jointed, unfolded
from exmus_lib.sample.skeleton import SHOULDER_LEVEL, Proportions, Torso, assemble, pair, point, torso, turn


def lowered(
    p: Proportions, u: np.ndarray, rng: np.random.Generator, most_lean: float = 62.0, wide: bool = False
) -> tuple[Torso, dict[str, np.ndarray], np.ndarray]:
    """Trunk, legs and pitch (T,) of a squat: shins and depth are drawn, the trunk leans so that the weight stays over
    the feet."""
    half = rng.uniform(0.28, 0.45) if wide else rng.uniform(0.1, 0.3)
    out = np.radians(rng.uniform(28, 50) if wide else rng.uniform(8, 35))
    deep = p.ankle + p.shin * rng.choice(
        [rng.uniform(0.72, 1.0), rng.uniform(0.52, 0.75), rng.uniform(1.0, 1.4)], p=[0.5, 0.15, 0.35]
    )
    tilt = np.radians(rng.uniform(22, 40) if deep < p.ankle + 0.85 * p.shin else rng.uniform(4, 36))
    knee = np.array([-0.06 + p.shin * np.sin(tilt) * np.cos(out), p.ankle + p.shin * np.cos(tilt)])
    behind = knee[0] - np.sqrt(max(p.thigh**2 - (deep - knee[1]) ** 2, 0.02)) * np.cos(out)
    height = mix(hip_height(p, 0.04, half - p.hip, rng.uniform(0.985, 0.999)), deep, u)
    x = mix(-0.05, behind, u ** rng.uniform(0.7, 1.1))
    lever = rng.uniform(0.85, 1.35) * p.spine
    lean = np.degrees(np.arcsin(np.clip((rng.uniform(-0.02, 0.05) - x) / lever, 0, 0.9)))
    thigh = mix(-90.0, np.degrees(np.arcsin(np.clip((knee[1] - deep) / p.thigh, -1, 1))), u)
    pitch = np.clip(lean + mix(rng.uniform(-4, 2), rng.uniform(-4, 8), u), -5, np.minimum(most_lean, 50 - thigh))
    wink = rng.uniform(-8, 6) * u  # some tuck the pelvis at the bottom
    trunk = torso(p, point(x, 0.0, height), turn(pitch + wink), turn(pitch))
    return (
        trunk,
        dict(ankles=pair(-0.06, half, p.ankle), knee_poles=pair(1.0, np.tan(out)), toes=pair(1.0, np.tan(0.8 * out))),
        pitch,
    )


def back_squat(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    """Bar high or low on the back, hands near the shoulders or far out on the bar."""
    trunk, legs, pitch = lowered(p, u, rng)
    bar = trunk.chest(-0.1 - 0.01 * p.build, 0.0, rng.uniform(-0.05, 0.04))
    poles = pair(rng.uniform(-0.9, -0.1), 0.1, -1.0)
    grips = unfolded(p, trunk, both(bar, rng.uniform(1.25, 2.3) * p.shoulder))
    return Scene(assemble(p, trunk, grips, poles, **legs, head=gaze(rng, pitch)))


def front_squat(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    """Bar on the front of the shoulders, elbows high, or arms crossed over it."""
    trunk, legs, pitch = lowered(p, u, rng, most_lean=34.0)
    crossed = rng.random() < 0.3
    half = rng.uniform(-0.7, -0.3) if crossed else rng.uniform(0.75, 1.25)
    bar = trunk.chest(0.12 + 0.02 * p.build, 0.0, rng.uniform(0.02, 0.08))
    poles = pair(1.0, 0.1 if crossed else rng.uniform(0.0, 0.4), rng.uniform(-0.9, 0.0))
    poles = np.einsum("tij,kj->tki", trunk.axes[:, -3], poles[0])  # they lean with the trunk
    return Scene(
        assemble(p, trunk, unfolded(p, trunk, both(bar, half * p.shoulder)), poles, **legs, head=gaze(rng, pitch))
    )


def goblet_squat(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    """Hands at the chest, folded or round a weight; a dumbbell or kettlebell held low between wide legs."""
    low = rng.random() < 0.25
    trunk, legs, pitch = lowered(p, u, rng, most_lean=22.0 if low else 42.0, wide=low or rng.random() < 0.25)
    if low:
        held = trunk.shoulders.mean(1) + point(rng.uniform(0.08, 0.14), 0.0, -arm_height(p, 0.12, 0.12, 0.97))
    else:
        held = trunk.chest(rng.uniform(0.14, 0.32), 0.0, rng.uniform(-0.2, 0.04))
    poles = pair(-0.4, rng.uniform(0.3, 1.0), -1.0)
    return Scene(assemble(p, trunk, both(held, rng.uniform(0.03, 0.12)), poles, **legs, head=gaze(rng, pitch)))


def dumbbell_squat(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    """Weights hang at the sides or rest on the shoulders; the trunk stays upright, unlike in a deadlift."""
    trunk, legs, pitch = lowered(p, u, rng, most_lean=38.0)
    if rng.random() < 0.65:
        grips, poles = jointed(
            p, trunk, direction(rng.uniform(-8, 6), rng.uniform(4, 14)), direction(rng.uniform(0, 14), 4)
        )
    else:
        held = trunk.chest(rng.uniform(0.1, 0.18), 0.0, rng.uniform(0.02, 0.12))
        grips = unfolded(p, trunk, both(held, rng.uniform(0.75, 1.2) * p.shoulder))
        poles = pair(0.8, rng.uniform(0.1, 0.7), -1.0)
    return Scene(assemble(p, trunk, grips, poles, **legs, head=gaze(rng, pitch)))


def free_squat(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    """Body weight: arms held out or swung up on the way down, on the hips, behind the head, overhead, at a support."""
    trunk, legs, pitch = lowered(p, u, rng, wide=rng.random() < 0.2)
    kind = rng.choice(5, p=[0.5, 0.16, 0.16, 0.08, 0.1])
    if kind == 0:
        end = rng.uniform(70, 105)
        start = rng.choice([end, rng.uniform(0, 60)])
        raised, inward = mix(start, end, np.minimum(1.3 * u, 1)), rng.uniform(-12, 4)
        grips, poles = jointed(p, trunk, direction(raised, 4), direction(raised + rng.uniform(4, 35), inward))
    elif kind == 1:
        grips, poles = trunk.hips + pair(0.04, 0.09, rng.uniform(0.05, 0.12)), pair(-0.5, 1.0, 0.0)
    elif kind == 2:
        grips, poles = (
            both(trunk.chest(-0.03, 0.0, 0.2), rng.uniform(0.06, 0.12)),
            pair(rng.uniform(-0.4, 0.5), 1.0, 0.2),
        )
    elif kind == 3:
        up = direction(np.full(len(u), rng.uniform(160, 178)), rng.uniform(8, 28))
        grips, poles = jointed(p, trunk, up, up + pair(0.05, -0.05))
    else:
        hold = point(rng.uniform(0.45, 0.6), 0.0, rng.uniform(0.85, 1.1)) + 0 * u[:, None]
        grips, poles = both(hold, rng.uniform(0.6, 1.2) * p.shoulder), pair(-0.2, 0.5, -1.0)
    return Scene(assemble(p, trunk, grips, poles, **legs, head=gaze(rng, pitch)))


def floor_deadlift(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    """From the floor, blocks or a rack: conventional, sumo, trap bar, dumbbells or a kettlebell; hips high or low."""
    sumo, trap = rng.random() < 0.35, rng.random() < 0.2
    half = rng.uniform(0.26, 0.42) if sumo else rng.uniform(0.08, 0.19)
    out = rng.uniform(0.4, 0.9) if sumo else rng.uniform(0.05, 0.4)
    grip = rng.uniform(0.05, 0.2) if sumo else rng.uniform(0.3, 0.36) if trap else half + rng.uniform(0.04, 0.2)
    level = SHOULDER_LEVEL * p.spine
    reach = arm_height(p, max(abs(grip - p.shoulder), 0.02), 0.05, 0.99)
    bottom = rng.choice([0.225, rng.uniform(0.14, 0.25), rng.uniform(0.25, 0.45)], p=[0.5, 0.3, 0.2])
    lifted = mix(bottom, hip_height(p, 0.03, half - p.hip) + level - reach, u)
    hips = p.ankle + rng.uniform(1.15 if sumo else 1.25, 1.5 if sumo or trap else 1.72) * p.shin
    low = np.degrees(np.arccos(np.clip((bottom + reach - hips) / level, 0.05, 0.78)))
    pitch = mix(low, rng.uniform(-6, 5), u ** rng.uniform(0.9, 1.5))
    ahead = rng.uniform(-0.02, 0.03) if trap else rng.uniform(0.02, 0.08)
    radians = np.radians(pitch)
    shoulder = point(mix(ahead, -0.02, u), 0.0, lifted + reach)
    pelvis = shoulder - level * point(np.sin(radians), 0.0, np.cos(radians))
    trunk = torso(p, pelvis, turn(pitch - rng.uniform(0, 6) * (1 - u)), turn(pitch + rng.uniform(-3, 6) * (1 - u)))
    x = -0.03 + 0 * u if trap else mix(0.04, 0.06 + 0.04 * p.build, u)
    legs = dict(ankles=pair(-0.06, half, p.ankle), knee_poles=pair(1.0, out), toes=pair(1.0, out))
    grips = both(point(x, 0.0, lifted), grip)
    return Scene(assemble(p, trunk, grips, pair(-1.0, 0.6), **legs, head=gaze(rng, pitch)))


def hinge(p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
    """Romanian or stiff-legged, with a bar, dumbbells or a kettlebell: the hips go back over still shins."""
    pitch = mix(rng.uniform(-4, 6), rng.uniform(42, 92), u)
    half, grip = rng.uniform(0.06, 0.2), rng.uniform(0.4, 1.5) * p.shoulder
    back = mix(0.0, rng.uniform(0.12, 0.28), u)
    pelvis = point(-0.04 - back, 0.0, hip_height(p, back, half - p.hip, mix(0.992, rng.uniform(0.93, 0.99), u)))
    trunk = torso(p, pelvis, turn(pitch), turn(pitch + rng.uniform(-3, 12) * u))
    shoulder = trunk.shoulders.mean(1)
    across = max(abs(grip - p.shoulder), 0.02)
    drop = arm_height(p, across, 0.1, 0.99)
    low = np.maximum(shoulder[:, 2] - drop, 0.12)
    legs_front = -0.06 - back * np.clip((low - p.ankle) / (p.thigh + p.shin), 0, 1)
    x = np.clip(legs_front + rng.uniform(0.08, 0.16) + 0.03 * p.build, shoulder[:, 0] - 0.22, shoulder[:, 0] + 0.1)
    grips = both(point(x, 0.0, low), grip)
    out = rng.uniform(0.05, 0.35)
    legs = dict(ankles=pair(-0.06, half, p.ankle), knee_poles=pair(1.0, out), toes=pair(1.0, out))
    return Scene(assemble(p, trunk, grips, pair(-1.0, 0.5), **legs, head=gaze(rng, pitch)))
