"""Camera, light and the rasteriser: meshes to pixels with depth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from exmus_lib.sample.mesh import Mesh, unit


@dataclass(frozen=True)
class Camera:
    """A pinhole camera. axes (3, 3): rows right, down, ahead; focal length in pixels; width and height in pixels."""

    position: np.ndarray
    axes: np.ndarray
    focal: float
    width: int
    height: int

    def project(self, points: np.ndarray) -> np.ndarray:
        """World points (..., 3) to (..., 3): pixel x, pixel y and inverse distance along the view, float32."""
        x, y, z = (points[..., k] - np.float32(self.position[k]) for k in range(3))
        seen = np.empty(points.shape, np.float32)  # by hand: BLAS is slower on long thin arrays, and starts threads
        for k, (to_x, to_y, to_z) in enumerate(self.axes.astype(np.float32)):
            seen[..., k] = to_x * x + to_y * y + to_z * z
        seen[..., 2] = 1 / np.maximum(seen[..., 2], np.float32(0.05))
        scale = seen[..., 2] * np.float32(self.focal)
        seen[..., 0] = seen[..., 0] * scale + np.float32(self.width / 2)
        seen[..., 1] = seen[..., 1] * scale + np.float32(self.height / 2)
        return seen

    def rays(self) -> np.ndarray:
        """Directions (height, width, 3) through the pixel centres, at length 1 along the view."""
        x = (np.arange(self.width) + 0.5 - self.width / 2) / self.focal
        y = (np.arange(self.height) + 0.5 - self.height / 2) / self.focal
        right, down, ahead = self.axes
        return x[None, :, None] * right + y[:, None, None] * down + ahead


def look(position: np.ndarray, target: np.ndarray, roll: float) -> np.ndarray:
    """Camera axes (rows right, down, ahead) at position looking at target, rolled by degrees."""
    ahead = unit(target - position)
    right = unit(np.cross(ahead, [0.0, 0.0, 1.0]))
    down = np.cross(ahead, right)
    c, s = np.cos(np.radians(roll)), np.sin(np.radians(roll))
    return np.stack([c * right + s * down, c * down - s * right, ahead])


@dataclass(frozen=True)
class Light:
    """One key light at infinity (unit direction towards it) and light from everywhere, both as RGB factors."""

    direction: np.ndarray
    key: np.ndarray
    ambient: np.ndarray

    def shade(self, mesh: Mesh) -> np.ndarray:
        """Vertex colours (T, V, 3) float32 in 0-255."""
        x, y, z = (mesh.normals[..., k] for k in range(3))
        to_x, to_y, to_z = self.direction.astype(np.float32)
        facing = np.maximum(0.15 + 0.85 * (to_x * x + to_y * y + to_z * z), 0)
        sky = 0.78 + 0.22 * z
        colours = np.empty(mesh.normals.shape, np.float32)
        for k in range(3):
            lit = np.float32(self.ambient[k]) * sky + np.float32(self.key[k]) * facing
            colours[..., k] = np.minimum(lit * mesh.colours[:, k], 255)
        return colours


@njit(cache=True, fastmath=True, error_model="numpy")
def rasterise(image, depth, points, colours, faces):  # pragma: no cover - compiled
    """Draw triangles into image (H, W, C) uint8 and depth (H, W), which holds inverse distance (larger is nearer).

    points (V, 3): pixel x, pixel y, inverse distance; colours (V, C) in 0-255, interpolated (Gouraud).
    """
    height, width, channels = image.shape
    for f in range(faces.shape[0]):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        ax, ay, bx, by, cx, cy = points[a, 0], points[a, 1], points[b, 0], points[b, 1], points[c, 0], points[c, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area > -1e-6:  # seen from behind (y points down, so the outside turns clockwise)
            continue
        left = max(int(np.ceil(min(ax, bx, cx) - 0.5)), 0)
        right = min(int(np.floor(max(ax, bx, cx) - 0.5)), width - 1)
        top = max(int(np.ceil(min(ay, by, cy) - 0.5)), 0)
        bottom = min(int(np.floor(max(ay, by, cy) - 0.5)), height - 1)
        # how the weights of a, b and c and the depth change from pixel to pixel
        per_area = 1 / area
        step_b, step_c = (cy - ay) * per_area, (ay - by) * per_area
        step_a = -step_b - step_c
        per_a, per_b, per_c = 1 / step_a, 1 / step_b, 1 / step_c
        step_near = step_a * points[a, 2] + step_b * points[b, 2] + step_c * points[c, 2]
        for y in range(top, bottom + 1):
            px, py = left + 0.5 - ax, y + 0.5 - ay
            wb = px * step_b - py * (cx - ax) * per_area
            wc = py * (bx - ax) * per_area + px * step_c
            wa = 1 - wb - wc
            first, last = 0, right - left
            for weight, step, per_step in ((wa, step_a, per_a), (wb, step_b, per_b), (wc, step_c, per_c)):
                if step > 1e-9:
                    first = max(first, int(np.ceil(-weight * per_step)))
                elif step < -1e-9:
                    last = min(last, int(np.floor(-weight * per_step)))
                elif weight < 0:
                    last = -1
            near = wa * points[a, 2] + wb * points[b, 2] + wc * points[c, 2] + first * step_near
            for n in range(first, last + 1):
                x = left + n
                if near > depth[y, x]:
                    depth[y, x] = near
                    for k in range(channels):
                        image[y, x, k] = np.uint8(
                            (wa + n * step_a) * colours[a, k]
                            + (wb + n * step_b) * colours[b, k]
                            + (wc + n * step_c) * colours[c, k]
                        )
                near += step_near


@njit(cache=True)
def darken(image, background, cells, shadow, top, bottom, left, right):  # pragma: no cover - compiled
    """Write a window of background (H, W, 3) uint8 into image, darker by shadow[cell] / 256.

    cells (H, W) says which cell of the floor a pixel shows, -1 where nothing can throw a shadow; shadow (cells,) uint8.
    """
    for y in range(top, bottom):
        for x in range(left, right):
            cell = cells[y, x]
            share = np.int32(256) if cell < 0 else np.int32(256) - np.int32(shadow[cell])
            for k in range(3):
                image[y, x, k] = np.uint8((np.int32(background[y, x, k]) * share) >> 8)
