"""The report's tables: the paper's cells unchanged, ours from the right runs, daggers, seeds, and one page with all of it."""

import re

import pandas as pd
import pytest
import runs
from bs4 import BeautifulSoup
from runs import EXERCISE, LABELS, MGAP

from exmus_lib import predictions, workspace
from exmus_lib.pictures import page
from exmus_lib.scores import baselines, ensembles, paper, protocol, tables

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
    assert row["ours"] == 87.5 and "SlowFast-R50 for SlowFast-R101" in row["differs"]
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
        said = {name: parent.facts()[name] for name in ("preset", "split", "seed", "clip_set")}
        baselines.store(parent, "lookup", baselines.lookup(predictions.read(parent), LABELS), "sample", MGAP, said)
    (row,) = tables.beyond(clip_set, "quick").query("metric == 'exact_match'").itertuples()
    assert row.what == "Muscles looked up from X3D-M"
    assert (row.ours, row.low, row.high) == (87.5, 75, 100)


def test_fine_tuning_says_what_its_exercise_run_was(clip_set):
    kaggle = runs.to_disk("kaggle", clip_set.videos, clip_set.clips)
    row = paper.paper_rows(13).query("model == 'X3D-m' and variant == 'finetuned'").iloc[0]

    def tuned_from(parent: workspace.Run) -> list[str]:
        said = runs.facts(task="mgap", preset="paper", init="exercise", epochs=30)
        said["parent"] = f"{parent.dataset}/exercise/{parent.name}"
        return paper.differs(workspace.Run("kaggle", "mgap", "x3d_m"), said, row)

    how = {"dataset": "kaggle", "preset": "paper", "epochs": 50}
    parent = runs.write_run(kaggle, init="kinetics400", **how)
    assert tuned_from(parent) == []
    assert tuned_from(runs.write_run(kaggle, init="scratch", **how)) == ["exercise run: init scratch"]
    assert "exercise run: data sample" in tuned_from(runs.write_run(clip_set))
    parent.remove()
    assert tuned_from(parent) == ["exercise run: deleted"]


def test_the_pages_numbers_are_those_of_the_cells(clip_set):
    for seed, wrong in enumerate((0, 8, 4)):
        runs.write_run(clip_set, wrong=wrong, seed=seed)
    kaggle = runs.to_disk("kaggle", clip_set.videos, clip_set.clips)
    runs.write_run(kaggle, "kaggle", wrong=8, preset="paper", init="scratch", epochs=30)
    for cells in (tables.cells(clip_set, "quick"), tables.cells(kaggle, "paper")):
        shown = BeautifulSoup(page.tables_html(cells), "html.parser")
        for number, ours in cells.groupby("table"):
            lines = [
                [cell.get_text(" ", strip=True) for cell in row.find_all("td")]
                for row in shown.find(id=f"table{number}").find_next("tbody").find_all("tr")
            ]
            rows = [row for _, row in ours.groupby(ROW, sort=False, dropna=False)]
            expected = [line for row in rows for line in ([], *as_read(row))]  # first the heading, without cells
            assert [[re.sub(r"†\d*", "†", cell) for cell in line] for line in lines] == expected


def as_read(row: pd.DataFrame) -> list[list[str]]:
    """The lines of a row of the paper and of ours below it, as a reader sees them."""
    paper_line = ["paper", *(f"{value:.2f}" for value in row["paper"])]
    if not row["runs"].iloc[0]:
        return [paper_line, ["ours", "not run"]]
    ours, seeds = [f"{value:.2f}" for value in row["ours"]], len(row["runs"].iloc[0].split(", "))
    batched = [
        "by the paper's protocol",
        *(
            f"{r.protocol_low:.2f}"
            if r.protocol_low == r.protocol_high
            else f"{r.protocol_low:.1f} to {r.protocol_high:.1f}"
            for r in row.itertuples()
        ),
    ]
    sure = f"[{row['interval_low'].iloc[0]:.1f} to {row['interval_high'].iloc[0]:.1f}]"  # top-1 stands first
    if row["difference_low"].notna().all():
        return [
            paper_line,
            ["ours", f"{ours[0]} {sure}", *ours[1:]],
            batched,
            ["difference", *(f"{value:+.2f}" for value in row["difference_low"])],
        ]
    if seeds == 1:
        return [paper_line, ["ours\xa0†", f"{ours[0]} {sure}", *ours[1:]], batched]
    spans = [f" {r.low:.1f} to {r.high:.1f}" if r.low < r.high else "" for r in row.itertuples()]
    ranges = [mean + span for mean, span in zip(ours, spans, strict=True)]
    return [paper_line, [f"ours\xa0† {seeds} seeds", f"{ranges[0]} {sure}", *ranges[1:]], batched]


def test_a_run_is_called_better_only_where_the_interval_excludes_zero(clip_set):
    good, same, bad = (runs.write_run(clip_set, wrong=wrong, seed=wrong) for wrong in (0, 1, 20))
    table = tables.ranking(clip_set, "quick", EXERCISE)
    assert table["name"].tolist() == [good.name, same.name, bad.name]
    assert table["verdict"].tolist() == ["reference", "not told apart", "worse"]
    assert (
        table["behind"].tolist()[1:] == [100 / 32, 100 * 20 / 32]
        and table["behind_low"][2] > 0 >= table["behind_low"][1]
    )
    assert tables.ranking(clip_set, "quick", MGAP).empty


def test_the_page_has_every_table_and_figure_and_says_what_was_not_run(clip_set, home):
    run = runs.write_run(clip_set, wrong=8)
    facts = {"preset": "quick", "split": "video", "seed": 0, "clip_set": clip_set.hash("video")}
    baselines.store(run, "lookup", baselines.lookup(predictions.read(run), LABELS), "sample", MGAP, facts)
    figure = home / "outputs" / "figures" / "sample" / "fig2-class-balance-exercise.png"
    figure.parent.mkdir(parents=True)
    figure.write_bytes(b"picture")
    cells, beyond = tables.cells(clip_set, "quick"), tables.beyond(clip_set, "quick")
    rankings = {task.name: tables.ranking(clip_set, "quick", task) for task in tables.tasks_of(clip_set)}
    path = page.write(clip_set, "quick", cells, beyond, rankings)
    text = path.read_text(encoding="utf-8")
    assert path == home / "outputs" / "report" / "sample-quick" / "index.html"
    for number in (1, *page.TITLES):
        assert f'id="table{number}"' in text
    for number in page.FIGURES:
        assert f'id="figure{number}"' in text
    assert text.count("data:image/png;base64,") == 1 and "not run: 08_tsne draws it" in text
    rows = sum(len(table.groupby(ROW, dropna=False)) for _, table in cells.groupby("table"))
    with_run = cells[cells["metric"] == "top1"]["runs"].ne("").sum()
    assert text.count(">not run</td>") == rows - with_run
    assert text.count("no run yet") == 0 and "not told apart" not in text
    assert f"exercise/{run.name}" in text and "Muscles looked up from X3D-M" in text
    assert "http" not in text.replace("http-equiv", "")  # nothing to fetch
    saved = pd.read_csv(home / "outputs" / "tables" / "sample-quick" / "paper.csv")
    assert saved["ours"].tolist() == pytest.approx(cells["ours"].tolist(), nan_ok=True)
