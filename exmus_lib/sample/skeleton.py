"""The jointed person: proportions, spine by forward kinematics, arms and legs by two-bone inverse kinematics.

Everything is computed for all T frames of a video at once. Left is index 0, right is index 1 of an axis of length 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from exmus_lib.sample.mesh import unit

SPINE_RINGS = np.array([-0.17, -0.13, -0.04, 0.08, 0.135, 0.145, 0.2, 0.31, 0.45, 0.6, 0.75, 0.86, 0.94, 1.0, 1.05])
SHOULDER_LEVEL = 0.93  # of the way from hips to the base of the neck


@dataclass(frozen=True)
class Proportions:
    """Lengths of one person in metres. Shares of body height after Drillis & Contini (1966)."""

    height: float
    build: float  # girth, 1 is average
    leg: float = 1.0  # share by which legs are longer than average
    arm: float = 1.0
    breadth: float = 1.0  # of the shoulders

    def __post_init__(self) -> None:
        h = self.height
        lengths = dict(
            thigh=0.245 * h * self.leg,
            shin=0.246 * h * self.leg,
            ankle=0.05 * h,
            spine=0.289 * h,
            shoulder=0.106 * h * self.breadth,
            hip=0.052 * h,
            upper_arm=0.183 * h * self.arm,
            forearm=0.146 * h * self.arm,
            grip=0.042 * h,  # wrist to the centre of the fist
            foot=0.11 * h,  # ankle to the ball of the foot
            seat=0.07 * h * self.build,  # hip joints over what the person sits or lies on
        )
        for name, length in lengths.items():
            object.__setattr__(self, name, length)

    @property
    def arm_reach(self) -> float:
        """Shoulder to the centre of the fist, arm straight."""
        return self.upper_arm + self.forearm + self.grip

    @property
    def standing(self) -> float:
        """Height of the hip joints, legs nearly straight."""
        return self.ankle + 0.993 * (self.thigh + self.shin)


@dataclass(frozen=True)
class Torso:
    """Pelvis to neck. spine (T, K, 3) and its axes (T, K, 3, 3), columns front, left, up; joints (T, 2, 3)."""

    spine: np.ndarray
    axes: np.ndarray
    shoulders: np.ndarray
    hips: np.ndarray
    neck: np.ndarray

    def chest(self, forward: float, left: float, up: float) -> np.ndarray:
        """A point (T, 3) fixed to the chest, from the middle between the shoulder joints."""
        return self.shoulders.mean(1) + self.axes[:, -3] @ np.array([forward, left, up])


@dataclass(frozen=True)
class Skeleton:
    """All joints of a person over time, each (T, 2, 3); hinges are the unit axes of elbows and knees."""

    proportions: Proportions
    torso: Torso
    head: np.ndarray  # (T, 3, 3), columns front, left, up
    shoulders: np.ndarray
    elbows: np.ndarray
    wrists: np.ndarray
    grips: np.ndarray
    elbow_bends: np.ndarray
    hips: np.ndarray
    knees: np.ndarray
    ankles: np.ndarray
    toes: np.ndarray  # unit direction from the heel to the toes
    knee_bends: np.ndarray
    flat_hands: bool = False

    def joints(self) -> np.ndarray:
        """(T, J, 3) points that enclose the person, for framing."""
        head = self.torso.neck + self.head[:, :, 2] * 0.185 * self.proportions.height
        tips = self.ankles + self.toes * 1.25 * self.proportions.foot
        pairs = [self.shoulders, self.elbows, self.grips, self.hips, self.knees, self.ankles, tips]
        return np.concatenate([*pairs, head[:, None]], axis=1)


def turn(pitch=0.0, yaw=0.0, roll=0.0) -> np.ndarray:
    """Rotations (T, 3, 3) from angles in degrees, scalars or (T,): roll about x, then yaw about z, then pitch about y.

    Positive pitch leans forward, positive yaw turns to the left.
    """
    p, y, r = np.broadcast_arrays(*(np.radians(np.atleast_1d(angle)) for angle in (pitch, yaw, roll)))
    zero, one = np.zeros_like(p), np.ones_like(p)

    def rows(*entries: np.ndarray) -> np.ndarray:
        return np.stack(entries, -1).reshape(-1, 3, 3)

    about_y = rows(np.cos(p), zero, np.sin(p), zero, one, zero, -np.sin(p), zero, np.cos(p))
    about_z = rows(np.cos(y), -np.sin(y), zero, np.sin(y), np.cos(y), zero, zero, zero, one)
    about_x = rows(one, zero, zero, zero, np.cos(r), -np.sin(r), zero, np.sin(r), np.cos(r))
    return about_y @ about_z @ about_x


def point(x=0.0, y=0.0, z=0.0) -> np.ndarray:
    """Points (T, 3) from scalars or (T,) arrays."""
    return np.stack(np.broadcast_arrays(*np.atleast_1d(x, y, z)), -1).astype(float)


def pair(x=0.0, y=0.0, z=0.0) -> np.ndarray:
    """Points or directions (T, 2, 3) for left and right, mirrored in y."""
    return np.stack([point(x, y, z), point(x, -np.asarray(y), z)], axis=1)


def two_bone(root, target, first: float, second: float, pole) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Middle joint, end and bend direction, (..., 3) each, of a limb of two bones from root that reaches for target.

    The middle joint bends towards the direction `pole`. A target out of reach is approached as far as the bones go.
    """
    offset = target - root
    direction = unit(offset)
    distance = np.clip(
        np.linalg.norm(offset, axis=-1, keepdims=True), abs(first - second) + 1e-3, first + second - 1e-4
    )
    along = (first**2 - second**2 + distance**2) / (2 * distance)
    bend = unit(pole - (pole * direction).sum(-1, keepdims=True) * direction)
    middle = root + direction * along + bend * np.sqrt(np.maximum(first**2 - along**2, 0))
    return middle, root + direction * distance, bend


def torso(proportions: Proportions, pelvis: np.ndarray, hips: np.ndarray, chest: np.ndarray | None = None) -> Torso:
    """A spine from the point `pelvis` (T, 3) that bends from the rotation `hips` into `chest`, both (T, 3, 3)."""
    chest = hips if chest is None else chest
    frames = max(len(pelvis), len(hips), len(chest))
    weight = np.clip((SPINE_RINGS - 0.1) / 0.6, 0, 1)
    weight = (weight**2 * (3 - 2 * weight))[None, :, None, None]
    blend = (1 - weight) * hips[:, None] + weight * chest[:, None]
    blend = np.broadcast_to(blend, (frames, *blend.shape[1:]))
    up = unit(blend[..., 2])
    front = unit(blend[..., 0] - (blend[..., 0] * up).sum(-1, keepdims=True) * up)
    axes = np.stack([front, np.cross(up, front), up], axis=-1)
    steps = np.diff(SPINE_RINGS)[None, :, None] * proportions.spine * (up[:, 1:] + up[:, :-1]) / 2
    spine = np.concatenate([np.zeros((frames, 1, 3)), np.cumsum(steps, axis=1)], axis=1)
    zero = np.abs(SPINE_RINGS).argmin()  # the ring nearest the hip joints
    spine += pelvis[:, None] - spine[:, [zero]] + up[:, [zero]] * SPINE_RINGS[zero] * proportions.spine
    left = axes[..., 1]
    both = np.array([1.0, -1.0])[None, :, None]
    level = spine[:, -4] + up[:, -4] * (SHOULDER_LEVEL - SPINE_RINGS[-4]) * proportions.spine
    shoulders = level[:, None] + both * left[:, -3, None] * proportions.shoulder
    hip_joints = pelvis[:, None] + both * left[:, 0, None] * proportions.hip
    return Torso(spine, axes, shoulders, np.broadcast_to(hip_joints, shoulders.shape), spine[:, -2])


def assemble(
    proportions: Proportions,
    trunk: Torso,
    grips: np.ndarray,
    elbow_poles: np.ndarray,
    ankles: np.ndarray,
    knee_poles: np.ndarray,
    toes: np.ndarray | None = None,
    head: np.ndarray | None = None,
    hands: np.ndarray | None = None,
) -> Skeleton:
    """The whole person from targets, each (T, 2, 3) or (1, 2, 3).

    grips: where the fists close (wrists straight), or, with `hands` (directions of flat hands), where the palms lie;
    ankles: ankle joints; toes: direction of the feet, else forward; head: rotation (T, 3, 3), else the chest's.
    """
    shape = trunk.shoulders.shape
    grips, elbow_poles, ankles, knee_poles = (
        np.broadcast_to(a, shape) for a in (grips, elbow_poles, ankles, knee_poles)
    )
    toes = np.broadcast_to(pair(1.0, 0.12) if toes is None else toes, shape)
    chest = trunk.axes[:, -3]
    # shoulder blades follow the arms, up to 4 cm up and 3 cm forward
    reach = unit(grips - trunk.shoulders)
    lift = np.clip((reach * chest[:, None, :, 2]).sum(-1, keepdims=True), 0, 1) * 0.023 * proportions.height
    push = np.clip((reach * chest[:, None, :, 0]).sum(-1, keepdims=True), -0.3, 1) * 0.014 * proportions.height
    shoulders = trunk.shoulders + lift * chest[:, None, :, 2] + push * chest[:, None, :, 0]
    lower = proportions.forearm + (proportions.grip if hands is None else 0.0)
    targets = grips if hands is None else grips - unit(hands) * proportions.grip
    elbows, ends, elbow_bends = two_bone(shoulders, targets, proportions.upper_arm, lower, elbow_poles)
    wrists = elbows + unit(ends - elbows) * proportions.forearm
    fists = ends if hands is None else wrists + unit(hands) * proportions.grip
    knees, feet, knee_bends = two_bone(trunk.hips, ankles, proportions.thigh, proportions.shin, knee_poles)
    return Skeleton(
        proportions, trunk, np.broadcast_to(chest if head is None else head, chest.shape), shoulders, elbows, wrists,
        fists, elbow_bends, trunk.hips, knees, feet, unit(toes), knee_bends, hands is not None,
    )  # fmt: skip
