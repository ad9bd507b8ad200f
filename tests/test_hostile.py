"""Files and names that would run code, lead elsewhere or are damaged: refused by name, set aside, and nothing else is lost."""

import os
import pickle
import random
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import runs
import torch
from helpers import Bomb
from safetensors.torch import save_file

from exmus_lib import predictions, runfile, storage, workspace
from exmus_lib.networks import weights
from exmus_lib.pictures import figures, page
from exmus_lib.poses.track import Track
from exmus_lib.scores import tables, verdict
from exmus_lib.videos import cache, prepare

NET = torch.nn.Linear(2, 3)


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("EXMUS_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def run(home) -> workspace.Run:
    """A complete run, with weights and embeddings."""
    made = runs.write_run(runs.sample())
    save_file(NET.state_dict(), made.weights)
    made.write_facts(made.facts() | {"weights_sha256": weights.sha256(made.weights)})
    ids = np.array(["c0", "c1"])
    np.savez(made.folder / "embeddings.npz", clip_id=ids, split=ids, embedding=np.zeros((2, 4), np.float32))
    made.folder.joinpath("history.csv").write_text("epoch,train_loss,val_loss,seconds\n0,1.0,1.0,2.0\n1,0.5,0.5,2.0\n")
    return made


def readers(run: workspace.Run) -> dict[str, object]:
    """What reads each file of a run."""
    return {
        "run.json": run.facts,
        "predictions.parquet": lambda: predictions.read(run),
        "embeddings.npz": run.embeddings,
        "history.csv": run.history,
        "weights.safetensors": lambda: weights.load(torch.nn.Linear(2, 3), run.weights, run.facts()["weights_sha256"]),
    }


@pytest.mark.parametrize(
    "file", ["predictions.parquet", "embeddings.npz", "history.csv", "weights.safetensors", "run.json"]
)
def test_a_planted_file_runs_no_code_and_is_set_aside(run, tmp_path, file):
    path = run.folder / file
    planted = pickle.dumps(Bomb(tmp_path / "marker"))
    if file == "embeddings.npz":
        np.savez(path, clip_id=np.array([Bomb(tmp_path / "marker")], object), split=[""], embedding=[[0.0]])
    else:
        path.write_bytes(planted)
    with pytest.raises(storage.Damaged) as error:
        readers(run)[file]()
    assert str(path) in str(error.value) and f"{file}.damaged" in str(error.value)
    assert not path.exists() and path.with_name(f"{file}.damaged").exists() and not (tmp_path / "marker").exists()
    pickle.loads(planted)
    assert (tmp_path / "marker").exists()  # it would have


def test_a_planted_track_runs_no_code(tmp_path):
    np.savez(tmp_path / "track.npz", image=np.array([Bomb(tmp_path / "marker")], object))
    with pytest.raises(ValueError):
        Track.load(tmp_path / "track.npz")
    assert not (tmp_path / "marker").exists()


def test_damaged_views_are_set_aside_and_decoded_anew(tmp_path, capsys):
    clips, place = pd.DataFrame({"clip_id": ["a", "b"]}), tmp_path / "views" / "4x4-abcdef"

    def views() -> np.ndarray:
        def decode(clip) -> tuple[np.ndarray, np.ndarray]:
            return np.full((3, 4, 4, 3), ord(clip.clip_id), np.uint8), np.arange(3) / 10

        return np.array(cache.kept(place, clips, decode, 1).frames)

    whole = views()
    planted = np.array([Bomb(tmp_path / "marker")], object)
    for damage in (
        lambda: os.truncate(place / cache.FRAMES, 4 * 4 * 3),
        lambda: np.savez(place / cache.INDEX, clip_id=planted, start=planted, times=planted, side=planted),
        lambda: (place / cache.INDEX).unlink(),
    ):
        damage()
        assert np.array_equal(views(), whole) and f"{place} is damaged" in capsys.readouterr().out
    assert len(list(place.parent.glob("*.damaged*"))) == 3 and not (tmp_path / "marker").exists()


@pytest.mark.parametrize("file", ["predictions.parquet", "embeddings.npz", "weights.safetensors", "run.json"])
@pytest.mark.parametrize("seed", range(5))
def test_a_damaged_file_is_named_and_set_aside(run, file, seed):
    path, rng = run.folder / file, random.Random(seed)
    data = bytearray(path.read_bytes())
    data = (
        data[: rng.randrange(len(data))]
        if seed % 2
        else data[: len(data) // 2] + rng.randbytes(9) + data[len(data) // 2 :]
    )
    path.write_bytes(data)
    with pytest.raises(storage.Damaged, match=f"{file}.damaged"):
        readers(run)[file]()


def test_a_run_whose_file_is_damaged_costs_no_other_and_is_made_anew(run, capsys):
    other = runs.write_run(prepare.load("sample"), seed=1)
    run.folder.joinpath("run.json").write_text("{")
    assert workspace.find_runs("sample", "exercise") == [other]
    assert "left out" in capsys.readouterr().out and "run.json.damaged" in os.listdir(run.folder)
    assert not run.complete and workspace.find_runs("sample", "exercise") == [other] and not capsys.readouterr().out


def test_weights_that_are_not_those_of_the_run_or_no_numbers_are_refused(run):
    path = run.weights
    written = run.facts()["weights_sha256"]
    with pytest.raises(ValueError, match="holds another network's weights, the first is bias"):
        weights.load(torch.nn.Linear(2, 4), path, written)
    with torch.no_grad():
        NET.weight[0, 0] = torch.nan
    save_file(NET.state_dict(), path)
    with pytest.raises(storage.Damaged, match="weight holds values that are no numbers"):
        weights.load(torch.nn.Linear(2, 3), path)
    save_file(torch.nn.Linear(2, 3).state_dict(), path)
    with pytest.raises(storage.Damaged, match="other weights than the training wrote"):
        weights.load(torch.nn.Linear(2, 3), path, written)


@pytest.mark.parametrize("name", ["..", "", "a/b", "../../etc", "/etc", "a\0b"])
def test_names_lead_nowhere_else(home, name):
    for make in (
        lambda: workspace.Run(name, "exercise", "x"), lambda: workspace.Run("sample", "exercise", name),
        lambda: workspace.clips_dir(name), lambda: workspace.raw_dir(name), lambda: workspace.find_runs(name, "exercise"),
        lambda: prepare.load(name),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="cannot be the name of a data set or run"):
            make()


def test_names_that_are_odd_but_lead_nowhere_else_are_good(home):
    for name in ("a\\b", "$x$", "squat \U0001f3cb", "<b>", "a..b", "..a"):
        assert (
            workspace.Run("sample", "exercise", name).folder.parent == home / "outputs" / "runs" / "sample" / "exercise"
        )


@pytest.mark.parametrize("parent", ["../../x", "sample/exercise", "a/../b/c", "sample/../x", ""])
def test_a_parent_that_leads_elsewhere_is_refused(run, parent):
    path = run.folder / "run.json"
    run.write_facts({**run.facts(), "parent": parent})
    with pytest.raises(storage.Damaged, match="parent|cannot be the name") as error:
        run.parent()
    assert str(path) in str(error.value)


VALUES = (None, True, 3, -1, 0.5, "", "x", "../x", [], [1], ["x"], {}, {"x": 1}, float("nan"), 10**30)


def test_every_change_of_run_json_is_read_or_refused_by_the_name_of_the_file(run):
    path = run.folder / "run.json"
    whole = runfile.read(path)
    uses = (*list(readers(run).values())[:2], run.labels, run.parent, run.members, run.changed_code)
    refused = 0
    for key in whole:
        for value in ("gone", *VALUES):
            facts = {name: old for name, old in whole.items() if name != key} | (
                {} if value == "gone" else {key: value}
            )
            for use in uses:
                run.write_facts(facts)
                try:
                    use()
                except ValueError as error:
                    assert (
                        str(path) in str(error) or str(run.folder) in str(error) or "cannot be the name" in str(error)
                    )
                    refused += 1
    assert refused > 300


def test_a_locked_or_missing_file_is_no_damaged_one(run):
    run.folder.joinpath("history.csv").unlink()
    with pytest.raises(FileNotFoundError, match="history.csv"):
        run.history()
    with pytest.raises(IsADirectoryError), storage.reading(run.folder, ""):
        pd.read_csv(run.folder)
    assert run.folder.is_dir()


@pytest.mark.skipif(not os.path.isdir("/sys"), reason="no folder that even root cannot write to")
def test_a_home_that_cannot_be_written_to_still_shows_finished_runs(run, home, capsys):
    """/sys stands for a home that is read-only: nobody can make a file there."""
    for kind in ("figures", "tables", "report"):
        (home / "outputs" / kind).symlink_to("/sys")
    clips = prepare.load("sample")
    cells, beyond = tables.cells(clips, "quick"), tables.beyond(clips, "quick")
    rankings = {task.name: tables.ranking(clips, "quick", task) for task in runs.TASKS}
    page.write(clips, "quick", verdict.claims(clips, "quick"), cells, beyond, rankings)
    figures.save(plt.figure(), "sample/1")
    assert "cannot be written to: nothing is kept there" in capsys.readouterr().out
    with storage.alone(Path("/sys/nothing")):  # nobody can make anything there, so nobody waits
        pass
