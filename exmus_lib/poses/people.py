"""Who is followed through a video: several people at once, and of them the one that moves most."""

from dataclasses import dataclass, field

import numpy as np

from exmus_lib.poses.blazepose import BlazePose, Person, Pose, Region
from exmus_lib.poses.track import OF_BLAZEPOSE, RATE

MAX_PEOPLE = 3  # followed at once: each costs a run of the landmark network at every sample
LOOK = RATE  # samples between looks for people who came in; the detector costs as much as following one
# Hips of two people, in sides of the larger region: of others 0.17 and more, of one person found twice up to 0.14 (real videos).
APART = 0.15
BIGGER = 1.5  # times as large: clearly bigger
BACK = 2 * RATE  # samples after which somebody who was lost is somebody new
SWAY = 0.05  # metres of movement that everybody has: of people who stand still the biggest is chosen
STRIDE = 3  # samples over which movement is measured: jitter does not add up over them, movement does
HANDOVER = 2 * RATE  # samples of mean movement that each change to another person must gain


@dataclass
class Sightings:
    """Where one person was found: numbers of samples, joints (J, 6: image, world, visibility), sides of the regions."""

    samples: list[int] = field(default_factory=list)
    joints: list[np.ndarray] = field(default_factory=list)
    sides: list[float] = field(default_factory=list)

    def add(self, sample: int, pose: Pose, side: float) -> None:
        self.samples.append(sample)
        self.sides.append(side)
        self.joints.append(
            np.column_stack([pose.image[:, :2], pose.world, pose.image[:, 3]])[OF_BLAZEPOSE].astype(np.float32)
        )

    def take_back(self) -> None:
        for values in (self.samples, self.joints, self.sides):
            values.pop()


class People:
    """Follows up to MAX_PEOPLE people: call it with each picture in order; `sightings` has an entry for each person seen."""

    def __init__(self, network: BlazePose):
        self.network, self.sightings = network, []
        self._sample, self._looked = 0, -LOOK
        self.forget()

    def forget(self) -> None:
        """Nobody is followed any more: the picture was cut."""
        self._followed: dict[int, Person] = {}
        self._lost: dict[int, tuple[int, Region]] = {}  # number of the person to sample and region of the last sight
        self._looked = -LOOK

    def __call__(self, picture: np.ndarray) -> None:
        """Note the joints of all who are seen in the next picture."""
        for number in list(self._followed):
            self._follow(picture, number)
        self._drop_doubles()
        if not self._followed or self._missed() or self._sample >= self._looked + LOOK:
            self._look(picture)
            self._drop_doubles()
        self._sample += 1

    def _missed(self) -> bool:
        """Whether somebody was lost a moment ago; what was followed for a moment only was nobody."""
        recent = [number for number, (sample, _) in self._lost.items() if self._sample - sample <= BACK]
        return any(len(self.sightings[number].samples) >= LOOK for number in recent)

    def _follow(self, picture: np.ndarray, number: int) -> None:
        region = self._followed[number].region
        pose = self.network.follow(picture, self._followed[number])
        if pose is None:
            self._lost[number] = self._sample, region
            del self._followed[number]
        else:
            self.sightings[number].add(self._sample, pose, region.side)

    def _look(self, picture: np.ndarray) -> None:
        """Follow who is found where nobody is followed, the biggest first; one clearly bigger takes a smaller one's place."""
        self._looked = self._sample
        for person in sorted(self.network.find(picture), key=lambda person: -person.region.side):
            region = person.region
            number = next((n for n, other in self._followed.items() if near(region, other.region)), None)
            if number is not None:
                if region.side < BIGGER * self._followed[number].region.side:
                    continue
                self.sightings[number].take_back()  # a part of this one, or somebody small behind
            elif len(self._followed) == MAX_PEOPLE:
                smallest = min(self._followed, key=lambda number: self._followed[number].region.side)
                if region.side < BIGGER * self._followed[smallest].region.side:
                    continue
                self._lost[smallest] = self._sample, self._followed.pop(smallest).region
            number = self._number(region) if number is None else number
            self._followed[number] = person
            self._follow(picture, number)

    def _number(self, region: Region) -> int:
        """That of a person who was lost here a moment ago, or a new one."""
        for number, (sample, last) in list(self._lost.items()):
            if self._sample - sample > BACK:
                del self._lost[number]
            elif near(region, last, 2 * APART):
                del self._lost[number]
                return number
        self.sightings.append(Sightings())
        return len(self.sightings) - 1

    def _drop_doubles(self) -> None:
        """Of two who have come to be one the later is dropped, and what was just seen of it."""
        numbers = list(self._followed)
        for i, later in enumerate(numbers):
            earlier = [self._followed[n].region for n in numbers[:i] if n in self._followed]
            if any(near(self._followed[later].region, region) for region in earlier):
                del self._followed[later]
                self.sightings[later].take_back()


def near(one: Region, other: Region, apart: float = APART) -> bool:
    """Whether two regions are those of one person: hips closer than a share of the larger side."""
    return np.hypot(one.x - other.x, one.y - other.y) < apart * max(one.side, other.side)


def chosen(sightings: list[Sightings], shot: np.ndarray, longest: int) -> np.ndarray:
    """The number of the person to keep at each sample (T,), -1 where there is nobody: who moves most, seen big.

    `shot` (T,) counts the camera's views, `longest` is the picture's longer side in pixels. Within a shot the most movement
    in all is kept, less HANDOVER samples of the mean for each change to another: a rest or a passer-by is no reason.
    """
    who = np.full(len(shot), -1)
    for number in np.unique(shot):
        first, last = np.searchsorted(shot, number), np.searchsorted(shot, number, "right")
        there = [n for n, seen in enumerate(sightings) if seen.samples and first <= seen.samples[0] < last]
        if there:
            scores = np.stack([_movement(sightings[n], first, last, longest) for n in there], axis=1)
            who[first:last] = np.array(there)[_best_path(scores, HANDOVER * scores.max(axis=1).mean())]
    return who


def _best_path(scores: np.ndarray, change: float) -> np.ndarray:
    """The column to be in at each row of scores (T, P) so that their sum, less `change` for each change, is largest (Viterbi)."""
    total, origins = scores[0], []
    for row in scores[1:]:
        best = total.argmax()
        stays = total >= total[best] - change
        origins.append(np.where(stays, np.arange(len(row)), best))
        total = np.where(stays, total, total[best] - change) + row
    path = [int(total.argmax())]
    for origin in reversed(origins):
        path.append(int(origin[path[-1]]))
    return np.array(path[::-1])


def _movement(seen: Sightings, first: int, last: int, longest: int) -> np.ndarray:
    """How much a person moves at each sample of a shot (last - first,): square metres around the hips, by visibility and size."""
    samples, joints = np.array(seen.samples) - first, np.stack(seen.joints)
    squares = np.full(joints.shape[:2], SWAY**2)
    if len(joints) > STRIDE:
        in_a_row = (samples[STRIDE:] - samples[:-STRIDE] == STRIDE)[:, None]
        steps = joints[STRIDE:, :, 2:5] - joints[:-STRIDE, :, 2:5]
        squares[STRIDE:] += np.where(in_a_row, (steps**2).sum(axis=2), 0)
    scores = np.zeros(last - first)
    scores[samples] = np.minimum(np.array(seen.sides) / longest, 1) ** 2 * (joints[:, :, 5] * squares).mean(axis=1)
    return scores


def most_at_once(sightings: list[Sightings], samples: int) -> int:
    """The most people seen in one picture; whoever was seen for less than half a second does not count."""
    lasting = [seen.samples for seen in sightings if len(seen.samples) >= RATE // 2]
    counts = np.bincount(np.concatenate([np.empty(0, int), *lasting]), minlength=max(samples, 1))
    return int(counts.max())
