"""The report as one HTML page: the paper's tables and figures, ours beside them, with nothing to fetch from elsewhere."""

from base64 import b64encode
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from exmus_lib import workspace
from exmus_lib.scores.metrics import HEADLINE, METRICS
from exmus_lib.scores.paper import DAGGER, HEADINGS, KEYS, PROTOCOL
from exmus_lib.videos.prepare import ClipSet
from exmus_lib.vocabulary import EXERCISES, MUSCLES_OF

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
SHOWN = {"exercise": "Exercises", "mgap": "Muscles"}
TEMPLATES = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True)


def tables_html(cells: pd.DataFrame) -> str:
    """Tables 2 and 4 to 14 as HTML, out of scores.tables.cells: the paper's values above ours."""
    return TEMPLATES.get_template("tables.html").render(numbers=_tables(cells))


def write(
    clip_set: ClipSet, preset: str, cells: pd.DataFrame, beyond: pd.DataFrame, rankings: Mapping[str, pd.DataFrame]
) -> Path:
    """Write outputs/report/index.html, and outputs/tables/<dataset>/*.csv with the same numbers; the page's path.

    `cells`, `beyond` and `rankings`, task -> table, are those of scores.tables.
    """
    name = clip_set.name
    files = {"paper": cells, "beyond": beyond} | {f"ranking-{task}": table for task, table in rankings.items()}
    for file, table in files.items():
        with workspace.atomic(workspace.outputs_dir("tables") / name / f"{file}.csv") as part:
            table.to_csv(part, index=False)
    html = TEMPLATES.get_template("page.html").render(
        dataset=name,
        preset=preset,
        clips=len(clip_set.clips),
        videos=clip_set.clips["video_id"].nunique(),
        test=(clip_set.table()["split"] == "test").sum(),
        made=date.today().isoformat(),
        commit=workspace.provenance()["commit"],
        rendered=workspace.is_rendered(name),
        protocol=PROTOCOL,
        vocabulary=_vocabulary(),
        numbers=_tables(cells),
        tables=Markup(tables_html(cells)),
        beyond=[_beyond(beyond, task) for task in METRICS],
        rankings=[_ranking(rankings[task], task) for task in METRICS],
        figures=[_figure(number, *rest, name, preset) for number, rest in FIGURES.items()],
    )
    path = workspace.outputs_dir("report") / "index.html"
    with workspace.atomic(path) as part:
        part.write_text(html, encoding="utf-8")
    return path


def _tables(cells: pd.DataFrame) -> list[dict]:
    found = []
    for number, table in cells.groupby("table"):
        notes = [note for note in dict.fromkeys(table["differs"]) if note]
        marks = {note: DAGGER + (str(place) if len(notes) > 1 else "") for place, note in enumerate(notes, 1)}
        found.append({
            "number": number, "title": TITLES[number],
            "metrics": [HEADINGS.get(m, m) for m in dict.fromkeys(table["metric"])],
            "notes": [(mark, note) for note, mark in marks.items()],
            "rows": [_row(row, marks) for _, row in table.groupby(KEYS, sort=False, dropna=False)],
        })  # fmt: skip
    return found


def _row(row: pd.DataFrame, marks: dict[str, str]) -> dict:
    """A row of the paper, given its cells, as text."""
    first = row.iloc[0]
    model = f"{first['model']}, {first['variant']}, {first['epochs']:.0f} epochs"
    if first["variant"] == "ensemble":
        model = f"{first['model']}, {100 * first['weights_x3d']:.0f}/{100 - 100 * first['weights_x3d']:.0f}"
    if not np.isnan(first["inverse_beta"]):
        model = f"1/β = {first['inverse_beta']:.0f}, {first['variant']}, {first['epochs']:.0f} epochs"
    return {
        "model": model,
        "paper": [f"{value:.2f}" for value in row["paper"]],
        "mark": marks.get(first["differs"], ""),
        "protocol": [_span(*ends) for ends in zip(row["protocol_low"], row["protocol_high"], strict=True)],
        "difference": [_span(*ends, "+") for ends in zip(row["difference_low"], row["difference_high"], strict=True)]
        if row["difference_low"].notna().all()
        else None,
        **_ours(row, "{:.2f}"),
    }


def _ours(row: pd.DataFrame, form: str) -> dict:
    """What is ours in the cells of a row: values, ranges where there are several seeds, runs; no values where not run."""
    names = row["runs"].iloc[0]
    values = [
        {
            "mean": form.format(cell.ours),
            "range": f"{cell.low:.1f} to {cell.high:.1f}" if cell.low < cell.high else "",
            "interval": f"{cell.interval_low:.1f} to {cell.interval_high:.1f}"
            if cell.metric == HEADLINE[cell.task]
            else "",
        }
        for cell in row.itertuples()
    ]
    return {"runs": names, "seeds": len(names.split(", ")), "ours": values if names else None}


def _span(low: float, high: float, sign: str = "") -> str:
    return f"{low:{sign}.2f}" if low == high else f"{low:{sign}.1f} to {high:{sign}.1f}"


def _interval(low: float, high: float) -> str:
    """Nothing where there is none, as of one source."""
    return f"{low:.1f} to {high:.1f}" if np.isfinite(low) else ""


def _beyond(beyond: pd.DataFrame, task: str) -> dict:
    rows = beyond[beyond["task"] == task].groupby(["what", "runs"], sort=False)
    return {
        "task": SHOWN[task],
        "metrics": [HEADINGS.get(m, m) for m in METRICS[task]],
        "rows": [{"what": what, **_ours(row, "{:.1f}")} for (what, _), row in rows],
    }


def _ranking(ranking: pd.DataFrame, task: str) -> dict:
    rows = [
        {
            "name": row.name,
            "value": f"{row.value:.1f}",
            "interval": _interval(row.low, row.high),
            "behind": ""
            if np.isnan(row.behind)
            else f"{row.behind:.1f} ({_interval(row.behind_low, row.behind_high)})",
            "p": "" if np.isnan(row.p) else f"{row.p:.3f}",
            "verdict": row.verdict,
        }
        for row in ranking.itertuples(index=False, name="Run")
    ]
    return {"task": SHOWN[task], "metric": HEADINGS.get(HEADLINE[task], HEADLINE[task]), "rows": rows}


def _figure(number: int, title: str, pattern: str, notebook: str, dataset: str, preset: str) -> dict:
    """A figure and its pictures: those of the data set, or those of its runs at a preset, of the lowest seed that has any."""
    folder = workspace.outputs_dir("figures") / dataset
    places = [folder, *sorted(folder.glob(f"{preset}-video-s*"))]
    files = next((found for place in places if (found := sorted(place.glob(f"{pattern}.png")))), [])
    images = [b64encode(file.read_bytes()).decode() for file in files]
    return {"number": number, "title": title, "notebook": notebook, "images": images}


def _vocabulary() -> list[dict]:
    """Tables 1 and 3: the paper's (data/paper/exercise_muscles.csv) beside what is used here."""
    paper = pd.read_csv(workspace.PAPER_DIR / "exercise_muscles.csv").set_index("tsne_id")
    return [
        {
            "number": number,
            "exercise": exercise,
            "paper": paper["muscles"][number].replace(";", ", "),
            "ours": ", ".join(MUSCLES_OF[exercise]),
        }
        for number, exercise in enumerate(EXERCISES)
    ]
