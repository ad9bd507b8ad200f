"""What a training heeds, and what a researcher may ask of it: labels and marks, code, seeds, folds, freezing, patience."""

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import lightning
import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from exmus_lib import labels, predictions, recipes, review, workspace
from exmus_lib.networks import fit, predict, sweep, weights
from exmus_lib.networks.training import Patience, label_weights
from exmus_lib.scores import ensembles
from exmus_lib.videos.prepare import prepare


def test_before_its_first_step_a_network_says_the_same_for_equal_seeds(home):
    clip_set = prepare(str(home / "gym"))
    clips, task, how = clip_set.table(), clip_set.task("exercise"), recipes.recipe("x3d_s", "smoke")
    test = clips[clips["split"] == "test"]
    first, again, other = (predict.untrained(clip_set, test, "x3d_s", how, task, seed) for seed in (0, 0, 1))
    assert first.equals(again) and not first.equals(other) and list(first["clip_id"]) == list(test["clip_id"])


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
    file = parent.weights
    save_file(
        {name: value + 1 if value.is_floating_point() else value for name, value in load_file(file).items()}, file
    )
    parent.write_facts(parent.facts() | {"weights_sha256": weights.sha256(file)})
    assert review.outdated(child, clip_set) == f"outdated: {parent.name} was trained anew since"
    assert fit.train(clip_set, "x3d_s", "mgap", "smoke", parent) != child
    # What is made from an outdated run is outdated too.
    mixed = ensembles.store([child, fit.train(clip_set, "x3d_s", "mgap", "smoke", seed=5)], 0.5)
    assert review.outdated(mixed, clip_set) == review.outdated(child, clip_set) != ""


def test_a_run_of_other_code_is_loaded_and_called_outdated_and_a_tag_keeps_both(home, monkeypatch, capsys):
    clip_set = prepare(str(home / "gym"))
    run = fit.train(clip_set, "x3d_s", "exercise", "smoke")
    monkeypatch.setattr(workspace, "code_hashes", lambda _: run.facts()["code"] | {"networks/training.py": "f0ca11"})
    capsys.readouterr()
    assert fit.train(clip_set, "x3d_s", "exercise", "smoke") == run
    printed = capsys.readouterr().out
    assert f"loaded {run.name}, trained at commit {run.facts()['commit']}" in printed
    assert review.outdated(run, clip_set) == "outdated: networks/training.py changed since"
    assert review.outdated(run, clip_set) in printed
    tagged = fit.train(clip_set, "x3d_s", "exercise", "smoke", tag="focal_loss")
    assert tagged != run and tagged.complete and run.complete and "-focal_loss-" in tagged.name
    assert review.outdated(tagged, clip_set) == ""


@pytest.mark.parametrize(
    ("file", "old", "new", "changed"),
    [
        (
            "recipes.py",
            "NETWORKS = {",
            'NETWORKS = {\n"mine": Network("Mine", "my_net", "fc", 8, Recipe(4, 32)),',
            False,
        ),
        ("recipes.py", "frames=13, side=182", "frames=12, side=182", True),  # X3D-S's own row
        ("recipes.py", '"epochs": 3,', '"epochs": 4,', True),  # QUICK, which serves all
        ("networks/build.py", "def slow(", "def my_net(labels, recipe):\n    return None\n\n\ndef slow(", False),
        ("networks/build.py", "import torch", "import torch\nimport timm", False),
        ("networks/build.py", "width_factor=2.0", "width_factor=2.1", True),  # its own builder
    ],
)
def test_a_network_of_ones_own_leaves_the_runs_of_others_as_they_were(tmp_path, monkeypatch, file, old, new, changed):
    library = Path(workspace.__file__).parent
    shutil.copytree(library, tmp_path / "exmus_lib", ignore=shutil.ignore_patterns("__pycache__"))
    text = (library / file).read_text(encoding="utf-8").replace(old, new)
    text = text.replace("torchvision)\n}", "torchvision, my_net)\n}")  # the table that lists builders
    before = workspace.code_hashes("x3d_s")
    monkeypatch.setattr(workspace, "LIBRARY", tmp_path / "exmus_lib")
    (tmp_path / "exmus_lib" / file).write_text(text, encoding="utf-8")
    after = workspace.code_hashes.__wrapped__("x3d_s")
    assert [name for name in before if before[name] != after[name]] == [file] * changed


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
    start = load_file(parent.weights)

    def changed(freeze: str) -> set[str]:
        run = fit.train(clip_set, "x3d_s", "exercise", "smoke", parent, epochs=2, freeze=freeze)
        end = load_file(run.weights)
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
    run = fit.train(clip_set, "x3d_s", "exercise", "paper", "scratch", frames=4, side=32, epochs=2)
    assert isinstance(made["module"].optimizers().optimizer, torch.optim.Adam)
    assert made["loader"].num_workers > 0 and made["loader"].dataset.cache is None and made["loader"].dataset.train
    assert any(isinstance(callback, Patience) for callback in made["trainer"].callbacks)
    assert run.facts()["epochs_run"] == 2 and list(run.history()["learning_rate"]) == [1e-4, 1e-4]


def test_seeds_and_folds_rest_on_all_clips_each_predicted_by_a_network_that_did_not_see_it(home):
    clip_set = prepare(str(home / "gym"))
    p = SimpleNamespace(preset="smoke", init=None, overwrite=False, tag=None, changes={}, seeds=[0, 1], folds=3)
    p.devices = 1
    p.splits, p.scored = [f"fold{n}of3" for n in (1, 2, 3)], "3folds"
    parents = sweep.train_all(clip_set, ["x3d_s"], "exercise", p)
    assert [run.facts()["seed"] for run in parents["x3d_s"]] == [0, 1]
    run = parents["x3d_s"][0]
    table = predictions.read(run).set_index("clip_id")
    assert set(table["split"]) == {"test"} and set(table.index) == set(clip_set.clips["clip_id"])
    for fold, member in enumerate(run.members(), start=1):
        clips = clip_set.table(f"fold{fold}of3")
        groups = clips.groupby("split")["group"].agg(set)
        assert not groups["test"] & (groups["train"] | groups["val"])
        mine = predictions.read(member).set_index("clip_id")[lambda t: t["split"] == "test"]
        pd.testing.assert_frame_equal(table.loc[mine.index], mine)
    # Fine-tuning starts, fold by fold, from the parent that has not seen the fold's test clips.
    children = sweep.train_all(clip_set, ["x3d_s"], "mgap", p, parents)
    for child, parent in zip(children["x3d_s"], parents["x3d_s"], strict=True):
        starts = [member.facts()["parent"].split("/")[-1] for member in child.members()]
        assert starts == [member.name for member in parent.members()]
