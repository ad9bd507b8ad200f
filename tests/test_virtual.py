"""Virtual clips: every exercise has its share, a seed gives the same clips, and the tempo stays within bounds."""

from collections import Counter

import numpy as np
import pytest

from exmus_lib import labels
from exmus_lib.labels import Labels
from exmus_lib.poses import virtual
from exmus_lib.poses.features import SAMPLES, SHORTEST
from exmus_lib.poses.virtual import DENSE, IDLE, SECONDS, cut_out, perform, ways

TWO = Labels({"Squat": ("quads",), "Lateral Raise": ("shoulders",)})


def shares(known: list[virtual.Way]) -> Counter:
    of = Counter()
    for way in known:
        of[way.exercise] += way.share
    return of


@pytest.mark.parametrize("known", [labels.read(), labels.paper()], ids=["with folders", "without"])
def test_all_exercises_of_the_paper_can_be_performed_and_have_equal_shares(known):
    of = shares(ways(known))
    assert set(of) == {*known.exercises, IDLE}
    idle = of.pop(IDLE)
    assert list(of.values()) == pytest.approx([1.0] * 16)
    assert idle / (idle + 16) == pytest.approx(virtual.IDLE_SHARE, abs=0.01)


def test_folders_of_the_data_set_lead_to_more_ways():
    folders = {way.name for way in ways(labels.read())} - {way.name for way in ways(labels.paper())}
    assert {"romanian deadlift", "barbell biceps curl"} <= folders and "plank" not in folders  # plank has no label


def test_nothing_but_the_labels_own_exercises_is_performed():
    assert set(shares(ways(TWO, idle=False))) == {"Squat", "Lateral Raise"}


def test_labels_without_any_movement_are_refused():
    with pytest.raises(ValueError, match="none of these exercises can be performed virtually: Yoga, Chess"):
        ways(Labels({"Yoga": ("abs",), "Chess": ()}))


def test_performances_and_clips_come_out_of_a_seed():
    performances, again, other = (perform(TWO, 1, seed, progress=False) for seed in (0, 0, 1))
    count = len(ways(TWO))
    assert performances.joints.shape == (count, int(SECONDS * DENSE), 19, 3)
    assert np.isfinite(performances.joints).all() and performances.share.sum() == pytest.approx(1)
    np.testing.assert_array_equal(performances.joints, again.joints)
    assert (performances.joints != other.joints).any()

    first, same, different = (next(virtual.clips(performances, 16, np.random.default_rng(seed))) for seed in (0, 0, 1))
    joints, mask, exercises = first
    assert joints[0].shape == (16, SAMPLES, 19, 2) and set(exercises) <= {"Squat", "Lateral Raise", IDLE}
    assert mask[:, :SHORTEST].all() and not mask.all()
    np.testing.assert_array_equal(joints[0], same[0][0])
    assert (joints[0] != different[0][0]).any()


def test_a_cut_out_runs_evenly_at_a_tempo_a_third_slower_to_faster():
    times = np.tile(np.arange(180, dtype=np.float16)[:, None, None], (1, 19, 3))[None]
    pieces = cut_out(times, np.zeros(50, int), np.random.default_rng(0))[:, :, 0, 0]
    steps = np.diff(pieces, axis=1)
    np.testing.assert_allclose(steps, np.tile(steps[:, :1], (1, SAMPLES - 1)), atol=0.01)
    per_sample = DENSE / 10  # samples of the performance to one of a track
    assert steps.min() > per_sample * np.exp(-0.31) and steps.max() < per_sample * np.exp(0.31)
    assert steps.max() > 1.3 * steps.min() and pieces.min() >= 0 and pieces.max() <= 179
