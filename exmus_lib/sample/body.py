"""Flesh and clothes: the surface of a person around a skeleton, lofted from elliptical rings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from exmus_lib.sample.mesh import Mesh, tube, unit
from exmus_lib.sample.skeleton import SPINE_RINGS, Proportions, Skeleton

AVERAGE = 1.75  # metres: the height for which the radii below are given

# half width, half depth, forward offset at each of SPINE_RINGS, crotch to base of the neck
TORSO = np.array([
    (0.04, 0.05, -0.015), (0.135, 0.1, -0.02), (0.17, 0.128, -0.025), (0.172, 0.122, -0.012), (0.166, 0.117, -0.006),
    (0.165, 0.116, -0.006), (0.158, 0.11, 0.0),
    (0.145, 0.1, 0.005), (0.148, 0.1, 0.004), (0.163, 0.112, 0.005), (0.178, 0.119, 0.006), (0.182, 0.108, -0.004),
    (0.162, 0.088, -0.012), (0.1, 0.068, -0.01), (0.052, 0.054, 0.0),
])  # fmt: skip

# place along the limb (0 root, 1 elbow or knee, 2 wrist or ankle), radius, offset towards the bend
ARM = np.array([
    (-0.13, 0.01, 0.0), (-0.1, 0.03, 0.0), (-0.04, 0.047, 0.0), (0.06, 0.058, 0.0), (0.22, 0.055, 0.0),
    (0.45, 0.05, -0.006), (0.62, 0.047, -0.006), (0.85, 0.039, 0.0), (1.0, 0.039, 0.003), (1.14, 0.042, 0.0),
    (1.3, 0.043, 0.0), (1.55, 0.036, 0.0), (1.85, 0.027, 0.0), (2.02, 0.025, 0.0),
])  # fmt: skip
LEG = np.array([
    (-0.17, 0.02, -0.01), (-0.13, 0.06, -0.01), (-0.05, 0.088, -0.008), (0.08, 0.097, -0.004), (0.25, 0.093, 0.004),
    (0.5, 0.081, 0.006), (0.75, 0.065, 0.003), (0.92, 0.057, 0.004), (1.03, 0.056, 0.004), (1.15, 0.052, -0.004),
    (1.32, 0.058, -0.014), (1.48, 0.055, -0.013), (1.7, 0.043, -0.005), (1.88, 0.035, 0.0), (2.08, 0.035, 0.0),
])  # fmt: skip
# height over the chin, half width, half depth, forward offset
HEAD = np.array([
    (-0.012, 0.015, 0.02, 0.045), (0.0, 0.034, 0.04, 0.036), (0.03, 0.053, 0.066, 0.02), (0.07, 0.066, 0.083, 0.01),
    (0.1, 0.071, 0.092, 0.002), (0.122, 0.073, 0.096, 0.0), (0.15, 0.073, 0.097, -0.003), (0.185, 0.066, 0.086, -0.005),
    (0.21, 0.046, 0.06, -0.006), (0.224, 0.012, 0.015, -0.006),
])  # fmt: skip

SKINS = ((241, 205, 178), (226, 178, 145), (198, 147, 112), (161, 110, 80), (118, 77, 55), (84, 54, 41))
HAIRS = ((28, 22, 20), (52, 36, 26), (96, 64, 38), (168, 128, 74), (120, 52, 30), (120, 118, 116))
SHIRTS = (
    (32, 34, 38), (232, 232, 228), (150, 34, 40), (36, 74, 148), (40, 110, 70), (226, 138, 42), (112, 114, 120),
    (94, 50, 120), (60, 158, 176), (228, 120, 150), (236, 206, 70), (70, 90, 60),
)  # fmt: skip
TROUSERS = ((26, 26, 30), (44, 52, 78), (92, 94, 100), (30, 66, 120), (120, 40, 52), (70, 74, 60), (160, 160, 164))
SHOES = ((236, 236, 236), (30, 30, 34), (190, 50, 46), (52, 92, 170), (150, 200, 60))


@dataclass(frozen=True)
class Clothes:
    """What a person wears. sleeve and leg: how far along the limb cloth reaches (0 root, 1 joint, 2 end)."""

    skin: np.ndarray
    hair: np.ndarray
    shirt: np.ndarray
    trousers: np.ndarray
    shoes: np.ndarray
    sleeve: float
    leg: float
    loose: float  # metres between skin and cloth
    midriff: bool
    bun: bool
    cap: bool
    bald: bool


def pick(rng: np.random.Generator, colours: tuple, spread: float = 12.0) -> np.ndarray:
    """One of the colours, a little off."""
    return np.clip(np.array(colours[rng.integers(len(colours))]) + rng.normal(0, spread, 3), 8, 250)


def draw_person(rng: np.random.Generator) -> tuple[Proportions, Clothes]:
    """A person and their clothes by chance."""
    slight = rng.random() < 0.45
    height = rng.normal(1.66 if slight else 1.78, 0.06)
    build = rng.normal(0.93 if slight else 1.07, 0.08)
    breadth = rng.normal(0.93 if slight else 1.05, 0.03)
    person = Proportions(height, float(np.clip(build, 0.8, 1.3)), rng.normal(1, 0.02), rng.normal(1, 0.02), breadth)
    top, skin = rng.choice(4, p=[0.45, 0.3, 0.15, 0.1]), pick(rng, SKINS, 6.0)
    clothes = Clothes(
        skin=skin,
        hair=pick(rng, HAIRS, 6.0),
        shirt=skin if top == 3 and not slight else pick(rng, SHIRTS),
        trousers=pick(rng, TROUSERS),
        shoes=pick(rng, SHOES),
        sleeve=(rng.uniform(0.4, 0.75), -0.3, 1.9, -0.3)[top],
        leg=rng.choice([rng.uniform(0.35, 0.8), rng.uniform(1.7, 1.93)]),
        loose=rng.uniform(0.003, 0.006) if slight else rng.uniform(0.006, 0.016),
        midriff=bool(top == 3 and slight),
        bun=bool(slight and rng.random() < 0.7),
        cap=bool(rng.random() < 0.15),
        bald=bool(not slight and rng.random() < 0.15),
    )
    return person, clothes


def limb(root, middle, end, bend, rings, thickness, hem: float, loose: float, cloth, skin, around: int) -> Mesh:
    """An arm or a leg (root, middle, end, bend each (T, 3)): bare from `hem` on, above it in cloth."""
    places = np.union1d(rings[:, 0], [hem - 0.005, hem + 0.005])
    places = places[(places >= rings[0, 0]) & (places <= rings[-1, 0])]
    clothed = places < hem
    radius = np.interp(places, rings[:, 0], rings[:, 1]) * thickness + loose * clothed * np.clip(places * 2.5, 0, 1)
    shift = np.interp(places, rings[:, 0], rings[:, 2]) * thickness
    first, second = middle - root, end - middle
    weight = np.clip((places - 0.82) / 0.36, 0, 1)[None, :, None]
    along = unit((1 - weight) * unit(first)[:, None] + weight * unit(second)[:, None])
    hinge = unit(np.cross(first, bend))[:, None]
    hinge = np.broadcast_to(hinge, along.shape)
    towards = np.cross(hinge, along)
    centres = root[:, None] + np.minimum(places, 1)[:, None] * first[:, None]
    centres = centres + np.maximum(places - 1, 0)[:, None] * second[:, None] + shift[:, None] * towards
    colours = np.where(clothed[:, None], cloth, skin)
    return tube(centres, towards, hinge, radius, radius, colours, around)


def head(skeleton: Skeleton, clothes: Clothes) -> list[Mesh]:
    """Neck, head with hair and a face, nose, and bun or cap."""
    scale = skeleton.proportions.height / AVERAGE
    axes = skeleton.head
    front, left, up = axes[..., 0], axes[..., 1], axes[..., 2]
    neck = skeleton.torso.neck
    chin = neck + up * 0.065 * scale + front * 0.02 * scale
    skull = chin + up * 0.08 * scale - front * 0.01 * scale
    throat = np.stack([neck - up * 0.05 * scale, neck, skull], axis=1)
    axis = unit(skull - neck)[:, None]
    side = np.broadcast_to(left[:, None], throat.shape)
    ahead = np.broadcast_to(np.cross(left[:, None], axis), throat.shape)
    radius = np.array([0.066, 0.056, 0.05]) * scale
    parts = [tube(throat, ahead, side, radius, radius, np.tile(clothes.skin, (3, 1)), 8)]

    around = 16
    centres = chin[:, None] + up[:, None] * HEAD[:, :1] * scale + front[:, None] * HEAD[:, 3:] * scale
    shape = centres.shape
    angle = 2 * np.pi * np.arange(around) / around
    level, facing = HEAD[:, 0][:, None], np.cos(angle)[None]
    hairy = (level > 0.16 + 0.0 * facing) | ((level > 0.05) & (facing < -0.2)) | ((level > 0.1) & (facing < 0.35))
    colours = np.where((hairy & (not clothes.bald))[..., None], clothes.hair, clothes.skin)
    eyes = (
        (np.abs(level - 0.1) < 0.001)
        & (np.abs(np.abs(angle)[None] - np.pi) > 2.3)
        & (np.abs(np.sin(angle)) > 0.3)[None]
    )
    colours = np.where(eyes[..., None], clothes.skin * 0.6, colours)
    if clothes.cap:
        colours = np.where((level > 0.14)[..., None], clothes.shoes, colours)
    grow = 1.05 if clothes.cap else 1.0
    parts.append(
        tube(
            centres,
            np.broadcast_to(front[:, None], shape),
            np.broadcast_to(left[:, None], shape),
            HEAD[:, 2] * scale * grow,
            HEAD[:, 1] * scale * grow,
            colours,
            around,
        )
    )
    face = chin + (up * 0.075 + front * 0.088) * scale
    parts.append(ball(face, axes, (0.024, 0.012, 0.02), scale, clothes.skin * 0.95))
    if clothes.bun and not clothes.cap:
        parts.append(ball(chin + (up * 0.17 - front * 0.11) * scale, axes, (0.045, 0.045, 0.045), scale, clothes.hair))
    if clothes.cap:
        parts.append(ball(chin + (up * 0.15 + front * 0.11) * scale, axes, (0.07, 0.06, 0.012), scale, clothes.shoes))
    return parts


def ball(centre: np.ndarray, axes: np.ndarray, radii: tuple[float, float, float], scale: float, colour) -> Mesh:
    """An ellipsoid at centre (T, 3) with half axes along the columns of axes (T, 3, 3)."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, 6)
    centres = centre[:, None] + axes[:, None, :, 2] * (np.sin(angle) * radii[2] * scale)[:, None]
    front, left = (np.broadcast_to(axes[:, None, :, k], centres.shape) for k in (0, 1))
    size = np.cos(angle) * scale
    return tube(centres, front, left, size * radii[0], size * radii[1], np.tile(colour, (6, 1)), 8)


def hand(skeleton: Skeleton, which: int, skin: np.ndarray) -> Mesh:
    """A fist around what it holds, or a flat hand."""
    scale = skeleton.proportions.height / AVERAGE
    wrist, elbow, grip = (getattr(skeleton, joint)[:, which] for joint in ("wrists", "elbows", "grips"))
    along = unit(grip - wrist)
    across = unit(np.cross(along, skeleton.elbow_bends[:, which] + 1e-3))
    if skeleton.flat_hands:
        across = unit(np.cross(along, np.array([0.0, 0.0, 1.0])))
        places, depth, width = (
            [-0.02, 0.02, 0.08, 0.15, 0.175],
            [0.022, 0.02, 0.016, 0.01, 0.003],
            [0.026, 0.035, 0.043, 0.036, 0.02],
        )
    else:
        places, depth, width = (
            [-0.02, 0.015, 0.045, 0.085, 0.105, 0.112],
            [0.024, 0.03, 0.04, 0.042, 0.03, 0.004],
            [0.025, 0.034, 0.043, 0.042, 0.03, 0.004],
        )
    towards = np.cross(across, along)
    centres = wrist[:, None] + along[:, None] * np.array(places)[:, None] * scale
    front, side = (np.broadcast_to(v[:, None], centres.shape) for v in (towards, across))
    return tube(
        centres, front, side, np.array(depth) * scale, np.array(width) * scale, np.tile(skin, (len(places), 1)), 8
    )


def shoe(skeleton: Skeleton, which: int, clothes: Clothes) -> Mesh:
    """A shoe whose sole lies one ankle height under the ankle, across the shin's plane."""
    scale = skeleton.proportions.height / AVERAGE
    ankle, along = skeleton.ankles[:, which], skeleton.toes[:, which]
    shin = unit(skeleton.knees[:, which] - ankle)
    up = unit(shin - (shin * along).sum(-1, keepdims=True) * along)
    side = np.cross(up, along)
    places = np.array([-0.085, -0.075, -0.04, 0.0, 0.05, 0.1, 0.15, 0.185, 0.2])
    depth = np.array([0.012, 0.036, 0.05, 0.052, 0.043, 0.034, 0.029, 0.022, 0.006])
    width = np.array([0.012, 0.03, 0.036, 0.037, 0.041, 0.047, 0.046, 0.032, 0.008])
    drop = depth - 0.0875
    centres = ankle[:, None] + (along[:, None] * places[:, None] + up[:, None] * drop[:, None]) * scale
    # front x side must point along the foot, so the ring's front is the side of the foot
    front, upward = (np.broadcast_to(v[:, None], centres.shape) for v in (side, up))
    colours = np.tile(clothes.shoes, (len(places), 10, 1))
    colours[:, [6, 7, 8, 9]] = 0.6 * colours[:, [6, 7, 8, 9]] + 0.4 * 235
    return tube(centres, front, upward, width * scale, depth * scale, colours, 10, 0.8)


def flesh(skeleton: Skeleton, clothes: Clothes) -> list[Mesh]:
    """All surfaces of the dressed person, each over T frames."""
    person = skeleton.proportions
    scale = person.height / AVERAGE
    thickness = scale * (0.5 + 0.5 * person.build)
    trunk = skeleton.torso
    # the belly grows with the build, the shoulders with the skeleton
    girth = scale * np.where(SPINE_RINGS < 0.7, person.build, 0.4 * person.build + 0.6 * person.breadth)
    belt = SPINE_RINGS < 0.14
    bare = (SPINE_RINGS > 0.99) | (clothes.midriff & (SPINE_RINGS > 0.14) & (SPINE_RINGS < 0.55))
    colours = np.where(belt[:, None], clothes.trousers, np.where(bare[:, None], clothes.skin, clothes.shirt))
    loose = clothes.loose * (SPINE_RINGS < 0.95)
    front, left = trunk.axes[..., 0], trunk.axes[..., 1]
    spine = trunk.spine + front * (TORSO[:, 2] * girth)[:, None]
    parts = [tube(spine, front, left, TORSO[:, 1] * girth + loose, TORSO[:, 0] * girth + loose, colours, 16, 0.85)]
    for k in (0, 1):
        arm = [getattr(skeleton, joint)[:, k] for joint in ("shoulders", "elbows", "wrists", "elbow_bends")]
        leg = [getattr(skeleton, joint)[:, k] for joint in ("hips", "knees", "ankles", "knee_bends")]
        parts.append(limb(*arm, ARM, thickness, clothes.sleeve, clothes.loose, clothes.shirt, clothes.skin, 10))
        parts.append(limb(*leg, LEG, thickness, clothes.leg, clothes.loose, clothes.trousers, clothes.skin, 12))
        parts += [hand(skeleton, k, clothes.skin), shoe(skeleton, k, clothes)]
    return parts + head(skeleton, clothes)
