"""Joints as numbers: free of place and size, silent about what is not seen, and windows that keep to their shot."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from exmus_lib.poses.features import CHANNELS, KINDS, LONGEST_GAP, SAMPLES, filled, mirrored, views, windows
from exmus_lib.poses.project import HIPS, PLACE, SHOULDERS
from exmus_lib.poses.track import BODY, Track


def joints(clips: int = 3, samples: int = SAMPLES, seed: int = 0):
    """Image, world and visibility of joints that move by chance, all of them seen."""
    rng = np.random.default_rng(seed)
    return rng.random((clips, samples, 19, 2)), rng.random((clips, samples, 19, 3)), np.ones((clips, samples, 19))


def numbered(samples: int, **changes) -> Track:
    """A track whose every coordinate is the number of its sample."""
    count = np.arange(samples, dtype=float)
    image, world = (np.tile(count[:, None, None], (1, len(BODY), axes)) for axes in (2, 3))
    track = Track(
        image, world, np.ones((samples, 19)), np.ones(samples, bool), np.zeros(samples, int), count / 10, (999, 999)
    )
    return replace(track, **changes)


def lost(samples: int, *gaps: range) -> Track:
    """The same where nobody was found in gaps."""
    track = numbered(samples)
    for gap in gaps:
        track.found[gap], track.image[gap], track.world[gap], track.visibility[gap] = False, np.nan, np.nan, 0
    return track


@pytest.mark.parametrize("kind", KINDS)
def test_a_view_has_the_channels_of_its_kind_and_the_mask_last(kind):
    mask = np.arange(SAMPLES) < [[SAMPLES], [20], [0]]
    view = views(joints(), mask, kind)
    assert view.shape == (3, CHANNELS[kind], SAMPLES, 1, 1) and view.dtype == np.float32 and np.isfinite(view).all()
    np.testing.assert_array_equal(view[:, -1, :, 0, 0], mask)
    assert not view[1, :, 20:].any() and not view[2].any()


def test_size_and_place_say_nothing_and_movement_does():
    (image, world, seen), mask = joints(), np.ones((3, SAMPLES))
    view = views((image, world, seen), mask, "deep")
    np.testing.assert_allclose(views((300 * image + [50, -20], 2 * world + 1, seen), mask, "deep"), view, atol=2e-3)
    moving = image + np.linspace(0, 1, SAMPLES)[:, None, None]
    assert np.abs(views((moving, world, seen), mask, "deep") - view).max() > 0.1


@pytest.mark.parametrize("joint", sorted(set(range(19)) - {*HIPS, *SHOULDERS}), ids=lambda joint: BODY[joint])
def test_a_joint_that_is_not_seen_contributes_nothing(joint):
    image, world, seen = joints()
    mask = np.ones((3, SAMPLES))
    elsewhere = [part.copy() for part in (image, world)]
    for part in elsewhere:
        part[:, :, joint] += 5
    assert np.abs(views((*elsewhere, seen), mask, "deep") - views((image, world, seen), mask, "deep")).max() > 0.1
    seen[:, :, joint] = 0.1
    np.testing.assert_array_equal(views((*elsewhere, seen), mask, "deep"), views((image, world, seen), mask, "deep"))


def test_what_is_masked_at_the_end_says_nothing():
    (image, world, seen), mask = joints(), np.tile(np.arange(SAMPLES) < 30, (3, 1))
    changed = [np.where(mask.reshape(3, -1, *[1] * (part.ndim - 2)), part, 7) for part in (image, world, seen)]
    np.testing.assert_array_equal(views(changed, mask, "deep"), views((image, world, seen), mask, "deep"))


def test_a_picture_without_joints_of_the_world_is_enough_for_the_flat_kind():
    (image, world, seen), mask = joints(), np.ones((3, SAMPLES))
    np.testing.assert_array_equal(
        views((image, world, seen), mask, "flat"), views((image, 0 * world, seen), mask, "flat")
    )


def test_mirrored_twice_is_the_same():
    clips = joints()
    for part, twice in zip(clips, mirrored(*mirrored(*clips)), strict=True):
        np.testing.assert_array_equal(part, twice)
    assert mirrored(*clips)[0][0, 0, PLACE["left wrist"], 0] == -clips[0][0, 0, PLACE["right wrist"], 0]


def samples_of(track: Track, *spans: tuple[float, float]) -> list[list[int]]:
    """The numbers of the samples that count in the window of each span."""
    (image, *_), mask, _ = windows(track, spans)
    assert image.shape[1] == mask.shape[1] == SAMPLES
    return [row[counts, 0, 0].astype(int).tolist() for row, counts in zip(image, mask, strict=True)]


def test_windows_lie_around_the_middles_of_their_spans_and_end_where_the_track_does():
    assert samples_of(numbered(100), (0, 3), (4.5, 7.5), (7, 10)) == [
        list(range(48)), list(range(36, 84)), list(range(52, 100)),
    ]  # fmt: skip
    assert samples_of(numbered(15), (0, 1.5)) == [list(range(15))]


def test_no_window_mixes_shots():
    track = numbered(100, shot=(np.arange(100) >= 30).astype(int))
    assert samples_of(track, (0, 3), (1.4, 4.4), (1.6, 4.6)) == [
        list(range(30)), list(range(30)), list(range(30, 78)),
    ]  # fmt: skip


def test_short_gaps_are_interpolated_and_long_ones_are_masked():
    track = lost(60, range(10, 10 + LONGEST_GAP), range(30, 50))
    assert samples_of(track, (0, 4.8)) == [[*range(30 + LONGEST_GAP), *range(50 - LONGEST_GAP, 48)]]
    _, _, found = windows(track, [(0, 4.8)])
    assert found == pytest.approx([(48 - LONGEST_GAP - 18) / 48])


def test_a_gap_at_a_cut_is_not_bridged_from_one_shot_to_the_other():
    track = lost(60, range(28, 33))
    track.shot[30:] = 1
    image, world, _, near = filled(track)
    assert near.all()
    for filled_in in (image, world):
        assert (filled_in[28:30] == 27).all() and (filled_in[30:33] == 33).all()


def test_nobody_is_a_window_too():
    joints, mask, found = windows(lost(20, range(20)), [(0, 2)])
    assert not mask.any() and found == [0] and all(np.isfinite(part).all() for part in joints)


def test_a_joint_outside_the_picture_counts_as_unseen():
    track = numbered(20, size=(999, 15))  # height and width: from sample 16 on, x is outside
    visibility = filled(track)[2]
    assert (visibility[:16] == 1).all() and (visibility[16:] == 0.2).all()


def test_memory_grows_no_faster_than_the_video():
    peaks = []
    for samples in (1000, 4000):
        track = numbered(samples)
        tracemalloc.start()
        filled(track)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 5 * peaks[0]
