"""Gym equipment as meshes. What moves takes positions over time, (T, 3); what stands takes single points."""

from __future__ import annotations

import numpy as np

from exmus_lib.sample.mesh import Y_AXIS, Mesh, rod, slab, unit

STEEL = (176, 178, 184)
FRAMES = ((48, 50, 56), (205, 205, 205), (160, 36, 36), (40, 70, 130), (120, 122, 126), (210, 170, 40))
PADS = ((28, 28, 32), (120, 26, 30), (40, 52, 90), (70, 70, 74), (30, 80, 70))
PLATES = ((30, 30, 34), (44, 44, 48), (36, 66, 150), (170, 40, 40), (206, 170, 44), (40, 120, 66))
MATS = ((40, 60, 120), (110, 50, 120), (36, 110, 100), (60, 60, 66), (150, 50, 60), (120, 170, 60))
LEFT_RIGHT = (1.0, -1.0)


def choose(rng: np.random.Generator, colours: tuple) -> np.ndarray:
    """One of the colours as an array."""
    return np.array(colours[rng.integers(len(colours))], dtype=float)


def barbell(
    centre: np.ndarray, rng: np.random.Generator, half: float, plate: float, axis: np.ndarray = Y_AXIS
) -> list[Mesh]:
    """A barbell around centre (T, 3), `half` metres from middle to end, plates of radius `plate`."""
    axis = np.broadcast_to(axis, np.shape(centre))
    colour, plates = choose(rng, PLATES), rng.integers(1, 4)
    inside = half - 0.24
    parts = [rod(centre - axis * inside, centre + axis * inside, 0.015, STEEL, around=8)]
    for sign in LEFT_RIGHT:
        reach = sign * axis
        parts.append(rod(centre + reach * inside, centre + reach * half, 0.026, STEEL, around=8))
        parts.append(rod(centre + reach * (inside - 0.02), centre + reach * inside, 0.036, STEEL, around=8))
        for k in range(plates):
            place, radius = inside + 0.05 * k, plate * (1 - 0.16 * k)
            parts.append(rod(centre + reach * place, centre + reach * (place + 0.042), radius, colour, around=22))
            parts.append(
                rod(
                    centre + reach * (place + 0.042), centre + reach * (place + 0.044), radius * 0.45, colour * 0.6 + 70
                )
            )
    return parts


def dumbbell(centre: np.ndarray, axis: np.ndarray, radius: float, colour) -> list[Mesh]:
    """A dumbbell gripped at centre (T, 3) along axis (T, 3)."""
    axis = unit(np.broadcast_to(axis, np.shape(centre)))
    parts = [rod(centre - axis * 0.07, centre + axis * 0.07, 0.016, STEEL, around=8)]
    for sign in LEFT_RIGHT:
        ends = centre + sign * axis * 0.065, centre + sign * axis * 0.145
        parts.append(rod(*ends, radius, colour, around=12))
    return parts


def dumbbells(grips: np.ndarray, axes: np.ndarray, rng: np.random.Generator) -> list[Mesh]:
    """One dumbbell in each fist, grips and axes (T, 2, 3)."""
    radius, colour = rng.uniform(0.05, 0.075), choose(rng, PLATES)
    axes = np.broadcast_to(axes, grips.shape)
    return dumbbell(grips[:, 0], axes[:, 0], radius, colour) + dumbbell(grips[:, 1], axes[:, 1], radius, colour)


def post(top, colour, width: float = 0.06) -> Mesh:
    """A square post from the floor to the point `top`."""
    top = np.asarray(top, dtype=float)
    return slab(top * (1, 1, 0), top, width, width, colour)


def beam(start, end, colour, width: float = 0.06) -> Mesh:
    """A square beam between two points."""
    start, end = np.asarray(start, dtype=float), np.asarray(end, dtype=float)
    upright = abs(unit(end - start) @ Y_AXIS) > 0.9
    return slab(start, end, width, width, colour, np.array([1.0, 0.0, 0.0]) if upright else Y_AXIS)


def board(start, end, width: float, rng_colour, frame) -> list[Mesh]:
    """A padded board between two points of its top face, on a leg under each end."""
    start, end = np.asarray(start, dtype=float), np.asarray(end, dtype=float)
    normal = np.cross(unit(end - start), Y_AXIS)
    normal = normal * np.sign(normal[2])
    parts = [slab(start - normal * 0.04, end - normal * 0.04, width, 0.08, rng_colour)]
    for share in (0.15, 0.85):
        top = start + share * (end - start) - normal * 0.08
        foot = top * (1, 0, 0)
        parts += [post(top, frame), beam(foot + (0, 0.22, 0.03), foot + (0, -0.22, 0.03), frame)]
    return parts


def uprights(x: float, half: float, height: float, colour, hook: float) -> list[Mesh]:
    """Two posts at x, `half` to each side, with hooks for a bar at the height `hook`, pointing to +x."""
    parts = []
    for sign in LEFT_RIGHT:
        y = sign * half
        parts += [post((x, y, height), colour), beam((x, y, hook), (x + 0.13, y, hook), STEEL, 0.04)]
        parts.append(beam((x - 0.35, y, 0.03), (x + 0.3, y, 0.03), colour))
    return parts


def mat(start, end, rng: np.random.Generator, width: float = 0.66) -> list[Mesh]:
    """A thin mat on the floor."""
    return [slab((*start, 0.008), (*end, 0.008), width, 0.016, choose(rng, MATS))]


def tower(x: float, height: float, colour, reach: float) -> list[Mesh]:
    """A cable tower at x with a weight stack and an arm that carries the pulley `reach` metres towards -x."""
    parts = [post((x, 0.28, height), colour, 0.09), post((x, -0.28, height), colour, 0.09)]
    parts += [
        beam((x, 0.32, height), (x, -0.32, height), colour, 0.09),
        beam((x, 0, height), (x - reach, 0, height), colour, 0.09),
    ]
    parts.append(slab((x, 0, 0.1), (x, 0, 0.95), 0.34, 0.2, (40, 40, 44)))
    parts += [slab((x, 0, 0.15 + 0.1 * k), (x, 0, 0.16 + 0.1 * k), 0.36, 0.22, (130, 130, 134)) for k in range(8)]
    parts += [rod((x, s * 0.12, 0.9), (x, s * 0.12, height), 0.012, STEEL, around=6) for s in LEFT_RIGHT]
    parts.append(
        rod((x - reach, -0.025, height - 0.1), (x - reach, 0.025, height - 0.1), 0.06, (60, 60, 64), around=14)
    )
    parts.append(slab((x + 0.15, 0, 0.03), (x - 0.45, 0, 0.03), 0.7, 0.06, colour))
    return parts


def cable(start, end: np.ndarray) -> Mesh:
    """A steel cable that follows its end (T, 3)."""
    return rod(np.asarray(start, dtype=float), end, 0.008, (60, 60, 62), around=5)
