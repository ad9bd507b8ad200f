"""What papermill injects: an unknown name or value stops the notebook, saying what it is, what is valid and what is nearest."""

import math
from types import SimpleNamespace

import pytest
import runs

from exmus_lib import review, workspace
from exmus_lib.parameters import banner, check, finished_run

GIVEN = {"dataset": "sample", "task": "exercise", "preset": "quick", "split": "video", "seed": 0, "overwrite": False}
GIVEN |= {"networks": "x3d_s, x3d_m", "init": None, "epochs": None, "frames": None, "side": None, "fit": None}
GIVEN |= {"learning_rate": None, "batch": None, "augment": None, "freeze": None, "balance": None}
GIVEN |= {"seeds": None, "folds": None, "tag": None, "devices": 1}
NAMES = tuple(GIVEN)


def checked(**changes):
    """As papermill does it: the values in a cell of their own, below the parameters cell."""
    cell = "\n".join(["# Parameters", *(f"{name} = {value!r}" for name, value in changes.items())])
    return check({**GIVEN, **changes, "In": ["", "dataset = 'sample'", cell]}, *NAMES, networks=("x3d_s", "x3d_m"))


def test_good_values_come_out_as_meant():
    p = checked(epochs=3, init="scratch", overwrite=True)
    assert (p.task, p.seed, p.epochs, p.init, p.overwrite) == ("exercise", 0, 3, "scratch", True)
    assert p.networks == ["x3d_s", "x3d_m"]
    assert p.frames is None and p.side is None and p.fit is None
    assert (p.changes, p.seeds, p.splits, p.scored) == ({"epochs": 3}, [0], ["video"], "video")


def test_what_a_researcher_asks_of_a_training():
    p = checked(
        learning_rate=3e-4, batch=4, augment=False, freeze="backbone:2", balance="classes", seeds="0,1,2", tag="focal"
    )
    assert p.changes == dict(learning_rate=3e-4, batch=4, augment=False, freeze="backbone:2", balance="classes")
    assert p.seeds == [0, 1, 2] and p.tag == "focal" and checked(seeds=4).seeds == [4]
    p = checked(folds="1-5")
    assert p.splits == [f"fold{n}of5" for n in range(1, 6)] and p.scored == "5folds"


def test_what_is_given_twice_counts_once_and_one_is_yes():
    # the same run pooled with itself would have narrower intervals; 1 and True would be two runs
    p = checked(seeds="0, 1,0", networks="x3d_s,x3d_s", augment=1)
    assert p.seeds == [0, 1] and p.networks == ["x3d_s"] and p.changes["augment"] is True


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"tsk": "mgap"}, ['unknown parameter "tsk"', 'Did you mean "task"?', "dataset, task, preset, split, seed"]),
        ({"epoch": 3}, ['unknown parameter "epoch"', 'Did you mean "epochs"?']),
        ({"task": "mgpa"}, ["task = 'mgpa'", "exercise, mgap", 'Did you mean "mgap"?']),
        ({"preset": "fast"}, ["preset = 'fast'", "smoke, quick, paper, prose"]),
        ({"split": "clips"}, ["split = 'clips'", "video, clip", 'Did you mean "clip"?']),
        ({"init": "kinetics"}, ["init = 'kinetics'", "kinetics400, scratch", 'Did you mean "kinetics400"?']),
        ({"fit": "squish"}, ["fit = 'squish'", "crop, squash, pad", 'Did you mean "squash"?']),
        ({"networks": "x3d_s,slowfast_r50"}, ["networks = 'slowfast_r50'", "x3d_s, x3d_m"]),
        ({"networks": ""}, ["networks = ''", "x3d_s, x3d_m"]),
        ({"dataset": "smaple"}, ['dataset = "smaple"', "sample nor kaggle", 'Did you mean "sample"?']),
        ({"epochs": 0}, ["epochs = 0", "at least 1"]),
        ({"epochs": 2.5}, ["epochs = 2.5", "whole number"]),
        ({"seed": -1}, ["seed = -1", "at least 0"]),
        ({"seed": True}, ["seed = True", "whole number"]),
        ({"seed": None}, ["seed = None", "whole number"]),
        ({"side": 16}, ["side = 16", "at least 32"]),
        ({"overwrite": "yes"}, ["overwrite = 'yes'", "True, False"]),
        ({"task": None}, ["task = None", "exercise, mgap"]),
        ({"learning_rate": 0}, ["learning_rate = 0", "above 0"]),
        ({"freeze": "head"}, ["freeze = 'head'", "nothing, backbone, backbone:3"]),
        ({"balance": "class"}, ["balance = 'class'", "none, classes", 'Did you mean "classes"?']),
        ({"seeds": "0;1"}, ["seeds = '0;1'", "as in 0,1,2"]),
        ({"folds": "2-5"}, ["folds = '2-5'", "1-5 for five folds"]),
        ({"folds": "1-5", "split": "clip"}, ["folds = 1-5", "split = 'video' only"]),
        ({"devices": 0}, ["devices = 0", "at least 1"]),
        ({"tag": "../x"}, ["tag = '../x'", "letters, digits and underscores"]),
    ],
)
def test_a_wrong_name_or_value_is_named_with_the_valid_ones(changes, parts):
    with pytest.raises(ValueError) as error:
        checked(**changes)
    for part in parts:
        assert part in str(error.value)


def test_variables_of_ones_own_do_no_harm():
    notebook = {**GIVEN, "lr": 1, "math": math, "helper": print, "In": ["", "lr = 1"], "Out": {}}
    assert check(notebook, *NAMES).task == "exercise"
    notebook |= {"scores": [1, 2], "task": "mgap"}
    assert check(notebook, *NAMES).task == "mgap"


def test_a_folder_is_a_data_set(tmp_path):
    assert checked(dataset=str(tmp_path)).dataset == str(tmp_path)
    with pytest.raises(ValueError, match="nor an existing folder of class folders"):
        checked(dataset=str(tmp_path / "missing"))


def test_a_finished_run_is_found_by_all_that_makes_its_numbers(monkeypatch, tmp_path):
    monkeypatch.setenv("EXMUS_HOME", str(tmp_path))
    clip_set = runs.sample()
    p = SimpleNamespace(dataset="sample", task="exercise", preset="quick", split="video", seed=0, epochs=None)
    run, longer = (runs.write_run(clip_set, epochs=epochs) for epochs in (None, 40))
    for other in (dict(seed=1), dict(network="x3d_s"), dict(side=32), dict(clips_hash="0ld0ld")):
        runs.write_run(clip_set, **other)
    assert finished_run(p, clip_set, "x3d_m") == run
    assert finished_run(p, clip_set, "x3d_m", epochs=40) == longer
    p.epochs = 40  # asked for by name, it goes before what the paper's tables have
    assert finished_run(p, clip_set, "x3d_m", epochs=30) == longer
    p.seed, p.dataset = 2, "my videos"
    with pytest.raises(FileNotFoundError, match="seed 2.*-p runs") as error:
        finished_run(p, clip_set, "x3d_m")
    command = "papermill notebooks/02_x3d.ipynb out.ipynb -p dataset 'my videos' -p task exercise -p networks x3d_m"
    assert f"{command} -p preset quick -p split video -p seed 2 -p epochs 40" in str(error.value)
    run.remove()
    p.seed, p.epochs = 0, None
    with pytest.raises(FileNotFoundError, match="Make it first"):
        finished_run(p, clip_set, "x3d_m")


def test_of_several_runs_one_that_is_not_outdated_is_taken(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("EXMUS_HOME", str(tmp_path))
    clip_set = runs.sample()
    p = SimpleNamespace(dataset="sample", task="exercise", preset="quick", split="video", seed=0)
    present = review.seen(clip_set.table(), clip_set.task("exercise"))
    old = runs.write_run(clip_set, seen="0ld0ld")
    assert finished_run(p, clip_set, "x3d_m") == old
    assert "is outdated: labels or marks changed since" in capsys.readouterr().out
    good = runs.write_run(clip_set, seen=present)
    other_code = runs.write_run(clip_set, seen=present, code={"networks/fit.py": "0ld0ld"})
    assert review.outdated(other_code, clip_set) == "outdated: networks/fit.py changed since"
    assert finished_run(p, clip_set, "x3d_m") == good and capsys.readouterr().out == ""


def test_where_git_is_missing_the_commit_alone_is_not_told(monkeypatch):
    monkeypatch.setenv("PATH", "")
    made = workspace.provenance()
    assert made["commit"] is None and made["versions"]["numpy"]


def test_banner_says_what_runs_and_where(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("EXMUS_HOME", str(tmp_path))
    banner(task="mgap")
    printed = capsys.readouterr().out
    assert (
        "ExMus at " in printed
        and "numpy 2" in printed
        and "task: mgap" in printed
        and f"home: {tmp_path.resolve()}" in printed
    )
