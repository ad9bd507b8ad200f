"""Marks of people: kept by data set, heeded wherever scores are computed, taken away without a trace."""

import pandas as pd
import pytest
import runs

from exmus_lib import labels, predictions, review
from exmus_lib.scores import ensembles, intervals
from exmus_lib.scores.metrics import score
from exmus_lib.videos import prepare

LABELS = labels.read()


pytestmark = pytest.mark.usefixtures("own_home")


def test_marks_relabel_and_mask_wherever_scores_are_computed(own_home):
    run = runs.write_run(runs.sample(), wrong=1)  # bench press c32, said to be a squat
    before = prepare.load("sample")
    assert score(run, before.table(), runs.EXERCISE)[["top1", "clips"]].tolist() == [31 / 32, 32]
    review.mark("sample", "c32", "Squat", LABELS)
    relabelled = prepare.load("sample")
    assert score(run, relabelled.table(), runs.EXERCISE)["top1"] == 1
    review.mark("sample", "c32", review.UNUSABLE, LABELS)
    masked = prepare.load("sample")
    assert score(run, masked.table(), runs.EXERCISE)[["top1", "clips"]].tolist() == [1, 31]
    table = predictions.read(run)
    curve = ensembles.curve([table, table], masked.table(), runs.EXERCISE, "test")
    assert (
        curve["top1"].loc[0.5] == 1 and intervals.scores(run, masked.table(), runs.EXERCISE).loc["top1", "value"] == 1
    )
    assert "c32" not in set(review.usable(masked.clips)["clip_id"]) and len(review.usable(masked.clips)) == 63
    assert before.hash() == relabelled.hash() == masked.hash()  # no run becomes another one
    review.mark("sample", "c32", None, LABELS)
    pd.testing.assert_frame_equal(prepare.load("sample").clips, before.clips)
    assert (own_home / "data" / "labels" / "review.csv").read_text() == "dataset,clip_id,mark\n"


def test_marks_stand_by_their_data_set_and_replace_one_another():
    review.mark("sample", "c1", "Squat", LABELS)
    review.mark("kaggle", "c1", review.UNUSABLE, LABELS)
    review.mark("sample", "c2", "Deadlift", LABELS)
    review.mark("sample", "c1", "Push-up", LABELS)
    assert review.marks("sample") == {"c1": "Push-up", "c2": "Deadlift"} and review.marks("kaggle") == {
        "c1": "unusable"
    }


def test_marks_that_excel_saved_are_read():
    review.path().parent.mkdir(parents=True)
    review.path().write_text("dataset;clip_id;mark\nsample;c1;Squat\nsample;c2;None\n", encoding="utf-8-sig")
    assert review.marks("sample") == {"c1": "Squat", "c2": "None"}  # a label of that name, not a missing one


def test_an_unknown_mark_is_refused_with_the_nearest_one():
    with pytest.raises(ValueError, match='mark "Sqat" is neither an exercise nor "unusable". Did you mean "Squat"'):
        review.mark("sample", "c1", "Sqat", LABELS)
    clips = runs.sample().clips
    review.mark("sample", "c1", "Squat", LABELS)
    review.path().write_text(review.path().read_text().replace("Squat", "Sqaut"))
    with pytest.raises(ValueError, match='review.csv: mark "Sqaut" is neither.*Did you mean "Squat"'):
        review.applied(clips, "sample", LABELS)
