"""Joints as numbers that a small network learns from: free of where and how large somebody is; what is not seen says nothing."""

from collections.abc import Sequence

import numpy as np
import scipy

from exmus_lib.poses.project import FLIP, HIPS, LIMBS, PLACE, SHOULDERS, SIDES, halfway
from exmus_lib.poses.track import BODY, RATE, Track

SAMPLES = 48  # of a view: 4.8 s; shorter ones are filled up and masked
SHORTEST = 12  # samples: less tells nobody an exercise
MIN_FOUND = 0.35  # of the samples of a window: with fewer nobody can tell
LONGEST_GAP = 5  # samples from the nearest in which the person was found: joints are interpolated so far
KINDS = ("flat", "deep")  # of the joints in the picture alone, or of those in the world too
LEGS = [PLACE[f"{side} {joint}"] for joint in ("knee", "ankle") for side in SIDES]
# Joints by which somebody's size is told, and limbs whose directions are.
SIZE = [PLACE[f"{s} {j}"] for j in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for s in SIDES]
BONES = [pair for root, middle, end in LIMBS for pair in ((root, middle), (middle, end))]
BONES += list(zip(HIPS, SHOULDERS, strict=True))
ANGLES = [*LIMBS, *(
    [PLACE[f"{side} {joint}"] for joint in joints] for side in SIDES
    for joints in (("hip", "shoulder", "elbow"), ("shoulder", "hip", "knee"))
)]  # fmt: skip
Joints = tuple[np.ndarray, np.ndarray, np.ndarray]  # image, world and visibility, as in project.observe
# Of `views`: in the picture, and in the world where that is used, each joint, its speed and each bone along every axis, and each
# angle; how the trunk travels; how well each joint is seen; the mask.
_FLAT, _DEEP = ((len(BODY) * 2 + len(BONES)) * axes + len(ANGLES) for axes in (2, 3))
CHANNELS = {kind: number + 4 + len(BODY) + 1 for kind, number in zip(KINDS, (_FLAT, _FLAT + _DEEP), strict=True)}


def views(joints: Joints, mask: np.ndarray, kind: str) -> np.ndarray:
    """(B, CHANNELS[kind], T, 1, 1) float32 of image (B, T, J, 2), world (B, T, J, 3) and visibility (B, T, J).

    `mask` (B, T) says which samples count; it is the last channel.
    """
    image, world, visibility = (np.float32(a) for a in joints)
    seen = np.clip((visibility - 0.15) / 0.35, 0, 1)
    mask = np.float32(mask)
    parts = [*_described(image, seen, mask), _travelled(image, seen, mask)]
    if kind == "deep":
        parts += _described(world, seen, mask)
    channels = [part.reshape(*mask.shape, -1) for part in (*parts, seen, np.ones_like(mask))]
    channels = np.concatenate(channels, axis=-1)
    channels *= mask[..., None]
    return channels.swapaxes(1, 2)[..., None, None]


def _described(joints: np.ndarray, seen: np.ndarray, mask: np.ndarray) -> list[np.ndarray]:
    """Places around the hips, speeds, directions of bones and cosines of angles: each (B, T, ...); `joints` stay."""
    around = joints - halfway(joints, HIPS)
    around /= _size(joints, seen, mask)[..., None, None]
    speed = np.zeros_like(around)
    speed[:, 1:] = 3 * (around[:, 1:] - around[:, :-1])
    starts, ends = map(list, zip(*BONES, strict=True))
    bones = around[:, :, ends] - around[:, :, starts]
    bones /= np.maximum(_length(bones)[..., None], 0.05)
    bones *= (seen[:, :, starts] * seen[:, :, ends])[..., None]
    a, b, c = map(list, zip(*ANGLES, strict=True))
    u, v = around[:, :, a] - around[:, :, b], around[:, :, c] - around[:, :, b]
    lengths = _length(u) * _length(v)
    angles = np.einsum("...i,...i", u, v) / np.maximum(lengths, 1e-3) * seen[:, :, a] * seen[:, :, b] * seen[:, :, c]
    around *= seen[..., None]
    speed *= seen[..., None]
    return [around, speed, bones, angles]


def _length(vectors: np.ndarray) -> np.ndarray:
    """Euclidean lengths (...) of vectors (..., axes); numpy's norm is slow over an axis of two or three."""
    return np.sqrt(np.einsum("...i,...i", vectors, vectors))


def _travelled(image: np.ndarray, seen: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Where the trunk is in the picture, from its mean place, and how fast it moves: (B, T, 4)."""
    trunk = image[:, :, [*HIPS, *SHOULDERS]].mean(axis=2)
    mean = (trunk * mask[..., None]).sum(axis=1, keepdims=True) / np.maximum(mask.sum(axis=1), 1)[:, None, None]
    moved = (trunk - mean) / _size(image, seen, mask)[..., None]
    return np.concatenate([moved, 3 * np.diff(moved, axis=1, prepend=moved[:, :1])], axis=-1)


def _size(joints: np.ndarray, seen: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Root mean square distance (B, 1) of the joints of SIZE that are seen from the middle of the hips."""
    around = joints[:, :, SIZE] - halfway(joints, HIPS)
    weight = seen[..., SIZE] * mask[..., None]
    square = (np.einsum("...i,...i", around, around) * weight).sum(axis=(1, 2)) / np.maximum(weight.sum(axis=(1, 2)), 1)
    return np.maximum(np.sqrt(square), 1e-6)[:, None]


def mirrored(image: np.ndarray, world: np.ndarray, visibility: np.ndarray) -> Joints:
    """The same clips, left for right."""
    return image[:, :, FLIP] * np.float32([-1, 1]), world[:, :, FLIP] * np.float32([-1, 1, 1]), visibility[:, :, FLIP]


def windows(track: Track, spans: Sequence[tuple[float, float]]) -> tuple[Joints, np.ndarray, np.ndarray]:
    """The joints of a track around the middles of spans (seconds), as `views` takes them: joints, mask (B, T) and found (B,).

    A window is SAMPLES long and ends where its shot or the track does. `found` is the share of its samples in which a person
    was found; the others are interpolated where the gap is short, else masked.
    """
    image, world, visibility, near = filled(track)
    joints, masks, found = [], [], []
    for start, end in spans:
        middle = min(int((start + end) / 2 * RATE), len(track) - 1)
        inside = np.flatnonzero(track.shot == track.shot[middle])
        first = int(np.clip(middle - SAMPLES // 2, inside[0], max(inside[-1] + 1 - SAMPLES, inside[0])))
        wanted = np.arange(first, first + SAMPLES)
        there, chosen = wanted <= inside[-1], np.minimum(wanted, inside[-1])
        joints.append((image[chosen], world[chosen], visibility[chosen]))
        masks.append(there & near[chosen])
        found.append(track.found[chosen][there].mean())
    return tuple(map(np.stack, zip(*joints, strict=True))), np.stack(masks), np.array(found)


def filled(track: Track) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Image, world and visibility with gaps interpolated, and (T,) whether a person was found within LONGEST_GAP samples.

    Each shot by itself. Joints outside the picture count as unseen.
    """
    joints = np.concatenate([track.image, track.world, track.visibility[..., None]], axis=2)
    near, flat = np.zeros(len(track), bool), np.zeros((len(track), joints[0].size))
    for number in np.unique(track.shot):
        samples = np.flatnonzero(track.shot == number)
        there = samples[track.found[samples]]
        if len(there):
            near[samples] = scipy.ndimage.binary_dilation(track.found[samples], iterations=LONGEST_GAP)
            known = joints[there].reshape(len(there), -1)
            flat[samples] = np.stack([np.interp(samples, there, column) for column in known.T], axis=1)
    joints = flat.reshape(joints.shape)
    image, world, visibility = joints[..., :2], joints[..., 2:5], joints[..., 5]
    outside = ((image < 0) | (image > np.array(track.size)[::-1])).any(axis=-1)
    return image, world, np.where(outside, np.minimum(visibility, 0.2), visibility), near
