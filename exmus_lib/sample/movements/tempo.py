"""How people repeat a movement: slower and faster, unevenly, with pauses, part of the way, and with a wait before and after."""

from __future__ import annotations

import numpy as np

WAITS = 0.3  # share of the videos that show the start position before the first repetition; half as many, rest after the last


def tempo(times: np.ndarray, seconds: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    """How far along its way a movement is, u (T,) in 0..1, at the times (T,) in seconds, ascending.

    seconds: shortest and longest repetition of the textbook; people take 0.8 to 2 times as long. Each repetition has its own
    length, top and bottom; a person's pauses and whether up or down is the faster way stay alike.
    """
    length = rng.uniform(*seconds) * np.exp(rng.uniform(-0.2, 0.7))
    total = float(times[-1] - times[0])
    count = int(total / (0.5 * length)) + 3
    lengths = length * np.exp(rng.normal(0, rng.uniform(0.0, 0.12), count) + rng.normal(0, 0.02) * np.arange(count))
    waiting = rng.random() < WAITS
    begin = times[0] + (rng.uniform(0.2, 2.0) if waiting else -rng.random() * lengths[0])
    ends = begin + np.cumsum(np.maximum(lengths, 0.45 * length))
    index = np.minimum(np.searchsorted(ends, times, side="right"), count - 1)
    starts = np.concatenate([[begin], ends[:-1]])
    phase = np.clip((times - starts[index]) / (ends[index] - starts[index]), 0, 1)
    rising, way = there_and_back(phase, rng)
    low, high = rng.uniform(0, 0.1), rng.choice([rng.uniform(0.9, 1.0), rng.uniform(0.65, 0.9)], p=[0.75, 0.25])
    uneven = rng.uniform(0, 0.07)
    tops = np.clip(high - np.abs(rng.normal(0, uneven, count)), 0.5, 1)
    tops = np.where(rng.random(count) < 0.04, tops * rng.uniform(0.5, 0.8, count), tops)  # one that fails
    bottoms = np.clip(low + np.abs(rng.normal(0, 0.6 * uneven, count + 1)), 0, 0.3)
    bottom = np.where(rising, bottoms[index], bottoms[index + 1])
    u = bottom + (tops[index] - bottom) * way
    u = np.where(times < begin, bottoms[0], u)
    if rng.random() < 0.5 * WAITS:
        done = np.searchsorted(ends, times[-1])
        if done > 1:
            u = np.where(times >= ends[done - 1], bottoms[done], u)
    return np.clip(u, 0, 1)


def there_and_back(phase: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Whether the phase (T,) of a repetition, 0..1, is on the way there, and how far along that way it is, 0..1."""
    there = rng.uniform(0.34, 0.66)  # share of the repetition
    pauses = rng.uniform(0, 0.18, 2) * (rng.random(2) < 0.5)  # at the start and at the far end, as shares of the way
    rising = phase < there
    way = np.where(rising, phase / there, (1 - phase) / (1 - there))
    way = np.clip((way - pauses[0]) / (1 - pauses.sum()), 0, 1)
    smooth = way**2 * (3 - 2 * way)
    return rising, smooth + rng.uniform(0, 0.6) * (way - smooth)  # from a soft to a hard turn
