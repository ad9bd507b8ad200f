"""What every movement returns, and the helpers that movements share."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from exmus_lib.sample.mesh import Mesh
from exmus_lib.sample.skeleton import Proportions, Skeleton, pair


@dataclass(frozen=True)
class Scene:
    """A person over time with the equipment that moves and that stands."""

    skeleton: Skeleton
    moving: list[Mesh] = field(default_factory=list)
    fixed: list[Mesh] = field(default_factory=list)


def mix(start, end, share: np.ndarray) -> np.ndarray:
    """From start (share 0) to end (share 1); start and end scalars or (T, 2, 3), share (T,)."""
    start, end = np.asarray(start, dtype=float), np.asarray(end, dtype=float)
    share = share.reshape(-1, *[1] * max(start.ndim - 1, end.ndim - 1, 0))
    return start + (end - start) * share


def swing(degrees) -> np.ndarray:
    """Directions (T, 2, 3) in the person's plane of symmetry: 0 hangs down, 90 points forward, 180 up."""
    angle = np.radians(np.atleast_1d(degrees))
    return pair(np.sin(angle), 0.0, -np.cos(angle))


def at_width(points: np.ndarray, half: float | np.ndarray) -> np.ndarray:
    """The points (T, 2, 3) with their sideways coordinate set to +half for left and -half for right."""
    moved = points.copy()
    moved[:, 0, 1], moved[:, 1, 1] = half, -np.asarray(half)
    return moved


def hip_height(p: Proportions, forward, sideways, straight: float = 0.985):
    """Height of the hips over feet that are `forward` and `sideways` metres off, legs `straight` (1 is locked)."""
    reach = straight * (p.thigh + p.shin)
    return p.ankle + np.sqrt(reach**2 - np.asarray(forward) ** 2 - np.asarray(sideways) ** 2)


def feet(p: Proportions, half: float, x: float = -0.06) -> np.ndarray:
    """Ankles (1, 2, 3) of feet flat on the floor."""
    return pair(x, half, p.ankle)


def arm_height(p: Proportions, across: float, forward=0.0, straight: float = 0.995):
    """How far over or under the shoulder a fist is that lies `across` metres out of it and `forward` in front of it."""
    return np.sqrt((straight * p.arm_reach) ** 2 - np.asarray(across) ** 2 - np.asarray(forward) ** 2)
