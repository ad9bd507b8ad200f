"""Repetitions counted from joints: performed by the sample's people, whose number is known, seen from where people film them."""

from dataclasses import replace

import numpy as np
import pytest
from tracks import after, filmed, times_there_and_back, unseen

from exmus_lib import labels
from exmus_lib.poses.repetitions import ANGLES, TRIPLES, repetitions
from exmus_lib.poses.track import BODY, RATE
from exmus_lib.sample.movements import MOVEMENTS


@pytest.mark.parametrize("named", [True, False])
def test_counts_every_movement_of_the_sample(named):
    rng = np.random.default_rng(7)
    known, errors = labels.read(), {}
    for folder in sorted(MOVEMENTS.keys() - {"plank", "hammer curl"}):  # held still; arms that may work in turn
        count, seconds = int(rng.integers(2, 8)), rng.uniform(*MOVEMENTS[folder].seconds)
        track = filmed(folder, times_there_and_back(count, seconds), seed=int(rng.integers(1000)))
        errors[folder] = len(repetitions(track, known.exercise_of(folder) if named else None)) - count
    assert np.abs(list(errors.values())).mean() <= 0.3, errors


def test_says_when_and_how_far():
    track = filmed("squat", times_there_and_back(3, seconds=2.4), jitter=0.0)
    hip, knee, ankle = (track.world[:, BODY.index(name)] for name in TRIPLES["knee"])
    thigh, shin = hip - knee, ankle - knee
    cosine = (thigh * shin).sum(1) / np.linalg.norm(thigh, axis=1) / np.linalg.norm(shin, axis=1)
    deepest = np.degrees(np.arccos(cosine)).min()
    actual = repetitions(track, "Squat")
    assert [squat.joint for squat in actual] == ["knee"] * 3
    np.testing.assert_allclose([squat.turn for squat in actual], 1 + 2.4 * np.array([0.5, 1.5, 2.5]), atol=0.15)
    np.testing.assert_allclose([squat.range[0] for squat in actual], deepest, atol=3)
    tempo = np.median([squat.end - squat.start for squat in actual])
    assert 0.75 * 2.4 < tempo < 2.4  # without the rest at the top


@pytest.mark.parametrize(
    "count, begin, expected",
    [(3, 0.5, 3), (2.9, 0.5, 3), (2.2, 0.0, 2), (2.9, 0.0, 3), (0.5, 0.0, 0), (0.9, 0.1, 1)],
    ids=["from the bottom", "from the bottom, cut", "a start more", "end cut", "down only", "both ends cut"],
)
def test_a_cut_repetition_counts_if_most_of_it_is_seen(count, begin, expected):
    way = times_there_and_back(count, begin=begin, rest=0)
    assert len(repetitions(filmed("squat", way), "Squat")) == expected


@pytest.mark.parametrize("exercise", [*ANGLES, None])
def test_who_stands_does_nothing(exercise):
    assert repetitions(filmed("squat", np.zeros(120)), exercise) == []


def test_arms_in_turn_count_each():
    way = times_there_and_back(3)
    track, other = filmed("barbell biceps curl", way, 5, 0.0), filmed("barbell biceps curl", np.roll(way, RATE), 5, 0.0)
    left = np.array([name.startswith("left") for name in BODY])[:, None]
    turns = [
        curl.turn for curl in repetitions(replace(track, world=np.where(left, track.world, other.world)), "Bicep Curl")
    ]
    np.testing.assert_allclose(turns, [2, 3, 4, 5, 6, 7], atol=0.2)


def test_a_short_gap_is_bridged_and_a_long_one_parts():
    track = filmed("squat", times_there_and_back(6))  # turns at 2, 4, 6, 8, 10 and 12 s
    assert len(repetitions(unseen(track, 5.7, 6.3), "Squat")) == 6
    # From one bottom to the next: two halves, each cut.
    turns = [squat.turn for squat in repetitions(unseen(track, 4.1, 6.1), "Squat")]
    np.testing.assert_allclose(turns, [2, 8, 10, 12], atol=0.2)


def test_shots_are_counted_apart():
    # The first ends at the bottom, where the second begins: no squat across the cut.
    first, second = (
        filmed("squat", times_there_and_back(2.5, rest=0)),
        filmed("squat", times_there_and_back(2.5, begin=0.5, rest=0)),
    )
    assert len(repetitions(after(first, second), "Squat")) == 4
    assert len(repetitions(replace(after(first, second), shot=np.zeros(100, int)), "Squat")) == 5


def test_sitting_down_first_is_no_pull():
    # A person stands, sits down with bent arms, pulls five times: the arms' first bend comes with straight legs.
    pulls, standing = (
        filmed("lat pulldown", times_there_and_back(5)),
        filmed("barbell biceps curl", times_there_and_back(1)),
    )
    both = after(standing, pulls)
    assert len(repetitions(replace(both, shot=0 * both.shot), "Lat Pulling")) == 5


@pytest.mark.parametrize("exercise", ["Squat", "Russian Twist", None])
def test_no_person_or_hardly_a_moment(exercise):
    track = filmed("squat", times_there_and_back(1))
    assert repetitions(unseen(track, 0, 99), exercise) == []
    for samples in range(10):
        assert repetitions(track.part(0, samples / RATE), exercise) == []
