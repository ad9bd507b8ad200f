"""The last screen of `make demo`: a row per network and one for the hybrid, the paper's numbers beside them. 100 columns wide."""

import textwrap
from collections import Counter
from dataclasses import asdict

import numpy as np
import pandas as pd

from exmus_lib import recipes, workspace
from exmus_lib.scores import baselines, tables
from exmus_lib.scores.paper import MEASURED, paper_rows_of
from exmus_lib.scores.titles import TUNED, setup_title
from exmus_lib.tasks import METRIC_TITLES, TASKS, Task
from exmus_lib.videos.prepare import ClipSet, load

WIDTH, NAME = 100, 45
SHOWN = ("top1", "auc", "f1", "map")  # those of them that a task has
PAPERS_WEIGHT = 0.25  # of X3D in the hybrid that the paper calls best


def table(dataset: str) -> str:
    """The runs of a data set (its name in data/clips) beside the paper's, as text; the preset is that of the newest run.

    Raises FileNotFoundError, naming the data sets there are, when it was never prepared.
    """
    clip_set = load(dataset)
    clips = clip_set.table("video")
    test = clips[clips["split"] == "test"]
    runs = sorted((run for task in TASKS for run in workspace.find_runs(dataset, task)), key=_finished)
    preset = runs[-1].facts()["preset"] if runs else "quick"
    groups = tables.grouped(tables.runs_of(clip_set, preset), clip_set)
    lines = [
        f"{dataset}, preset {preset}: percent of {len(test)} test clips of {test['video_id'].nunique()} videos;"
        " [95 % interval over sources]",
    ]
    for task in tables.tasks_of(clip_set):
        lines += ["", *_task_lines(task, clips, [group for group in groups if group.runs[0].task == task.name])]
    return "\n".join(line[:WIDTH] for line in [*lines, "", *_notes(clip_set, preset, groups)])


def _task_lines(task: Task, clips: pd.DataFrame, groups: list[tables.Group]) -> list[str]:
    metrics = [metric for metric in task.metrics if metric in SHOWN]
    paper = [metric for metric in metrics if metric in MEASURED]
    heads = [[METRIC_TITLES[metric] for metric in columns] for columns in (metrics, paper)]
    lines = [_line(f"{task.title} ({len(task.names)})", heads[0], "", ["paper:", *heads[1]])]
    if {"train", "test"} <= set(clips["split"]):
        guess = tables.pooled([baselines.prevalence(clips, task)], clips, task)
        lines.append(_line("no network: label frequencies", *_ours(guess, metrics, task), []))
    shown = [group for network in recipes.NETWORKS if (group := _usual(network, groups))] + _hybrid(groups)
    for group in shown:
        theirs = paper_rows_of(group.facts)
        values = theirs[0].reindex(paper).astype(float) if theirs else pd.Series(np.nan, paper)
        name = textwrap.shorten(setup_title(group.facts), NAME - 12 * bool(group.outdated), placeholder="…")
        name += ", outdated" * bool(group.outdated)
        variant = theirs[0]["variant"] if theirs else ""
        given = [variant, *(f"{value:.2f}" if np.isfinite(value) else "-" for value in values)] if theirs else []
        lines.append(_line(name, *_ours(tables.pooled(group.runs, clips, task), metrics, task), given))
    return lines + ([] if shown else ["no finished run"])


def _usual(network: str, groups: list[tables.Group]) -> tables.Group | None:
    """The newest runs of a network with its own recipe that are not outdated, as far as there are any."""

    def order(group: tables.Group) -> tuple:
        recipe = asdict(recipes.recipe(network, group.facts["preset"]))
        return (
            not group.outdated,
            recipe == recipe | group.facts["recipe"],
            not group.facts.get("tag"),
            tables.newest(group),
        )

    mine = [group for group in groups if group.facts["network"] == network and group.facts["init"] != TUNED]
    return max(mine, key=order, default=None)


def _hybrid(groups: list[tables.Group]) -> list[tables.Group]:
    """The ensemble that stands for all: the paper's weights before one chosen on validation, and then the newest."""

    def order(group: tables.Group) -> tuple:
        tuned, weight = TUNED in group.facts["inits"], group.facts["weights"][0]
        return not group.outdated, not tuned, weight == PAPERS_WEIGHT, tables.newest(group)

    mixed = [group for group in groups if group.facts["network"] == "ensemble"]
    return [max(mixed, key=order)] if mixed else []


def _ours(values: pd.DataFrame, metrics: list[str], task: Task) -> tuple[list[str], str]:
    """Our cells of a row, and the interval of the headline, which comes first."""
    low, high = values.loc[task.headline, ["interval_low", "interval_high"]]
    cells = [f"{value:.1f}" if np.isfinite(value) else "-" for value in values.loc[metrics, "ours"]]
    return cells, f"[{low:.0f}-{high:.0f}]" if np.isfinite(low) else ""


def _line(name: str, ours: list[str], interval: str, paper: list[str]) -> str:
    cells = [f"{ours[0]:>6} {interval:<8}", *(f"{cell:>6}" for cell in ours[1:])]
    given = [f"{cell:>7}" for cell in paper[1:]]
    return f"{name:<{NAME}}{''.join(cells)}" + (f"  {paper[0]:<10}{''.join(given)}" if paper else "")


def _notes(clip_set: ClipSet, preset: str, groups: list[tables.Group]) -> list[str]:
    """What the numbers mean, what is left out, and the way to the rest."""
    report = workspace.outputs_dir("report") / "index.html"
    notes = [
        "The paper's numbers are of real people on video, averaged over batches: the report has ours by its protocol."
    ]
    if workspace.is_rendered(clip_set.name):
        notes = ["The sample is rendered: its numbers say nothing about real people; the paper's are of real people."]
    old = dict.fromkeys(group.outdated for group in groups if group.outdated)
    notes += [f"Outdated: {'; '.join(old)}."] if old else []
    reasons = Counter(reason.partition(":")[0] for _, reason in tables.left_out(clip_set, preset))
    notes += [f"Left out: {', '.join(f'{count} x {why}' for why, count in reasons.items())}."] if reasons else []
    rest = f"{report}" if report.exists() else "run 10_report.ipynb, which writes outputs/report/index.html"
    return [*notes, f"Every run, table and figure: {rest}"]


def _finished(run: workspace.Run) -> float:
    return (run.folder / "predictions.parquet").stat().st_mtime
