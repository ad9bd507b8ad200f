"""Training: killed and resumed, finished and loaded, named by what changes numbers."""

import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from exmus_lib import labels, predictions, workspace
from exmus_lib.networks import fit
from exmus_lib.networks.predict import MAX_SHARE, forward, predict, restore, several_views
from exmus_lib.predictions import KEYS
from exmus_lib.scores import ensembles
from exmus_lib.videos.cache import ViewCache
from exmus_lib.videos.dataset import ClipDataset
from exmus_lib.videos.prepare import prepare

SCRIPT = """
import sys
from exmus_lib.networks import fit
from exmus_lib.videos.prepare import prepare
run = fit.train(prepare(sys.argv[1]), "x3d_s", "exercise", "smoke", epochs=int(sys.argv[2]))
print(run.folder)
"""


@pytest.mark.hard
def test_killed_training_resumes_and_a_finished_run_is_loaded(home):
    epochs = "12"
    command = [sys.executable, "-c", SCRIPT, str(home / "gym"), epochs]
    process = subprocess.Popen(command, cwd=workspace.REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        last = next(home.glob("outputs/runs/*/*/*/checkpoints/last.ckpt"), None)
        if last and len(pd.read_csv(last.parents[1] / "history.csv")) > 3:
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    history = last.parents[1] / "history.csv"
    before = pd.read_csv(history)
    assert 3 < len(before) < int(epochs) and not (last.parents[1] / "predictions.parquet").exists()

    clip_set = prepare(str(home / "gym"))
    run = fit.train(clip_set, "x3d_s", "exercise", "smoke", epochs=int(epochs))
    after = pd.read_csv(history)
    assert list(after["epoch"]) == list(range(int(epochs)))
    # Epochs that were saved are not repeated: their rows, wall time and all, are those of the first process. The last row may
    # be of an epoch whose checkpoint was not yet written; at least three others are not.
    saved = len(before) - 1
    pd.testing.assert_frame_equal(after.head(saved), before.head(saved))
    assert run.folder == last.parents[1] and run.complete and not last.exists()
    # Nor does the interruption change a number: shuffling and mirroring go on as if nothing had happened.
    unbroken = fit.train(clip_set, "x3d_s", "exercise", "smoke", epochs=int(epochs), overwrite=True).history()
    losses = ["train_loss", "val_loss"]
    np.testing.assert_allclose(unbroken[losses], after[losses], rtol=1e-3)

    written = (last.parents[1] / "predictions.parquet").stat().st_mtime_ns
    fit.train(clip_set, "x3d_s", "exercise", "smoke", epochs=int(epochs))
    assert (run.folder / "predictions.parquet").stat().st_mtime_ns == written


def test_a_run_folder_holds_what_the_design_promises(home):
    clip_set = prepare(str(home / "gym"))
    run = fit.train(clip_set, "slowfast_r50", "mgap", "smoke")
    table = predictions.read(run)
    assert sorted(table["clip_id"]) == sorted(clip_set.clips["clip_id"])
    assert list(table.columns[3:]) == [f"logit/{m}" for m in labels.PAPER_MUSCLES]
    assert table.set_index("clip_id")["split"].to_dict() == clip_set.table().set_index("clip_id")["split"].to_dict()
    ids, splits, embedding = run.embeddings()
    assert embedding.shape == (len(table), 2304) and embedding.dtype == np.float32
    assert list(ids) == list(table["clip_id"]) and list(splits) == list(table["split"])
    facts = run.facts()
    assert facts["clip_set"] == clip_set.hash("video") and facts["seed"] == 0 and facts["versions"]["torch"]
    assert run.weights.exists() and any((run.folder / "tensorboard").iterdir())

    # Reloaded weights give the stored logits again, through exmus_lib.predict on a clip as through the data set.
    clip = clip_set.clips.iloc[0]
    actual = predict(clip_set.folder / clip["path"], run)
    stored = clip_set.task("mgap").probabilities(predictions.logits(table[table.clip_id == clip["clip_id"]]))[0]
    np.testing.assert_allclose(actual[list(labels.PAPER_MUSCLES)], stored, atol=2e-3)
    elsewhere = shutil.copytree(run.folder, home / "copied" / "gym" / "mgap" / "mine")
    assert list(predict(clip_set.folder / clip["path"], elsewhere).index) == list(actual.index)


def test_fine_tuning_starts_from_every_weight_of_the_parent_but_the_head(home, monkeypatch):
    clip_set = prepare(str(home / "gym"))
    parent = fit.train(clip_set, "x3d_s", "exercise", "smoke")
    given = {}

    def stop(trainer, module, *_):
        given.update({name: tensor.clone() for name, tensor in module.network.state_dict().items()})
        raise KeyboardInterrupt

    monkeypatch.setattr(fit, "_fit", stop)
    with pytest.raises(KeyboardInterrupt):
        fit.train(clip_set, "x3d_s", "mgap", "smoke", parent)
    held = load_file(parent.weights)
    assert given.keys() == held.keys()
    for name, tensor in held.items():
        head = "blocks.5.proj" in name
        assert (given[name].shape != tensor.shape) if head else torch.equal(given[name], tensor), name


def test_no_test_clip_has_a_say_in_what_is_kept(home):
    clip_set = prepare(str(home / "gym"))
    first = fit.train(clip_set, "x3d_s", "exercise", "smoke", epochs=2, seed=3)
    (views,) = (clip_set.folder / "views").glob("4x32-*")
    shutil.copytree(views, home / "kept")
    cache, frames = ViewCache(views), np.memmap(views / "frames.uint8", np.uint8, "r+").reshape(-1, 32, 32, 3)
    for clip in clip_set.table()[lambda table: table["split"] == "test"]["clip_id"]:
        frames[cache.parts[clip]] = 0
    kept, before = load_file(first.weights), predictions.read(first)
    try:
        again = fit.train(clip_set, "x3d_s", "exercise", "smoke", epochs=2, seed=3, overwrite=True)
    finally:
        shutil.rmtree(views)
        shutil.move(home / "kept", views)
    weights = load_file(again.weights)
    assert all(torch.equal(weights[name], kept[name]) for name in kept)  # the checkpoint, too, is the same
    after, test = predictions.read(again), before["split"] == "test"
    assert before[~test].equals(after[~test]) and not before[test].equals(after[test])


def test_several_views_are_read_from_several_places_and_averaged(home, monkeypatch):
    clip_set = prepare(str(home / "gym"))
    run = fit.train(clip_set, "x3d_s", "exercise", "smoke")
    assert several_views(run, clip_set, 1).equals(predictions.read(run))
    places = []
    monkeypatch.setattr(
        "exmus_lib.networks.predict.ClipDataset",
        lambda *args, **how: places.append((how["position"], how["max_share"])) or ClipDataset(*args, **how),
    )
    three = several_views(run, clip_set, 3)
    network, how = restore(run)
    clips = clip_set.table()
    each = [
        np.concatenate([forward(network, view[None], "x3d_s")[0] for view, _ in data])
        for position in (0, 0.5, 1)
        for data in [
            ClipDataset(clips, clip_set.folder, how, clip_set.task("exercise"), False, None, position, MAX_SHARE)
        ]
    ]
    np.testing.assert_allclose(predictions.logits(three), np.mean(each, axis=0), atol=1e-4)
    assert places == [(0, MAX_SHARE), (0.5, MAX_SHARE), (1, MAX_SHARE)]
    assert three[KEYS].equals(predictions.read(run)[KEYS]) and not three.equals(predictions.read(run))
    assert several_views(run, clip_set, 3).equals(three) and len(places) == 3  # read, not computed again


def test_a_parent_that_does_not_fit_is_refused_by_name(home):
    clip_set = prepare(str(home / "gym"))
    parent = fit.train(clip_set, "x3d_s", "exercise", "smoke")
    with pytest.raises(ValueError, match=f"{parent.name} is a run of x3d_s, not of x3d_m"):
        fit.train(clip_set, "x3d_m", "mgap", "smoke", parent)
    with pytest.raises(ValueError, match="may have seen the test clips"):
        facts = parent.facts()
        parent.write_facts(facts | {"clip_set": "0ld0ld"})
        try:
            fit.train(clip_set, "x3d_s", "mgap", "smoke", parent)
        finally:
            parent.write_facts(facts)
    with pytest.raises(ValueError, match="gone is not a complete run"):
        fit.train(clip_set, "x3d_s", "mgap", "smoke", workspace.Run(clip_set.name, "exercise", "gone"))


def test_a_run_that_another_process_trains_is_awaited_and_not_trained_twice(home):
    clip_set = prepare(str(home / "gym"))
    command = [sys.executable, "-c", SCRIPT, str(home / "gym"), "2"]
    process = subprocess.Popen(command, cwd=workspace.REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    runs = home / "outputs" / "runs" / clip_set.name / "exercise"
    lock = set(runs.glob(".*.lock"))
    deadline = time.monotonic() + 120
    while set(runs.glob(".*.lock")) == lock and time.monotonic() < deadline:
        time.sleep(0.05)
    run = fit.train(clip_set, "x3d_s", "exercise", "smoke", epochs=2)
    assert process.wait() == 0 and run.complete and list(run.history()["epoch"]) == [0, 1]


def test_an_unknown_init_is_refused(home):
    with pytest.raises(
        ValueError, match=r"init = 'scrach' is not one of: kinetics400, scratch. Did you mean \"scratch\""
    ):
        fit.train(prepare(str(home / "gym")), "x3d_s", "exercise", "smoke", init="scrach")


def test_the_name_tells_apart_what_changes_numbers(home, monkeypatch):
    monkeypatch.setattr(fit, "_train", lambda *_: None)
    clip_set = prepare(str(home / "gym"))

    def name(**changes):
        return fit.train(clip_set, "x3d_m", "exercise", **{"preset": "smoke", **changes}).name

    names = [name(), name(seed=1), name(preset="quick"), name(epochs=2), name(split="clip"), name(fit="pad")]
    assert len(set(names)) == len(names) and name() == names[0]
    assert names[0].startswith("x3d_m-scratch-s0-") and len(names[0].rsplit("-", 1)[1]) == 6


def test_a_program_may_ask_one_run_several_or_an_ensemble_and_networks_are_kept(home):
    clip_set = prepare(str(home / "gym"))
    one, two = (fit.train(clip_set, "x3d_s", "exercise", "smoke", seed=seed) for seed in (0, 1))
    video = clip_set.path(clip_set.clips.iloc[0])
    mixed = ensembles.store([one, two], 0.25)
    alone, both, weighed = predict(video, one), predict(video, [one, two.folder]), predict(video, mixed)
    assert restore(one)[0] is restore(one)[0]
    assert alone.attrs["trained_on"] == clip_set.name and both.sum() == pytest.approx(1)
    # logits are known but for a constant: of two classes their difference is averaged, with the weights
    first, second = alone.index[:2]
    apart = [np.log(answer[first] / answer[second]) for answer in (alone, predict(video, two), both, weighed)]
    assert apart[2] == pytest.approx((apart[0] + apart[1]) / 2, abs=1e-3)
    assert apart[3] == pytest.approx(0.25 * apart[0] + 0.75 * apart[1], abs=1e-3)
    with pytest.raises(FileNotFoundError, match='no video "gone.mp4"'):
        predict("gone.mp4", one)
    with pytest.raises(ValueError, match="cannot be averaged: other tasks or labels"):
        predict(video, [one, fit.train(clip_set, "x3d_s", "mgap", "smoke")])
