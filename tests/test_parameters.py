"""What papermill injects: an unknown name or value stops the notebook, saying what it is, what is valid and what is nearest."""

import math
from types import SimpleNamespace

import pytest
import runs

from exmus_lib.parameters import banner, check, finished_run

GIVEN = {"dataset": "sample", "task": "exercise", "preset": "quick", "split": "video", "seed": 0, "overwrite": False}
GIVEN |= {"networks": "x3d_s, x3d_m", "init": None, "epochs": None, "frames": None, "side": None, "fit": None}
NAMES = tuple(GIVEN)


def checked(**changes):
    return check({**GIVEN, **changes}, *NAMES, networks=("x3d_s", "x3d_m"))


def test_good_values_come_out_as_meant():
    p = checked(epochs=3, init="scratch", overwrite=True)
    assert (p.task, p.seed, p.epochs, p.init, p.overwrite) == ("exercise", 0, 3, "scratch", True)
    assert p.networks == ["x3d_s", "x3d_m"]
    assert p.frames is None and p.side is None and p.fit is None


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
    ],
)
def test_a_wrong_name_or_value_is_named_with_the_valid_ones(changes, parts):
    with pytest.raises(ValueError) as error:
        checked(**changes)
    for part in parts:
        assert part in str(error.value)


def test_what_is_no_parameter_is_let_be():
    # a notebook's globals hold modules, functions, constants and IPython's own names as well
    checked(math=math, helper=print, EXMUS_REPO="https://…", _i1="text", In=[""], Out={})


def test_a_second_check_meets_the_notebooks_own_variables():
    notebook = dict(GIVEN)
    check(notebook, *NAMES)
    notebook |= {"scores": [1, 2], "task": "mgap"}
    assert check(notebook, *NAMES).task == "mgap"
    notebook["task"] = "mgpa"
    with pytest.raises(ValueError, match="mgpa"):
        check(notebook, *NAMES)


def test_a_folder_is_a_data_set(tmp_path):
    assert checked(dataset=str(tmp_path)).dataset == str(tmp_path)
    with pytest.raises(ValueError, match="nor an existing folder of class folders"):
        checked(dataset=str(tmp_path / "missing"))


def test_a_finished_run_is_found_by_all_that_makes_its_numbers(monkeypatch, tmp_path):
    monkeypatch.setenv("EXMUS_HOME", str(tmp_path))
    clip_set = runs.sample()
    p = SimpleNamespace(dataset="sample", task="exercise", preset="quick", split="video", seed=0)
    present = clip_set.hash("video")
    run, longer = (runs.write_run(clip_set, epochs=epochs) for epochs in (None, 40))
    for other in (dict(seed=1), dict(network="x3d_s"), dict(side=32), dict(clips_hash="0ld0ld")):
        runs.write_run(clip_set, **other)
    assert finished_run(p, "sample", present, "x3d_m") == run
    assert finished_run(p, "sample", present, "x3d_m", epochs=40) == longer
    p.seed, p.dataset = 2, "my videos"
    with pytest.raises(FileNotFoundError, match="seed 2") as error:
        finished_run(p, "sample", present, "x3d_m", epochs=40)
    command = "papermill notebooks/02_x3d.ipynb out.ipynb -p dataset 'my videos' -p task exercise -p networks x3d_m"
    assert f"{command} -p preset quick -p split video -p seed 2 -p epochs 40" in str(error.value)
    run.remove()
    p.seed = 0
    with pytest.raises(FileNotFoundError, match="Make it first"):
        finished_run(p, "sample", present, "x3d_m")


def test_banner_says_what_runs_and_where(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("EXMUS_HOME", str(tmp_path))
    banner(task="mgap")
    said = capsys.readouterr().out
    assert "ExMus at " in said and "numpy 2" in said and "task: mgap" in said and f"home: {tmp_path.resolve()}" in said
