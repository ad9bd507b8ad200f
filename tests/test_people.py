"""The chapter on real people: what its figures and tables are made of."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import runs

from exmus_lib import labels, predictions
from exmus_lib.networks import people, recognise
from exmus_lib.pictures import people as drawings
from exmus_lib.poses import features, lifters, virtual
from exmus_lib.poses.track import BODY, RATE, Track
from exmus_lib.scores import people as scores
from exmus_lib.tasks import Exercise

KNOWN = labels.paper()
THREE = KNOWN.exercises[:3]


def clips_of(exercises: list[str], groups: list[str]) -> pd.DataFrame:
    names = [f"c{i}" for i in range(len(exercises))]
    return pd.DataFrame(
        {"clip_id": names, "video_id": names, "group": groups, "split": "test", "exercise": exercises, "seconds": 3.0}
    )


def table_of(clips: pd.DataFrame, logits: list[list[float]]) -> pd.DataFrame:
    whole = np.full((len(clips), len(KNOWN.exercises)), -9.0)
    whole[:, :3] = logits
    return predictions.table(clips, whole, KNOWN.exercises)


def test_top_k_counts_the_k_likeliest_and_knows_no_interval_of_one_source():
    clips = clips_of([THREE[0], THREE[1], THREE[2], THREE[0]], ["a", "a", "a", "a"])
    table = table_of(clips, [[3, 2, 1], [3, 2, 1], [3, 2, 1], [1, 2, 3]])
    task = Exercise(KNOWN)
    assert scores.top_k(table, clips, task, 1)["value"] == 1 / 4
    assert scores.top_k(table, clips, task, 2)["value"] == 2 / 4
    assert scores.top_k(table, clips, task, 3)["value"] == 1
    assert np.isnan(scores.top_k(table, clips, task, 1)["low"])


def test_errors_are_the_surest_first_and_one_of_a_video():
    clips = clips_of([THREE[0], THREE[0], THREE[1], THREE[2]], list("abcd")).assign(video_id=["v", "v", "w", "x"])
    table = table_of(clips, [[0, 5, 0], [0, 9, 0], [2, 0, 0], [0, 0, 9]])
    errors = scores.confident_errors(table, clips, Exercise(KNOWN), 8)
    assert list(errors["clip_id"]) == ["c1", "c2"] and list(errors["predicted"]) == [THREE[1], THREE[0]]


def test_muscles_follow_from_exercises():
    clips = clips_of([THREE[0]], ["a"])
    sure = people.muscles(table_of(clips, [[30, 0, 0]]), KNOWN)
    likely = 1 / (1 + np.exp(-predictions.logits(sure)[0]))
    assert [m for m, p in zip(KNOWN.muscles, likely, strict=True) if p > 0.5] == [
        m for m in KNOWN.muscles if m in KNOWN.muscles_of[THREE[0]]
    ]


def test_two_networks_are_averaged_by_their_probabilities():
    clips = clips_of([THREE[0]], ["a"])
    one, other = table_of(clips, [[30, 0, 0]]), table_of(clips, [[0, 30, 0]])
    likely = np.exp(predictions.logits(people.averaged(one, other))[0])
    assert likely[:3] == pytest.approx([0.5, 0.5, 0], abs=1e-4)


def test_the_network_on_pixels_is_one_on_pixels_as_the_preset_has_it(clip_set):
    clip_set = replace(clip_set, clips=clip_set.clips.assign(split_video=np.resize(["train", "val", "test"], 64)))
    usual = runs.write_run(clip_set)
    others = [runs.write_run(clip_set, **how) for how in ({"input": "pose"}, {"tag": "focal"}, {"head": "softmax"})]
    for run in others:
        run.weights.touch()
    assert people.pixels_run(clip_set, "quick") is None
    usual.weights.touch()
    assert people.pixels_run(clip_set, "quick") == usual


def embedded(count: int, noise: float, sources: int = 4) -> scores.Embedded:
    """Three exercises in the corners of a triangle."""
    random, names = np.random.default_rng(0), np.resize(THREE, count)
    values = 5 * np.eye(3)[np.arange(count) % 3] + noise * random.normal(size=(count, 3))
    return scores.Embedded(values, names, np.arange(count) // 3 % sources)


def test_real_clips_are_worth_as_much_once_they_tell_what_rendered_ones_do_not():
    wrong = embedded(30, 0.1)
    wrong = scores.Embedded(np.roll(wrong.values, 1, axis=1), wrong.exercises, wrong.groups)
    table = scores.worth(wrong, embedded(24, 0.1), counts=(0, 1, 2))
    means = table.groupby(["taught", "clips"])["top1"].mean()
    assert means["rendered and real", 0] == 0 and means["real only", 1] == 1
    assert "real clips alone get there with 1 of each exercise (100%)" in scores.as_much(table)


def test_no_source_teaches_about_itself():
    real = embedded(12, 0.1)
    by_source = scores.Embedded(real.values, real.exercises, np.arange(12) % 3)  # each exercise has one source
    table = scores.worth(embedded(30, 0.1), by_source, counts=(0, 1))
    means = table.groupby(["taught", "clips"])["top1"].mean()
    assert means["rendered and real", 0] == 1 and means["real only", 1] == 0
    with pytest.raises(ValueError, match="1 source of real clips: two are needed"):
        scores.worth(real, scores.Embedded(real.values, real.exercises, np.zeros(12)))


def test_training_is_watched_at_held_out_clips():
    performances = virtual.perform(labels.read(), 1, progress=False)
    joints, mask, names = next(virtual.clips(performances, 40, np.random.default_rng(0)))
    does = names != virtual.IDLE
    held_out = people.Seen(
        clips_of(list(names[does]), ["a"] * does.sum()),
        {},
        tuple(a[does] for a in joints),
        mask[does],
        mask[does].mean(1),
    )
    recogniser, history = people.train(performances, {"virtual": held_out}, 4)
    assert list(history["step"]) == [1, 2, 3, 4] and history["cpu_seconds"].is_monotonic_increasing
    table = people.by_poses(recogniser, held_out)
    assert np.exp(predictions.logits(table)).sum(axis=1) == pytest.approx(1, abs=1e-3)
    assert people.embeddings(recogniser, held_out.joints, held_out.mask).shape == (does.sum(), 288)


def squatting(seconds: float = 6.0) -> Track:
    """A stick figure whose knees bend and stretch every two seconds, its feet unseen."""
    times = np.arange(int(seconds * RATE)) / RATE
    bend = np.radians(50 * (1 - np.cos(np.pi * times)))
    world = np.zeros((len(times), len(BODY), 3))
    for name, height in {"nose": -1, "ear": -1, "shoulder": -0.8, "elbow": -0.5, "wrist": -0.2, "knee": 0.4}.items():
        world[:, [name in joint for joint in BODY], 1] = height
    for name in ("ankle", "heel", "foot"):
        lower = np.stack([0 * bend, 0.4 + 0.4 * np.cos(bend), 0.4 * np.sin(bend)], axis=1)
        world[:, [name in joint for joint in BODY]] = lower[:, None]
    visibility = np.tile([0.1 if "foot" in joint else 0.9 for joint in BODY], (len(times), 1))
    image = 100 * world[..., :2] + 200
    ones = np.ones(len(times), bool)
    return Track(image, world, visibility, ones, np.zeros(len(times), int), times, (400, 400))


def test_ends_of_a_repetition_are_where_the_knee_is_bent_and_where_it_is_straight():
    track = squatting()
    bent, straight = lifters.ends(track, "Squat").values()
    name, degrees = lifters.angles(track, "Squat")
    assert name == "knee" and degrees[bent, 0] < 90 and degrees[straight, 0] > 150
    still = track.part(0, 0.4)
    assert list(lifters.ends(still, "Squat")) == ["seen best"]


def test_a_moment_is_observed_differently_each_time():
    performances = virtual.perform(labels.read(), 1, idle=False, progress=False)
    exact, image, visibility = lifters.observed(performances, "Squat", 3)
    assert exact.shape == (len(BODY), 2) and image.shape == (3, len(BODY), 2) and visibility.shape == (3, len(BODY))
    assert not np.allclose(image[0], image[1], atol=0.02)


def test_visibility_is_shown_by_part_and_hardly_seen_joints_are_open_circles():
    track = squatting()
    parts = drawings.visibility_of(track.visibility).iloc[0]
    assert parts["arms"] == pytest.approx(0.9) and parts["legs"] == pytest.approx((6 * 0.9 + 2 * 0.1) / 8)
    figure = drawings.stick_figures({"a": (track.image[0], track.visibility[0])})
    circles = figure.axes[0].lines[-1]
    assert circles.get_marker() == "o" and len(circles.get_xdata()) == 2


def test_a_figure_says_what_it_lacks():
    for figure in (drawings.worth(None), drawings.mistakes(pd.DataFrame(columns=["clip_id"]), {})):
        assert figure.axes[0].texts[0].get_text()


@pytest.mark.skipif(not recognise.FILE.exists(), reason="the networks that come with ExMus are not there")
def test_the_shipped_networks_know_virtual_people():
    performances = virtual.perform(labels.read(), 1, seed=99, progress=False)
    joints, mask, names = next(virtual.clips(performances, 200, np.random.default_rng(0)))
    likely = recognise.load().probabilities(joints, mask)
    answers = np.array([*KNOWN.exercises, virtual.IDLE])[likely.argmax(axis=1)]
    assert (answers == names).mean() > 0.7 and joints[0].shape[1] == features.SAMPLES
