"""Simple gear for the variants, placed by the finished skeleton: what moves and what stands. Networks on joints need none."""

from __future__ import annotations

import numpy as np

from exmus_lib.sample import equipment as gear
from exmus_lib.sample.mesh import Mesh, rod, slab
from exmus_lib.sample.skeleton import Skeleton, pair

Gear = tuple[list[Mesh], list[Mesh]]  # moving, fixed


def bar(s: Skeleton, rng: np.random.Generator) -> Gear:
    """A barbell through both fists."""
    return gear.barbell(s.grips.mean(1), rng, rng.uniform(0.75, 1.0), rng.uniform(0.12, 0.225)), []


def dumbbells(s: Skeleton, rng: np.random.Generator) -> Gear:
    """A dumbbell in each fist, across or along."""
    return gear.dumbbells(s.grips, pair(0.0, 1.0) if rng.random() < 0.5 else pair(1.0), rng), []


def bar_or_dumbbells(s: Skeleton, rng: np.random.Generator) -> Gear:
    """A barbell, or a dumbbell in each fist."""
    level = np.abs(s.grips[:, 0] - s.grips[:, 1])[:, 2].max() < 0.05  # by turns only with dumbbells
    return bar(s, rng) if level and rng.random() < 0.6 else dumbbells(s, rng)


def handle(s: Skeleton, rng: np.random.Generator) -> Gear:
    """A short bar through both fists, as at a cable."""
    held, half = s.grips.mean(1), 0.05 + np.abs(s.grips[..., 1]).max()
    return [rod(held - (0, half, 0), held + (0, half, 0), 0.017, gear.STEEL, around=8)], []


def stool(s: Skeleton, rng: np.random.Generator) -> Gear:
    """A padded seat under the hips."""
    x, _, z = s.hips[0].mean(0) - (0, 0, s.proportions.seat)
    ends = (x - 0.22, 0, z), (x + 0.26, 0, z)
    return [], gear.board(*ends, 0.32, gear.choose(rng, gear.PADS), gear.choose(rng, gear.FRAMES))


def bench(s: Skeleton, rng: np.random.Generator) -> Gear:
    """A flat or sloping bench under the back."""
    along, front = s.torso.axes[0, -3, :, 2], s.torso.axes[0, 0, :, 0]
    under = s.hips[0].mean(0) - (s.proportions.seat + 0.02) * front
    ends = under - 0.12 * along, under + 0.47 * s.proportions.height * along
    return [], gear.board(*ends, 0.3, gear.choose(rng, gear.PADS), gear.choose(rng, gear.FRAMES))


def edge_at(x: float, height: float, rng: np.random.Generator) -> Gear:
    """A bench that stands across, its front edge at x."""
    colour, frame = gear.choose(rng, gear.PADS), gear.choose(rng, gear.FRAMES)
    pad = slab(
        (x - 0.14, -0.6, height - 0.04), (x - 0.14, 0.6, height - 0.04), 0.28, 0.08, colour, np.array([1.0, 0, 0])
    )
    return [], [pad, *(gear.post((x - 0.14, y, height - 0.08), frame) for y in (-0.42, 0.42))]


def edge_under_back(s: Skeleton, rng: np.random.Generator) -> Gear:
    """The bench of a hip thrust, under the shoulder blades."""
    x, _, z = s.shoulders[-1].mean(0)
    return edge_at(x + 0.16, z - 0.1, rng)


def edge_under_hands(s: Skeleton, rng: np.random.Generator) -> Gear:
    """The bench of a bench dip."""
    x, _, z = s.grips[0].mean(0)
    return edge_at(x + 0.04, z - 0.03, rng)


def high_bar(s: Skeleton, rng: np.random.Generator) -> Gear:
    """A bar between two posts where the fists are."""
    (x, _, z), frame = s.grips[0].mean(0), gear.choose(rng, gear.FRAMES)
    half = np.abs(s.grips[0, :, 1]).max() + rng.uniform(0.15, 0.5)
    posts = [gear.post((x, sign * half, z + 0.06), frame, 0.08) for sign in gear.LEFT_RIGHT]
    return [], [rod((x, -half, z), (x, half, z), 0.02, frame, around=10), *posts]


def parallel_bars(s: Skeleton, rng: np.random.Generator) -> Gear:
    """Two bars from front to back under the fists."""
    frame, parts = gear.choose(rng, gear.FRAMES), []
    for x, y, z in s.grips[0]:
        parts += [rod((x - 0.45, y, z), (x + 0.3, y, z), 0.024, frame, around=10), gear.post((x - 0.45, y, z), frame)]
    return [], parts


def mat(s: Skeleton, rng: np.random.Generator) -> Gear:
    """A mat under somebody on the floor, with most of them."""
    x = s.hips[0].mean(0)[0]
    return [], gear.mat((x - 0.95, 0), (x + 0.95, 0), rng) if rng.random() < 0.7 else []
