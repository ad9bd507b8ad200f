"""One source video: a person drawn by chance performs a movement, and a hand-held camera films it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from exmus_lib.sample import room
from exmus_lib.sample.body import Clothes, draw_person, flesh
from exmus_lib.sample.draw import Camera, Light, darken, rasterise
from exmus_lib.sample.mesh import Mesh, join
from exmus_lib.sample.movements import MOVEMENTS, Movement
from exmus_lib.sample.movements.scene import Scene
from exmus_lib.sample.movements.tempo import tempo
from exmus_lib.sample.movements.variants import Variant

HANDHELD = 0.65  # share of the videos; the others stand on something
OVERSAMPLING = 1.25  # drawn larger and reduced by the hand-shake warp: smooth edges
SHADOW_CELLS, SHADOW_METRES = 96, 5.0  # the floor around the person, as a grid
FINER = 3  # shadows are blurred in the grid and looked up in one so many times as fine


@dataclass(frozen=True)
class Take:
    """How one video is filmed: its folder, frames per second, seconds, size in pixels."""

    folder: str
    fps: int
    seconds: float
    width: int
    height: int

    @property
    def times(self) -> np.ndarray:
        """Of the frames, in seconds: (T,)."""
        return np.arange(round(self.seconds * self.fps)) / self.fps


def repetitions(times: np.ndarray, shortest: float, longest: float, rng: np.random.Generator) -> np.ndarray:
    """How far along its way the movement is (0 start, 1 end) at times (T,) in seconds, up and down again and again."""
    phase = (
        rng.random()
        + times / rng.uniform(shortest, longest)
        + 0.04 * np.sin(times * rng.uniform(0.8, 1.6) + rng.uniform(0, 6))
    )
    phase, up = phase % 1.0, rng.uniform(0.4, 0.58)
    way = np.where(phase < up, phase / up, (1 - phase) / (1 - up))
    way = np.clip(way * rng.uniform(1.0, 1.14) - rng.uniform(0, 0.05), 0, 1)  # a rest at the ends
    smooth = way**2 * (3 - 2 * way)
    start, end = rng.uniform(0, 0.07), rng.uniform(0.92, 1.0)
    return start + (end - start) * smooth


def drift(times: np.ndarray, rng: np.random.Generator, slow: float, fast: float) -> np.ndarray:
    """A smooth wander (T,) about 0 with unit size: two sines of the given angular speeds and a tremble."""
    speeds = np.array([slow, fast, 2.3 * fast]) * rng.uniform(0.8, 1.2, 3)
    return np.sin(times[:, None] * speeds + rng.uniform(0, 6.28, 3)) @ np.array([0.7, 0.25, 0.1])


def fallen(mesh: Mesh, light: Light) -> np.ndarray:
    """The mesh (T, V, 3) as the light sees it: column and row on the floor grid, and 1 for the distance."""
    points = np.ones(mesh.vertices.shape, np.float32)
    for k, sign in ((0, 1), (1, -1)):
        slope = np.float32(light.direction[k] / light.direction[2])
        on_floor = mesh.vertices[..., k] - mesh.vertices[..., 2] * slope
        points[..., k] = on_floor * np.float32(sign * SHADOW_CELLS / SHADOW_METRES) + SHADOW_CELLS / 2
    return points


def shadow(points: np.ndarray, faces: np.ndarray, strength: float) -> np.ndarray:
    """How dark the mesh, fallen to points (V, 3), makes the cells of the finer floor grid, flat uint8, 255 is black."""
    canvas = np.zeros((SHADOW_CELLS, SHADOW_CELLS, 1), np.uint8)
    depth = np.zeros((SHADOW_CELLS, SHADOW_CELLS), np.float32)
    rasterise(canvas, depth, points, np.full((len(points), 1), 255 * strength, np.float32), faces)
    soft = cv2.GaussianBlur(canvas[..., 0], (5, 5), 1.3)
    return cv2.resize(soft, None, fx=FINER, fy=FINER, interpolation=cv2.INTER_LINEAR).ravel()


def floor_cells(points: np.ndarray) -> np.ndarray:
    """The cell (H, W) int32 of the finer floor grid in which each pixel's floor point (H, W, 2) lies, -1 for none."""
    side = SHADOW_CELLS * FINER
    column = np.floor(points[..., 0] * (side / SHADOW_METRES) + side / 2)
    row = np.floor(side / 2 - points[..., 1] * (side / SHADOW_METRES))
    inside = (column >= 0) & (column < side) & (row >= 0) & (row < side)  # NaN, no floor, is not
    return np.where(inside, row * side + column, -1).astype(np.int32)


def shoot(take: Take, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """The frames of a video of the sample, each (height, width, 3) uint8 RGB, upright: the textbook's way, well framed."""
    movement = MOVEMENTS[take.folder]
    person, clothes = draw_person(rng)
    scene = movement.perform(person, repetitions(take.times, *movement.seconds, rng), rng)
    azimuth = rng.uniform(*movement.view) * rng.choice([-1, 1])
    camera = room.place_camera(scene.skeleton.joints().reshape(-1, 3), azimuth, rng, take.width, take.height)
    yield from pictures(scene, clothes, camera, azimuth, take, rng)


def shoot_widely(way: Movement | Variant, take: Take, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """The frames of a video as people make it: at any tempo, with pauses, from anywhere, near or far, parts out of view."""
    person, clothes = draw_person(rng)
    play = way.scene if isinstance(way, Variant) else way.perform
    scene = play(person, tempo(take.times, way.seconds, rng), rng)
    least, greatest = way.view if rng.random() < 0.65 else (0, 180)
    azimuth = rng.uniform(least - 15, greatest + 15) * rng.choice([-1, 1])
    points = scene.skeleton.joints().reshape(-1, 3)
    camera = room.place_camera_anywhere(points, azimuth, rng, take.width, take.height)
    yield from pictures(scene, clothes, camera, azimuth, take, rng)


def pictures(
    scene: Scene, clothes: Clothes, camera: Camera, azimuth: float, take: Take, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """A scene in a room, drawn frame by frame through a camera in the direction `azimuth`, held in a hand or not."""
    joints = scene.skeleton.joints()
    light = room.place_light(azimuth, rng)
    moving = join(flesh(scene.skeleton, clothes) + scene.moving)
    still = stage(camera, light, scene.fixed + room.clutter(azimuth, rng), float(joints[..., 2].max()), rng)
    strength = rng.uniform(0.35, 0.6)
    points, colours = still.camera.project(moving.vertices), light.shade(moving)
    dark = fallen(moving, light)
    warps = shake(take.times, take, rng) if rng.random() < HANDHELD else None
    image, nearest = still.image.copy(), still.depth.copy()
    window = touched(points, still, moving, light)  # nothing changes outside
    top, bottom, left, right = window
    for frame in range(len(take.times)):
        darken(image, still.image, still.cells, shadow(dark[frame], moving.faces, strength), *window)
        nearest[top:bottom, left:right] = still.depth[top:bottom, left:right]
        rasterise(image, nearest, points[frame], colours[frame], moving.faces)
        size = (take.width, take.height)
        if warps is None:
            yield cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
        else:
            flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            yield cv2.warpAffine(image, warps[frame], size, flags=flags, borderMode=cv2.BORDER_REPLICATE)


@dataclass(frozen=True)
class Still:
    """What does not move, drawn once: RGB uint8, inverse distance, and where its floor lies in the shadow grid."""

    camera: Camera  # the take's, with OVERSAMPLING times the pixels
    image: np.ndarray
    depth: np.ndarray
    cells: np.ndarray


def stage(camera: Camera, light: Light, things: list[Mesh], top: float, rng: np.random.Generator) -> Still:
    """The room with the things that stand in it and their shadows."""
    width, height = round(camera.width * OVERSAMPLING), round(camera.height * OVERSAMPLING)
    image, depth, floor = room.cast(camera, rng, light, top)
    image, depth = (cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR) for plane in (image, depth))
    cells = floor_cells(cv2.resize(floor, (width, height), interpolation=cv2.INTER_NEAREST))
    large = Camera(camera.position, camera.axes, camera.focal * width / camera.width, width, height)
    mesh = join(things)
    darken(image, image.copy(), cells, shadow(fallen(mesh, light)[0], mesh.faces, 0.45), 0, height, 0, width)
    empty = depth.copy()
    rasterise(image, depth, large.project(mesh.vertices)[0], light.shade(mesh)[0], mesh.faces)
    cells[depth > empty] = -1  # the person casts no shadow on what stands before the floor
    return Still(large, image, depth, cells)


def touched(points: np.ndarray, still: Still, moving: Mesh, light: Light) -> tuple[int, ...]:
    """Top, bottom, left and right of what the moving mesh, drawn at points (T, V, 3), or its shadow ever touches."""
    slope = (light.direction / light.direction[2]).astype(np.float32)
    some = moving.vertices[::4, ::3]
    below = still.camera.project(some - some[..., 2:] * slope)
    (left, right), (top, bottom) = (
        (min(points[..., k].min(), below[..., k].min()), max(points[..., k].max(), below[..., k].max())) for k in (0, 1)
    )
    height, width = still.depth.shape
    spread = 16  # pixels: a shadow's edge is blurred, and not every vertex is looked at
    bounds = (top - spread, height), (bottom + spread, height), (left - spread, width), (right + spread, width)
    return tuple(int(np.clip(at, 0, end)) for at, end in bounds)


def shake(times: np.ndarray, take: Take, rng: np.random.Generator) -> np.ndarray:
    """Warps (T, 2, 3) from pixels of the video to pixels as drawn: a small wander, roll and breath of the zoom."""
    size = 0.008 * min(take.width, take.height)
    dx, dy = (size * drift(times, rng, 1.6, 5.0) for _ in range(2))
    angle = np.radians(0.4 * drift(times, rng, 1.2, 3.0))
    zoom = OVERSAMPLING * (0.97 + 0.006 * drift(times, rng, 0.9, 2.0))
    c, s = zoom * np.cos(angle), zoom * np.sin(angle)
    x, y = take.width / 2, take.height / 2
    warps = np.empty((len(times), 2, 3))
    warps[:, 0] = np.stack([c, -s, OVERSAMPLING * (x + dx) - c * x + s * y], axis=1)
    warps[:, 1] = np.stack([s, c, OVERSAMPLING * (y + dy) - s * x - c * y], axis=1)
    return warps
