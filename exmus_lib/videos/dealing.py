"""Units dealt out to train, val and test, in machine code: of 200,000 each is looked at tens of times."""

import numpy as np
from numba import njit


def dealt(clips: np.ndarray, target: np.ndarray, missing_cost: np.ndarray) -> np.ndarray:
    """The side (units,) of each unit, given its clips of each exercise (unit, exercise), and how many clips of each exercise each
    side should have (side, exercise).

    In their order units go where the cost is least; then single ones change sides as long as that helps. The cost is the sum
    over sides and exercises of (clips - target)^2 / (target * clips of the exercise), and of a side's `missing_cost` for each
    exercise that it lacks.
    """
    unit, exercise = np.nonzero(clips)
    starts = np.searchsorted(unit, np.arange(len(clips) + 1))
    scale = target * clips.sum(axis=0)
    return _dealt(starts, exercise, clips[unit, exercise], target, scale, missing_cost)


@njit(cache=True)
def _dealt(starts, exercise, number, target, scale, missing_cost):
    side_of, sides = np.full(len(starts) - 1, -1), np.zeros_like(target)
    costs, changed = np.empty(len(target)), True
    while changed:
        changed = False
        for unit in range(len(side_of)):
            pairs, before = range(starts[unit], starts[unit + 1]), side_of[unit]
            if before >= 0:
                for i in pairs:
                    sides[before, exercise[i]] -= number[i]
            for side in range(len(target)):  # only what the unit changes: the rest is the same for each
                costs[side] = 0.0
                for i in pairs:
                    e, without = exercise[i], sides[side, exercise[i]]
                    more, less = without + number[i] - target[side, e], without - target[side, e]
                    costs[side] += (more * more - less * less) / scale[side, e]
                    if without == 0:
                        costs[side] -= missing_cost[side]
            best = costs.argmin()
            if before < 0 or costs[best] < costs[before] - 1e-9:
                side_of[unit], changed = best, True
            for i in pairs:
                sides[side_of[unit], exercise[i]] += number[i]
    return side_of
