"""Runs on joints are runs like any other: trained, resumed, named, asked and listed; and what they alone do."""

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import runs
import torch

from exmus_lib import labels, predictions, recipes, workspace
from exmus_lib.networks import fit, joints, predict
from exmus_lib.poses import features, virtual
from exmus_lib.poses.project import observe
from exmus_lib.poses.track import RATE, Track
from exmus_lib.recipes import recipe
from exmus_lib.scores import ensembles, tables
from exmus_lib.tasks import Exercise
from exmus_lib.videos.prepare import prepare


def track_of(exercise: str, seconds: float, seed: int = 0) -> Track:
    """What an estimator might find of somebody who does an exercise."""
    performed = virtual.perform(labels.Labels({exercise: ()}), 1, seed, idle=False, progress=False)
    rng, samples = np.random.default_rng(seed), round(seconds * RATE)
    seen = observe(virtual.cut_out(performed.joints, np.array([0]), rng), performed.view[:1], rng)
    image, world, visibility = (values[0, :samples] for values in seen)
    times = np.arange(samples) / RATE
    found, shot = np.ones(samples, bool), np.zeros(samples, int)
    return Track(100 + 40 * image, world, visibility, found, shot, times, (200, 200))


@pytest.fixture
def clip_set(home, monkeypatch):
    """The clips of the folder, whose joints come from rendered movements: no estimator runs here."""
    clips = prepare(str(home / "gym"))
    known = {row.clip_id: track_of(row.exercise, row.seconds, i) for i, row in enumerate(clips.clips.itertuples())}
    for module in (fit, predict):
        monkeypatch.setattr(module, "estimate_clips", lambda _: known)
    monkeypatch.setattr(joints, "EPOCH", {"joints": 128, "pose": 16})
    monkeypatch.setattr(joints, "EACH", 1)
    return clips


def test_runs_of_before_there_was_an_input_keep_their_names():
    # six digits of asdict(recipe("x3d_m", "quick")) at f3fcf6c, before the field was there
    assert workspace.six_hex(recipes.kept(recipe("x3d_m", "quick", epochs=8))) == "5f8e50"
    drawn = recipe("x3d_m", "quick", input="pose")
    assert recipes.kept(drawn)["input"] == "pose" and recipes.Recipe(**recipes.kept(drawn)) == drawn
    assert recipes.Recipe(**recipes.kept(recipe("x3d_m", "quick", epochs=8))).input == "pixels"


def test_a_run_on_joints_is_a_run_like_any_other_and_knows_real_people(clip_set, monkeypatch):
    monkeypatch.setattr(workspace, "is_rendered", lambda name: True)
    run = fit.train(clip_set, "pose_tcn", "exercise", "smoke")
    facts, table = run.facts(), predictions.read(run)
    assert facts["recipe"]["input"] == "joints" and facts["views_an_epoch"] == 128 and facts["init"] == "scratch"
    assert "poses/virtual.py" in facts["code"] and not run.changed_code()
    assert sorted(table["clip_id"]) == sorted(clip_set.clips["clip_id"])
    assert run.embeddings()[2].shape == (len(table), 288) and len(run.history()) == 1
    three = predict.several_views(run, clip_set, 3)
    assert np.abs(predictions.logits(three) - predictions.logits(table)).max() > 1e-3

    # A video's joints are found once, however many runs read them; pixels of rendered people alone make a warning.
    pixels = fit.train(clip_set, "x3d_s", "exercise", "smoke")
    assert "poses/virtual.py" not in pixels.facts()["code"] and "input" not in pixels.facts()["recipe"]
    asked = []
    monkeypatch.setattr(predict, "estimate", lambda *_: asked.append(1) or track_of("Squat", 2.5))
    video = clip_set.path(clip_set.clips.iloc[0])
    with pytest.warns(UserWarning, match="no real people"):
        assert predict.predict(video, [run, pixels]).sum() == pytest.approx(1)
    answer = predict.predict(video, [run, run.folder])
    assert len(asked) == 2 and answer.attrs["trained_on"] == f"{clip_set.name}, by its joints"
    assert not predict.Mixture.of(run).rendered and predict.Mixture.of([run, pixels]).rendered


def test_an_interrupted_run_on_virtual_clips_goes_on_as_if_nothing_had_happened(clip_set, monkeypatch):
    monkeypatch.setattr(workspace, "is_rendered", lambda name: True)
    draw, count = joints.Virtual.draw, itertools.count()

    def stop_in_the_second_epoch(self, batch, rng):
        if next(count) == 6:
            raise OSError("out of disk")
        return draw(self, batch, rng)

    how = dict(clip_set=clip_set, network="pose_tcn", task="mgap", preset="smoke", epochs=3)
    monkeypatch.setattr(joints.Virtual, "draw", stop_in_the_second_epoch)
    with pytest.raises(OSError):
        fit.train(**how)
    monkeypatch.setattr(joints.Virtual, "draw", draw)
    resumed = fit.train(**how).history()["train_loss"].tolist()
    assert fit.train(**how, overwrite=True).history()["train_loss"].tolist() == pytest.approx(resumed, rel=1e-4)


def test_own_labels_train_on_their_own_clips_drawn_poses_too(clip_set):
    assert not workspace.is_rendered(clip_set.name)
    exercises = clip_set.clips["exercise"].replace("Squat", "Curtsy lunge")  # which nobody can perform virtually
    known = labels.Labels({"Curtsy lunge": ("quads",), "Push-up": ("chest",)})
    mine = replace(clip_set, clips=clip_set.clips.assign(exercise=exercises), labels=known)
    run = fit.train(mine, "pose_tcn", "exercise", "smoke")
    assert predictions.task_of(run).names == ("Curtsy lunge", "Push-up") and run.complete
    drawn = fit.train(mine, "x3d_s", "exercise", "smoke", input="pose")
    pixels = fit.train(mine, "x3d_s", "exercise", "smoke")
    assert drawn != pixels and drawn.embeddings()[2].shape[1] == 2048
    assert ensembles.store([drawn, pixels], 0.5).complete


def test_clips_are_varied_only_where_the_recipe_says_so():
    track = track_of("Squat", 2.5)
    clips = pd.DataFrame({"clip_id": ["a", "lost"], "exercise": ["Squat", "Squat"]})
    lost = replace(track, found=np.zeros(len(track), bool))
    for augment in (False, True):
        source = joints.Filmed(clips, {"a": track, "lost": lost}, augment)
        assert len(source.exercises) == 1  # nobody is found in the other
        (image, _, _), mask, _ = source.draw(4, np.random.default_rng(0))
        alike = np.allclose(image[:, : len(track)], features.filled(track)[0])
        assert alike is not augment and image.shape[1] == features.SAMPLES
        assert (mask.sum(axis=1) == len(track)).all() is not augment


def test_where_nobody_is_found_there_is_no_training_and_it_is_said():
    track = track_of("Squat", 2.5)
    lost, clips = (
        replace(track, found=np.zeros(len(track), bool)),
        pd.DataFrame({"clip_id": ["a"], "exercise": ["Squat"]}),
    )
    with pytest.raises(ValueError, match="hardly anybody was found in any training clip"):
        joints.Filmed(clips, {"a": lost}, augment=False)


def test_each_epoch_and_each_batch_has_other_views_and_a_seed_gives_them_again():
    clips = pd.DataFrame({"clip_id": ["a"], "exercise": ["Squat"]})
    source, task = joints.Filmed(clips, {"a": track_of("Squat", 2.5)}, augment=True), Exercise(labels.paper())

    def view(epoch: int, item: int, seed: int) -> torch.Tensor:
        views = joints.TrainingViews(source, recipe("pose_tcn", "smoke"), task, seed)
        return views[epoch, item][0]

    first = view(0, 0, 0)
    assert torch.equal(first, view(0, 0, 0))
    assert not any(torch.equal(first, view(*other)) for other in ((1, 0, 0), (0, 1, 0), (0, 0, 1)))


def test_a_drawn_view_is_the_person_on_black_at_the_frames_of_the_window():
    how, track = recipe("x3d_s", "smoke", input="pose", frames=5, side=32), track_of("Squat", 4.0)
    track = replace(track, visibility=np.ones_like(track.visibility))
    times = np.array([0.0, 0.05, 0.1, 2.0, 3.9])
    view = joints.track_view(track, times, how)
    assert view.shape == (3, 5, 32, 32) and view.dtype == torch.uint8
    assert view[:, :, 0, 0].max() == 0 < view.amax(dim=(0, 2, 3)).min()
    still = joints.track_view(track, np.array([0.5, 0.5, 1.3]), how)
    assert torch.equal(still[:, 0], still[:, 1]) and not torch.equal(still[:, 0], still[:, 2])
    elsewhere = replace(track, shot=np.arange(len(track)) // 20)
    black = joints.track_view(elsewhere, times, how).amax(dim=(0, 2, 3)) == 0
    assert black.tolist() == [False, False, False, True, True]  # another shot than that of their middle, at 1.2 s


def test_what_a_network_does_not_take_is_refused_by_name(clip_set):
    with pytest.raises(ValueError, match="side = 64: pose_tcn takes joints as they are"):
        recipe("pose_tcn", "quick", side=64)
    with pytest.raises(ValueError, match="input = 'joints': x3d_m takes pixels or pose"):
        recipe("x3d_m", "quick", input="joints")
    with pytest.raises(ValueError, match="no Kinetics-400 weights of pose_tcn; go on with init=scratch"):
        fit.train(clip_set, "pose_tcn", "exercise", "smoke", "kinetics400")
    assert all(recipe("pose_tcn", preset).frames == features.SAMPLES for preset in recipes.PRESETS)


def test_runs_on_joints_stand_among_what_the_paper_lacks(monkeypatch, tmp_path):
    monkeypatch.setenv("EXMUS_HOME", str(tmp_path))
    clips = runs.sample()
    pixels, drawn, numbers = (runs.write_run(clips, **how) for how in ({}, {"input": "pose"}, {"network": "pose_tcn"}))
    mixed = ensembles.store([pixels, drawn], 0.5)
    listed = tables.beyond(clips, "quick").groupby("runs")["what"].first()
    assert sorted(listed.index) == sorted(f"exercise/{run.name}" for run in (drawn, numbers, mixed))
    assert listed[f"exercise/{mixed.name}"] == "0.50 X3D-M + 0.50 X3D-M on poses"
    assert set(tables.cells(clips, "quick")["runs"]) == {"", f"exercise/{pixels.name}"}
