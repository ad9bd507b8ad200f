"""Camera, light and the rasteriser: meshes to pixels with depth."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
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
        local = (points - self.position.astype(np.float32)) @ self.axes.T.astype(np.float32)
        inverse = 1 / np.maximum(local[..., 2], 0.05)
        x = local[..., 0] * inverse * self.focal + self.width / 2
        y = local[..., 1] * inverse * self.focal + self.height / 2
        return np.stack([x, y, inverse], axis=-1).astype(np.float32)

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
        facing = mesh.normals @ self.direction.astype(np.float32)
        sky = 0.78 + 0.22 * mesh.normals[..., 2]
        wrapped = np.maximum(facing * 0.85 + 0.15, 0)
        lit = sky[..., None] * self.ambient.astype(np.float32) + wrapped[..., None] * self.key.astype(np.float32)
        return np.minimum(lit * mesh.colours, 255).astype(np.float32)


@njit(cache=True, fastmath=True)
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
        scale = 1 / area
        step_b, step_c = (cy - ay) * scale, -(by - ay) * scale
        for y in range(top, bottom + 1):
            py = y + 0.5 - ay
            px = left + 0.5 - ax
            wb = (px * (cy - ay) - py * (cx - ax)) * scale
            wc = (py * (bx - ax) - px * (by - ay)) * scale
            for x in range(left, right + 1):
                wa = 1 - wb - wc
                if wa >= 0 and wb >= 0 and wc >= 0:
                    near = wa * points[a, 2] + wb * points[b, 2] + wc * points[c, 2]
                    if near > depth[y, x]:
                        depth[y, x] = near
                        for k in range(channels):
                            image[y, x, k] = np.uint8(wa * colours[a, k] + wb * colours[b, k] + wc * colours[c, k])
                wb += step_b
                wc += step_c


def darken(background: np.ndarray, shadow: np.ndarray, strength: float) -> np.ndarray:
    """The background (H, W, 3) uint8, darker by up to `strength` (0-1) where shadow (H, W) uint8 falls."""
    rest = cv2.addWeighted(shadow, -strength, shadow, 0.0, 255.0)
    return cv2.multiply(background, cv2.merge([rest, rest, rest]), scale=1 / 255)
