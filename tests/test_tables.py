"""Our runs beside the paper's tables: its cells unchanged, ours from the right runs, daggers, seeds, what cannot be scored."""

from dataclasses import replace

import pandas as pd
import pytest
import runs
from runs import EXERCISE, LABELS, MGAP

from exmus_lib import predictions, workspace
from exmus_lib.labels import Labels
from exmus_lib.scores import baselines, ensembles, paper, protocol, tables, terminal, titles
from exmus_lib.videos.prepare import ClipSet

VALUES = pd.read_csv(workspace.PAPER_DIR / "tables.csv")
ROW = ["table", "task", "model", "variant", "epochs", "weights_x3d", "inverse_beta"]


pytestmark = pytest.mark.usefixtures("own_home")


def of(cells: pd.DataFrame, table: int, model: str, variant: str, metric: str, **more) -> pd.Series:
    rows = cells[(cells[["table", "model", "variant", "metric"]] == [table, model, variant, metric]).all(axis=1)]
    for name, value in more.items():
        rows = rows[rows[name] == value]
    (row,) = rows.itertuples(index=False)
    return pd.Series(row._asdict())


def test_the_papers_columns_are_the_papers_cell_by_cell(clip_set):
    runs.write_run(clip_set)
    cells = tables.cells(clip_set, "quick")
    both = cells.merge(VALUES, on=[*ROW, "metric"], how="outer", indicator=True)
    assert len(cells) == len(VALUES) == 315 and (both["_merge"] == "both").all()
    assert (both["paper"] == both["value_percent"]).all()


def test_a_row_meets_its_runs_and_says_what_differs(clip_set):
    present = runs.write_run(clip_set, wrong=8)
    cells = tables.cells(clip_set, "quick")
    row = of(cells, 2, "X3D-m", "pretrained", "top1")
    assert (row["ours"], row["runs"]) == (75, f"exercise/{present.name}")
    assert row["differs"] == "data sample; init scratch; preset quick" and pd.isna(row["difference_low"])
    row = of(cells, 7, "X3D-m", "scratch", "top1")
    assert (row["ours"], row["differs"]) == (75, "data sample; preset quick")
    row = of(cells, 7, "X3D-s", "scratch", "top1")
    assert pd.isna(row["ours"]) and row["runs"] == ""  # not run
    assert tables.cells(clip_set, "paper")["ours"].isna().all()  # no run of that preset


def test_seeds_are_pooled_as_mean_and_range(clip_set):
    for seed, wrong in enumerate((0, 8, 4)):
        runs.write_run(clip_set, wrong=wrong, seed=seed)
    row = of(tables.cells(clip_set, "quick"), 7, "X3D-m", "scratch", "top1")
    assert (row["ours"], row["low"], row["high"]) == (pytest.approx((100 + 75 + 87.5) / 3), 75, 100)
    assert len(row["runs"].split(", ")) == 3


def test_a_difference_stands_only_where_nothing_differs(clip_set):
    kaggle = runs.to_disk("kaggle", clip_set.videos, clip_set.clips)
    runs.write_run(kaggle, "kaggle", wrong=8, preset="paper", init="scratch", epochs=30)
    runs.write_run(kaggle, "kaggle", preset="paper", init="kinetics400", epochs=50)
    cells = tables.cells(kaggle, "paper")
    row = of(cells, 7, "X3D-m", "scratch", "top1")
    assert row["differs"] == "" and row["difference_low"] == row["difference_high"] == row["protocol_low"] - 36.25
    assert row["interval_low"] < row["ours"] < row["interval_high"]
    row = of(cells, 7, "X3D-m", "scratch", "f1")
    (run,) = tables.runs_of(kaggle, "paper")[:1]
    batched = 100 * protocol.score(run, kaggle.table(), EXERCISE).loc[10, "f1"]  # this row had 10 workers
    assert row["ours"] < row["protocol_low"] == row["protocol_high"] == pytest.approx(batched)
    assert row["difference_low"] == row["protocol_low"] - 69.37
    row = of(cells, 7, "X3D-m", "pretrained", "top1")  # the paper's has 30 epochs
    assert row["differs"] == "epochs 50" and pd.isna(row["difference_low"])


def test_betas_fine_tuning_and_ensembles_meet_their_own_rows(clip_set):
    runs.write_run(clip_set, network="slowfast_r50", wrong=8, inverse_beta=16)
    pair = [runs.write_run(clip_set, network=n, task="mgap", init="exercise") for n in ("x3d_m", "slowfast_r50")]
    direct = [runs.write_run(clip_set, network=n, wrong=4) for n in ("x3d_m", "slowfast_r50")]
    half = [runs.write_run(clip_set, network="x3d_m", task="mgap"), pair[1]]
    ensembles.store(half, 0.75)
    ensembles.store([*direct, runs.write_run(clip_set, network="x3d_s")], 0.25)  # of three runs: no row of the paper's
    ensembles.store(pair, 0.25)
    ensembles.store(direct, 0.75)
    ensembles.store(direct, 0.5, chosen=True)  # no row of the paper's
    cells = tables.cells(clip_set, "quick")
    betas = cells[(cells["table"] == 12) & (cells["metric"] == "top1")].set_index("inverse_beta")["ours"]
    assert betas[16] == 75 and betas[8] == 87.5 and betas[[2, 4, 10]].isna().all()
    assert of(cells, 7, "SlowFast-R50", "scratch", "top1")["ours"] == 87.5
    assert of(cells, 13, "X3D-m", "finetuned", "f1")["ours"] == 100
    for table, model in ((10, "X3D-m+SlowFast-R50"), (11, "FT X3D-m+FT SlowFast-R50")):  # one of two was fine-tuned
        assert pd.isna(of(cells, table, model, "ensemble", "f1", weights_x3d=0.75)["ours"])
    row = of(cells, 11, "FT X3D-m+FT SlowFast-R50", "ensemble", "f1", weights_x3d=0.25)
    assert row["ours"] == 100 and "for SlowFast" not in row["differs"]
    row = of(cells, 9, "X3D-m+SlowFast-R101", "ensemble", "top1", weights_x3d=0.75)
    assert row["ours"] == 87.5 and "network SlowFast-R50 for SlowFast-R101" in row["differs"]
    assert pd.isna(of(cells, 9, "X3D-m+SlowFast-R101", "ensemble", "top1", weights_x3d=0.25)["ours"])
    assert pd.isna(of(cells, 9, "X3D-m+SlowFast-R101", "ensemble", "top1", weights_x3d=0.5)["ours"])
    assert pd.isna(of(cells, 10, "X3D-m+SlowFast-R50", "ensemble", "f1", weights_x3d=0.25)["ours"])


def test_runs_of_another_length_are_neither_a_seed_nor_the_presets_own(clip_set):
    for epochs, wrong in ((40, 16), (None, 0)):
        members = [runs.write_run(clip_set, network=n, wrong=wrong, epochs=epochs) for n in ("x3d_m", "slowfast_r50")]
        made = ensembles.store(members, 0.5)
    for seed in (1, 2):
        runs.write_run(clip_set, seed=seed, epochs=40, wrong=16)
    cells = tables.cells(clip_set, "quick")
    row = of(cells, 9, "X3D-m+SlowFast-R101", "ensemble", "top1", weights_x3d=0.5)
    assert (row["ours"], row["runs"]) == (100, f"exercise/{made.name}")
    row = of(cells, 7, "X3D-m", "scratch", "top1")  # one run of the recipe goes before three of another one
    assert (row["ours"], row["differs"]) == (100, "data sample; preset quick")
    workspace.Run("sample", "exercise", made.facts()["members"][0]).remove()
    row = of(tables.cells(clip_set, "quick"), 7, "X3D-m", "scratch", "top1")
    assert (row["ours"], row["differs"]) == (50, "data sample; preset quick; epochs 40")


def test_ensembles_of_a_variant_of_the_code_stand_apart(clip_set):
    other = runs.write_run(clip_set, network="slowfast_r50")
    first = [runs.write_run(clip_set), runs.write_run(clip_set, tag="focal_loss", wrong=16)]
    made = [ensembles.store([run, other], 0.5) for run in first]
    groups = [group.runs for group in tables.grouped(tables.runs_of(clip_set, "quick"), clip_set)]
    assert all((run,) in groups for run in made)
    row = of(tables.cells(clip_set, "quick"), 9, "X3D-m+SlowFast-R101", "ensemble", "top1", weights_x3d=0.5)
    assert row["runs"] == f"exercise/{made[0].name}" and "tag" not in row["differs"]
    assert titles.setup_title(made[1].facts()) == "0.50 X3D-M (focal_loss) + 0.50 SlowFast-R50"
    hybrid = next(line for line in terminal.table("sample").splitlines() if line.startswith("hybrid: "))
    assert hybrid.startswith("hybrid: 0.50 X3D-M + 0.50 SlowFast-R50 ")


def test_members_trained_anew_replace_their_ensemble_and_a_deleted_one_is_named(clip_set):
    for wrong in (0, 16):
        members = [runs.write_run(clip_set, network=n, wrong=wrong) for n in ("x3d_m", "slowfast_r50")]
        ensembles.store(members, 0.5)
        ensembles.store(members, 0.3 if wrong else 0.7, chosen=True)
    row = of(tables.cells(clip_set, "quick"), 9, "X3D-m+SlowFast-R101", "ensemble", "top1", weights_x3d=0.5)
    assert row["ours"] == 50 and ", " not in row["runs"]
    beyond = tables.beyond(clip_set, "quick").query("metric == 'top1'")
    assert beyond["what"].tolist() == ["X3D-M + SlowFast-R50, weight chosen on validation (x = 0.30)"]
    members[0].remove()
    row = of(tables.cells(clip_set, "quick"), 9, "X3D-m+SlowFast-R101", "ensemble", "top1", weights_x3d=0.5)
    assert f"{members[0].name} deleted" in row["differs"]


def test_seeds_of_what_the_paper_lacks_are_pooled_too(clip_set):
    for seed, wrong in enumerate((0, 8)):
        parent = runs.write_run(clip_set, seed=seed, wrong=wrong)
        facts = {name: parent.facts()[name] for name in ("preset", "split", "seed", "clip_set")}
        baselines.store(parent, "lookup", baselines.lookup(predictions.read(parent), LABELS), "sample", MGAP, facts)
    (row,) = tables.beyond(clip_set, "quick").query("metric == 'exact_match'").itertuples()
    assert row.what == "Muscles looked up from X3D-M"
    assert (row.ours, row.low, row.high) == (87.5, 75, 100)


def test_fine_tuning_says_what_its_exercise_run_was(clip_set):
    kaggle = runs.to_disk("kaggle", clip_set.videos, clip_set.clips)
    row = paper.paper_rows(13).query("model == 'X3D-m' and variant == 'finetuned'").iloc[0]

    def tuned_from(parent: workspace.Run) -> list[str]:
        facts = runs.facts(task="mgap", preset="paper", init="exercise", epochs=30)
        facts["parent"] = f"{parent.dataset}/exercise/{parent.name}"
        return paper.differs(workspace.Run("kaggle", "mgap", "x3d_m"), facts, row)

    how = {"dataset": "kaggle", "preset": "paper", "epochs": 50}
    parent = runs.write_run(kaggle, init="kinetics400", **how)
    assert tuned_from(parent) == []
    assert tuned_from(runs.write_run(kaggle, init="scratch", **how)) == ["exercise run: init scratch"]
    assert "exercise run: data sample" in tuned_from(runs.write_run(clip_set))
    parent.remove()
    assert tuned_from(parent) == ["exercise run: deleted"]


def test_a_run_is_called_better_only_where_the_interval_excludes_zero(clip_set):
    good, same, bad = (runs.write_run(clip_set, wrong=wrong, seed=wrong) for wrong in (0, 1, 20))
    table = tables.ranking(clip_set, "quick", EXERCISE)
    assert table["name"].tolist() == [good.name, same.name, bad.name]
    assert table["verdict"].tolist() == ["reference", "not told apart", "worse"]
    assert (
        table["ahead"].tolist()[1:] == [-100 / 32, -100 * 20 / 32]
        and table["ahead_high"][2] < 0 <= table["ahead_high"][1]
    )
    assert tables.ranking(clip_set, "quick", MGAP).empty


def test_runs_of_other_labels_clips_or_splits_are_listed_and_never_raise(clip_set):
    kept = runs.write_run(clip_set)
    other_clips = runs.write_run(clip_set, seed=1, clips_hash="0ld0ld")
    other_split = runs.write_run(clip_set, seed=2, split="clip")
    fewer = Labels({"Squat": ("quads",)})
    squats = runs.write_run(replace(clip_set, labels=fewer, clips=clip_set.clips.assign(exercise="Squat")), seed=3)
    damaged = runs.write_run(clip_set, seed=4)
    table = predictions.read(damaged)
    table.iloc[:-1].to_parquet(damaged.folder / "predictions.parquet")  # a test clip is missing
    assert tables.runs_of(clip_set, "quick") == [kept]
    reasons = {run: reason for run, reason in tables.left_out(clip_set, "quick")}
    assert reasons.keys() == {other_clips, other_split, squats, damaged}
    assert reasons[other_clips] == "other clips" and reasons[other_split] == "another split: by clip"
    assert reasons[squats].startswith("other labels: exercise Bench Press, Bicep Curl")
    assert reasons[damaged].startswith("no prediction for 1 clips of the manifest (first: c63)")
    assert tables.cells(clip_set, "quick")["ours"].notna().any()
    assert len(tables.ranking(clip_set, "quick", EXERCISE)) == 1


def test_a_label_that_is_added_leaves_older_runs_as_they_were(clip_set):
    runs.write_run(clip_set, wrong=8)
    runs.write_run(clip_set, task="mgap", wrong=8)
    before = tables.cells(clip_set, "quick")
    more = {**LABELS.muscles_of, "Burpee": ("chest", "forearms")}
    pd.testing.assert_frame_equal(tables.cells(replace(clip_set, labels=Labels(more)), "quick"), before)
    without = replace(clip_set, labels=Labels(dict.fromkeys(LABELS.exercises, ())))  # nothing to tell about muscles
    assert [task.name for task in tables.tasks_of(without)] == ["exercise"]
    assert [reason for _, reason in tables.left_out(without, "quick")] == [
        "task mgap has no label: fill in the column muscles of exercises.csv"
    ]


class Folded(ClipSet):
    """A clip set that knows the split of cross-validation: every clip is a test clip."""

    def table(self, split="video"):
        return self.clips.assign(split="test") if split == "5folds" else super().table(split)

    def hash(self, split="video"):
        return "f01ded" if split == "5folds" else super().hash(split)


def test_cross_validation_stands_among_what_the_paper_lacks_and_nowhere_else(clip_set):
    by_video = runs.write_run(clip_set, wrong=8)
    folded = Folded(**vars(clip_set))
    for seed in (0, 1):
        run = runs.write_run(folded, wrong=4, seed=seed, split="5folds", clips_hash="f01ded")
        table = predictions.read(run).assign(split="test")  # 4 of 64 clips are wrong
        predictions.write(predictions.path(run), table, EXERCISE.names)
    assert tables.runs_of(folded, "quick") == [by_video]
    assert len(tables.runs_of(folded, "quick", folds=True)) == 2 and tables.left_out(folded, "quick") == []
    row = of(tables.cells(folded, "quick"), 7, "X3D-m", "scratch", "top1")
    assert row["ours"] == 75 and row["runs"] == f"exercise/{by_video.name}"
    (row,) = tables.beyond(folded, "quick").query("metric == 'top1'").itertuples()
    assert (row.what, row.ours) == ("X3D-M, scratch, 14 epochs, 5 folds over all clips", 100 * 60 / 64)
    assert len(row.runs.split(", ")) == 2
    assert tables.ranking(folded, "quick", EXERCISE)["name"].tolist() == [by_video.name]


def test_an_outdated_run_is_no_seed_of_the_others_and_says_why(clip_set, monkeypatch):
    old, new = (runs.write_run(clip_set, seed=seed, wrong=wrong) for seed, wrong in ((0, 0), (1, 8)))
    monkeypatch.setattr(tables, "outdated", lambda run, _: "trained on other labels" if run == old else "")
    row = of(tables.cells(clip_set, "quick"), 7, "X3D-m", "scratch", "top1")
    assert (row["ours"], row["runs"], row["outdated"]) == (75, f"exercise/{new.name}", "")
    ranked = tables.ranking(clip_set, "quick", EXERCISE).set_index("name")["outdated"]
    assert ranked.to_dict() == {old.name: "trained on other labels", new.name: ""}
    beside = tables.beside_paper([old], clip_set)
    assert beside["note"].iloc[0] == "data sample; preset quick; outdated: trained on other labels"
    new.remove()
    row = of(tables.cells(clip_set, "quick"), 7, "X3D-m", "scratch", "top1")
    assert (row["ours"], row["outdated"]) == (100, "trained on other labels")
