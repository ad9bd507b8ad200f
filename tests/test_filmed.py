"""Rendered people seen by an estimator: takes are kept, go on where they were, and become clips."""

import numpy as np
import pytest

from exmus_lib import labels
from exmus_lib.poses import filmed
from exmus_lib.poses.blazepose import Person, Pose, Region
from exmus_lib.poses.features import SAMPLES
from exmus_lib.poses.virtual import Way
from exmus_lib.sample.movements import MOVEMENTS


class Somebody:
    """In place of BlazePose: one person in the middle of each picture."""

    def __init__(self):
        self.pictures = []

    def find(self, picture):
        return [Person(Region(32, 24, 40, 0.0))]

    def follow(self, picture, person):
        self.pictures.append(picture)
        joints = np.random.default_rng(len(self.pictures)).random((33, 4))
        return Pose(joints * [64, 48, 1, 1], joints[:, :3])


@pytest.fixture
def network(monkeypatch):
    network = Somebody()
    monkeypatch.setattr(filmed, "SECONDS", 1.0)
    monkeypatch.setattr(filmed, "SIZES", ((64, 48),))
    monkeypatch.setattr(filmed, "files", lambda: ("detector", "landmarks"))
    monkeypatch.setattr(filmed, "loaded", lambda *files: network)
    monkeypatch.setattr(filmed, "ways", lambda labels: [Way("squat", "Squat", MOVEMENTS["squat"], 1.0)])
    monkeypatch.setattr(filmed, "cpu_count", lambda: 1)  # in this process, where the stubs are
    return network


def test_takes_are_kept_and_only_what_is_missing_is_filmed_again(network, tmp_path):
    first = filmed.film(labels.paper(), 2, tmp_path, progress=False)
    assert [way.exercise for way, _ in first] == ["Squat", "Squat"] and len(network.pictures) == 20
    assert {path.name for path in tmp_path.iterdir()} == {"squat-0.npz", "squat-1.npz"}
    assert all(len(track) == 10 and track.found.all() and track.size == (48, 64) for _, track in first)
    assert (network.pictures[0] != network.pictures[10]).any()  # another person in another room
    (tmp_path / "squat-1.npz").unlink()
    again = filmed.film(labels.paper(), 2, tmp_path, progress=False)
    assert len(network.pictures) == 30
    np.testing.assert_array_equal(network.pictures[20:], network.pictures[10:20])  # the same take
    np.testing.assert_array_equal(again[0][1].image, first[0][1].image)


def test_takes_become_clips_with_a_size_of_their_own(network, tmp_path):
    reels = filmed.Reels.of(filmed.film(labels.paper(), 1, tmp_path, progress=False))
    assert reels.image.shape == (1, 10, 19, 2) and reels.exercises.tolist() == ["Squat"] and reels.share.tolist() == [1]
    joints, mask, exercises = next(filmed.clips(reels, 8, np.random.default_rng(0)))
    assert [part.shape for part in joints] == [(8, SAMPLES, 19, 2), (8, SAMPLES, 19, 3), (8, SAMPLES, 19)]
    assert exercises.tolist() == ["Squat"] * 8
    counted = mask.sum(axis=1)
    assert counted.min() >= 6 and counted.max() <= 14  # of ten samples, at a tempo of 0.74 to 1.35
