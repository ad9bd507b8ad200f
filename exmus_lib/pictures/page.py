"""The report as one HTML page: the paper's tables and figures, ours beside them, nothing to fetch from elsewhere."""

from base64 import b64encode
from collections.abc import Mapping
from datetime import date
from io import BytesIO
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from exmus_lib import labels, storage, workspace
from exmus_lib.labels import Labels
from exmus_lib.pictures import comparisons
from exmus_lib.scores import tables, verdict
from exmus_lib.scores.paper import DAGGER, KEYS
from exmus_lib.tasks import METRIC_TITLES, TASKS
from exmus_lib.videos.prepare import ClipSet

TITLES = {
    2: "X3D, exercises", 4: "SlowFast, exercises", 5: "X3D, muscles", 6: "SlowFast, muscles",
    7: "All networks, exercises", 8: "All networks, muscles", 9: "Ensembles, exercises", 10: "Ensembles, muscles",
    11: "Ensembles of fine-tuned networks, muscles", 12: "SlowFast-R50 with other channel ratios 1/β, exercises",
    13: "X3D fine-tuned from exercises, muscles", 14: "SlowFast fine-tuned from exercises, muscles",
}  # fmt: skip
# number: what it shows, the file in outputs/figures/<dataset> or in its folder for a preset, and the notebook that draws it
FIGURES = {
    1: ("One clip of each exercise, with the muscles that it works", "fig1-*", "01_data_prep"),
    2: ("Clips per exercise and split", "fig2-*", "01_data_prep"),
    3: ("Clips per muscle and split", "fig3-*", "01_data_prep"),
    4: ("X3D, stage by stage", "fig4-*", "02_x3d"),
    5: ("SlowFast, stage by stage, both pathways and their lateral connections", "fig5-*", "03_slowfast"),
    6: ("Embeddings of X3D's penultimate layer, test split, t-SNE", "fig6-tsne-exercise", "08_tsne"),
    7: ("Embeddings of SlowFast's penultimate layer, test split, t-SNE", "fig7-tsne-exercise", "08_tsne"),
}
EXPANSION = ("X3D's expansion: what each candidate costs and scores", "13_expansion-search", "13_expansion")
TEMPLATES = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True)


def span(low: float, high: float, form: str = ".1f") -> str:
    """Two ends as text, or one number, to two decimals, where they are equal; nothing where there is none."""
    if not np.isfinite(low):
        return ""
    return f"{low:{form.replace('1', '2')}}" if low == high else f"{low:{form}} to {high:{form}}"


TEMPLATES.globals |= {"span": span, "METRICS": METRIC_TITLES, "DAGGER": DAGGER}
TEMPLATES.globals["HEADLINES"] = {name: task.headline for name, task in TASKS.items()}


def verdict_html(claims: pd.DataFrame, cells: pd.DataFrame, clip_set: ClipSet, preset: str) -> str:
    """The verdict as HTML, out of scores.verdict.claims and scores.tables.cells: two sentences, a picture, a row a claim."""
    summary, picture = verdict.summary(claims), BytesIO()
    figure = comparisons.claims(summary)
    figure.savefig(picture, dpi=160, bbox_inches="tight", facecolor="white")
    plt.close(figure)
    by_claim = claims[claims["task"] != ""].groupby("claim", sort=False)
    tested = summary[(summary["runs"] != "") & ~summary["counts"]]
    return TEMPLATES.get_template("verdict.html").render(
        sentences=verdict.sentences(summary, cells, clip_set, preset),
        picture=b64encode(picture.getvalue()).decode(),
        claims=list(summary.itertuples()),
        marks=_marks(tested["differs"]),
        lines=[(claim, list(pairs.itertuples())) for claim, pairs in by_claim],
    )


def tables_html(cells: pd.DataFrame) -> str:
    """Tables 2 and 4 to 14 as HTML, out of scores.tables.cells: the paper's values above ours; rows without a run folded."""
    numbers = []
    for number, table in cells.groupby("table"):
        rows = [row for _, row in table.groupby(KEYS, sort=False, dropna=False)]
        rows = [{"model": _model(row.iloc[0]), "cells": list(row.itertuples())} for row in rows]
        run, missing = ([row for row in rows if bool(row["cells"][0].runs) == ran] for ran in (True, False))
        shared = {"metrics": table["metric"].unique(), "marks": _marks(table["differs"])}
        numbers.append({"number": number, "title": TITLES[number], "rows": run, "missing": missing, **shared})
    return TEMPLATES.get_template("tables.html").render(numbers=numbers)


def beside_html(table: pd.DataFrame) -> str:
    """scores.tables.beside_paper as HTML: ours and the paper's rows; folded below them, ours by its protocol."""
    runs, scores = [], table.drop(columns="note")
    for name, rows in scores.groupby(level="run", sort=False):
        rows = rows.droplevel("run")
        protocol = rows.index.str.startswith(("ours by", "difference"))
        paper = rows.index.str.startswith("paper")
        kept, folded = rows[~protocol].T.to_dict("list"), rows[protocol | paper].T.to_dict("list")
        note = table.loc[name, "note"].iloc[0]
        runs.append({"title": name, "note": note, "values": kept, "folded": folded if protocol.any() else {}})
    return TEMPLATES.get_template("beside.html").render(runs=runs, metrics=scores.columns)


def _marks(notes: pd.Series) -> dict[str, str]:
    """A mark for each note of a table on what differs; numbered where there are several."""
    notes = [note for note in dict.fromkeys(notes) if note]
    return {note: DAGGER + str(place) * (len(notes) > 1) for place, note in enumerate(notes, 1)}


def _model(row: pd.Series) -> str:
    """A row of the paper in words."""
    epochs = "" if np.isnan(row["epochs"]) else f", {row['epochs']:.0f} epochs"
    return verdict.row_title(row) + epochs


def write(
    clip_set: ClipSet,
    preset: str,
    claims: pd.DataFrame,
    cells: pd.DataFrame,
    beyond: pd.DataFrame,
    rankings: Mapping[str, pd.DataFrame],
) -> Path:
    """Write the report outputs/report/<dataset>-<preset>/index.html and return its path.

    The same numbers go to outputs/tables/<dataset>-<preset>/*.csv; outputs/report/index.html lists all reports. `claims`
    are those of scores.verdict; `cells`, `beyond` and `rankings` (task name -> table) of scores.tables.
    """
    name, tasks = f"{clip_set.name}-{preset}", tables.tasks_of(clip_set)
    files = {"claims": claims, "paper": cells, "beyond": beyond}
    files |= {f"ranking-{task}": table for task, table in rankings.items()}
    for file, table in files.items():
        with storage.where_possible(), storage.atomic(workspace.outputs_dir("tables") / name / f"{file}.csv") as part:
            table.to_csv(part, index=False)
    folder, methods = workspace.outputs_dir("report"), []
    for task in tasks:
        groups = beyond[beyond["task"] == task.name].groupby(["what", "runs"], sort=False)
        methods.append((task, [list(rows.itertuples()) for _, rows in groups]))
    figures = [_figure(number, *rest, clip_set.name, preset) for number, rest in FIGURES.items()]
    _render(
        "page.html",
        folder / name / "index.html",
        dataset=clip_set.name,
        preset=preset,
        clips=len(clip_set.clips),
        videos=clip_set.clips["video_id"].nunique(),
        test=(clip_set.table()["split"] == "test").sum(),
        made=date.today().isoformat(),
        commit=workspace.provenance()["commit"],
        rendered=workspace.is_rendered(clip_set.name),
        labels=_labels(clip_set.labels),
        verdict=Markup(verdict_html(claims, cells, clip_set, preset)),
        numbers=sorted(set(cells["table"])),
        tables=Markup(tables_html(cells)),
        beyond=methods,
        rankings=[(task, rankings[task.name].itertuples()) for task in tasks],
        left_out=tables.left_out(clip_set, preset),
        figures=[figure for figure in figures if figure["images"]],
        missing=[figure for figure in figures if not figure["images"]],
        expansion=_expansion(clip_set, preset),
        search=_figure("13", *EXPANSION, clip_set.name, preset),
    )
    reports = sorted(folder.glob("*/index.html"), key=lambda file: file.stat().st_mtime, reverse=True)
    listed = [(file.parent.name, date.fromtimestamp(file.stat().st_mtime).isoformat()) for file in reports]
    _render("reports.html", folder / "index.html", reports=listed)
    return folder / name / "index.html"


def _render(template: str, path: Path, **values: object) -> None:
    with storage.where_possible(), storage.atomic(path) as part:
        part.write_text(TEMPLATES.get_template(template).render(**values), encoding="utf-8")


def _expansion(clip_set: ClipSet, preset: str) -> list[tuple]:
    """The candidates of 13_expansion as it stands, a row each; none where one of their runs is gone or of other clips."""
    path = workspace.outputs_dir("tables") / f"{clip_set.name}-{preset}" / "expansion.csv"
    if not path.exists():
        return []
    table = pd.read_csv(path).fillna({"factor": ""})
    runs = [workspace.Run(clip_set.name, row.task, row.run) for row in table.itertuples()]
    present = {clip_set.hash(split) for split in ("video", "clip")}
    fresh = all(run.complete and run.facts()["clip_set"] in present for run in runs)
    return list(table.itertuples()) if fresh else []


def _figure(number: int | str, title: str, pattern: str, notebook: str, dataset: str, preset: str) -> dict:
    """A figure and its pictures: those of the data set, or of its runs at a preset, of the lowest seed that has any."""
    folder = workspace.outputs_dir("figures") / dataset
    seeds = sorted(folder.glob(f"{preset}-video-s*"), key=lambda place: (len(place.name), place.name))  # 2 before 10
    places = [folder, *seeds]
    files = next((files for place in places if (files := sorted(place.glob(f"{pattern}.png")))), [])
    images = [b64encode(file.read_bytes()).decode() for file in files]
    return {"number": number, "title": title, "notebook": notebook, "images": images}


def _labels(ours: Labels) -> list[tuple[str, str, str]]:
    """Tables 1 and 3: each exercise with its muscles by the paper and by the data set; empty where one lacks it."""
    both = [labels.paper().muscles_of, ours.muscles_of]
    return [(name, *(", ".join(side.get(name, ())) for side in both)) for name in dict.fromkeys([*both[1], *both[0]])]
