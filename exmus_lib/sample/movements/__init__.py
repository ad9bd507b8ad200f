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

    seconds: shortest and longest repetition; views: ranges of the camera's direction in degrees (0 in front of the
    person, 90 at a side, 180 behind; sides are drawn by chance).
    """

    perform: Callable[[Proportions, np.ndarray, np.random.Generator], Scene]
    seconds: tuple[float, float]
    views: tuple[tuple[float, float], ...]


AROUND = ((0, 60), (60, 120), (120, 180))
FRONT_OR_BACK = ((0, 45), (0, 45), (0, 45), (140, 180))
SIDE = ((55, 125),)
SIDE_OR_FEET = ((20, 60), (60, 115), (60, 115))

# by the exact names of the Kaggle folders, capitals included
MOVEMENTS = {
    "barbell biceps curl": Movement(standing.barbell_curl, (1.6, 2.8), ((0, 90),)),
    "bench press": Movement(benches.bench_press, (1.5, 2.6), SIDE_OR_FEET),
    "chest fly machine": Movement(machines.chest_fly, (1.7, 2.8), ((0, 70),)),
    "deadlift": Movement(standing.deadlift, (1.9, 3.2), ((20, 110),)),
    "decline bench press": Movement(benches.decline_bench_press, (1.5, 2.6), SIDE_OR_FEET),
    "hammer curl": Movement(standing.hammer_curl, (1.6, 2.8), ((0, 90),)),
    "hip thrust": Movement(benches.hip_thrust, (1.5, 2.5), ((35, 110),)),
    "incline bench press": Movement(benches.incline_bench_press, (1.5, 2.6), SIDE_OR_FEET),
    "lat pulldown": Movement(machines.lat_pulldown, (1.7, 2.8), ((70, 180),)),
    "lateral raise": Movement(standing.lateral_raise, (1.5, 2.6), FRONT_OR_BACK),
    "leg extension": Movement(machines.leg_extension, (1.5, 2.6), ((25, 105),)),
    "leg raises": Movement(floor.leg_raises, (1.8, 3.0), SIDE),
    "plank": Movement(floor.plank, (2.0, 4.0), SIDE),
    "pull Up": Movement(machines.pull_up, (1.7, 2.8), ((0, 50), (130, 180), (130, 180))),
    "push-up": Movement(floor.push_up, (1.1, 2.0), ((25, 125),)),
    "romanian deadlift": Movement(standing.romanian_deadlift, (1.9, 3.2), ((30, 120),)),
    "russian twist": Movement(floor.russian_twist, (1.2, 2.2), ((0, 80),)),
    "shoulder press": Movement(standing.shoulder_press, (1.5, 2.6), ((0, 60), (0, 60), (130, 180))),
    "squat": Movement(standing.squat, (1.8, 3.0), AROUND),
    "t bar row": Movement(standing.t_bar_row, (1.4, 2.4), ((20, 110),)),
    "tricep Pushdown": Movement(standing.tricep_pushdown, (1.3, 2.2), ((60, 130),)),
    "tricep dips": Movement(machines.tricep_dips, (1.5, 2.6), ((0, 120),)),
}
