"""The last screen of `make demo`: a row per network, one for the hybrid of the paper's weights and one for that of validation's,
the paper's numbers beside them."""

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

WIDTH, NAME = 100, 41
SHOWN = ("top1", "auc", "f1", "map")  # those of them that a task has
PAPER_WEIGHT = 0.25  # of X3D in the hybrid that the paper calls best


def table(dataset: str) -> str:
    """The runs of a data set (its name in data/clips) beside the paper's, as text; the preset is that of the newest run.

    Raises FileNotFoundError, naming the data sets there are, when it was never prepared.
    """
    clip_set = load(dataset)
    clips = clip_set.table("video")
    test = clips[clips["split"] == "test"]
    runs = [run for task in TASKS for run in workspace.find_runs(dataset, task)]
    newest = max(runs, key=lambda run: tables.newest([run]), default=None)
    preset = newest.facts()["preset"] if newest else "quick"
    groups = tables.grouped(tables.runs_of(clip_set, preset), clip_set)
    lines = [
        f"{dataset}, preset {preset}: percent of {len(test)} test clips of {test['video_id'].nunique()} videos,"
        " [95 % interval over sources]"
    ]
    for task in tables.tasks_of(clip_set):
        lines += ["", *_task_lines(task, clips, [group for group in groups if group.runs[0].task == task.name])]
    return "\n".join([*(line[:WIDTH].rstrip() for line in lines), "", *_notes(clip_set, preset, groups)])


def _task_lines(task: Task, clips: pd.DataFrame, groups: list[tables.Group]) -> list[str]:
    ours = [metric for metric in task.metrics if metric in SHOWN]  # the headline comes first
    paper = [metric for metric in ours if metric in MEASURED]

    def line(name: str, runs: tuple, theirs: pd.Series | None = None) -> str:
        values = tables.pooled(runs, clips, task)
        low, high = values.loc[task.headline, ["interval_low", "interval_high"]]
        cells = [f"{value:.1f}" if np.isfinite(value) else "-" for value in values.loc[ours, "ours"]]
        known = f"[{low:.0f}-{high:.0f}]" if np.isfinite(low) else ""
        beside = [] if theirs is None else [theirs["variant"], *map("{:.2f}".format, theirs[paper])]
        return _line(name, cells, known, beside)

    titles = [[METRIC_TITLES[metric] for metric in columns] for columns in (ours, paper)]
    lines = [_line(f"{task.title} ({len(task.names)})", titles[0], "", ["paper:", *titles[1]])]
    if {"train", "test"} <= set(clips["split"]):
        lines.append(line("no network: label frequencies", (baselines.prevalence(clips, task),)))
    best = [*filter(None, (_best(groups, network) for network in (*recipes.NETWORKS, "ensemble")))]
    for group in [*best, *_chosen(groups, best)]:
        title = "hybrid: " * (group.facts["network"] == "ensemble") + setup_title(group.facts)
        if group.facts.get("chosen_on_validation"):
            weights = ", ".join(f"{run.facts()['weights'][0]:.2f}" for run in group.runs)
            title = f"hybrid: x = {weights} by validation"
        seeds = f", {len(group.runs)} seeds" * (len(group.runs) > 1) + ", outdated" * bool(group.outdated)
        short = title if len(title + seeds) <= NAME else title[: NAME - len(seeds) - 1] + "…"
        lines.append(line(short + seeds, group.runs, next(iter(paper_rows_of(group.facts)), None)))
    return lines if best else [*lines, "no finished run"]


def _line(name: str, ours: list[str], interval: str, paper: list[str]) -> str:
    cells = f"{ours[0]:>6} {interval:<8}" + "".join(f"{cell:>6}" for cell in ours[1:])
    given = f" {paper[0]:<10}" + "".join(f"{cell:>7}" for cell in paper[1:]) if paper else ""
    return f"{name:<{NAME}}{cells}{given}"


def _best(groups: list[tables.Group], network: str) -> tables.Group | None:
    """Of a network's runs (or ensembles) those not outdated, then those as the recipe or the paper has them, then the newest."""

    def order(group: tables.Group) -> tuple:
        facts = group.facts
        if network == "ensemble":
            usual = not facts.get("tags"), facts["weights"][0] == PAPER_WEIGHT
        else:
            recipe = asdict(recipes.recipe(network, facts["preset"]))
            usual = recipe == recipe | facts["recipe"], not facts.get("tag")
        return not group.outdated, *usual, tables.newest(group.runs)

    mine = [group for group in groups if group.facts["network"] == network and not _tuned(group)]
    return max(mine, key=order, default=None)


def _tuned(group: tables.Group) -> bool:
    """Whether networks learned exercises before muscles: 06 shows those."""
    return TUNED in group.facts.get("inits", [group.facts.get("init")])


def _chosen(groups: list[tables.Group], shown: list[tables.Group]) -> list[tables.Group]:
    """The newest hybrid whose weights validation chose, where it is not among those shown."""
    chosen = [group for group in groups if group.facts.get("chosen_on_validation") and not _tuned(group)]
    usable = [group for group in chosen if not group.outdated and group not in shown]
    return sorted(usable, key=lambda group: (not group.facts.get("tags"), tables.newest(group.runs)))[-1:]


def _notes(clip_set: ClipSet, preset: str, groups: list[tables.Group]) -> list[str]:
    """What the numbers mean, what is left out, and the way to the rest."""
    notes = ["The paper's numbers are means over batches of real videos; the report has ours by its protocol."]
    if workspace.is_rendered(clip_set.name):
        notes = [
            "The sample is rendered: its numbers say nothing about real people; the paper's are of real people.",
            "By their joints real people are known too (12_real_people): make predict VIDEO=my.mp4",
        ]
    if any(_chosen(groups, [])):
        notes.append("x is the first network's weight in a hybrid: the paper's, and the one that validation chose.")
    old = dict.fromkeys(group.outdated for group in groups if group.outdated)
    notes += [f"Outdated: {'; '.join(old)}."] if old else []
    reasons = Counter(reason.partition(":")[0] for _, reason in tables.left_out(clip_set, preset))
    notes += [f"Runs left out: {', '.join(f'{why} ({count})' for why, count in reasons.items())}."] if reasons else []
    report = workspace.outputs_dir("report") / "index.html"
    rest = str(report) if report.exists() else "10_report.ipynb, which writes outputs/report/index.html"
    return [*notes, f"All runs, tables and figures: {rest}"]
