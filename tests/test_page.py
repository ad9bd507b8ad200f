"""The report: every number as it is computed, every table and figure, one report for each data set and preset."""

import os
import re
from base64 import b64decode
from dataclasses import replace

import pandas as pd
import pytest
import runs
from bs4 import BeautifulSoup
from runs import LABELS, MGAP

from exmus_lib import predictions
from exmus_lib.labels import Labels
from exmus_lib.pictures import page
from exmus_lib.scores import baselines, ensembles, tables, verdict
from exmus_lib.scores.paper import KEYS

pytestmark = pytest.mark.usefixtures("own_home")


def write(clip_set, preset="quick"):
    rankings = {task.name: tables.ranking(clip_set, preset, task) for task in tables.tasks_of(clip_set)}
    claims = verdict.claims(clip_set, preset)
    return page.write(
        clip_set, preset, claims, tables.cells(clip_set, preset), tables.beyond(clip_set, preset), rankings
    )


def test_the_pages_numbers_are_those_of_the_cells(clip_set):
    for seed, wrong in enumerate((0, 8, 4)):
        runs.write_run(clip_set, wrong=wrong, seed=seed)
    kaggle = runs.to_disk("kaggle", clip_set.videos, clip_set.clips)
    runs.write_run(kaggle, "kaggle", wrong=8, preset="paper", init="scratch", epochs=30)
    for cells in (tables.cells(clip_set, "quick"), tables.cells(kaggle, "paper")):
        shown = BeautifulSoup(page.tables_html(cells), "html.parser")
        for number, ours in cells.groupby("table"):
            lines = [[cell.get_text(" ", strip=True) for cell in row.find_all("td")] for row in rows_of(shown, number)]
            rows = [row for _, row in ours.groupby(KEYS, sort=False, dropna=False)]
            rows.sort(key=lambda row: row["runs"].iloc[0] == "")  # those that were not run below, folded
            expected = [line for row in rows for line in ([], *as_read(row))]  # first the heading, without cells
            assert [[re.sub(r"†\d*", "†", cell) for cell in line] for line in lines] == expected


def test_a_run_stands_beside_the_papers_row_and_its_protocol_is_folded(clip_set):
    run = runs.write_run(clip_set, wrong=8)
    shown = BeautifulSoup(page.beside_html(tables.beside_paper([run], clip_set)), "html.parser")
    folded = shown.find("details").extract()
    rows = [[cell.get_text(strip=True) for cell in row.find_all("td")] for row in shown.find("tbody").find_all("tr")]
    assert [row[0] for row in rows if row] == ["ours †", "paper, scratch (Table 7)", "paper, pretrained (Table 2)"]
    assert (
        rows[1][1] == "75.00"
        and "not the paper's set-up: data sample; preset quick" in shown.find("th", scope="rowgroup").text
    )
    assert folded.summary.a["href"] == "11_protocol_audit.ipynb" and "difference" not in folded.text
    assert "ours by Table 7's protocol, 10 workers" in folded.text


def test_a_difference_has_its_sign_and_a_run_that_the_paper_lacks_folds_nothing(clip_set):
    kaggle = runs.to_disk("kaggle", clip_set.videos, clip_set.clips)
    same = runs.write_run(kaggle, "kaggle", wrong=8, preset="paper", init="scratch", epochs=30)
    table = tables.beside_paper([same], kaggle)
    row = BeautifulSoup(page.beside_html(table), "html.parser").find("details").find("td", string="difference").parent
    assert row.find_all("td")[1].text == f"{table.loc[(same.name, 'difference'), 'top1']:+.2f}"
    alone = table.loc[[(same.name, "ours")]]
    assert "<details>" not in page.beside_html(alone)


def rows_of(shown: BeautifulSoup, number: int) -> list:
    """The rows of a table of the paper: all up to the next table's heading, but for those with column names."""
    after = shown.find(id=f"table{number}").find_all_next(["h3", "tr"])
    heading = next((place for place, tag in enumerate(after) if tag.name == "h3"), None)
    return [row for row in after[:heading] if row.parent.name == "tbody"]


def as_read(row: pd.DataFrame) -> list[list[str]]:
    """The lines of a row of the paper and of ours below it, as a reader sees them."""
    paper_line = ["paper", *(f"{value:.2f}" for value in row["paper"])]
    if not row["runs"].iloc[0]:
        return [paper_line]
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


def test_the_page_has_every_table_and_figure_and_says_what_was_not_run(clip_set, own_home):
    run = runs.write_run(clip_set, wrong=8)
    facts = {"preset": "quick", "split": "video", "seed": 0, "clip_set": clip_set.hash("video")}
    baselines.store(run, "lookup", baselines.lookup(predictions.read(run), LABELS), "sample", MGAP, facts)
    figure = own_home / "outputs" / "figures" / "sample" / "fig2-class-balance-exercise.png"
    figure.parent.mkdir(parents=True)
    figure.write_bytes(b"picture")
    left = runs.write_run(clip_set, seed=5, split="clip")
    path, cells = write(clip_set), tables.cells(clip_set, "quick")
    text = path.read_text(encoding="utf-8")
    assert path == own_home / "outputs" / "report" / "sample-quick" / "index.html"
    for number in (1, *page.TITLES):
        assert f'id="table{number}"' in text
    for number in page.FIGURES:
        assert f'id="figure{number}"' in text
    assert text.count("data:image/png;base64,") == 2 and "t-SNE: 08_tsne draws it" in text
    shown = BeautifulSoup(text, "html.parser")
    folded = [one for one in shown.find_all("details") if "not run" in one.summary.get_text()]
    rows = cells.groupby(KEYS, dropna=False)["runs"].first()
    assert sum(len(one.select("tr.model")) for one in folded) == rows.eq("").sum() == 54
    assert folded[-1].summary.get_text() == "6 figures not run" and len(folded[-1].find_all("p")) == 6
    assert text.count("no run yet") == 0 and "not told apart" not in text
    assert f"exercise/{run.name}" in text and "Muscles looked up from X3D-M" in text
    assert f"exercise/{left.name}: another split: by clip" in text
    assert "http" not in text.replace("http-equiv", "")  # nothing to fetch
    saved = pd.read_csv(own_home / "outputs" / "tables" / "sample-quick" / "paper.csv")
    assert saved["ours"].tolist() == pytest.approx(cells["ours"].tolist(), nan_ok=True)


def test_the_page_opens_with_the_verdict_and_a_row_for_every_claim(clip_set):
    shown = BeautifulSoup(write(clip_set).read_text(encoding="utf-8"), "html.parser")
    claims = verdict.summary(verdict.claims(clip_set, "quick"))
    opening = shown.h1.find_next_sibling("div")
    first = verdict.sentences(claims, tables.cells(clip_set, "quick"), clip_set, "quick")
    assert opening.p.get_text() == " ".join(first) and opening.p.find_next_sibling().name == "figure"
    rows = [row.find_all("td") for row in opening.table.tbody.find_all("tr")]
    assert [row[-1].get_text() for row in rows] == claims["outcome"].tolist()
    assert [row[0].find(string=True) for row in rows] == claims["claim"].tolist()


def test_of_three_exercises_top5_has_no_value_and_decides_no_claim(own_home):
    gym = runs.clip_set_of(Labels({name: ("chest",) for name in ("Squat", "Push-up", "Deadlift")}))
    members = [runs.write_run(gym, "gym", wrong=4, network=n) for n in ("x3d_m", "slowfast_r50")]
    ensembles.store(members, 0.25)
    text = write(gym).read_text(encoding="utf-8")
    assert "nan" not in BeautifulSoup(text, "html.parser").get_text().lower().split() and ">nan<" not in text
    claims = verdict.claims(gym, "quick").query("claim.str.contains('every metric')")
    assert "top1" in set(claims["metric"]) and "top5" not in set(claims[claims["runs"] != ""]["metric"])


def test_a_figure_of_runs_is_that_of_the_lowest_seed(own_home):
    for seed in (10, 2):
        file = own_home / "outputs" / "figures" / "sample" / f"quick-video-s{seed}" / "fig4-x3d.png"
        file.parent.mkdir(parents=True)
        file.write_bytes(f"seed {seed}".encode())
    (image,) = page._figure(4, *page.FIGURES[4], "sample", "quick")["images"]
    assert b64decode(image) == b"seed 2"


def test_the_report_of_another_preset_or_data_set_overwrites_none(clip_set, own_home):
    run = runs.write_run(clip_set)
    quick = write(clip_set)
    text = quick.read_text(encoding="utf-8")
    os.utime(quick, (1, 1))
    run.remove()
    smoke = write(clip_set, "smoke")
    assert quick.read_text(encoding="utf-8") == text and run.name in text
    assert (own_home / "outputs" / "tables" / "sample-quick" / "paper.csv").exists()
    index = own_home / "outputs" / "report" / "index.html"
    links = [link["href"] for link in BeautifulSoup(index.read_text(encoding="utf-8"), "html.parser").find_all("a")]
    assert [(index.parent / link).resolve() for link in links] == [smoke, quick]  # the newest first


def test_an_outdated_run_is_called_so_wherever_the_page_shows_it(clip_set, monkeypatch):
    run = runs.write_run(clip_set)
    facts = {"preset": "quick", "split": "video", "seed": 0, "clip_set": clip_set.hash("video")}
    baselines.store(run, "lookup", baselines.lookup(predictions.read(run), LABELS), "sample", MGAP, facts)
    monkeypatch.setattr(tables, "outdated", lambda run, _: "outdated: fit.py changed since")
    shown = BeautifulSoup(write(clip_set).read_text(encoding="utf-8"), "html.parser")
    table, ranking = (shown.find(id=name).find_next("table") for name in ("table7", "sure"))
    beyond = shown.find(id="beyond").find_all_next("table")[1]  # of muscles
    assert all("outdated: fit.py changed since" in part.get_text() for part in (table, beyond, ranking))


def test_a_data_set_of_its_own_labels_and_no_muscles_has_a_report(clip_set):
    other = replace(
        clip_set, name="own", labels=Labels({"squat": (), "burpee": ()}), clips=clip_set.clips.assign(exercise="squat")
    )
    text = write(other).read_text(encoding="utf-8")
    assert "<td>burpee</td>" in text and "<h3>Muscles</h3>" not in text
