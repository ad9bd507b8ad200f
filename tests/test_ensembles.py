"""Ensembles: exact at their ends, joined by clip, refused where runs do not belong together, chosen on validation alone."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import runs
from runs import EXERCISE, MGAP

from exmus_lib import predictions
from exmus_lib.labels import Labels
from exmus_lib.networks.predict import restore
from exmus_lib.scores import ensembles
from exmus_lib.scores.metrics import score
from exmus_lib.tasks import Muscles, Task

pytestmark = pytest.mark.usefixtures("own_home")


@pytest.fixture
def clips():
    """The clips of a data set of which half of the training clips serve as validation."""
    table = runs.sample().table()
    table.loc[table["split"].eq("train") & (table.index % 2 == 1), "split"] = "val"
    return table


def random_table(clips: pd.DataFrame, task: Task, seed: int) -> pd.DataFrame:
    logits = np.random.default_rng(seed).normal(size=(len(clips), len(task.names)))
    return predictions.table(clips, logits, task.names)


def test_at_its_ends_an_ensemble_is_one_of_the_two_runs(clips):
    first, second = (random_table(clips, MGAP, seed) for seed in (0, 1))
    pd.testing.assert_frame_equal(ensembles.combine([first, second], 1), first, check_exact=True)
    pd.testing.assert_frame_equal(ensembles.combine([first, second], 0), second, check_exact=True)
    middle = ensembles.combine([first, second], 0.25)
    assert middle.iloc[5, 4] == pytest.approx(0.25 * first.iloc[5, 4] + 0.75 * second.iloc[5, 4])
    third = random_table(clips, MGAP, 2)  # of three, the first has x and the others share the rest
    mixed = ensembles.combine([first, second, third], 0.5)
    assert mixed.iloc[5, 4] == pytest.approx(
        0.5 * first.iloc[5, 4] + 0.25 * second.iloc[5, 4] + 0.25 * third.iloc[5, 4]
    )
    with pytest.raises(ValueError, match="x = 1.5: a weight from 0 to 1"):
        ensembles.combine([first, second], 1.5)


def test_rows_meet_by_clip_and_not_by_place(clips):
    first, second = (random_table(clips, EXERCISE, seed) for seed in (0, 1))
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
    table = random_table(clips, MGAP, 0)
    with pytest.raises(ValueError, match=f"table 2 has {words} than table 1"):
        ensembles.combine([table, change(table)], 0.5)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (dict(task="mgap"), "task exercise and mgap"),
        (dict(dataset="kaggle"), "data set sample and kaggle"),
        (dict(split="clip"), "split video and clip"),
        (dict(clips_hash="0ld0ld"), "clip set .* and 0ld0ld"),
        (dict(labels=Labels({"Squat": ("quads",)})), "labels Bench Press.* and Squat"),
    ],
)
def test_runs_that_do_not_belong_together_are_refused_by_name(other, words):
    clip_set = runs.sample()
    first = runs.write_run(clip_set)
    if "labels" in other:
        clip_set = replace(clip_set, labels=other.pop("labels"), clips=clip_set.clips.assign(exercise="Squat"))
    second = runs.write_run(clip_set, network="slowfast_r50", **other)
    with pytest.raises(ValueError, match=f"{first.name} and {second.name} cannot be averaged: {words}"):
        ensembles.store([first, second], 0.5)
    with pytest.raises(ValueError, match="two runs or more"):
        ensembles.check([first])


@pytest.mark.parametrize("split", ["val", "test"])
def test_the_curve_holds_every_metric_of_its_split_and_its_ends_are_the_runs(clips, split):
    tables = [random_table(clips, EXERCISE, seed) for seed in (0, 1)]
    curve = ensembles.curve(tables, clips, EXERCISE, split)
    assert list(curve.columns) == list(EXERCISE.metrics) and len(curve) == 101
    for x, table in ((1.0, tables[0]), (0.0, tables[1])):
        expected = score(table, clips, EXERCISE, split)[list(EXERCISE.metrics)]
        assert curve.loc[x].to_dict() == expected.to_dict()


def test_muscles_are_right_only_all_together(clips):
    truth = MGAP.truth(clips["exercise"])
    logits = 20.0 * (2 * truth - 1)
    logits[::2, 0] *= -1  # one muscle of eleven wrong in every other clip
    test = (clips["split"] == "test").to_numpy()
    actual = ensembles.right(predictions.table(clips, logits, MGAP.names), clips, MGAP)
    assert actual.tolist() == (np.arange(len(clips)) % 2 == 1)[test].tolist()


def test_the_weight_is_the_middle_of_the_best():
    values = pd.Series([0.1, 0.5, 0.5, 0.5, 0.2], index=[0.0, 0.25, 0.5, 0.75, 1.0])
    assert ensembles.best(values) == 0.5
    apart = pd.Series([0.5, 0.4, 0.5, 0.5, 0.5], index=values.index)  # the longest stretch, not the middle of all
    assert ensembles.best(apart) == 0.75


def test_no_weight_is_best_where_no_metric_has_a_value(clips):
    # clips of one muscle label that all have it: macro AUC is undefined whatever the weight
    bicep = clips[clips["exercise"] == "Bicep Curl"]
    task = Muscles(Labels({"Bicep Curl": ("biceps",)}))
    tables = [
        predictions.table(bicep, np.random.default_rng(i).normal(size=(len(bicep), 1)), ["biceps"]) for i in (0, 1)
    ]
    values = ensembles.curve(tables, bicep, task, "test")[task.headline]
    assert values.isna().all() and ensembles.best(values) is None


def test_an_equal_ensemble_stays_unless_it_is_to_be_overwritten():
    clip_set = runs.sample()
    members = [runs.write_run(clip_set, network=network) for network in ("x3d_m", "slowfast_r50")]
    run = ensembles.store(members, 0.25)
    made = run.facts()
    run.write_facts({**made, "commit": "of another day"})
    assert ensembles.store(members, 0.25).facts()["commit"] == "of another day"
    assert ensembles.store(members, 0.25, overwrite=True).facts() == made


def test_an_ensemble_becomes_a_run_that_says_what_it_was_made_of():
    clip_set = runs.sample()
    members = [runs.write_run(clip_set, wrong=wrong, network=n) for n, wrong in (("x3d_m", 8), ("slowfast_r50", 0))]
    run = ensembles.store(members, 0.25)
    assert run.name.startswith("ensemble-x3d_m-0.25-slowfast_r50-0.75-") and run.complete
    assert run.facts()["members"] == [member.name for member in members]
    assert ensembles.store(members, 0.25) == run and ensembles.store(members, 0.25, chosen=True) != run
    with pytest.raises(ValueError, match=f"has no network of its own: predict with .*{members[0].name}"):
        restore(run)
    assert score(run, clip_set.table(), EXERCISE)["top1"] == 1  # three quarters of the right one outvote the wrong one
    assert (
        ensembles.right(predictions.read(members[0]), clip_set.table(), EXERCISE).tolist() == [False] * 8 + [True] * 24
    )
