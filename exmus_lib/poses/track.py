"""A track: the joints of one person through a video, at even times. What the estimator finds, and what everything above reads."""

from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from exmus_lib import storage

RATE = 10  # samples a second

# The joints that exercises are told by: their names, and their places among BlazePose's 33.
BODY = (
    "nose", "left ear", "right ear", "left shoulder", "right shoulder", "left elbow", "right elbow", "left wrist", "right wrist",
    "left hip", "right hip", "left knee", "right knee", "left ankle", "right ankle", "left heel", "right heel", "left foot index",
    "right foot index",
)  # fmt: skip
OF_BLAZEPOSE = [0, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32]


@dataclass(frozen=True)
class Track:
    """T samples of one person, RATE a second.

    `image` (T, J, 2) are x and y in pixels of the upright picture with square pixels, y down; `world` (T, J, 3) metres around the
    middle of the hips, x right, y down and z away from the camera; `visibility` (T, J) from 0 to 1; J are the joints of BODY.
    `found` (T,) says where a person was found (elsewhere the joints are NaN), `shot` (T,) counts the camera's views of an edited
    video from 0, and within one a change to another person, `times` (T,) are seconds, `size` height and width of the picture in
    pixels, `people` the most that were seen at once.
    """

    image: np.ndarray
    world: np.ndarray
    visibility: np.ndarray
    found: np.ndarray
    shot: np.ndarray
    times: np.ndarray
    size: tuple[int, int]
    people: int = 1

    def __len__(self) -> int:
        return len(self.times)

    def part(self, start: float, end: float) -> "Track":
        """The samples from `start` to before `end`, in seconds."""
        kept = (self.times >= start - 1e-3) & (self.times < end - 1e-3)  # saved times are float32
        arrays = {name: getattr(self, name)[kept] for name in ARRAYS}
        return replace(self, **arrays)

    @property
    def upside_down(self) -> bool:
        """Whether the picture is: shoulders far below the hips, ankles above the knees, most of the time.

        Nobody who trains upright or lying looks so, not even on a bench that is filmed from the head's end.
        """
        trunk, shanks = self._usual("hip", "shoulder"), self._usual("knee", "ankle")
        return bool(trunk[1] > 0.8 * np.linalg.norm(trunk) and shanks[1] < 0)

    @property
    def level(self) -> bool:
        """Whether trunk and shanks are, most of the time: in a plank or a push-up, or where the picture lies on its side."""
        lines = self._usual("hip", "shoulder"), self._usual("knee", "ankle")
        return all(abs(line[0]) > 0.8 * np.linalg.norm(line) > 0 for line in lines)

    def _usual(self, one: str, other: str) -> np.ndarray:
        """The usual way (3,), in the world, from the middle of one pair of joints to that of another; zeros without a person."""
        if not self.found.any():
            return np.zeros(3)
        sides = [[BODY.index(f"{side} {name}") for side in ("left", "right")] for name in (one, other)]
        first, second = np.median(self.world[self.found][:, sides].mean(axis=2), axis=0)
        return second - first

    def turned(self) -> "Track":
        """As if the picture had been turned by a quarter, counterclockwise."""
        height, width = self.size
        x, y, z = np.moveaxis(self.world, -1, 0)
        image = np.stack([self.image[..., 1], width - self.image[..., 0]], axis=-1)
        return replace(self, image=image, world=np.stack([y, -x, z], axis=-1), size=(width, height))

    def save(self, path: Path) -> None:
        """Write it as .npz, whole or not at all."""
        with storage.atomic(path) as part, part.open("wb") as file:
            arrays = {name: getattr(self, name) for name in ARRAYS}
            small = {name: a.astype(np.float32) if a.dtype == float else a for name, a in arrays.items()}
            np.savez_compressed(file, **small, size=np.array(self.size), people=self.people)

    @classmethod
    def load(cls, path: Path) -> "Track":
        """The track that `save` wrote. Raises storage.Damaged, naming the file, where it is none; it is then set aside."""
        with storage.reading(path, "Run again: it is made anew."), np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in ARRAYS}
            if len({len(array) for array in arrays.values()}) > 1:
                raise ValueError("arrays of different lengths")
            return cls(**arrays, size=tuple(int(n) for n in file["size"]), people=int(file["people"]))


ARRAYS = tuple(field.name for field in fields(Track) if field.name not in ("size", "people"))
