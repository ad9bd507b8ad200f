"""Virtual clips: the exact joints of rendered movements, without a pixel; project.py makes of them what an estimator sees."""

import numpy as np

from exmus_lib.sample.mesh import unit
from exmus_lib.sample.skeleton import Skeleton

SECONDS, DENSE = 9.0, 20  # of a movement, and samples a second: clips are cut out of it at other tempi
AVERAGE = 1.75  # metres: everybody is scaled to this height, as no camera tells how tall somebody is


def body_joints(skeleton: Skeleton) -> np.ndarray:
    """The joints of BODY (T, 19, 3) in metres: x to the front, y to the left, z up."""
    scale = skeleton.proportions.height / AVERAGE
    frames = len(skeleton.torso.neck)
    ahead, left, up = (np.broadcast_to(skeleton.head[:, :, k], (frames, 3)) for k in range(3))
    neck = skeleton.torso.neck
    nose = neck + scale * (0.175 * up + 0.105 * ahead)
    ears = [neck + scale * (0.2 * up + sign * 0.075 * left) for sign in (1, -1)]
    knees, ankles, toes = (np.broadcast_to(a, (frames, 2, 3)) for a in (skeleton.knees, skeleton.ankles, skeleton.toes))
    shin = knees - ankles
    sole = unit((shin * toes).sum(-1, keepdims=True) * toes - shin)  # down, across the foot
    heels = ankles + scale * (0.06 * sole - 0.045 * toes)
    tips = ankles + scale * 0.05 * sole + 1.15 * skeleton.proportions.foot * toes
    pairs = [skeleton.shoulders, skeleton.elbows, skeleton.wrists, skeleton.hips, knees, ankles, heels, tips]
    pairs = [np.broadcast_to(joint, (frames, 2, 3)) for joint in pairs]
    return np.concatenate([np.stack([nose, *ears], axis=1), *pairs], axis=1)
