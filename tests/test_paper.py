"""Our runs beside the paper: the right rows, a dagger wherever anything differs, a difference only where nothing does."""

import numpy as np
import pandas as pd
import pytest
from runs import EXERCISE, LABELS, MGAP, facts, write_run

from exmus_lib import predictions, workspace
from exmus_lib.scores import baselines, paper, protocol, tables
from exmus_lib.scores.metrics import score

VALUES = pd.read_csv(workspace.PAPER_DIR / "tables.csv")


pytestmark = pytest.mark.usefixtures("own_home")


def test_paper_rows_hold_every_value():
    rows = paper.paper_rows()
    assert rows[list(paper.MEASURED)].notna().sum().sum() == len(VALUES) == 315
    for value in VALUES.itertuples():
        same = rows[
            (rows["table"] == value.table) & (rows["model"] == value.model) & (rows["variant"] == value.variant)
        ]
        same = same[same["weights_x3d"].eq(value.weights_x3d) | pd.isna(value.weights_x3d)]
        same = same[same["inverse_beta"].eq(value.inverse_beta) | pd.isna(value.inverse_beta)]
        assert same[value.metric].tolist() == [value.value_percent]
    assert list(paper.paper_rows(7)["model"][:3]) == ["X3D-s", "X3D-m", "SlowFast-R50"]  # the paper's order
    with pytest.raises(ValueError, match=r"table 3 is not among those with results: \[2, 4, 5"):
        paper.paper_rows(3)


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        (facts("x3d_m"), [(7, "scratch", 36.25), (2, "pretrained", 96.88)]),
        (facts("slowfast_r50"), [(7, "scratch", 51.52), (4, "pretrained", 94.79)]),  # not Table 12's, whatever beta
        (facts("x3d_s", preset="paper", init="kinetics400"), [(2, "pretrained", 94.01)]),
        (facts("slowfast_r50", preset="paper", init="kinetics400", epochs=30), [(7, "pretrained", 93.56)]),
    ],
)
def test_a_run_meets_the_row_of_its_init_and_the_pretrained_one(kept, expected):
    actual = [(row["table"], row["variant"], row["top1"]) for row in paper.paper_rows_of(kept)]
    assert actual == expected


def test_fine_tuned_runs_meet_fine_tuned_rows():
    kept = facts("slowfast_r101", task="mgap", preset="paper", init="exercise", epochs=30)
    assert [(row["table"], row["variant"], row["f1"]) for row in paper.paper_rows_of(kept)] == [
        (14, "finetuned", 50.61),
        (8, "pretrained", 59.73),
    ]
    assert paper.paper_rows_of(kept | {"network": "vit_b16"}) == []


@pytest.mark.parametrize(
    ("dataset", "kept", "expected"),
    [
        ("kaggle", facts(preset="paper", init="scratch", epochs=30), []),
        ("sample", facts(preset="paper", init="scratch", epochs=30), ["data sample"]),
        ("sample", facts(), ["data sample", "preset quick"]),
        ("kaggle", facts(preset="prose", init="scratch"), ["preset prose", "epochs 50"]),  # Table 7: 30
        ("sample", facts(epochs=40), ["data sample", "preset quick", "epochs 40"]),
        ("kaggle", facts(preset="paper", init="scratch"), ["epochs 50"]),  # Table 7: 30
        ("kaggle", facts(preset="paper", epochs=30, side=128, fit="pad"), ["side 128", "fit pad"]),
        ("kaggle", facts(preset="paper", epochs=30, split="clip"), ["split by clip"]),
        ("kaggle", facts(preset="paper", epochs=30, tag="focal_loss"), ["tag focal_loss"]),
        ("kaggle", facts(preset="paper", epochs=30, init="exercise"), ["init exercise"]),
    ],
)
def test_what_differs_from_the_paper_is_said(dataset, kept, expected):
    run = workspace.Run(dataset, "exercise", "x3d_m")
    row = paper.paper_rows(7).query("model == 'X3D-m' and variant == 'scratch'").iloc[0]
    assert paper.differs(run, kept, row) == expected


def test_a_run_of_another_set_up_has_a_dagger_and_no_difference(clip_set):
    run = write_run(clip_set, wrong=8)
    table = tables.beside_paper([run], clip_set)
    assert list(table.index) == [
        (run.name, "ours †"),
        (run.name, "ours by Table 7's protocol, 10 workers"),
        (run.name, "paper, scratch (Table 7)"),
        (run.name, "ours by Table 2's protocol, 4/8 workers, lowest"),
        (run.name, "ours by Table 2's protocol, 4/8 workers, highest"),
        (run.name, "paper, pretrained (Table 2)"),
    ]
    assert table.loc[(run.name, "ours †"), "note"] == "data sample; preset quick"
    batched = (100 * protocol.score(run, clip_set.table(), EXERCISE)["top1"]).round(2)
    assert table["top1"].tolist() == [75, batched[10], 36.25, batched[[4, 8]].min(), batched[[4, 8]].max(), 96.88]
    ours = 100 * score(run, clip_set.table(), EXERCISE)[list(EXERCISE.metrics)]
    assert table.iloc[0][list(ours.index)].tolist() == pytest.approx(ours.round(2).tolist())


def test_a_run_of_the_papers_set_up_has_a_difference_and_no_dagger(clip_set):
    run = write_run(clip_set, "kaggle", wrong=8, preset="paper", init="scratch", epochs=30)
    table = tables.beside_paper([run], clip_set).loc[run.name]
    assert list(table.index)[:4] == [
        "ours",
        "ours by Table 7's protocol, 10 workers",
        "paper, scratch (Table 7)",  # of the row with the same init, not of the pretrained one
        "difference",
    ]
    batched = round(100 * protocol.score(run, clip_set.table(), EXERCISE).loc[10, "f1"], 2)
    assert table["f1"].tolist()[1:4] == pytest.approx([batched, 69.37, batched - 69.37])
    assert table.loc["ours", "note"] == "" and table.loc["ours", "f1"] < batched
    run = write_run(clip_set, "kaggle", task="mgap", preset="paper", init="kinetics400")
    table = tables.beside_paper([run], clip_set).loc[run.name]
    perfect = table.loc["ours by Table 5's protocol, 4/6/10 workers, lowest"]  # an accuracy of 89.45 leaves three
    assert table.loc["difference, lowest", "f1"] == pytest.approx(perfect["f1"] - 30.32)
    assert (
        table.loc["difference, highest", "f1"] > table.loc["difference, lowest", "f1"]
        and "difference" not in table.index
    )
    assert (
        perfect["f1"] < 60 < perfect["accuracy"] == 100
    )  # what is perfect loses where a muscle is absent from a batch
    assert np.isnan(perfect["map"])  # the paper has none
    with pytest.raises(ValueError, match="no runs to set beside the paper"):
        tables.beside_paper([], clip_set)


def test_predictions_of_several_views_stand_there_by_their_own(clip_set):
    run = write_run(clip_set, wrong=8)
    predictions.write(predictions.path(run, 3), predictions.read(write_run(clip_set, seed=1)), EXERCISE.names)
    table = tables.beside_paper([run], clip_set, views=3)
    assert table["top1"].iloc[0] == 100 and table["note"].iloc[0] == "data sample; preset quick; 3 views of a clip"


def test_prevalence_says_for_every_clip_what_training_clips_are(clip_set):
    clips = clip_set.table().iloc[2:]  # 30 training clips, none of them a bench press
    actual = baselines.prevalence(clips, EXERCISE)
    assert len(actual) == 62 and actual.iloc[:, 3:].nunique().eq(1).all()
    probabilities = EXERCISE.probabilities(predictions.logits(actual))[0]
    assert probabilities[0] == pytest.approx(0.5 / (30 + 16 * 0.5)) and probabilities[1:] == pytest.approx(2.5 / 38)
    actual = baselines.prevalence(clips, MGAP)
    glutes = MGAP.probabilities(predictions.logits(actual))[0][LABELS.muscles.index("glutes")]
    assert glutes == pytest.approx(6.5 / 31)  # deadlift, hip thrust and squat, two clips each
    with pytest.raises(ValueError, match="no training clips"):
        baselines.prevalence(clips[clips["split"] == "test"], MGAP)
