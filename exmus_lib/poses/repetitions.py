"""Repetitions of one exercise, counted from the joints: when each begins, turns and ends, and how far the joint moved.

A repetition is a full way there and back, whether the video begins at the near end (a squat from standing) or at the far end
(from the bottom). One that the video's start or end cuts counts if both the way there and the way back are seen for a good part
(`SHARE`). Arms or legs that work in turn count each: left, right are two. What is unlike the other repetitions, as sitting down
is, does not count.
"""

from dataclasses import dataclass

import numpy as np
import scipy

from exmus_lib.poses.track import BODY, RATE, Track

SMOOTHING = 7  # samples of the Savitzky-Golay filter: longer would flatten a fast push-up
LONGEST_GAP = 1.0  # seconds without a person that are bridged; a longer gap parts the stretch
BAND = 0.2, 2.0  # Hz: from a repetition of 5 s to one of 0.5 s, where no exercise is named
LEAST = 20.0  # degrees that a joint must move: above what the estimator trembles by, below a shallow squat
SHARE = 0.4  # of the stretch's range that each way, there and back, must have
FEW = 3  # from so many on, repetitions are compared with each other
STRANGE = 40.0  # degrees, and half the way, by which a joint at the far point may be elsewhere than it usually is there

# Exercise -> the angle that it is about (named for its joint) and whether that is small or large at the far end of the way.
ANGLES = {
    "Bench Press": ("elbow", "small"),
    "Bicep Curl": ("elbow", "small"),
    "Chest Fly Machine": ("arms", "small"),
    "Deadlift": ("hip", "large"),
    "Hip Thrust": ("hip", "large"),
    "Lat Pulling": ("elbow", "small"),
    "Lateral Raise": ("shoulder", "large"),
    "Leg Extension": ("knee", "large"),
    "Leg Raises": ("hip", "small"),
    "Push-up": ("elbow", "small"),
    "Russian Twist": ("twist", "large"),
    "Shoulder Press": ("elbow", "large"),
    "Squat": ("knee", "small"),
    "T-Bar Row": ("elbow", "small"),
    "Tricep Dips": ("elbow", "small"),
    "Tricep Pushdown": ("elbow", "large"),
}
# Joints of the left side, the vertex in the middle; the right side's are mirrored. "arms" is between upper arm and shoulder line.
TRIPLES = {
    "elbow": ("left shoulder", "left elbow", "left wrist"),
    "shoulder": ("left hip", "left shoulder", "left elbow"),
    "hip": ("left shoulder", "left hip", "left knee"),
    "knee": ("left hip", "left knee", "left ankle"),
    "arms": ("right shoulder", "left shoulder", "left elbow"),
}
TWIST = "left shoulder", "right shoulder", "left wrist", "right wrist", "left hip", "right hip"


@dataclass(frozen=True)
class Repetition:
    """Seconds of its start, its end and its far point; lowest and highest degrees of the angle at `joint`, one of `ANGLES`."""

    start: float
    end: float
    turn: float
    range: tuple[float, float]
    joint: str


def repetitions(track: Track, exercise: str | None = None) -> list[Repetition]:
    """The repetitions in a stretch of one exercise, in order, each shot by itself; none where nobody moves or is seen.

    `exercise` chooses the angle (`ANGLES`); for others and None it is the strongest rhythm of the whole body, and `range` that of
    the joint that moves most in it. Angles come from the joints in space: from in front, a squat bends no knee in the picture.
    """
    counted = []
    for piece in _pieces(track):
        counted += _count(track.world[piece], track.visibility[piece], track.times[piece], exercise)
    return counted


def angle(joints: np.ndarray, name: str) -> np.ndarray:
    """Degrees (T, 2), left and right, of an angle of `TRIPLES` from joints (T, J, 2 or 3)."""
    sides = [TRIPLES[name], [_mirrored(joint) for joint in TRIPLES[name]]]
    one, vertex, other = (joints[:, [BODY.index(side[k]) for side in sides]] for k in range(3))
    return np.degrees(_between(one - vertex, other - vertex))


def twist(world: np.ndarray) -> np.ndarray:
    """Degrees (T,) by which the hands, seen from the shoulders, are out of the body's plane of symmetry, left positive."""
    left, right, left_hand, right_hand, left_hip, right_hip = (world[:, BODY.index(name)] for name in TWIST)
    hands = (left_hand + right_hand - left - right) / 2
    return 90 - np.degrees(_between(hands, left_hip - right_hip))


def _pieces(track: Track) -> list[np.ndarray]:
    """Indices of the samples with a person, parted at cuts and at gaps that are too long to bridge."""
    known = np.isfinite(track.world).all(axis=(1, 2)) & np.isfinite(track.visibility).all(axis=1)
    seen = np.flatnonzero(track.found & known)
    if not len(seen):
        return []
    parted = (np.diff(track.times[seen]) > LONGEST_GAP) | (np.diff(track.shot[seen]) != 0)
    return np.split(seen, np.flatnonzero(parted) + 1)


def _count(world: np.ndarray, visibility: np.ndarray, seconds: np.ndarray, exercise: str | None) -> list[Repetition]:
    times = np.arange(seconds[0], seconds[-1] + 1e-3, 1 / RATE)
    if len(times) <= SMOOTHING:
        return []
    angles = {name: _smooth(angle(world, name), seconds, times) for name in TRIPLES}
    weights = {name: _weights(visibility, name) for name in TRIPLES}
    body = np.concatenate([angles[name] for name in TRIPLES], axis=1)
    shares = np.concatenate([weights[name] for name in TRIPLES])
    stance = (body * shares).reshape(len(times), -1, 2).sum(axis=2)
    name, far = ANGLES.get(exercise, (None, "large"))
    if name == "twist":
        measured = signals = [_smooth(twist(world)[:, None], seconds, times)[:, 0]]
    elif name:
        measured = signals = _sides(angles[name], weights[name])
    else:
        rhythm, strongest = _rhythm(body, shares)
        name, measured, signals = list(TRIPLES)[strongest // 2], [body[:, strongest]], [rhythm]
    counted = []
    for signal, degrees in zip(signals, measured, strict=True):
        for start, turn, end in _ways(signal, far, stance):
            between = degrees[start : end + 1]
            if np.ptp(between) >= LEAST:
                limits = float(between.min()), float(between.max())
                counted.append(Repetition(float(times[start]), float(times[end]), float(times[turn]), limits, name))
    return sorted(counted, key=lambda repetition: repetition.turn)


def _smooth(values: np.ndarray, seconds: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Values (N, K) at `seconds` interpolated to `times` and smoothed."""
    even = np.stack([np.interp(times, seconds, column) for column in values.T], axis=1)
    return scipy.signal.savgol_filter(even, SMOOTHING, 2, axis=0)


def _weights(visibility: np.ndarray, name: str) -> np.ndarray:
    """How well the left and the right side's angle (2,) is seen over the piece, in all 1: the worst joint of three, squared."""
    sides = [TRIPLES[name], [_mirrored(joint) for joint in TRIPLES[name]]]
    seen = np.array([visibility[:, [BODY.index(joint) for joint in side]].mean(axis=0).min() for side in sides])
    return (seen**2 + 1e-3) / (seen**2 + 1e-3).sum()


def _sides(degrees: np.ndarray, weights: np.ndarray) -> list[np.ndarray]:
    """One signal, the mean of left and right weighted by visibility, or two where both are seen to work in turn."""
    moved = np.ptp(degrees, axis=0)
    if weights.min() > 0.3 and moved.min() > max(2 * LEAST, 0.6 * moved.max()):
        if np.corrcoef(degrees.T)[0, 1] < -0.3:
            return list(degrees.T)
    return [degrees @ weights]


def _rhythm(body: np.ndarray, shares: np.ndarray) -> tuple[np.ndarray, int]:
    """The body's angles (T, K) along their first principal component within `BAND`, and which angle has most of it.

    It is scaled so that its range is that of the angle.
    """
    sections = scipy.signal.butter(2, BAND, "band", fs=RATE, output="sos")
    band = scipy.signal.sosfiltfilt(sections, body, axis=0, padlen=min(len(body) - 1, 2 * RATE))
    weighted = (band - band.mean(0)) * shares
    direction = np.linalg.svd(weighted, full_matrices=False)[2][0]
    strongest = int((np.abs(direction) * shares).argmax())
    return (body * shares) @ direction / (direction[strongest] * shares[strongest]), strongest


def _ways(signal: np.ndarray, far: str, stance: np.ndarray) -> list[tuple[int, int, int]]:
    """Start, turn and end, in samples, of each way there and back in a signal (T,) in degrees."""
    low, high = np.percentile(signal, [2, 98])
    prominence = max(LEAST, SHARE * (high - low))
    candidates = []
    for sign in (1, -1) if far == "large" else (-1, 1):
        turns = scipy.signal.find_peaks(sign * signal, prominence=prominence)[0]
        candidates.append(_alike(_around(sign * signal, turns), stance))
    return max(candidates, key=len)  # the far end that the exercise has, unless the other shows one more


def _around(signal: np.ndarray, turns: np.ndarray) -> list[tuple[int, int, int]]:
    """Each peak of a signal with the samples between which it has left the lowest points beside it, by a tenth of the way."""
    limits, ways = [0, *turns, len(signal) - 1], []
    for before, turn, after in zip(limits, turns, limits[2:], strict=False):
        there, back = signal[before : turn + 1], signal[turn : after + 1]
        left = np.flatnonzero(there <= there.min() + 0.1 * (signal[turn] - there.min()))[-1]
        right = np.flatnonzero(back <= back.min() + 0.1 * (signal[turn] - back.min()))[0]
        ways.append((int(before + left), int(turn), int(turn + right)))
    return ways


def _alike(ways: list[tuple[int, int, int]], stance: np.ndarray) -> list[tuple[int, int, int]]:
    """Without those unlike the others in time or in the whole body's angles (T, K): set-up, a rest, another stance."""
    if len(ways) < FEW:
        return ways
    start, turn, end = np.array(ways).T
    relative = (end - start) / np.median(end - start)
    moved = np.median(np.abs(stance[turn] - (stance[start] + stance[end]) / 2), axis=0)
    strange = np.abs(stance[turn] - np.median(stance[turn], axis=0)) > STRANGE + moved / 2
    kept = (relative > 0.35) & (relative < 2.5) & ~strange.any(axis=1)
    return [way for way, keep in zip(ways, kept, strict=True) if keep]


def _mirrored(joint: str) -> str:
    side, _, rest = joint.partition(" ")
    return f"{dict(left='right', right='left')[side]} {rest}"


def _between(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The angle in radians between vectors (..., 2 or 3)."""
    cosine = (one * other).sum(-1) / np.maximum(np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1), 1e-9)
    return np.arccos(np.clip(cosine, -1, 1))
