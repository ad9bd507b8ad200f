"""Every table of results of the paper, its values beside those of our runs: one line per cell, traceable to run folders."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from json import dumps

import numpy as np
import pandas as pd

from exmus_lib import workspace
from exmus_lib.recipes import title
from exmus_lib.scores import intervals, protocol
from exmus_lib.scores.metrics import HEADLINE, METRICS, score
from exmus_lib.scores.paper import KEYS, differs, is_of, paper_rows
from exmus_lib.videos.prepare import ClipSet

# Runs that the paper has no row for.
BEYOND = {
    "prevalence": "How often each label occurs in training",
    "probe": "Linear probe on the exercise run of",
    "lookup": "Muscles looked up from the exercise run of",
    "ensemble": "Ensemble, weight chosen on validation",
}
OURS = ("ours", "low", "high", "interval_low", "interval_high")


@dataclass(frozen=True)
class Row:
    """Runs that differ in their seed alone, and what of them is not the paper's."""

    runs: tuple[workspace.Run, ...]
    differs: tuple[str, ...]


def runs_of(clip_set: ClipSet, preset: str) -> list[workspace.Run]:
    """The complete runs of a preset, both tasks, on the present clips split by video.

    Of ensembles whose weight was chosen, and chosen again after a member was trained anew, the newest alone.
    """
    present, found = clip_set.hash("video"), {}
    for run in [run for task in METRICS for run in workspace.find_runs(clip_set.name, task)]:
        facts = run.facts()
        # A run with a Softmax head is there to show what that does (11_protocol_audit), and stands for nothing else.
        if (facts["clip_set"], facts["preset"], facts.get("head")) == (present, preset, None):
            found[(run.task, *facts["members"]) if facts.get("chosen_on_validation") else run.name] = run
    return list(found.values())


def match(row: pd.Series, runs: Sequence[workspace.Run]) -> Row | None:
    """The runs that stand for a row of the paper: of its kind (paper.is_of), and of those the ones with fewest differences.

    Among equals, the most seeds and then the newest. None: not run.
    """
    said = [(run, facts) for run in runs if is_of(row, facts := run.facts())]
    rows = [
        Row(tuple(same), tuple(other))
        for (_, other), same in _grouped((run, (_but_seed(facts), differs(run, facts, row))) for run, facts in said)
    ]
    newest = {row: max(run.folder.stat().st_mtime for run in row.runs) for row in rows}
    return min(rows, key=lambda r: (len(r.differs), -len(r.runs), -newest[r]), default=None)


def _but_seed(facts: dict) -> dict:
    """All that changes numbers in a run but the seed, in an ensemble's members too."""
    names = ("task", "network", "init", "recipe", "networks", "inits", "recipes", "weights")
    return {name: facts.get(name) for name in names}


def _made_from(run: workspace.Run, facts: dict) -> dict | str:
    """What a baseline or a chosen ensemble was made from, but for seeds and the weight that was chosen."""
    if "parent" not in facts:
        return _but_seed(facts) | {"weights": None}
    parent = workspace.Run(*facts["parent"].split("/"), run.runs)
    return _but_seed(parent.facts()) if parent.complete else facts["parent"]


def _grouped(runs: Iterable[tuple[workspace.Run, object]]) -> list[tuple[object, list[workspace.Run]]]:
    """Runs of equal keys together: (key, runs), the oldest first."""
    found: dict[str, tuple[object, list[workspace.Run]]] = {}
    for run, key in runs:
        found.setdefault(dumps(key, sort_keys=True), (key, []))[1].append(run)
    return list(found.values())


def cells(clip_set: ClipSet, preset: str) -> pd.DataFrame:
    """One line per cell of Tables 2 and 4 to 14, in the paper's order, in percent.

    Columns: those of data/paper/tables.csv with `paper` for its value; then ours, low, high (mean and range over seeds; NaN:
    not run), interval_low, interval_high (intervals.scores, of the mean), protocol_low, protocol_high (ours by the paper's
    protocol: the lowest and the highest score with the numbers of loader workers that the row may have had), difference_low,
    difference_high (of those and the paper's, only where nothing differs), differs (what does) and runs (folder names).
    """
    runs, clips = runs_of(clip_set, preset), clip_set.table("video")
    pooled, batched = cache(partial(_pooled, clips=clips)), cache(partial(_batched, clips=clips))
    lines = []
    for _, row in paper_rows().iterrows():
        found, workers = match(row, runs), list(protocol.possible_workers(row))
        theirs = row.drop(KEYS).dropna()
        ours = pooled(found.runs) if found else pd.DataFrame(np.nan, theirs.index, OURS)
        by_protocol = batched(found.runs).loc[workers] if found else pd.DataFrame(np.nan, workers, theirs.index)
        names = ", ".join(f"{run.task}/{run.name}" for run in found.runs) if found else ""
        for metric, value in theirs.items():
            ends = by_protocol[metric].min(), by_protocol[metric].max()
            apart = value if found and not found.differs else np.nan
            lines.append({
                **row[KEYS], "metric": metric, "paper": value, **ours.loc[metric],
                "protocol_low": ends[0], "protocol_high": ends[1],
                "difference_low": ends[0] - apart, "difference_high": ends[1] - apart,
                "differs": "; ".join(found.differs) if found else "", "runs": names,
            })  # fmt: skip
    return pd.DataFrame(lines)


def beyond(clip_set: ClipSet, preset: str) -> pd.DataFrame:
    """What the paper lacks, baselines and chosen ensembles: one line per task, method and metric, in percent.

    Columns: task, what, metric; ours, low, high, interval_low, interval_high, as in `cells`; runs (folder names).
    """
    clips, lines = clip_set.table("video"), []
    said = [(run, run.facts()) for run in runs_of(clip_set, preset)]
    wanted = [(run, f) for run, f in said if f["network"] in BEYOND and f.get("chosen_on_validation", True)]
    for (task, name, _), runs in _grouped((run, (run.task, what(f), _made_from(run, f))) for run, f in wanted):
        names = ", ".join(f"{run.task}/{run.name}" for run in runs)
        shares = [run.facts()["weights"][0] for run in runs if "weights" in run.facts()]
        weights = f" (x = {', '.join(f'{x:.2f}' for x in shares)})" if shares else ""
        for metric, values in _pooled(tuple(runs), clips).iterrows():
            lines.append({"task": task, "what": name + weights, "metric": metric, **values, "runs": names})
    return pd.DataFrame(lines, columns=["task", "what", "metric", *OURS, "runs"])


def ranking(clip_set: ClipSet, preset: str, task: str) -> pd.DataFrame:
    """All runs of a task against one of them (intervals.compare, by its headline metric): a row per run, best first.

    Columns: name and those of compare, in percent but for p. Empty without runs.
    """
    runs = {run.name: run for run in runs_of(clip_set, preset) if run.task == task}
    if not runs:
        return pd.DataFrame(columns=["name", *intervals.COMPARED])
    table = intervals.compare(runs, clip_set.table("video"), task, HEADLINE[task])
    shares = table.select_dtypes("number").columns.drop("p")
    return table.assign(**100 * table[shares]).rename_axis("name").reset_index()


def _pooled(runs: tuple[workspace.Run, ...], clips: pd.DataFrame) -> pd.DataFrame:
    """OURS of each metric, in percent: mean and range over runs, and the interval of the mean."""
    task = runs[0].task
    values = pd.DataFrame([score(run, clips, task)[list(METRICS[task])] for run in runs])
    sure = intervals.scores(runs, clips, task)[["low", "high"]].add_prefix("interval_")
    return 100 * pd.DataFrame({"ours": values.mean(), "low": values.min(), "high": values.max()}).join(sure)


def _batched(runs: tuple[workspace.Run, ...], clips: pd.DataFrame) -> pd.DataFrame:
    """By the paper's protocol, in percent, the mean over runs: a row per number of workers, a column per metric."""
    return 100 * sum(protocol.score(run, clips, run.task) for run in runs) / len(runs)


def what(facts: dict) -> str:
    """A baseline or ensemble in words."""
    said = BEYOND[facts["network"]]
    if facts["network"] == "ensemble":
        parts = zip(facts["networks"], facts["inits"], strict=True)
        return f"{said}: " + ", ".join(
            title(network) + (" fine-tuned" if init == "exercise" else "") for network, init in parts
        )
    return f"{said} {title(facts['parent'].split('/')[-1].split('-')[0])}" if "parent" in facts else said
