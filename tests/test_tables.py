"""The report's tables: the paper's cells unchanged, ours from the right runs, daggers, seeds, and one page with all of it."""

import pandas as pd
import pytest
import runs

from exmus_lib import predictions, workspace
from exmus_lib.pictures import page
from exmus_lib.scores import baselines, ensembles, paper, tables

VALUES = pd.read_csv(workspace.PAPER_DIR / "tables.csv")
ROW = ["table", "task", "model", "variant", "epochs", "weights_x3d", "inverse_beta"]


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("EXMUS_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def clip_set():
    return runs.sample()


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
    found = runs.write_run(clip_set, wrong=8)
    cells = tables.cells(clip_set, "quick")
    row = of(cells, 2, "X3D-m", "pretrained", "top1")
    assert (row["ours"], row["runs"]) == (75, f"exercise/{found.name}")
    assert row["differs"] == "data sample; init scratch; preset quick" and pd.isna(row["difference"])
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
    assert (row["differs"], row["difference"]) == ("", 75 - 36.25)
    row = of(cells, 7, "X3D-m", "pretrained", "top1")  # the paper's has 30 epochs
    assert row["differs"] == "epochs 50" and pd.isna(row["difference"])


def test_betas_fine_tuning_and_ensembles_meet_their_own_rows(clip_set):
    runs.write_run(clip_set, network="slowfast_r50", wrong=4)
    runs.write_run(clip_set, network="slowfast_r50", wrong=8, inverse_beta=16)
    pair = [runs.write_run(clip_set, network=n, task="mgap", init="exercise") for n in ("x3d_m", "slowfast_r50")]
    direct = [runs.write_run(clip_set, network=n) for n in ("x3d_m", "slowfast_r50")]
    ensembles.store(pair, 0.25)
    ensembles.store(direct, 0.75)
    ensembles.store(direct, 0.5, chosen=True)  # no row of the paper's
    cells = tables.cells(clip_set, "quick")
    betas = cells[(cells["table"] == 12) & (cells["metric"] == "top1")].set_index("inverse_beta")["ours"]
    assert betas[16] == 75 and betas[8] > 75 and betas[[2, 4, 10]].isna().all()
    assert of(cells, 7, "SlowFast-R50", "scratch", "top1")["ours"] == betas[8]
    assert of(cells, 13, "X3D-m", "finetuned", "f1")["ours"] == 100
    assert pd.isna(of(cells, 13, "X3D-m", "pretrained", "f1")["ours"])
    row = of(cells, 11, "FT X3D-m+FT SlowFast-R50", "ensemble", "f1", weights_x3d=0.25)
    assert row["ours"] == 100 and "for SlowFast" not in row["differs"]
    row = of(cells, 9, "X3D-m+SlowFast-R101", "ensemble", "top1", weights_x3d=0.75)
    assert row["ours"] == 100 and "SlowFast-R50 for SlowFast-R101" in row["differs"]
    assert pd.isna(of(cells, 9, "X3D-m+SlowFast-R101", "ensemble", "top1", weights_x3d=0.5)["ours"])
    assert pd.isna(of(cells, 10, "X3D-m+SlowFast-R50", "ensemble", "f1", weights_x3d=0.25)["ours"])


def test_ensembles_of_longer_runs_are_not_taken_for_another_seed(clip_set):
    for epochs, wrong in ((None, 0), (40, 16)):
        members = [runs.write_run(clip_set, network=n, wrong=wrong, epochs=epochs) for n in ("x3d_m", "slowfast_r50")]
        made = ensembles.store(members, 0.5)
    row = of(tables.cells(clip_set, "quick"), 9, "X3D-m+SlowFast-R101", "ensemble", "top1", weights_x3d=0.5)
    assert (row["ours"], row["runs"]) == (50, f"exercise/{made.name}")  # the newer of the two, not their mean
    assert "0.50 X3D-M" in tables.what(made.facts())


def test_fine_tuning_says_where_its_exercise_run_started(clip_set):
    said = runs.facts(task="mgap", preset="paper", init="exercise", epochs=30) | {"parent_init": "scratch"}
    row = paper.paper_rows(13).query("model == 'X3D-m' and variant == 'finetuned'").iloc[0]
    run = workspace.Run("kaggle", "mgap", "x3d_m")
    assert paper.differs(run, said, row) == ["exercise run from scratch"]
    assert paper.differs(run, said | {"parent_init": "kinetics400"}, row) == []


def test_the_page_has_every_table_and_figure_and_says_what_was_not_run(clip_set, home):
    run = runs.write_run(clip_set, wrong=8)
    facts = {"preset": "quick", "split": "video", "seed": 0, "clip_set": clip_set.hash("video")}
    baselines.store(run, "lookup", baselines.lookup(predictions.read(run)), "sample", "mgap", facts)
    figure = home / "outputs" / "figures" / "sample" / "fig2-class-balance-exercise.png"
    figure.parent.mkdir(parents=True)
    figure.write_bytes(b"picture")
    cells, beyond = tables.cells(clip_set, "quick"), tables.beyond(clip_set, "quick")
    path = page.write(clip_set, "quick", cells, beyond)
    text = path.read_text(encoding="utf-8")
    assert path == home / "outputs" / "report" / "index.html"
    for number in (1, *page.TITLES):
        assert f'id="table{number}"' in text
    for number in page.FIGURES:
        assert f'id="figure{number}"' in text
    assert text.count("data:image/png;base64,") == 1 and "not run: 08_tsne draws it" in text
    rows = sum(len(table.groupby(ROW, dropna=False)) for _, table in cells.groupby("table"))
    with_run = cells[cells["metric"] == "top1"]["runs"].ne("").sum()
    assert text.count(">not run</td>") == rows - with_run
    assert f"exercise/{run.name}" in text and "Muscles looked up from the exercise run of X3D-M" in text
    assert "http" not in text.replace("http-equiv", "")  # nothing to fetch
    saved = pd.read_csv(home / "outputs" / "tables" / "sample" / "paper.csv")
    assert saved["ours"].tolist() == pytest.approx(cells["ours"].tolist(), nan_ok=True)
