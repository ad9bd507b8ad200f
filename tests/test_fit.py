"""Training: killed and resumed, finished and loaded, named by what changes numbers."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace

import helpers
import lightning
import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from exmus_lib import labels, predictions, review, workspace
from exmus_lib.networks import fit
from exmus_lib.networks.predict import MAX_SHARE, forward, predict, restore, several_views
from exmus_lib.networks.training import Patience, label_weights
from exmus_lib.predictions import KEYS
from exmus_lib.scores.metrics import score
from exmus_lib.videos.dataset import ClipDataset
from exmus_lib.videos.prepare import prepare

SCRIPT = """
import sys
from exmus_lib.networks import fit
from exmus_lib.videos.prepare import prepare
run = fit.train(prepare(sys.argv[1]), "x3d_s", "exercise", "smoke", epochs=int(sys.argv[2]))
print(run.folder)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home with a folder of class folders: two exercises of five videos each."""
    place = tmp_path_factory.mktemp("home")
    for i in range(10):  # of ten lengths: equal files would be one group
        exercise = ("Squat", "Push-up")[i % 2]
        helpers.write_video(place / "gym" / exercise / f"{i}.mp4", 26 + i, Fraction(12), size=(64, 48))
    before = os.environ.get("EXMUS_HOME")
    os.environ["EXMUS_HOME"] = str(place)
    yield place
    os.environ.pop("EXMUS_HOME")
    if before:
        os.environ["EXMUS_HOME"] = before


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
    assert (run.folder / "weights.safetensors").exists() and any((run.folder / "tensorboard").iterdir())

    # Reloaded weights give the stored logits again, through exmus_lib.predict on a clip as through the data set.
    clip = clip_set.clips.iloc[0]
    found = predict(clip_set.folder / clip["path"], run)
    stored = predictions.probabilities(predictions.logits(table[table.clip_id == clip["clip_id"]]), "mgap")[0]
    np.testing.assert_allclose(found[list(labels.PAPER_MUSCLES)], stored, atol=2e-3)
    elsewhere = shutil.copytree(run.folder, home / "copied" / "gym" / "mgap" / "mine")
    assert list(predict(clip_set.folder / clip["path"], elsewhere).index) == list(found.index)


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
    held = load_file(parent.folder / "weights.safetensors")
    assert given.keys() == held.keys()
    for name, tensor in held.items():
        head = "blocks.5.proj" in name
        assert (given[name].shape != tensor.shape) if head else torch.equal(given[name], tensor), name


def test_no_test_clip_has_a_say_in_what_is_kept(home):
    clip_set = prepare(str(home / "gym"))
    first = fit.train(clip_set, "x3d_s", "exercise", "smoke", epochs=2, seed=3)
    (views,) = (clip_set.folder / "views").glob("4x32-*.npy")
    blank = np.load(views)
    rows = np.argsort(clip_set.clips["clip_id"].to_numpy()).argsort()
    blank[rows[clip_set.table()["split"] == "test"]] = 0
    kept, before = load_file(first.folder / "weights.safetensors"), predictions.read(first)
    shutil.copy(views, views.with_suffix(".kept"))
    np.save(views, blank)
    try:
        again = fit.train(clip_set, "x3d_s", "exercise", "smoke", epochs=2, seed=3, overwrite=True)
    finally:
        shutil.move(views.with_suffix(".kept"), views)
    weights = load_file(again.folder / "weights.safetensors")
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


OPTIONS = dict(learning_rate=3e-4, batch=4, augment=False, freeze="backbone", balance="classes")


@pytest.mark.parametrize("option", OPTIONS)
def test_what_a_researcher_asks_for_is_in_the_name(home, monkeypatch, option):
    monkeypatch.setattr(fit, "_train", lambda *_: None)
    clip_set = prepare(str(home / "gym"))
    usual, other = (
        fit.train(clip_set, "x3d_m", "exercise", "smoke", **how).name for how in ({}, {option: OPTIONS[option]})
    )
    assert usual != other and usual.rpartition("-")[0] == other.rpartition("-")[0]


def test_labels_and_marks_of_what_a_training_sees_decide_and_no_others(home, monkeypatch):
    monkeypatch.setattr(fit, "_train", lambda *_: None)
    clip_set = prepare(str(home / "gym"))

    def name(clips, task="exercise"):
        return fit.train(replace(clip_set, clips=clips), "x3d_m", task, "smoke").name

    clips, split = clip_set.clips, clip_set.table()["split"]
    usual = name(clips)
    for part, same in (("train", False), ("val", False), ("test", True)):
        place = np.flatnonzero(split == part)[0]
        relabelled, marked = clips.copy(), clips.copy()
        relabelled.loc[place, "exercise"] = "Deadlift"
        marked.loc[place, "unusable"] = True
        assert (name(relabelled) == usual) is same and (name(marked) == usual) is same, part
    # A muscle that an exercise is now said to work concerns the muscles' training alone.
    mended = clip_set.labels.to_json() | {"Squat": ["quads", "glutes"]}
    other = replace(clip_set, labels=labels.Labels.from_json(mended))
    assert fit.train(other, "x3d_m", "exercise", "smoke").name == usual
    assert fit.train(other, "x3d_m", "mgap", "smoke").name != name(clips, "mgap")


def test_a_child_of_a_parent_trained_anew_is_trained_anew_and_the_old_one_outdated(home):
    clip_set = prepare(str(home / "gym"))
    parent = fit.train(clip_set, "x3d_s", "exercise", "smoke", seed=5)
    child = fit.train(clip_set, "x3d_s", "mgap", "smoke", parent)
    assert fit.train(clip_set, "x3d_s", "mgap", "smoke", parent) == child and review.outdated(child, clip_set) == ""
    parent.write_facts(parent.facts() | {"weights_sha256": "0ther"})
    assert review.outdated(child, clip_set) == f"outdated: {parent.name} was trained anew since"
    assert fit.train(clip_set, "x3d_s", "mgap", "smoke", parent) != child


def test_a_run_of_other_code_is_loaded_and_called_outdated_and_a_tag_keeps_both(home, monkeypatch, capsys):
    clip_set = prepare(str(home / "gym"))
    run = fit.train(clip_set, "x3d_s", "exercise", "smoke")
    monkeypatch.setattr(workspace, "code_hashes", lambda: run.facts()["code"] | {"networks/training.py": "f0ca11"})
    capsys.readouterr()
    assert fit.train(clip_set, "x3d_s", "exercise", "smoke") == run
    printed = capsys.readouterr().out
    assert f"loaded {run.name}, trained at commit {run.facts()['commit']}" in printed
    assert review.outdated(run, clip_set) == "outdated: networks/training.py changed since"
    assert review.outdated(run, clip_set) in printed
    tagged = fit.train(clip_set, "x3d_s", "exercise", "smoke", tag="focal_loss")
    assert tagged != run and tagged.complete and run.complete and "-focal_loss-" in tagged.name
    assert review.outdated(tagged, clip_set) == ""


def test_a_loss_that_is_no_number_stops_the_run_and_nothing_resumes_into_it(home):
    clip_set = prepare(str(home / "gym"))
    for _ in range(2):  # the second try meets nothing of the first
        with pytest.raises(
            ValueError, match=r"x3d_s-scratch-s0-.*the loss is \w+ in epoch 1.*learning rate lower than 1e\+30"
        ):
            fit.train(clip_set, "x3d_s", "exercise", "smoke", epochs=3, learning_rate=1e30)
        runs = workspace.home() / "outputs" / "runs" / clip_set.name / "exercise"
        assert not [path for path in runs.glob("*/run.json") if "1e+30" in path.read_text()]


def test_frozen_is_all_but_the_head_and_only_as_long_as_asked(home):
    clip_set = prepare(str(home / "gym"))
    parent = fit.train(clip_set, "x3d_s", "exercise", "smoke")
    start = load_file(parent.folder / "weights.safetensors")

    def changed(freeze: str) -> set[str]:
        run = fit.train(clip_set, "x3d_s", "exercise", "smoke", parent, epochs=2, freeze=freeze)
        end = load_file(run.folder / "weights.safetensors")
        return {name for name in start if not torch.equal(start[name], end[name])}

    assert changed("backbone") == {"net.blocks.5.proj.weight", "net.blocks.5.proj.bias"}
    assert len(changed("backbone:1")) > 100


def test_weights_of_labels_by_hand():
    # three clips of class 0, one of class 2, none of class 1: 4 / (2 * 3), 1, 4 / (2 * 1)
    assert label_weights(np.array([0, 0, 0, 2]), 3).tolist() == pytest.approx([2 / 3, 1, 2])
    # two of three clips work the first muscle, all the second, none the third: 1 / 2 negatives for a positive
    assert label_weights(np.array([[1, 1, 0], [1, 1, 0], [0, 1, 0]]), 3).tolist() == [0.5, 1, 1]


class Scripted(lightning.LightningModule):
    """A module whose validation loss follows a script."""

    def __init__(self, losses: list[float]):
        super().__init__()
        self.losses, self.weight = losses, torch.nn.Parameter(torch.zeros(()))

    def training_step(self, batch, _):
        return self.weight**2

    def validation_step(self, batch, _):
        self.log("val_loss", self.losses[self.current_epoch])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


@pytest.mark.parametrize(
    ("losses", "epochs"),
    [
        ([9.0] * 13 + [8.0 - 0.1 * i for i in range(27)], 40),  # flat for 13 epochs, better in each one after that
        ([9.0] * 40, 15),  # never better: stopped as soon as min_epochs allows
        ([9.0] * 13 + [8.0] * 27, 24),  # better once more, in the 14th epoch: ten epochs of patience from there
    ],
)
def test_early_stopping_decides_from_min_epochs_on_and_forgets_early_wishes(tmp_path, losses, epochs):
    trainer = lightning.Trainer(
        max_epochs=40, min_epochs=15, callbacks=[Patience("val_loss")], default_root_dir=tmp_path, logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
        accelerator="cpu",
    )  # fmt: skip
    data = torch.utils.data.DataLoader(torch.zeros(2, 1))
    trainer.fit(Scripted(losses), data, data)
    assert trainer.current_epoch == epochs


def test_the_papers_recipe_trains_with_adam_random_windows_workers_and_patience(home, monkeypatch):
    clip_set, made = prepare(str(home / "gym")), {}
    monkeypatch.setattr(fit, "_fit", lambda trainer, module, *rest, _fit=fit._fit: (
        made.update(trainer=trainer, module=module, loader=rest[0]), _fit(trainer, module, *rest)
    ))  # fmt: skip
    torch.set_num_threads(2)
    run = fit.train(clip_set, "x3d_s", "exercise", "paper", "scratch", frames=4, side=32, epochs=2)
    assert isinstance(made["module"].optimizers().optimizer, torch.optim.Adam)
    assert made["loader"].num_workers == 2 and made["loader"].dataset.cache is None and made["loader"].dataset.train
    assert any(isinstance(callback, Patience) for callback in made["trainer"].callbacks)
    assert run.facts()["epochs_run"] == 2 and list(run.history()["learning_rate"]) == [1e-4, 1e-4]


def test_seeds_and_folds_rest_on_all_clips_each_predicted_by_a_network_that_did_not_see_it(home):
    clip_set = prepare(str(home / "gym"))
    p = SimpleNamespace(preset="smoke", init=None, overwrite=False, tag=None, changes={}, seeds=[0, 1], folds=3)
    p.splits, p.scored = [f"fold{n}of3" for n in (1, 2, 3)], "3folds"
    parents = fit.train_all(clip_set, ["x3d_s"], "exercise", p)
    assert [run.facts()["seed"] for run in parents["x3d_s"]] == [0, 1]
    run = parents["x3d_s"][0]
    table = predictions.read(run).set_index("clip_id")
    assert set(table["split"]) == {"test"} and set(table.index) == set(clip_set.clips["clip_id"])
    for fold, member in enumerate(fit.trained(run), start=1):
        clips = clip_set.table(f"fold{fold}of3")
        groups = clips.groupby("split")["group"].agg(set)
        assert not groups["test"] & (groups["train"] | groups["val"])
        mine = predictions.read(member).set_index("clip_id")[lambda t: t["split"] == "test"]
        pd.testing.assert_frame_equal(table.loc[mine.index], mine)
    assert 0 <= score(run, clip_set.table("3folds"), clip_set.task("exercise"))["top1"] <= 1
    # Fine-tuning starts, fold by fold, from the parent that has not seen the fold's test clips.
    children = fit.train_all(clip_set, ["x3d_s"], "mgap", p, parents)
    for child, parent in zip(children["x3d_s"], parents["x3d_s"], strict=True):
        starts = [member.facts()["parent"].split("/")[-1] for member in fit.trained(child)]
        assert starts == [member.name for member in fit.trained(parent)]
