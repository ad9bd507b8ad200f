"""The wider set of movements: bodies stay bodies, every exercise has its ways, and neighbours differ in what tells them apart."""

import zlib
from collections import Counter

import numpy as np
import pytest

from exmus_lib import labels
from exmus_lib.sample.body import draw_person, flesh
from exmus_lib.sample.mesh import join
from exmus_lib.sample.movements.tempo import tempo
from exmus_lib.sample.movements.variants import VARIANTS
from exmus_lib.sample.skeleton import Skeleton

WAY = np.linspace(0, 1, 13)
SEEDS = range(8)


def draws(name: str) -> list[Skeleton]:
    """The variant performed once, start to end, by several people."""
    skeletons = []
    for seed in SEEDS:
        rng = np.random.default_rng([zlib.crc32(name.encode()), seed])
        skeletons.append(VARIANTS[name].perform(draw_person(rng)[0], WAY, rng).skeleton)
    return skeletons


def length(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.linalg.norm(a - b, axis=-1)


def angle(a: np.ndarray, corner: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Degrees (T, 2) between the bones that meet at a joint; 180 is straight."""
    first, second = a - corner, b - corner
    cosine = (first * second).sum(-1) / length(a, corner) / length(b, corner)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def elbow(s: Skeleton) -> np.ndarray:
    return angle(s.shoulders, s.elbows, s.wrists)


def way_of(joint: np.ndarray, axis: int = 2) -> np.ndarray:
    """By how much (2,) a joint (T, 2, 3) is higher (or further along an axis) at the end of the way."""
    return joint[-1, :, axis] - joint[0, :, axis]


@pytest.mark.parametrize("name", VARIANTS)
def test_bones_keep_their_length_and_bodies_stay_over_the_floor(name):
    for s in draws(name):
        p = s.proportions
        joints = np.concatenate([s.joints(), s.wrists], axis=1)
        assert len(joints) == len(WAY)
        assert np.isfinite(joints).all()
        assert joints[..., 2].min() > -0.1
        for bone, share in (
            (length(s.shoulders, s.elbows), p.upper_arm),
            (length(s.elbows, s.wrists), p.forearm),
            (length(s.hips, s.knees), p.thigh),
            (length(s.knees, s.ankles), p.shin),
        ):
            np.testing.assert_allclose(bone, share, rtol=0.01)
        knees = angle(s.hips, s.knees, s.ankles)
        assert 30 < knees.min() and elbow(s).min() > 18
        assert length(joints[1:], joints[:-1]).max() < 0.4  # no joint jumps within a twelfth of the way


def test_every_exercise_has_two_variants_and_idling_has_ten():
    ways = Counter(variant.exercise for variant in VARIANTS.values())
    assert ways.pop(None) >= 10
    assert set(ways) == set(labels.read().exercises)
    assert min(ways.values()) >= 2


@pytest.mark.parametrize("name", [name for name, v in VARIANTS.items() if v.exercise in ("Squat", "Deadlift")])
def test_feet_stand_still_on_the_floor(name):
    for s in draws(name):
        assert np.ptp(s.ankles, axis=0).max() < 0.02
        np.testing.assert_allclose(s.ankles[..., 2], s.proportions.ankle, atol=0.01)


def test_in_a_pull_up_the_body_rises_and_in_a_hanging_leg_raise_the_legs_do():
    for s in draws("bar pull-up"):
        assert np.ptp(s.grips, axis=0).max() < 0.03
        assert way_of(s.hips).min() > 0.3 and np.ptp(elbow(s), axis=0).min() > 30
    for s in draws("hanging leg raise"):
        assert np.ptp(s.grips, axis=0).max() < 0.03
        assert np.ptp(elbow(s), axis=0).max() < 30 and np.ptp(s.shoulders, axis=0).max() < 0.1
        assert way_of(s.knees).max() > 0.2


def test_a_dip_lowers_the_body_between_fists_that_stay():
    for name in ("bar dip", "bench dip"):
        for s in draws(name):
            assert np.ptp(s.grips, axis=0).max() < 0.03
            assert way_of(s.shoulders).max() < -0.08 and (elbow(s)[-1] < elbow(s)[0] - 25).all()


def test_fists_go_down_in_a_pushdown_and_up_in_a_curl():
    for s in draws("pushdown, both"):
        assert way_of(s.grips).max() < -0.1 and (elbow(s)[-1] > elbow(s)[0] + 40).all()
    for s in draws("seated curl"):
        assert way_of(s.grips).max() > 0.1 and elbow(s).min() < 80


def test_a_press_ends_over_the_head_and_a_raise_at_the_sides_with_the_same_elbows():
    for s in draws("seated press"):
        assert (s.grips[-1, :, 2] > s.torso.neck[-1, 2] + 0.25).any()
    for s in draws("seated raise"):
        assert np.ptp(elbow(s), axis=0).max() < 15
        assert (np.abs(s.elbows[-1, :, 1]) > np.abs(s.elbows[0, :, 1]) + 0.1).all()


def test_a_squat_takes_the_hips_down_with_the_trunk_and_a_hinge_takes_the_trunk_down_over_the_hips():
    for s in draws("back squat"):
        assert way_of(s.hips).max() < -0.2
    for s in draws("hinge"):
        assert way_of(s.hips).min() > -0.15 and way_of(s.shoulders).max() < way_of(s.hips).min() - 0.08
        assert elbow(s).min() > 140  # arms hang


def test_a_push_up_moves_the_shoulders_to_planted_palms_and_a_bench_press_the_fists_from_lying_shoulders():
    for s in draws("toe push-up"):
        assert np.ptp(s.grips, axis=0).max() < 0.06 and way_of(s.shoulders).max() < -0.1
    for s in draws("flat press"):
        assert np.ptp(s.shoulders, axis=0).max() < 0.06 and way_of(s.grips).min() > 0.15


@pytest.mark.parametrize("name", VARIANTS)
def test_gear_and_flesh_can_be_drawn(name):
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    person, clothes = draw_person(rng)
    scene = VARIANTS[name].scene(person, WAY[::6], rng)
    moving = join(flesh(scene.skeleton, clothes) + scene.moving)
    assert len(moving.vertices) == 3 and np.isfinite(moving.vertices).all()
    for mesh in scene.fixed:
        assert len(mesh.vertices) == 1 and np.isfinite(mesh.vertices).all() and mesh.vertices[..., 2].min() > -0.1


def test_a_barbell_goes_through_both_fists():
    rng = np.random.default_rng(5)
    scene = VARIANTS["floor deadlift"].scene(draw_person(rng)[0], WAY, rng)
    centre = np.mean([mesh.vertices.mean(1) for mesh in scene.moving[:1]], axis=0)
    np.testing.assert_allclose(centre, scene.skeleton.grips.mean(1), atol=0.01)


def test_tempo_repeats_in_time_between_the_ends_and_sometimes_waits_before_the_start():
    times = np.arange(200) / 20
    ways = np.stack([tempo(times, (2.0, 2.0), np.random.default_rng(seed)) for seed in range(300)])
    assert ways.min() >= 0 and ways.max() <= 1
    assert np.abs(np.diff(ways, axis=1)).max() < 0.25  # a repetition of 1.6 s, 0.55 s of it up: no jump within 1/20 s
    still = (ways[:, :5] == ways[:, :1]).all(axis=1).mean()
    assert 0.15 < still < 0.6  # three in ten wait, others pause
    turns = (np.diff(np.sign(np.diff(ways, axis=1)), axis=1) != 0).sum(axis=1)
    assert np.median(turns) > 3  # at least two repetitions in 10 s
