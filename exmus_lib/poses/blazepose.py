"""BlazePose full (Bazarevsky et al. 2020), detector and landmarks, run by LiteRT: people in frames, and their joints.

The two networks and their constants (anchors, regions, filters) are MediaPipe's; this is its graph in NumPy, and follows
several people where MediaPipe's follows one.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from scipy.special import expit

JOINTS = (
    "nose", "left eye inner", "left eye", "left eye outer", "right eye inner", "right eye", "right eye outer", "left ear",
    "right ear", "mouth left", "mouth right", "left shoulder", "right shoulder", "left elbow", "right elbow", "left wrist",
    "right wrist", "left pinky", "right pinky", "left index", "right index", "left thumb", "right thumb", "left hip",
    "right hip", "left knee", "right knee", "left ankle", "right ankle", "left heel", "right heel", "left foot index",
    "right foot index",
)  # fmt: skip
DETECTOR_SIDE, LANDMARK_SIDE = 224, 256  # pixels of the networks' views
MIN_SCORE = 0.5  # of a detection, and of the presence of a person in a region
REGION_SCALE = 1.25  # a region is so much larger than the circle around the person
_SCREEN = threading.Lock()  # one thread at a time may turn it off; of two the second would leave it off
TICK = 1 / 30  # seconds between frames for the filters, whatever the video's rate: so does MediaPipe


@dataclass(frozen=True)
class Region:
    """A square of the picture, turned: centre (x, y) and side in pixels, angle in radians."""

    x: float
    y: float
    side: float
    angle: float

    @classmethod
    def around(cls, start: np.ndarray, end: np.ndarray) -> "Region":
        """The region of a person, upright, from the middle of the hips (start) and a point on the circle around them (end)."""
        dx, dy = end - start
        angle = np.pi / 2 - np.arctan2(-dy, dx)
        return cls(*start, 2 * REGION_SCALE * np.hypot(dx, dy), (angle + np.pi) % (2 * np.pi) - np.pi)

    def corners(self) -> np.ndarray:
        """Its corners in the picture: lower left, upper left, upper right (3, 2)."""
        half, (c, s) = self.side / 2, (np.cos(self.angle), np.sin(self.angle))
        unit = np.array([[-half, half], [-half, -half], [half, -half]])
        return unit @ np.array([[c, s], [-s, c]]) + [self.x, self.y]

    def cut(self, picture: np.ndarray, side: int, border: int) -> np.ndarray:
        """The region as a square picture (side, side, 3)."""
        target = np.float32([[0, side], [0, 0], [side, 0]])
        matrix = cv2.getAffineTransform(self.corners().astype(np.float32), target)
        return cv2.warpAffine(picture, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=border)


@dataclass(frozen=True)
class Pose:
    """One person: `image` (33, 4), x and y in pixels, depth in pixels and visibility; `world` (33, 3), metres around the hips."""

    image: np.ndarray
    world: np.ndarray


class Person:
    """Somebody who is followed through the frames of a video: the region to look in next, and what smooths the joints."""

    def __init__(self, region: Region):
        self.region = region
        # Smaller cut-offs smooth more; the second number lets fast movements through.
        self.body, self.centre, self.metres = OneEuro(0.05, 80.0), OneEuro(0.01, 10.0), OneEuro(0.1, 40.0)
        self.visibility: np.ndarray | None = None


class BlazePose:
    """Finds people in RGB frames (height, width, 3) uint8, and follows each from frame to frame.

    `detector` and `landmarks` are the .tflite files (poses.files). Not shared between threads.
    """

    def __init__(self, detector: Path, landmarks: Path):
        self._detect, self._landmarks = _network(detector), _network(landmarks)

    def find(self, frame: np.ndarray) -> list[Person]:
        """All whom the detector finds in the whole frame, the surest first."""
        height, width = frame.shape[:2]
        whole = Region(width / 2, height / 2, max(height, width), 0.0)
        boxes, scores = self._detect(whole.cut(frame, DETECTOR_SIDE, cv2.BORDER_CONSTANT) / np.float32(127.5) - 1)
        scores = expit(np.clip(scores[0, :, 0], -100, 100))
        good = scores >= MIN_SCORE
        points = boxes[0, good].reshape(-1, 6, 2) / DETECTOR_SIDE
        points[:, [0, 2, 3, 4, 5]] += _anchors()[good, None]  # centre and keypoints; the second pair is the size
        hips_and_circle = (
            (person[2:4] - 0.5) * whole.side + [whole.x, whole.y] for person in _merged(points, scores[good])
        )
        return [Person(Region.around(hips, circle)) for hips, circle in hips_and_circle]

    def follow(self, frame: np.ndarray, person: Person) -> Pose | None:
        """The pose of a person in the next frame, smoothed; None where nobody is left in the region."""
        region = person.region
        view = region.cut(frame, LANDMARK_SIDE, cv2.BORDER_REPLICATE) / np.float32(255)
        landmarks, presence, _, heatmap, world = self._landmarks(view)
        if presence[0, 0] < MIN_SCORE:
            return None
        landmarks = landmarks.reshape(39, 5)
        places = _refined(landmarks[:, :2] / LANDMARK_SIDE, heatmap[0])
        c, s = np.cos(region.angle), np.sin(region.angle)
        turn = np.array([[c, s], [-s, c]])
        places = (places - 0.5) @ turn * region.side + [region.x, region.y]
        image = np.column_stack([places, landmarks[:, 2] / LANDMARK_SIDE * region.side])
        world = world.reshape(39, 3)[:33].copy()
        world[:, :2] = world[:, :2] @ turn
        visibility = expit(landmarks[:33, 3])
        before = visibility if person.visibility is None else person.visibility
        person.visibility = 0.1 * visibility + 0.9 * before
        scale = 0.5 / np.hypot(*(image[34, :2] - image[33, :2]))
        joints = person.body(image[:33], scale)
        hips, circle = person.centre(image[33:35, :2], scale)
        person.region = Region.around(hips, circle)
        return Pose(np.column_stack([joints, person.visibility]), person.metres(world, 1.0))


class OneEuro:
    """The one-euro filter (Casiez et al. 2012): smooths slow values much and fast ones little."""

    def __init__(self, min_cutoff: float, beta: float, derivative_cutoff: float = 1.0):
        self.min_cutoff, self.beta, self.derivative_alpha = min_cutoff, beta, self._alpha(derivative_cutoff)
        self.raw: np.ndarray | None = None

    def __call__(self, value: np.ndarray, scale: float) -> np.ndarray:
        """The smoothed value; speeds are counted in units of 1 / `scale`."""
        if self.raw is None:
            self.smooth, self.speed = value, np.zeros_like(value)
        else:
            speed = (value - self.raw) * scale / TICK
            self.speed = self.speed + self.derivative_alpha * (speed - self.speed)
            alpha = self._alpha(self.min_cutoff + self.beta * np.abs(self.speed))
            self.smooth = self.smooth + alpha * (value - self.smooth)
        self.raw = value
        return self.smooth

    @staticmethod
    def _alpha(cutoff):
        return 1 / (1 + 1 / (2 * np.pi * cutoff * TICK))


def _network(path: Path):
    """A .tflite file as a function from a picture (side, side, 3) float32 to its outputs."""
    from ai_edge_litert.interpreter import Interpreter

    with _quiet():
        interpreter = Interpreter(model_path=str(path), num_threads=1)
        interpreter.allocate_tensors()
    (given,), outputs = interpreter.get_input_details(), interpreter.get_output_details()

    def run(picture: np.ndarray) -> list[np.ndarray]:
        interpreter.set_tensor(given["index"], picture[None])
        interpreter.invoke()
        return [interpreter.get_tensor(output["index"]) for output in outputs]

    return run


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps from the screen what LiteRT writes there past Python when it starts; what goes wrong it raises."""
    with _SCREEN:
        screen = os.dup(2)
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(screen, 2)
            os.close(screen)


@cache
def _anchors() -> np.ndarray:
    """Centres (2254, 2) of the detector's boxes: two for each cell of 28 x 28 and 14 x 14, six of 7 x 7."""
    centres = []
    for cells, each in ((28, 2), (14, 2), (7, 6)):
        y, x = np.divmod(np.arange(cells * cells), cells)
        centres.append(np.repeat((np.column_stack([x, y]) + 0.5) / cells, each, axis=0))
    return np.concatenate(centres).astype(np.float32)


def _merged(points: np.ndarray, scores: np.ndarray) -> list[np.ndarray]:
    """Of detections (N, 6, 2) the best, averaged by score with those that overlap it, then the best of the rest, and so on."""
    low, high = points[:, 0] - points[:, 1] / 2, points[:, 0] + points[:, 1] / 2
    areas, left, merged = (high - low).prod(axis=1), np.ones(len(scores), bool), []
    while left.any():
        best = np.where(left, scores, -1).argmax()
        shared = np.clip(np.minimum(high, high[best]) - np.maximum(low, low[best]), 0, None).prod(axis=1)
        near = left & (shared / (areas + areas[best] - shared) > 0.3)
        near[best] = True  # a box without area, too, comes to an end
        merged.append(np.average(points[near], axis=0, weights=scores[near]))
        left &= ~near
    return merged


def _refined(places: np.ndarray, heatmap: np.ndarray) -> np.ndarray:
    """Places (39, 2) in shares of the view, each moved to the centre of gravity of its heatmap (64, 64, 39) near it."""
    height, width = heatmap.shape[:2]
    refined = places.copy()
    for joint, (x, y) in enumerate(places):
        column, row = int(x * width), int(y * height)
        if not (0 <= column < width and 0 <= row < height):
            continue
        left, top = max(column - 3, 0), max(row - 3, 0)
        likely = expit(heatmap[top : row + 4, left : column + 4, joint])
        if likely.max() >= 0.5:
            total = likely.sum()
            refined[joint] = (
                (likely.sum(axis=0) * np.arange(left, left + likely.shape[1])).sum() / width / total,
                (likely.sum(axis=1) * np.arange(top, top + likely.shape[0])).sum() / height / total,
            )
    return refined
