"""The room around the lifter: walls, floor and ceiling by ray casting, clutter by meshes, and the camera's place."""

from __future__ import annotations

import numpy as np

from exmus_lib.sample import equipment as gear
from exmus_lib.sample.draw import Camera, Light, look
from exmus_lib.sample.mesh import Mesh, rod, slab
from exmus_lib.sample.skeleton import turn

WALLS = (
    (206, 204, 198),
    (150, 152, 158),
    (96, 100, 108),
    (176, 150, 122),
    (120, 140, 152),
    (226, 222, 210),
    (128, 70, 58),
    (70, 84, 76),
)
FLOORS = ((52, 53, 56), (84, 84, 86), (150, 116, 82), (120, 90, 64), (128, 128, 124), (60, 66, 78), (170, 160, 146))
MUTED = 0.6  # how far walls and floor are drawn towards their mean, as behind a lens that blurs: the lifter stands out
NEAREST = 2.6  # metres from the camera to the person, closer looks distorted
POSTERS = ((190, 60, 50), (50, 90, 160), (220, 200, 90), (40, 40, 44), (230, 230, 232), (70, 140, 90), (160, 186, 206))


def place_camera(points: np.ndarray, azimuth: float, rng: np.random.Generator, width: int, height: int) -> Camera:
    """A camera in the direction azimuth (degrees, 0 is in front of the person) that sees all points (N, 3).

    It stands where they fill 80-92 % of the frame's short side, so that a square crop from the middle keeps them.
    """
    short = min(width, height)
    focal = rng.uniform(0.95, 1.35) * max(width, height)
    fill, eye = rng.uniform(0.8, 0.92) * short, rng.uniform(0.9, 1.6)
    offset = rng.normal(0, 0.02, 2) * short
    return _aimed(points, azimuth, focal, fill, eye, offset, rng.normal(0, 1.2), NEAREST, width, height)


def place_camera_anywhere(
    points: np.ndarray, azimuth: float, rng: np.random.Generator, width: int, height: int
) -> Camera:
    """A camera in the direction azimuth as phones are put down: on the floor or held high, far off or so near that a part of the
    person (points (N, 3)) is out of the picture."""
    short, near = min(width, height), rng.random() < 0.3
    focal = rng.uniform(0.75, 1.35) * max(width, height)
    fill = rng.uniform(0.95, 1.5) if near else rng.uniform(0.55, 0.95)
    eye = rng.uniform(0.15, 0.7) if rng.random() < 0.3 else rng.uniform(0.7, 2.0)
    offset = rng.normal(0, 0.12 if near else 0.04, 2) * short
    return _aimed(points, azimuth, focal, fill * short, eye, offset, rng.normal(0, 2.5), 1.4, width, height)


def _aimed(
    points: np.ndarray, azimuth: float, focal: float, fill: float, eye: float, offset: np.ndarray, roll: float,
    nearest: float, width: int, height: int,
) -> Camera:  # fmt: skip
    """So far off that the points are `fill` pixels large, but `nearest` metres at least, `eye` metres high."""
    radians = np.radians(azimuth)
    towards = np.array([np.cos(radians), np.sin(radians), 0.0])
    target, distance = (points.min(0) + points.max(0)) / 2, 4.0
    for _ in range(8):
        position = target + towards * distance
        position[2] = np.clip(eye, target[2] - 0.45 * distance, target[2] + 0.75 * distance)
        camera = Camera(position, look(position, target, roll), focal, width, height)
        seen = camera.project(points)[:, :2]
        low, high = seen.min(0), seen.max(0)
        distance = max(distance * (0.3 + 0.7 * float((high - low).max()) / fill), nearest)
        shift = ((low + high) / 2 - (width / 2, height / 2) + offset) * distance / focal
        target = target + camera.axes[0] * shift[0] + camera.axes[1] * shift[1]
    return camera


def place_light(azimuth: float, rng: np.random.Generator) -> Light:
    """Light from above and more or less behind the camera, warm or cold."""
    direction = np.radians(azimuth + rng.uniform(-75, 75))
    elevation = np.radians(rng.uniform(45, 72))
    towards = np.array(
        [np.cos(direction) * np.cos(elevation), np.sin(direction) * np.cos(elevation), np.sin(elevation)]
    )
    warmth = rng.normal(0, 0.05) * np.array([1.0, 0.0, -1.0])
    ambient = rng.uniform(0.38, 0.58)
    return Light(towards, rng.uniform(1.0, 1.25) * (1 + warmth) - ambient, ambient * (1 - 0.5 * warmth))


def grain(rng: np.random.Generator, u: np.ndarray, v: np.ndarray, scale: float) -> np.ndarray:
    """Smooth value noise in -1..1 at `scale` cells a metre."""
    table = rng.uniform(-1, 1, (64, 64)).astype(np.float32)
    x, y = u * np.float32(scale), v * np.float32(scale)
    i, j = np.floor(x).astype(np.int32), np.floor(y).astype(np.int32)
    a, b = x - i, y - j
    i, j = i & 63, j & 63
    k, m = (i + 1) & 63, (j + 1) & 63
    return (table[i, j] * (1 - a) + table[k, j] * a) * (1 - b) + (table[i, m] * (1 - a) + table[k, m] * a) * b


def lines(u: np.ndarray, every: float, wide: float, footprint: np.ndarray) -> np.ndarray:
    """Where joints between tiles or planks run, 0-1, fading where a pixel is wider than they are."""
    distance = np.abs(u / every - np.round(u / every)) * every
    blur = np.maximum(footprint, wide / 2)
    return np.clip(1.5 - distance / blur, 0, 1) * np.minimum(1, wide / 2 / blur)


def floor_pattern(rng: np.random.Generator, x: np.ndarray, y: np.ndarray, footprint: np.ndarray) -> np.ndarray:
    """Brightness factors of rubber, planks, tiles or puzzle mats."""
    kind = rng.integers(4)
    fine = grain(rng, x, y, 9.0) * 0.05 + grain(rng, x, y, 1.3) * 0.06
    if kind == 0:
        return 1 + fine + grain(rng, x, y, 60.0) * 0.16 * np.clip(0.02 / footprint, 0, 1)
    if kind == 1:
        plank = np.floor(x / 0.16)
        tone = np.sin(plank * 12.9898 + np.floor((y + plank * 0.37) / 1.3) * 4.1) * 0.07
        return (1 + fine + tone) * (1 - 0.45 * lines(x, 0.16, 0.012, footprint))
    size = (0.5, 1.0)[kind - 2]
    checks = 0.04 * ((np.floor(x / size) + np.floor(y / size)) % 2)
    joints = np.maximum(lines(x, size, 0.02, footprint), lines(y, size, 0.02, footprint))
    return (1 + fine + checks) * (1 - 0.35 * joints)


def wall_picture(
    rng: np.random.Generator, u: np.ndarray, z: np.ndarray, footprint: np.ndarray, top: float
) -> np.ndarray:
    """RGB (N, 3) of one wall at N points: paint, bricks or panels, a skirting board, posters, mirrors or windows."""
    paint = np.array(WALLS[rng.integers(len(WALLS))]) + rng.normal(0, 8, 3)
    kind = rng.integers(4)
    tone = 1 + 0.03 * grain(rng, u, z, 2.0)
    if kind == 1:
        row = np.floor(z / 0.14)
        tone = tone * (
            1 - 0.25 * np.maximum(lines(z, 0.14, 0.014, footprint), lines(u + 0.14 * (row % 2), 0.28, 0.014, footprint))
        )
    elif kind == 2:
        tone = tone * (1 - 0.3 * lines(u, 1.2, 0.02, footprint))
    colour = paint.astype(np.float32) * tone[..., None]
    if rng.random() < 0.4:
        colour[z < rng.uniform(0.8, 1.3)] *= rng.uniform(0.6, 0.85, 3).astype(np.float32)
    at = rng.uniform(-7, -5)
    while at < 6 and kind != 3:
        wide, low, high = rng.uniform(0.5, 1.9), rng.uniform(0.5, 1.3), rng.uniform(1.7, min(2.5, top - 0.2))
        fill = np.array(POSTERS[rng.integers(len(POSTERS))]) * 0.92
        band = rng.random() < 0.5
        inside = np.flatnonzero((u > at) & (u < at + wide) & (z > low) & (z < high))
        x, y = u[inside] - at, z[inside] - low
        edge = np.minimum(np.minimum(x, wide - x), np.minimum(y, high - low - y)) < 0.05
        middle = band & (np.abs(2 * y / (high - low) - 1) < 0.2)
        shade = np.where(edge, 0.45, np.where(middle, 0.7, 0.9 + 0.1 * y / (high - low)))
        colour[inside] = shade[:, None] * fill
        at += wide + rng.uniform(0.6, 2.5)
    colour[z < 0.1] *= 0.5
    return colour


def cast(
    camera: Camera, rng: np.random.Generator, light: Light, top: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The empty room: RGB (H, W, 3) uint8, inverse distance (H, W), and floor points (H, W, 2), NaN off the floor."""
    yaw = turn(yaw=rng.uniform(-35, 35) + 90 * rng.integers(4))[0]
    origin, rays = camera.position @ yaw, camera.rays().astype(np.float32) @ yaw.astype(np.float32)
    low = np.minimum([*rng.uniform(-4.2, -2.1, 2), 0.0], origin - (0.6, 0.6, 9)) * (1, 1, 0)
    high = np.maximum([*rng.uniform(2.1, 4.2, 2), 0.0], origin + 0.6) * (1, 1, 0) + (
        0,
        0,
        max(top + 0.3, rng.uniform(2.7, 3.5)),
    )
    low, high, origin = (corner.astype(np.float32) for corner in (low, high, origin))
    rays = np.where(np.abs(rays) < 1e-6, np.float32(1e-6), rays)
    reach = [np.where(rays[..., k] > 0, high[k] - origin[k], low[k] - origin[k]) / rays[..., k] for k in range(3)]
    distance = np.minimum(np.minimum(reach[0], reach[1]), reach[2])
    axis = np.where(reach[0] == distance, 0, np.where(reach[1] == distance, 1, 2))
    hit = origin + rays * distance[..., None]
    footprint = distance / camera.focal
    image = np.empty_like(rays)
    floor = (axis == 2) & (rays[..., 2] < 0)
    colour = np.array(FLOORS[rng.integers(len(FLOORS))]) + rng.normal(0, 6, 3)
    slant = footprint[floor] / np.maximum(-rays[floor, 2], 0.05)
    image[floor] = floor_pattern(rng, hit[floor, 0], hit[floor, 1], slant)[:, None] * colour * 0.92
    for side, along in ((0, 1), (1, 0)):
        for positive in (False, True):
            wall = (axis == side) & ((rays[..., side] > 0) == positive)
            paint = np.random.default_rng(rng.integers(2**32))
            if wall.any():
                tone = (0.78, 0.92)[side] + 0.08 * positive
                image[wall] = wall_picture(paint, hit[wall][:, along], hit[wall][:, 2], footprint[wall], high[2]) * tone
    image[(axis == 2) & ~floor] = np.array([200, 200, 200]) * rng.uniform(0.6, 1.0)
    corner = np.full_like(distance, 9.0)
    for k in range(3):
        to_wall = np.minimum(hit[..., k] - low[k], high[k] - hit[..., k])
        corner = np.where(axis == k, corner, np.minimum(corner, to_wall))
    image *= (0.72 + 0.28 * np.sqrt(np.clip(corner / 0.5, 0, 1)))[..., None]
    grey = image.mean(-1, keepdims=True)
    image = MUTED * ((image.mean((0, 1)) + 2 * image.mean()) / 3) + (1 - MUTED) * (image + grey) / 2
    image *= (light.ambient + 0.75 * light.key).astype(np.float32)
    points = np.where(floor[..., None], hit @ yaw.T.astype(np.float32), np.float32(np.nan))[..., :2]
    return np.clip(image, 0, 255).astype(np.uint8), 1 / distance, points


def clutter(azimuth: float, rng: np.random.Generator) -> list[Mesh]:
    """A few things that stand behind the person as seen from the camera, and off to the sides."""
    parts: list[Mesh] = []
    for _ in range(rng.integers(1, 3)):
        direction = np.radians(azimuth + 180 + rng.choice([-1, 1]) * rng.uniform(12, 65))
        spot = np.array([np.cos(direction), np.sin(direction), 0.0]) * rng.uniform(1.7, 2.3)
        across = np.array([-np.sin(direction), np.cos(direction), 0.0])
        frame = gear.choose(rng, gear.FRAMES)
        kind = rng.integers(4)
        if kind == 0:  # dumbbell rack
            for level in (0.35, 0.75):
                height = np.array([0.0, 0.0, level])
                parts.append(
                    slab(
                        spot - across * 0.7 + height,
                        spot + across * 0.7 + height,
                        0.3,
                        0.05,
                        frame,
                        np.cross(across, [0, 0, 1.0]),
                    )
                )
                colour = gear.choose(rng, gear.PLATES)
                for place in np.arange(-0.6, 0.61, 0.2):
                    centre = (spot + across * place + height + (0, 0, 0.09))[None]
                    parts += gear.dumbbell(centre, np.cross(across, [0, 0, 1.0])[None], 0.06, colour)
            parts += [gear.post(spot + s * across * 0.66 + (0, 0, 0.75), frame) for s in (-1, 1)]
        elif kind == 1:  # plate tree
            parts.append(gear.post(spot + (0, 0, 1.2), frame, 0.08))
            for level in (0.3, 0.7, 1.1):
                centre = spot + (0, 0, level)
                colour, radius = gear.choose(rng, gear.PLATES), rng.uniform(0.13, 0.22)
                parts += [
                    rod(centre + s * 0.05 * across, centre + s * 0.13 * across, radius, colour, around=18)
                    for s in (-1, 1)
                ]
        elif kind == 2:  # rack
            for s in (-1, 1):
                parts.append(gear.post(spot + s * 0.55 * across + (0, 0, 2.1), frame, 0.07))
            parts.append(rod(spot - 0.6 * across + (0, 0, 2.08), spot + 0.6 * across + (0, 0, 2.08), 0.03, frame))
            if rng.random() < 0.6:
                parts += gear.barbell((spot + (0, 0, rng.uniform(0.9, 1.4)))[None], rng, 0.95, 0.2, across)
        else:  # box or machine
            height = rng.uniform(0.4, 1.5)
            colour = gear.choose(rng, gear.MATS + gear.FRAMES)
            parts.append(
                slab(spot, spot + (0, 0, height), rng.uniform(0.4, 0.7), rng.uniform(0.4, 0.6), colour, across)
            )
    return parts
