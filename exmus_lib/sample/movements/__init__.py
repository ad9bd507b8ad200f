"""The movements of the 22 Kaggle folders: how they are performed, how fast, and from where they are filmed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from exmus_lib.sample.movements import benches, floor, machines, standing
from exmus_lib.sample.movements.scene import Scene
from exmus_lib.sample.skeleton import Proportions


@dataclass(frozen=True)
class Movement:
    """How a folder's exercise is performed and filmed.

    seconds: shortest and longest repetition. view: from where people film it, a range of the camera's direction in degrees
    (0 in front of the person, 90 at a side, 180 behind; which side is drawn by chance). Narrow ranges are what a network can
    learn from 8 people an exercise in minutes; wider ones make the set harder.
    """

    perform: Callable[[Proportions, np.ndarray, np.random.Generator], Scene]
    seconds: tuple[float, float]
    view: tuple[float, float]


# by the exact names of the Kaggle folders, capitals included
MOVEMENTS = {
    "barbell biceps curl": Movement(standing.barbell_curl, (1.6, 2.8), (15, 55)),
    "bench press": Movement(benches.bench_press, (1.5, 2.6), (60, 105)),
    "chest fly machine": Movement(machines.chest_fly, (1.7, 2.8), (15, 55)),
    "deadlift": Movement(standing.deadlift, (1.9, 3.2), (40, 85)),
    "decline bench press": Movement(benches.decline_bench_press, (1.5, 2.6), (60, 105)),
    "hammer curl": Movement(standing.hammer_curl, (1.6, 2.8), (15, 55)),
    "hip thrust": Movement(benches.hip_thrust, (1.5, 2.5), (60, 105)),
    "incline bench press": Movement(benches.incline_bench_press, (1.5, 2.6), (60, 105)),
    "lat pulldown": Movement(machines.lat_pulldown, (1.7, 2.8), (115, 160)),
    "lateral raise": Movement(standing.lateral_raise, (1.5, 2.6), (0, 35)),
    "leg extension": Movement(machines.leg_extension, (1.5, 2.6), (50, 95)),
    "leg raises": Movement(floor.leg_raises, (1.8, 3.0), (70, 110)),
    "plank": Movement(floor.plank, (2.0, 4.0), (70, 110)),
    "pull Up": Movement(machines.pull_up, (1.7, 2.8), (140, 180)),
    "push-up": Movement(floor.push_up, (1.1, 2.0), (60, 105)),
    "romanian deadlift": Movement(standing.romanian_deadlift, (1.9, 3.2), (40, 85)),
    "russian twist": Movement(floor.russian_twist, (1.2, 2.2), (20, 65)),
    "shoulder press": Movement(standing.shoulder_press, (1.5, 2.6), (0, 40)),
    "squat": Movement(standing.squat, (1.8, 3.0), (25, 70)),
    "t bar row": Movement(standing.t_bar_row, (1.4, 2.4), (50, 95)),
    "tricep Pushdown": Movement(standing.tricep_pushdown, (1.3, 2.2), (60, 105)),
    "tricep dips": Movement(machines.tricep_dips, (1.5, 2.6), (35, 80)),
}
