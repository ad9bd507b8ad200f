"""The ways in which people everywhere perform the 16 exercises, and what they do in between: a wider set than MOVEMENTS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from exmus_lib.sample.movements.scene import Scene
from exmus_lib.sample.movements.variants import arms, equip, hanging, idle, legs, lying, seated
from exmus_lib.sample.skeleton import Proportions, Skeleton


@dataclass(frozen=True)
class Variant:
    """How people perform and film an exercise of data/labels/exercises.csv, or, exercise None, something else.

    seconds: shortest and longest repetition. view: the camera's direction in degrees (0 in front of the person, 90 at a side,
    180 behind; which side is drawn by chance). weight: how often it is drawn among those of its exercise. gear: what the
    renderer adds; perform leaves it out.
    """

    exercise: str | None
    perform: Callable[[Proportions, np.ndarray, np.random.Generator], Scene]
    seconds: tuple[float, float]
    view: tuple[float, float]
    weight: float = 1.0
    gear: tuple[Callable[[Skeleton, np.random.Generator], equip.Gear], ...] = ()

    def scene(self, p: Proportions, u: np.ndarray, rng: np.random.Generator) -> Scene:
        """The performance with its gear, for the renderer; `perform` alone is several times as fast."""
        bare = self.perform(p, u, rng)
        parts = [put(bare.skeleton, rng) for put in self.gear]
        moving, fixed = ([mesh for part in parts for mesh in part[k]] for k in (0, 1))
        return replace(bare, moving=moving, fixed=fixed)


SEAT = (equip.stool,)
MAT = (equip.mat,)
BAR = (equip.bar,)
DUMBBELLS = (equip.dumbbells,)
FREE = (equip.bar_or_dumbbells,)
HANDLE = (equip.handle,)
BARS = (equip.parallel_bars,)
HIGH_BAR = (equip.high_bar,)
BENCH = (equip.bar_or_dumbbells, equip.bench)
FREE_SEATED = (equip.bar_or_dumbbells, equip.stool)
DUMBBELLS_SEATED = (equip.dumbbells, equip.stool)

VARIANTS = {
    "back squat": Variant("Squat", legs.back_squat, (1.7, 3.4), (0, 180), 2.0, gear=BAR),
    "front squat": Variant("Squat", legs.front_squat, (1.7, 3.4), (0, 135), gear=BAR),
    "goblet squat": Variant("Squat", legs.goblet_squat, (1.6, 3.2), (0, 135)),
    "dumbbell squat": Variant("Squat", legs.dumbbell_squat, (1.6, 3.2), (0, 150), gear=DUMBBELLS),
    "free squat": Variant("Squat", legs.free_squat, (1.3, 3.0), (0, 150), 2.0),
    "floor deadlift": Variant("Deadlift", legs.floor_deadlift, (1.8, 3.6), (0, 135), 1.5, gear=BAR),
    "hinge": Variant("Deadlift", legs.hinge, (1.8, 3.6), (10, 135), gear=FREE),
    "standing curl": Variant("Bicep Curl", arms.standing_curl, (1.4, 3.0), (0, 115), 3.0, gear=FREE),
    "seated curl": Variant("Bicep Curl", arms.seated_curl, (1.4, 3.0), (0, 115), gear=DUMBBELLS_SEATED),
    "preacher curl": Variant("Bicep Curl", arms.preacher_curl, (1.4, 3.0), (0, 110), gear=HANDLE),
    "concentration curl": Variant("Bicep Curl", arms.concentration_curl, (1.4, 3.0), (0, 100), 0.7, gear=SEAT),
    "standing press": Variant("Shoulder Press", arms.standing_press, (1.4, 3.0), (0, 180), 1.5, gear=FREE),
    "seated press": Variant("Shoulder Press", arms.seated_press, (1.4, 3.0), (0, 180), 1.5, gear=FREE_SEATED),
    "arnold press": Variant("Shoulder Press", arms.arnold_press, (1.6, 3.2), (0, 100), 0.6, gear=DUMBBELLS),
    "standing raise": Variant("Lateral Raise", arms.standing_raise, (1.3, 2.8), (0, 180), 2.5, gear=DUMBBELLS),
    "seated raise": Variant("Lateral Raise", arms.seated_raise, (1.3, 2.8), (0, 180), gear=DUMBBELLS_SEATED),
    "one-arm raise": Variant("Lateral Raise", arms.one_arm_raise, (1.3, 2.8), (0, 180), 0.8),
    "flat press": Variant("Bench Press", lying.bench_press, (1.3, 3.0), (0, 180), 1.5, gear=BENCH),
    "sloped press": Variant(
        "Bench Press",
        partial(lying.bench_press, sloped=True),
        (1.3, 3.0),
        (0, 180),
        gear=BENCH,
    ),
    "fly": Variant("Chest Fly Machine", seated.fly, (1.5, 3.2), (0, 100), 2.0, gear=SEAT),
    "pad fly": Variant("Chest Fly Machine", seated.pad_fly, (1.5, 3.2), (0, 100), gear=SEAT),
    "cable fly": Variant("Chest Fly Machine", seated.cable_fly, (1.5, 3.2), (0, 110), 0.8),
    "pulldown": Variant("Lat Pulling", seated.pulldown, (1.5, 3.0), (0, 180), 1.3, gear=(equip.handle, equip.stool)),
    "bar pull-up": Variant("Lat Pulling", hanging.pull_up, (1.3, 3.2), (0, 180), gear=HIGH_BAR),
    "bent row": Variant("T-Bar Row", arms.bent_row, (1.2, 2.6), (10, 170), 2.0, gear=HANDLE),
    "supported row": Variant("T-Bar Row", arms.supported_row, (1.2, 2.6), (10, 170), gear=HANDLE),
    "pushdown, both": Variant("Tricep Pushdown", arms.pushdown, (1.1, 2.6), (0, 170), 4.0, gear=HANDLE),
    "pushdown, one": Variant("Tricep Pushdown", partial(arms.pushdown, one_arm=True), (1.1, 2.6), (0, 170)),
    "bar dip": Variant("Tricep Dips", hanging.bar_dip, (1.2, 2.8), (0, 180), 1.5, gear=BARS),
    "bench dip": Variant("Tricep Dips", hanging.bench_dip, (1.2, 2.8), (15, 135), gear=(equip.edge_under_hands,)),
    "dip machine": Variant("Tricep Dips", seated.dip_machine, (1.2, 2.6), (15, 150), 0.5, gear=SEAT),
    "toe push-up": Variant("Push-up", lying.push_up, (1.0, 2.6), (0, 130), 2.5, gear=MAT),
    "knee push-up": Variant("Push-up", partial(lying.push_up, kneeling=True), (1.0, 2.6), (0, 130), gear=MAT),
    "lying leg raise": Variant("Leg Raises", lying.leg_raise, (1.7, 3.6), (30, 140)),
    "hanging leg raise": Variant("Leg Raises", hanging.hanging_leg_raise, (1.6, 3.4), (0, 180), 0.7),
    "leg extension, both": Variant("Leg Extension", seated.leg_extension, (1.3, 3.0), (10, 135), 4.0, gear=SEAT),
    "leg extension, one": Variant(
        "Leg Extension", partial(seated.leg_extension, one_leg=True), (1.3, 3.0), (10, 135), gear=SEAT
    ),
    "bench thrust": Variant(
        "Hip Thrust", lying.hip_thrust, (1.2, 2.8), (40, 135), 1.5, gear=(equip.bar, equip.edge_under_back)
    ),
    "floor bridge": Variant("Hip Thrust", partial(lying.hip_thrust, floor=True), (1.2, 2.8), (40, 135), gear=MAT),
    "twist, feet down": Variant("Russian Twist", lying.twist, (0.9, 2.8), (0, 125), gear=MAT),
    "twist, feet up": Variant("Russian Twist", partial(lying.twist, feet_up=True), (0.9, 2.8), (0, 125), gear=MAT),
    "standing": Variant(None, idle.standing, (3.0, 8.0), (0, 180)),
    "talking": Variant(None, idle.talking, (1.5, 5.0), (0, 120), 1.5),
    "walking": Variant(None, idle.walking, (1.0, 1.8), (0, 180)),
    "approach": Variant(None, idle.approach, (3.5, 8.0), (0, 180)),
    "resting": Variant(None, idle.resting, (3.0, 8.0), (0, 150), gear=SEAT),
    "lying": Variant(None, idle.lying, (3.0, 8.0), (30, 150)),
    "stretching": Variant(None, idle.stretching, (2.0, 6.0), (0, 180)),
    "busy hands": Variant(None, idle.hands_at, (1.0, 4.0), (0, 150)),
    "held plank": Variant(None, idle.plank, (3.0, 8.0), (30, 135), gear=MAT),
    "hang": Variant(None, idle.held(hanging.pull_up, (0.0, 0.08)), (3.0, 8.0), (0, 180), gear=HIGH_BAR),
    "bar on the back": Variant(None, idle.held(legs.back_squat, (0.0, 0.06)), (3.0, 8.0), (0, 180), 0.6, gear=BAR),
    "seated in a machine": Variant(None, idle.held(seated.fly, (0.0, 1.0)), (3.0, 8.0), (0, 120), 0.6, gear=SEAT),
    "arms locked on a bench": Variant(
        None, idle.held(lying.bench_press, (0.9, 1.0)), (3.0, 8.0), (20, 150), 0.6, gear=BENCH
    ),
    "push-up support": Variant(None, idle.held(lying.push_up, (0.0, 0.08)), (3.0, 8.0), (20, 130), 0.6, gear=MAT),
    "support on bars": Variant(None, idle.held(hanging.bar_dip, (0.0, 0.08)), (3.0, 8.0), (0, 180), 0.4, gear=BARS),
    "bent over the bar": Variant(None, idle.held(legs.floor_deadlift, (0.0, 0.06)), (3.0, 8.0), (0, 180), 0.6),
}
