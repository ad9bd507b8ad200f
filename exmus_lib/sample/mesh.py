"""Triangle meshes that move: tubes, rods and boxes whose vertices are given for all frames at once.

World: metres, x forward (where the person looks), y to the person's left, z up, floor at z = 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Y_AXIS = np.array([0.0, 1.0, 0.0])


@dataclass(frozen=True)
class Mesh:
    """A mesh over time: vertices and normals (T, V, 3), T = 1 where nothing moves; colours (V, 3) in 0-255; faces
    (F, 3), counter-clockwise seen from outside."""

    vertices: np.ndarray
    normals: np.ndarray
    colours: np.ndarray
    faces: np.ndarray


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors (..., 3) at length 1."""
    return vectors / np.maximum(np.sqrt((vectors * vectors).sum(-1, keepdims=True)), 1e-9)


def cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cross products of (..., 3), several times as fast as np.cross on long arrays."""
    (ax, ay, az), (bx, by, bz) = ((v[..., 0], v[..., 1], v[..., 2]) for v in (a, b))
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=-1)


def join(meshes: list[Mesh]) -> Mesh:
    """One mesh of several; those with T = 1 are repeated to the longest T."""
    frames = max(len(mesh.vertices) for mesh in meshes)
    starts = np.cumsum([0] + [mesh.vertices.shape[1] for mesh in meshes])

    def stack(arrays: list[np.ndarray]) -> np.ndarray:
        return np.concatenate([np.broadcast_to(a, (frames, *a.shape[1:])) for a in arrays], axis=1).astype(np.float32)

    return Mesh(
        stack([mesh.vertices for mesh in meshes]),
        stack([mesh.normals for mesh in meshes]),
        np.concatenate([mesh.colours for mesh in meshes]).astype(np.float32),
        np.concatenate([mesh.faces + start for mesh, start in zip(meshes, starts[:-1], strict=True)]).astype(np.int32),
    )


def tube(
    centres: np.ndarray,
    front: np.ndarray,
    side: np.ndarray,
    depths: np.ndarray,
    widths: np.ndarray,
    colours: np.ndarray,
    around: int = 12,
    squareness: float = 1.0,
) -> Mesh:
    """A lofted tube of elliptical rings, closed by letting the first and last ring shrink.

    centres (T, K, 3); front and side (T, K, 3) unit axes of each ring, front x side pointing to the next ring; depths
    and widths (K,) half axes along front and side; colours (K, 3) or (K, around, 3); squareness below 1 makes rings
    boxier.
    """
    centres, front, side = (v.astype(np.float32) for v in (centres, front, side))
    angle = 2 * np.pi * np.arange(around) / around
    cos, sin = (np.sign(f) * np.abs(f).round(9) ** squareness for f in (np.cos(angle), np.sin(angle)))
    along_front = (np.maximum(depths, 2e-3)[:, None] * cos).astype(np.float32)
    along_side = (np.maximum(widths, 2e-3)[:, None] * sin).astype(np.float32)
    grid = centres[:, :, None] + along_front[..., None] * front[:, :, None] + along_side[..., None] * side[:, :, None]
    round_step = np.roll(grid, -1, axis=2) - np.roll(grid, 1, axis=2)
    along_step = np.empty_like(grid)
    along_step[:, 1:-1] = grid[:, 2:] - grid[:, :-2]
    along_step[:, 0], along_step[:, -1] = grid[:, 1] - grid[:, 0], grid[:, -1] - grid[:, -2]
    frames, rings = grid.shape[:2]
    index = np.arange(rings * around).reshape(rings, around)
    after = np.roll(index, -1, axis=1)
    a, b, c, d = index[:-1], after[:-1], after[1:], index[1:]
    faces = np.stack([np.stack([a, b, c], -1), np.stack([a, c, d], -1)]).reshape(-1, 3)
    colours = np.broadcast_to(colours if colours.ndim == 3 else colours[:, None], (rings, around, 3))
    normals = unit(cross(round_step, along_step)).reshape(frames, -1, 3)
    return Mesh(grid.reshape(frames, -1, 3), normals, colours.reshape(-1, 3), faces)


def rod(start: np.ndarray, end: np.ndarray, radius: float, colour, end_radius: float | None = None, around=10) -> Mesh:
    """A straight round bar (or plate, or cone) with flat ends from start to end, (3,) or (T, 3)."""
    start, end = np.broadcast_arrays(np.atleast_2d(start), np.atleast_2d(end))
    start, end = start.astype(np.float32), end.astype(np.float32)
    axis = unit(end - start)
    helper = np.eye(3, dtype=np.float32)[np.abs(axis[0]).argmin()]
    front = unit(cross(helper, axis))
    side = cross(axis, front)
    angle = 2 * np.pi * np.arange(around) / around
    cos, sin = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
    radial = cos[:, None] * front[:, None] + sin[:, None] * side[:, None]
    near = start[:, None] + radius * radial
    far = end[:, None] + (radius if end_radius is None else end_radius) * radial
    flat = np.broadcast_to(axis[:, None], radial.shape)
    vertices = np.concatenate([near, far, near, far], axis=1)
    normals = np.concatenate([radial, radial, -flat, flat], axis=1)
    i = np.arange(around)
    j = (i + 1) % around
    fan = np.arange(1, around - 1)
    faces = [
        np.stack([i, j, j + around], -1),
        np.stack([i, j + around, i + around], -1),
        2 * around + np.stack([0 * fan, fan + 1, fan], -1),
        3 * around + np.stack([0 * fan, fan, fan + 1], -1),
    ]
    return Mesh(vertices, normals, np.broadcast_to(colour, (4 * around, 3)), np.concatenate(faces))


def box(centre: np.ndarray, axes: np.ndarray, size: tuple[float, float, float], colour) -> Mesh:
    """A box around centre (3,) or (T, 3); axes (3, 3) or (T, 3, 3) holds its directions as columns; size in metres."""
    centre, axes = np.atleast_2d(centre), np.atleast_3d(axes).reshape(-1, 3, 3)
    corners, outward, faces = [], [], []
    for k in range(3):
        for sign in (-1.0, 1.0):
            u, v = np.eye(3)[(k + 1) % 3], np.eye(3)[(k + 2) % 3] * sign
            faces += [[len(corners) + n for n in triangle] for triangle in ((0, 1, 2), (0, 2, 3))]
            corners += [sign * np.eye(3)[k] + p * u + q * v for p, q in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
            outward += [sign * np.eye(3)[k]] * 4
    vertices = centre[:, None] + (np.array(corners) * np.array(size) / 2) @ axes.transpose(0, 2, 1)
    normals = np.array(outward) @ axes.transpose(0, 2, 1)
    return Mesh(vertices, normals, np.broadcast_to(colour, (24, 3)), np.array(faces))


def slab(start, end, width: float, thickness: float, colour, across: np.ndarray = Y_AXIS) -> Mesh:
    """A board from start to end, (3,) or (T, 3), as wide as asked in the direction `across`."""
    start, end = np.broadcast_arrays(np.atleast_2d(start).astype(float), np.atleast_2d(end).astype(float))
    along = unit(end - start)
    side = unit(across - (along @ across)[:, None] * along)
    axes = np.stack([along, side, np.cross(along, side)], axis=-1)
    centre = (start + end) / 2
    length = float(np.linalg.norm(end[0] - start[0]))
    return box(centre, axes, (length, width, thickness), colour)
