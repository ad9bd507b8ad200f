"""Exact joints through a camera and an estimator's errors: shapes, seeds, sides, and what nobody can see."""

from dataclasses import replace

import numpy as np
import pytest

from exmus_lib.poses.project import FLIP, LEGS, PLACE, USUAL, Conditions, mirrored_where, observe, visible
from exmus_lib.poses.track import BODY

FLAWLESS = Conditions(from_view=1, errors=0, swapped=0, hidden=0, cut_below=0, cut_hands=0, straight=0, aspect=0)
LEFT, RIGHT = PLACE["left shoulder"], PLACE["right shoulder"]


def standing(clips: int = 8, samples: int = 5) -> np.ndarray:
    """Joints (B, T, J, 3) of somebody who stands still: x to the front, y left, z up."""
    heights = dict(nose=1.6, ear=1.62, shoulder=1.4, elbow=1.1, wrist=0.9, hip=0.9, knee=0.5, ankle=0.08, heel=0.03)
    joints = np.zeros((len(BODY), 3))
    for place, name in enumerate(BODY):
        side, _, part = name.rpartition(" ")[0].partition(" ") if "foot" in name else name.partition(" ")
        part = part or name
        joints[place] = (
            0.1 * (name == "nose"),
            0.2 * (side == "left") - 0.2 * (side == "right"),
            heights.get(part, 0.02),
        )
    return np.tile(joints, (clips, samples, 1, 1)).astype(np.float32)


def seen(how: Conditions = USUAL, seed: int = 0, view: tuple[float, float] = (0, 0), clips: int = 8):
    joints = standing(clips)
    return observe(joints, np.tile(np.array(view, float), (clips, 1)), np.random.default_rng(seed), how)


def test_a_clip_is_image_world_and_visibility_and_a_seed_gives_it_again():
    first, again, other = seen(seed=1), seen(seed=1), seen(seed=2)
    assert [part.shape for part in first] == [(8, 5, 19, 2), (8, 5, 19, 3), (8, 5, 19)]
    for part, same, different in zip(first, again, other, strict=True):
        assert np.isfinite(part).all()
        np.testing.assert_array_equal(part, same)
        assert (part != different).any()


@pytest.mark.parametrize("view, sign", [((0, 0), 1), ((180, 180), -1)], ids=["in front", "behind"])
def test_the_left_shoulder_is_on_the_right_of_the_picture_from_in_front_and_on_its_left_from_behind(view, sign):
    image, world, _ = seen(FLAWLESS, view=view, clips=40)
    for joints in (image, world):
        assert (sign * (joints[:, :, LEFT, 0] - joints[:, :, RIGHT, 0]) > 0.2).all()
    assert (image[:, :, PLACE["nose"], 1] < image[:, :, PLACE["left ankle"], 1]).all()  # y points down


def test_without_errors_the_world_keeps_all_lengths_and_with_them_it_does_not():
    def shin(how):
        world = seen(how)[1]
        return np.linalg.norm(world[:, :, PLACE["left knee"]] - world[:, :, PLACE["left ankle"]], axis=-1)

    np.testing.assert_allclose(shin(FLAWLESS), 0.42, atol=1e-3)
    assert np.abs(shin(replace(FLAWLESS, errors=1)) - 0.42).max() > 0.02


def test_mirrored_twice_is_the_same_and_once_changes_sides():
    clips = seen()
    these = np.arange(8) % 2 == 0
    once = mirrored_where(these, *clips)
    for part, mirrored, twice in zip(clips, once, mirrored_where(these, *once), strict=True):
        np.testing.assert_array_equal(part, twice)
        np.testing.assert_array_equal(part[~these], mirrored[~these])
    np.testing.assert_array_equal(once[0][0, :, LEFT], clips[0][0, :, RIGHT] * [-1, 1])
    assert FLIP[LEFT] == RIGHT and FLIP[PLACE["nose"]] == PLACE["nose"]


def test_a_limb_behind_the_trunk_is_seen_less_than_one_before_it():
    both = np.zeros((200, 5, 19, 5))
    both[..., PLACE["left wrist"], 4], both[..., PLACE["right wrist"], 4] = 0.4, -0.4  # away from the camera, and near
    visibility = visible(both, np.random.default_rng(0))
    assert visibility.min() >= 0.02 and visibility.max() <= 1
    assert visibility[..., PLACE["right wrist"]].mean() > 0.9 > 0.6 > visibility[..., PLACE["left wrist"]].mean()


def test_joints_below_the_picture_are_hardly_visible():
    whole, cut = seen(FLAWLESS)[2], seen(replace(FLAWLESS, cut_below=1))[2]
    feet = [LEGS[side][1] for side in LEGS]  # a knee may still be seen
    assert (cut[..., feet] <= 0.5 * whole[..., feet]).all()
    np.testing.assert_array_equal(cut[..., PLACE["nose"]], whole[..., PLACE["nose"]])


def test_a_hidden_limb_is_elsewhere_and_mostly_known_to_be_unseen():
    (image, _, whole), (moved, _, hidden) = seen(FLAWLESS, clips=60), seen(replace(FLAWLESS, hidden=1), clips=60)
    wrist = PLACE["left wrist"]
    away = np.abs(moved - image)[:, :, wrist].max(axis=-1) > 1e-3
    assert 0.3 < away.mean() <= 1
    assert 0.5 < (hidden < whole)[:, :, wrist][away].mean() < 1


def test_left_and_right_are_swapped_in_a_share_of_the_clips():
    (image, _, _), (swapped, _, _) = seen(FLAWLESS, clips=60), seen(replace(FLAWLESS, swapped=1), clips=60)
    crossed = np.sign(swapped[:, :, LEFT, 0] - swapped[:, :, RIGHT, 0]) != np.sign(
        image[:, :, LEFT, 0] - image[:, :, RIGHT, 0]
    )
    assert 0.2 < crossed.any(axis=1).mean() < 1


def test_hands_out_of_the_picture_are_hardly_visible():
    whole, cut = seen(FLAWLESS)[2], seen(replace(FLAWLESS, cut_hands=1))[2]
    wrists = [PLACE["left wrist"], PLACE["right wrist"]]
    np.testing.assert_allclose(cut[..., wrists], 0.3 * whole[..., wrists])


@pytest.mark.parametrize("mishap", ["hidden", "cut_below", "cut_hands"])
def test_a_mishap_changes_its_share_of_the_clips_and_no_other(mishap):
    calm = replace(FLAWLESS, swapped=0.3)
    usual, met = seen(calm, clips=200), seen(replace(calm, **{mishap: 0.3}), clips=200)
    changed = np.logical_or.reduce([(a != b).reshape(200, -1).any(axis=1) for a, b in zip(usual, met, strict=True)])
    expected = 1 - 0.7**4 if mishap == "hidden" else 0.3  # of four limbs any
    assert abs(changed.mean() - expected) < 0.12
