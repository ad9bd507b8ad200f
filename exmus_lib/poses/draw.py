"""Joints drawn as limbs: as small pictures that networks read, over a frame of the video, and in a figure of a notebook.

Colours are fixed and tell left (warm) from right (cold), after Okabe and Ito's palette for colour-blind eyes; RGB everywhere.
"""

from itertools import pairwise

import cv2
import numpy as np

from exmus_lib.poses.track import BODY

MIN_VISIBILITY = 0.5  # a limb is drawn where both its joints are seen at least so well
MARGIN = 0.08  # of the picture's side, free on each side of the person
SHIFT = 4  # binary digits behind the point: lines begin between pixels
LINE_SHARE = 1 / 48  # line width to side of a small picture
OVER_SHARE = 1 / 120  # line width to the shorter side of a frame

GREY, PURPLE = (170, 170, 170), (204, 121, 167)
ORANGE, VERMILION, SKY, BLUE = (240, 170, 20), (213, 94, 0), (86, 180, 233), (0, 114, 178)
# Colour -> chains of joints; later ones lie over earlier ones. "neck" is the middle of the shoulders.
LIMBS = {
    GREY: (("left shoulder", "right shoulder", "right hip", "left hip", "left shoulder"),),
    PURPLE: (("neck", "nose"), ("left ear", "nose", "right ear")),
    BLUE: (("right hip", "right knee", "right ankle", "right heel", "right foot index", "right ankle"),),
    VERMILION: (("left hip", "left knee", "left ankle", "left heel", "left foot index", "left ankle"),),
    SKY: (("right shoulder", "right elbow", "right wrist"),),
    ORANGE: (("left shoulder", "left elbow", "left wrist"),),
}
POINTS = [*BODY, "neck"]
# Colour -> first and second joint (L, 2) of its limbs, as places in POINTS.
PAIRS = {
    colour: np.array([[POINTS.index(one), POINTS.index(two)] for chain in chains for one, two in pairwise(chain)])
    for colour, chains in LIMBS.items()
}
SHOULDERS = [BODY.index("left shoulder"), BODY.index("right shoulder")]


def drawn(image: np.ndarray, visibility: np.ndarray, side: int) -> np.ndarray:
    """Limbs on black (T, side, side, 3) uint8 from joints `image` (T, J, 2) in pixels and their `visibility` (T, J).

    One square around the person serves all T pictures, so that what moves in the video moves here. Black where nothing is seen.
    """
    points, seen = _with_neck(image, visibility)
    # All pictures lie one below the other in one tall picture: a few calls draw everything.
    tall = np.zeros((len(points) * side, side, 3), np.uint8)
    if seen.any():
        low, high = points[seen].min(axis=0), points[seen].max(axis=0)
        scale = (1 - 2 * MARGIN) * side / max(*(high - low), 1e-6)
        points = (points - (low + high) / 2) * scale + side / 2 - 0.5  # the middle of the first pixel is 0
        points[..., 1] += side * np.arange(len(points))[:, None]
        _lines(tall, points, seen, max(1, round(LINE_SHARE * side)))
    return tall.reshape(-1, side, side, 3)


def skeleton_over(frame: np.ndarray, joints: np.ndarray, visibility: np.ndarray) -> np.ndarray:
    """A copy of an RGB `frame` (height, width, 3) uint8 with limbs over it, outlined in black; joints (J, 2) are in its pixels.

    A Track's joints are in its `size`: of a video with pixels that are not square, or another size, scale frame or joints first.
    """
    picture = np.ascontiguousarray(frame).copy()
    points, seen = _with_neck(joints[None], visibility[None])
    width = max(1, round(OVER_SHARE * min(frame.shape[:2])))
    _lines(picture, points, seen, width + 2 * max(1, width // 2), outline=True)
    _lines(picture, points, seen, width)
    for point in _fixed(points[seen]):
        cv2.circle(picture, point.tolist(), width << SHIFT, (255, 255, 255), cv2.FILLED, cv2.LINE_AA, SHIFT)
    return picture


def stick_figure(ax, joints: np.ndarray, visibility: np.ndarray | None = None, width: float = 3.0):
    """Draw limbs from joints (J, 2), y down, into an Axes with equal scales; all of them if no `visibility` (J,) is given."""
    visibility = np.ones(len(joints)) if visibility is None else visibility
    points, seen = _with_neck(joints[None], visibility[None])
    for colour, pairs in PAIRS.items():
        for pair in pairs[seen[0, pairs].all(axis=1)]:
            ax.plot(*points[0, pair].T, color=np.array(colour) / 255, lw=width, solid_capstyle="round")
    ax.set_aspect("equal")
    if not ax.yaxis_inverted():
        ax.invert_yaxis()
    return ax


def _with_neck(joints: np.ndarray, visibility: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points (T, J + 1, 2), the neck last, and which of them are seen (T, J + 1)."""
    seen = (visibility >= MIN_VISIBILITY) & np.isfinite(joints).all(axis=-1)
    neck = joints[:, SHOULDERS].mean(axis=1, keepdims=True)
    return np.concatenate([joints, neck], axis=1), np.concatenate(
        [seen, seen[:, SHOULDERS].all(axis=1)[:, None]], axis=1
    )


def _lines(picture: np.ndarray, points: np.ndarray, seen: np.ndarray, width: int, outline: bool = False) -> None:
    for colour, pairs in PAIRS.items():
        lines = _fixed(points[:, pairs][seen[:, pairs].all(axis=-1)])
        cv2.polylines(picture, list(lines), False, (0, 0, 0) if outline else colour, width, cv2.LINE_AA, SHIFT)


def _fixed(points: np.ndarray) -> np.ndarray:
    """Pixels as the integers that OpenCV draws by."""
    return np.round(points * (1 << SHIFT)).astype(np.int32)
