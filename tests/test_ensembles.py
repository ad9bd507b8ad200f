"""Ensembles: exact at their ends, joined by clip, refused where runs do not belong together, chosen on validation alone."""

import numpy as np
import pandas as pd
import pytest
import runs

from exmus_lib import predictions, vocabulary
from exmus_lib.networks.predict import restore
from exmus_lib.scores import ensembles
from exmus_lib.scores.metrics import METRICS, score


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("EXMUS_HOME", str(tmp_path))


@pytest.fixture
def clips():
    """The clips of a data set of which half of the training clips serve as validation."""
    table = runs.sample().table()
    table.loc[table["split"].eq("train") & (table.index % 2 == 1), "split"] = "val"
    return table


def random_table(clips: pd.DataFrame, task: str, seed: int) -> pd.DataFrame:
    logits = np.random.default_rng(seed).normal(size=(len(clips), len(predictions.columns(task))))
    return predictions.table(clips, logits, task)


def test_at_its_ends_an_ensemble_is_one_of_the_two_runs(clips):
    first, second = (random_table(clips, "mgap", seed) for seed in (0, 1))
    pd.testing.assert_frame_equal(ensembles.combine([first, second], 1), first, check_exact=True)
    pd.testing.assert_frame_equal(ensembles.combine([first, second], 0), second, check_exact=True)
    middle = ensembles.combine([first, second], 0.25)
    assert middle.iloc[5, 4] == pytest.approx(0.25 * first.iloc[5, 4] + 0.75 * second.iloc[5, 4])
    third = random_table(clips, "mgap", 2)  # of three, the first has x and the others share the rest
    mixed = ensembles.combine([first, second, third], 0.5)
    assert mixed.iloc[5, 4] == pytest.approx(
        0.5 * first.iloc[5, 4] + 0.25 * second.iloc[5, 4] + 0.25 * third.iloc[5, 4]
    )
    with pytest.raises(ValueError, match="x = 1.5: a weight from 0 to 1"):
        ensembles.combine([first, second], 1.5)


def test_rows_meet_by_clip_and_not_by_place(clips):
    first, second = (random_table(clips, "exercise", seed) for seed in (0, 1))
    shuffled = second.sample(frac=1, random_state=0)
    expected = ensembles.combine([first, second], 0.5)
    pd.testing.assert_frame_equal(ensembles.combine([first, shuffled], 0.5), expected, check_exact=True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.iloc[:-1], "other clips or labels"),
        (lambda t: t.assign(clip_id="x" + t["clip_id"]), "other clips or labels"),
        (lambda t: t.drop(columns="logit/abs"), "other clips or labels"),
        (lambda t: t.assign(split="test"), "other splits"),
    ],
)
def test_tables_of_other_clips_labels_or_splits_are_refused(clips, change, words):
    table = random_table(clips, "mgap", 0)
    with pytest.raises(ValueError, match=f"table 2 has {words} than table 1"):
        ensembles.combine([table, change(table)], 0.5)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (dict(task="mgap"), "task exercise and mgap"),
        (dict(dataset="kaggle"), "data set sample and kaggle"),
        (dict(split="clip"), "split video and clip"),
        (dict(clips_hash="0ld0ld"), "clip set .* and 0ld0ld"),
    ],
)
def test_runs_that_do_not_belong_together_are_refused_by_name(other, words):
    clip_set = runs.sample()
    first, second = runs.write_run(clip_set), runs.write_run(clip_set, network="slowfast_r50", **other)
    with pytest.raises(ValueError, match=f"{first.name} and {second.name} cannot be averaged: {words}"):
        ensembles.store([first, second], 0.5)
    with pytest.raises(ValueError, match="two runs or more"):
        ensembles.check([first])


@pytest.mark.parametrize("split", ["val", "test"])
def test_the_curve_holds_every_metric_of_its_split_and_its_ends_are_the_runs(clips, split):
    tables = [random_table(clips, "exercise", seed) for seed in (0, 1)]
    curve = ensembles.curve(tables, clips, "exercise", split)
    assert list(curve.columns) == list(METRICS["exercise"]) and len(curve) == 101
    for x, table in ((1.0, tables[0]), (0.0, tables[1])):
        expected = score(table, clips, "exercise", split)[list(METRICS["exercise"])]
        assert curve.loc[x].to_dict() == expected.to_dict()


def test_muscles_are_right_only_all_together(clips):
    truth = vocabulary.truth(clips["exercise"], "mgap")
    logits = 20.0 * (2 * truth - 1)
    logits[::2, 0] *= -1  # one muscle of eleven wrong in every other clip
    test = (clips["split"] == "test").to_numpy()
    found = ensembles.right(predictions.table(clips, logits, "mgap"), clips, "mgap")
    assert found.tolist() == (np.arange(len(clips)) % 2 == 1)[test].tolist()


def test_the_weight_is_the_middle_of_the_best():
    values = pd.Series([0.1, 0.5, 0.5, 0.5, 0.2], index=[0.0, 0.25, 0.5, 0.75, 1.0])
    assert ensembles.best(values) == 0.5
    apart = pd.Series([0.5, 0.4, 0.5, 0.5, 0.5], index=values.index)  # the longest stretch, not the middle of all
    assert ensembles.best(apart) == 0.75


def test_an_ensemble_becomes_a_run_that_says_what_it_was_made_of():
    clip_set = runs.sample()
    members = [runs.write_run(clip_set, wrong=wrong, network=n) for n, wrong in (("x3d_m", 8), ("slowfast_r50", 0))]
    run = ensembles.store(members, 0.25)
    assert run.name.startswith("ensemble-x3d_m-0.25-slowfast_r50-0.75-") and run.complete
    assert run.facts()["members"] == [member.name for member in members]
    assert ensembles.store(members, 0.25) == run and ensembles.store(members, 0.25, chosen=True) != run
    with pytest.raises(ValueError, match=f"has no network of its own: predict with .*{members[0].name}"):
        restore(run)
    assert (
        score(run, clip_set.table(), "exercise")["top1"] == 1
    )  # three quarters of the right one outvote the wrong one
    assert (
        ensembles.right(predictions.read(members[0]), clip_set.table(), "exercise").tolist()
        == [False] * 8 + [True] * 24
    )
