"""The last screen of `make demo`: it fits, its numbers are those of the runs, and it says what they mean."""

import os

import pytest
from runs import EXERCISE, MGAP, TASKS, to_disk, write_run

from exmus_lib import recipes
from exmus_lib.scores import ensembles, tables, terminal
from exmus_lib.scores.metrics import score

pytestmark = pytest.mark.usefixtures("own_home")


def test_the_screen_of_all_networks_is_40_lines_of_100_columns_at_most(clip_set):
    for task in TASKS:
        for network in recipes.NETWORKS:
            write_run(clip_set, network=network, task=task.name)
            write_run(clip_set, network=network, task=task.name, epochs=40)
        pair = [write_run(clip_set, network=network, task=task.name) for network in ("x3d_m", "slowfast_r101")]
        for x in (0.25, 0.5, 0.75):
            ensembles.store(pair, x)
    write_run(clip_set, clips_hash="0ld0ld")
    lines = terminal.table("sample").splitlines()
    assert len(lines) <= 40 and max(map(len, lines)) <= 100
    assert not any("…" in line for line in lines)  # no title is cut off
    assert sum(line.startswith("X3D-M,") for line in lines) == 2  # one for each task, of the recipe's own epochs


def test_a_row_has_our_three_numbers_the_interval_and_the_papers(clip_set):
    run, muscles = write_run(clip_set, wrong=8), write_run(clip_set, task="mgap", wrong=4)
    lines = terminal.table("sample").splitlines()
    assert lines[0].startswith("sample, preset quick: percent of 32 test clips of 16 videos")
    first, second = (line.replace("[", "").replace("]", "").split() for line in lines if line.startswith("X3D-M"))
    top1, auc, f1 = 100 * score(run, clip_set.table(), EXERCISE)[["top1", "auc", "f1"]]
    span = first[5].split("-")
    assert first[:5] == ["X3D-M,", "scratch,", "14", "epochs", "75.0"] and float(span[0]) < 75 < float(span[1])
    assert first[6:] == [f"{auc:.1f}", f"{f1:.1f}", "scratch", "36.25", "74.01", "69.37"]  # Table 7
    auc, f1, ap = 100 * score(muscles, clip_set.table(), MGAP)[["auc", "f1", "map"]]
    assert second[4] == f"{auc:.1f}" and second[6:] == [
        f"{f1:.1f}",
        f"{ap:.1f}",
        "scratch",
        "71.19",
        "13.02",
    ]  # Table 8
    guesses = [line for line in lines if line.startswith("no network")]
    assert [line.split("[")[0].split()[-1] for line in guesses] == ["6.2", "50.0"]
    assert any(line.startswith("The sample is rendered") for line in lines) and "10_report" in lines[-1]


def test_the_hybrid_has_the_papers_weights_and_outdated_runs_stand_back(clip_set, monkeypatch):
    pair = [write_run(clip_set, network=network) for network in ("x3d_m", "slowfast_r50")]
    ensembles.store(pair, 0.25)
    ensembles.store(pair, 0.4, chosen=True)
    text = terminal.table("sample")
    assert text.index("hybrid: 0.25 X3D-M + 0.75 SlowFast-R50 ") < text.index("hybrid: x = 0.40 by validation ")
    assert text.count("\nhybrid: ") == 2 and "the one that validation chose" in text
    newest = write_run(clip_set, wrong=8, epochs=40)
    monkeypatch.setattr(tables, "outdated", lambda run, _: "" if run == newest else "code changed since: fit.py")
    text = terminal.table("sample")
    assert "X3D-M, scratch, 40 epochs " in text and "SlowFast-R50, scratch, 7 epochs, outdated " in text
    assert "Outdated: code changed since: fit.py." in text


def test_a_fine_tuned_hybrid_is_not_shown_as_the_plain_one(clip_set):
    how = {"task": "mgap", "init": "exercise"}
    pair = [write_run(clip_set, network=network, **how) for network in ("x3d_m", "slowfast_r50")]
    ensembles.store(pair, 0.4, chosen=True)
    assert "by validation" not in terminal.table("sample")


def test_the_newest_runs_are_those_finished_last_whatever_is_added_to_their_folders(clip_set):
    old, new = (write_run(clip_set, seed=seed) for seed in (0, 1))
    os.utime(old.folder / "predictions.parquet", (1, 1))
    (old.folder / "predictions-v3.parquet").touch()
    assert tables.newest([old]) < tables.newest([new]) == tables.newest([old, new])


def test_the_preset_is_that_of_the_newest_run_and_what_is_left_out_is_counted(clip_set):
    write_run(clip_set)
    write_run(clip_set, preset="smoke", clips_hash="0ld0ld")
    text = terminal.table("sample")
    assert "preset smoke" in text and text.count("no finished run") == 2
    assert "Runs left out: other clips (1)." in text


def test_a_data_set_of_real_people_is_not_called_rendered(clip_set):
    small = to_disk("small", clip_set.videos, clip_set.clips)
    write_run(small, "small")
    assert "rendered" not in terminal.table("small")


def test_an_unknown_data_set_is_refused_with_those_there_are(clip_set):
    with pytest.raises(FileNotFoundError, match='no data set "sampel" in .*clips. Did you mean "sample"'):
        terminal.table("sampel")
