"""Recognising by joints: networks that are trained, kept and read again, and what is said of a video."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from tracks import Told, after, filmed, nobody, times_there_and_back, unseen

import exmus_lib
from exmus_lib import labels
from exmus_lib.labels import Labels
from exmus_lib.networks import pretrain
from exmus_lib.networks import recognise as module
from exmus_lib.networks.pose import PoseTCN
from exmus_lib.networks.recognise import IDLE, UNSURE, Recogniser, load, of_track, recognise
from exmus_lib.poses import features, virtual
from exmus_lib.poses.project import Conditions
from exmus_lib.sample.movements import MOVEMENTS
from exmus_lib.videos.faults import VideoError

SQUATS = filmed("squat", times_there_and_back(6))  # 14 s, which are 9 windows


@pytest.fixture(scope="module")
def tiny() -> Iterator[list[PoseTCN]]:
    """A network of each kind that saw a few clips of squats, lateral raises and idling."""
    two = Labels({"Squat": (), "Lateral Raise": ()})
    performances = virtual.perform(two, 2, progress=False)
    batches = virtual.clips(performances, 16, np.random.default_rng(0), Conditions(errors=0.5))
    exercises, threads = [*labels.paper().exercises, virtual.IDLE], torch.get_num_threads()
    torch.set_num_threads(1)  # on busy cores threads wait for one another
    yield pretrain.train(batches, exercises, list(features.KINDS), 40, progress=False)
    torch.set_num_threads(threads)


@pytest.fixture
def kept(tiny, tmp_path):
    pretrain.save(tiny, list(features.KINDS), tmp_path / "tiny.safetensors", {"steps": 40})
    return load(tmp_path / "tiny.safetensors")


def test_networks_learn_and_answer_the_same_after_they_were_kept(tiny, kept):
    joints, mask, _ = features.windows(SQUATS, [(0, 3), (5, 8), (11, 14)])
    trained = Recogniser(tuple(zip(tiny, features.KINDS, strict=True)), labels.paper(), pretrain.SURE_ABOVE)
    likely = trained.probabilities(joints, mask)
    np.testing.assert_allclose(likely.sum(axis=1), 1)
    squat, raise_ = (kept.labels.exercises.index(name) for name in ("Squat", "Lateral Raise"))
    assert (likely[:, squat] > 2 * likely[:, raise_]).all()
    np.testing.assert_allclose(kept.probabilities(joints, mask), likely, atol=0.01)  # half precision
    assert kept.labels == labels.paper() and kept.sure_above == pretrain.SURE_ABOVE


def test_a_video_and_its_mirror_image_get_one_answer(kept):
    joints, mask, _ = features.windows(SQUATS, [(0, 3)])
    np.testing.assert_allclose(
        kept.probabilities(joints, mask), kept.probabilities(features.mirrored(*joints), mask), atol=1e-6
    )


def test_every_parameter_learns_and_what_is_masked_does_not_count():
    torch.manual_seed(0)
    network, view = PoseTCN(17, 9), torch.randn(4, 9, 48, 1, 1)
    view[:, -1] = 1.0 * (torch.arange(48) < 30)[None, :, None, None]
    network.train()(view).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in network.parameters())
    changed = view.clone()
    changed[:, :-1, 30:] += 1
    network.eval()
    torch.testing.assert_close(network(changed), network(view))
    changed[:, :-1, 29] += 1
    assert not torch.allclose(network(changed), network(view))


def test_windows_that_agree_become_one_stretch_with_its_repetitions():
    recognition = of_track(SQUATS, Told(("Squat", 0.9, 0.1)))
    (stretch,) = recognition.stretches
    assert (stretch.exercise, stretch.start, stretch.end) == (
        "Squat",
        0,
        13.9,
    ) and stretch.probability == pytest.approx(0.9)
    assert len(stretch.repetitions) == 6 and stretch.tempo == pytest.approx(2, abs=0.5)
    assert stretch.motion.startswith("knee ") and recognition.notes == ()
    assert recognition.exercises().index[0] == "Squat" and recognition.exercises().sum() == pytest.approx(1)
    muscles = recognition.muscles()
    others = 0.1 / 15  # each of the 15 other exercises
    working = sum("quads" in worked for worked in labels.paper().muscles_of.values()) - 1
    assert muscles["quads"] == pytest.approx(0.9 + working * others)


def test_an_unsure_window_parts_a_stretch_and_two_exercises_share_what_their_windows_do():
    squat, curl, unsure = ("Squat", 0.9, 0.0), ("Bicep Curl", 0.9, 0.0), ("Squat", 0.3, 0.0)

    def limits(*answers):
        return [(s.exercise, s.start, s.end) for s in of_track(SQUATS, Told(*answers)).stretches]

    assert limits(*[squat] * 4, unsure, *[squat] * 4) == [("Squat", 0, 7.5), ("Squat", 7.5, 13.9)]
    # Windows last 3 s and begin every 1.5 s: the fourth ends at 7.5 s, the fifth begins at 6 s.
    assert limits(*[squat] * 4, *[curl] * 5) == [("Squat", 0, 6.7), ("Bicep Curl", 6.8, 13.9)]


@pytest.mark.parametrize(
    "track, told, reason",
    [
        (SQUATS, ("Squat", 0.9, 0.8), IDLE),
        (SQUATS, ("Squat", 0.3, 0.0), UNSURE),
        (nobody(), ("Squat", 1.0, 0.0), "nobody was found"),
    ],
    ids=["idle", "unsure", "nobody"],
)
def test_where_nothing_is_sure_there_is_no_stretch_and_the_reason_is_said(track, told, reason):
    recognition = of_track(track, Told(told))
    assert recognition.stretches == () and recognition.unsure == reason
    assert np.isfinite(recognition.exercises()).all() and not recognition.table["sure"].any()
    assert any(note.startswith("nobody was found") for note in recognition.notes) == (reason == "nobody was found")


def test_a_window_in_which_hardly_anybody_is_seen_is_never_sure():
    recognition = of_track(unseen(SQUATS, 0, 9), Told(("Squat", 1.0, 0.0)))
    assert recognition.table["sure"].tolist() == [found >= features.MIN_FOUND for found in recognition.table["found"]]
    assert [s.exercise for s in recognition.stretches] == ["Squat"] and recognition.stretches[0].start > 5


def test_who_is_hardly_found_is_not_called_idle_nor_told_of_hidden_legs():
    hidden = replace(SQUATS, visibility=0.1 * SQUATS.visibility)
    rare = of_track(unseen(hidden, 0.5, 99), Told(("Squat", 1.0, 0.0)))
    assert rare.unsure == "a person was found too rarely" and rare.stretches == ()
    assert rare.notes == ("a person was found in 4% of the pictures only",)


def test_notes_tell_of_several_people_cuts_hidden_legs_and_rare_sights():
    cut = after(SQUATS, SQUATS)
    hidden = SQUATS.visibility.copy()
    hidden[:, features.LEGS] = 0.1
    told = Told(("Squat", 0.9, 0.0))
    reasons = {
        "3 people are in the picture": replace(SQUATS, people=3),
        "2 parts": cut,
        "the legs are hardly seen": replace(SQUATS, visibility=hidden),
        "a person was found in 36% of the pictures only": unseen(SQUATS, 0, 9),
        "upside down": SQUATS.turned().turned(),
    }
    for words, track in reasons.items():
        (note,) = of_track(track, told).notes
        assert words in note


def test_a_picture_that_is_upside_down_gets_the_same_answer_and_says_so(kept):
    upright, turned = of_track(SQUATS, kept), of_track(SQUATS.turned().turned(), kept)
    columns = [f"exercise/{name}" for name in kept.labels.exercises]
    np.testing.assert_allclose(turned.table[columns], upright.table[columns], atol=1e-5)


@pytest.mark.parametrize("quarters", [1, 3])
def test_a_picture_that_lies_on_its_side_gets_the_same_answer_and_says_so(quarters):
    track, shipped = SQUATS, load()
    for _ in range(quarters):
        track = track.turned()
    upright, turned = of_track(SQUATS, shipped), of_track(track, shipped)
    columns = [f"exercise/{name}" for name in shipped.labels.exercises]
    np.testing.assert_allclose(turned.table[columns], upright.table[columns], atol=1e-5)
    assert "the picture seems to lie on its side: it was turned" in turned.notes and not upright.notes


def test_a_picture_that_lies_on_its_side_may_be_empty_for_a_while():
    upright, turned = (of_track(unseen(track, 0, 7), load()) for track in (SQUATS, SQUATS.turned()))
    assert turned.stretches[0].exercise == upright.stretches[0].exercise and "on its side" in turned.notes[-1]


def test_no_exercise_is_taken_for_a_picture_that_lies_on_its_side():
    for folder in MOVEMENTS:
        notes = of_track(filmed(folder, times_there_and_back(2), 0)).notes
        assert not any("on its side" in note for note in notes), folder


@pytest.mark.parametrize("tilt", [-10, 0, 40], ids=lambda tilt: f"camera {tilt} degrees down")
def test_no_exercise_is_taken_for_a_picture_that_is_upside_down(tilt):
    c, s = np.cos(np.radians(tilt)), np.sin(np.radians(tilt))
    for folder in MOVEMENTS:
        for seed in range(3):
            track = filmed(folder, times_there_and_back(1), seed)
            assert not replace(track, world=track.world @ [[1, 0, 0], [0, c, s], [0, -s, c]]).upside_down, folder


@pytest.fixture
def stub(monkeypatch, tmp_path):
    """A video whose track and answer are given, and where to change them."""
    monkeypatch.setattr(module, "estimate", lambda video, report: SQUATS)
    monkeypatch.setattr(module, "load", lambda: Told(("Squat", 0.9, 0.0)))
    video = tmp_path / "my.mp4"
    video.touch()
    return video


def test_predict_without_runs_answers_with_exercises_or_muscles(stub):
    exercises, muscles = exmus_lib.predict(stub), exmus_lib.predict(str(stub), task="mgap")
    assert exercises.index[0] == "Squat" and len(exercises) == 16 and exercises.is_monotonic_decreasing
    assert set(muscles.index) == set(labels.paper().muscles) and muscles["quads"] > 0.9
    assert exercises.attrs == {"trained_on": module.TRAINED_ON, "notes": (), "sure": True}
    with pytest.raises(ValueError, match='"exercize" is not one of: exercise, mgap. Did you mean "exercise"?'):
        exmus_lib.predict(stub, task="exercize")


def test_what_is_no_video_or_too_short_is_named(stub, monkeypatch, tmp_path):
    with pytest.raises(FileNotFoundError, match="no video .*gone.mp4"):
        recognise(tmp_path / "gone.mp4")
    with pytest.raises(FileNotFoundError, match="is a folder"):
        recognise(tmp_path)
    monkeypatch.setattr(module, "estimate", lambda video, report: SQUATS.part(0, 0.5))
    with pytest.raises(VideoError, match="my.mp4: shorter than 1.2 s .0.50 s."):
        recognise(stub)
