"""Every table of results of the paper, its values beside those of our runs: one line per cell, traceable to run folders."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from json import dumps

import pandas as pd

from exmus_lib import workspace
from exmus_lib.recipes import NETWORKS
from exmus_lib.scores.metrics import METRICS, score
from exmus_lib.scores.paper import KEYS, differs, is_of, paper_rows
from exmus_lib.videos.prepare import ClipSet

# Runs that the paper has no row for.
BEYOND = {
    "prevalence": "How often each label occurs in training",
    "probe": "Linear probe on the exercise run of",
    "lookup": "Muscles looked up from the exercise run of",
    "ensemble": "Ensemble, weight chosen on validation",
}


@dataclass(frozen=True)
class Row:
    """Runs that differ in their seed alone, and what of them is not the paper's."""

    runs: tuple[workspace.Run, ...]
    differs: tuple[str, ...]


def runs_of(clip_set: ClipSet, preset: str) -> list[workspace.Run]:
    """The complete runs of a preset, both tasks, on the present clips split by video."""
    present = clip_set.hash("video")
    runs = [run for task in METRICS for run in workspace.find_runs(clip_set.name, task)]
    return [run for run in runs if (run.facts()["clip_set"], run.facts()["preset"]) == (present, preset)]


def match(row: pd.Series, runs: Sequence[workspace.Run]) -> Row | None:
    """The runs that stand for a row of the paper: of its kind (paper.is_of), and of those the ones with fewest differences.

    Among equals, the most seeds and then the newest. None: not run.
    """
    said = [(run, facts) for run in runs if is_of(row, facts := run.facts())]
    groups = [list(group) for _, group in groupby(sorted(said, key=_but_seed), key=_but_seed)]
    if not groups:
        return None
    rows = [Row(tuple(run for run, _ in group), tuple(differs(*group[0], row))) for group in groups]
    return min(rows, key=lambda r: (len(r.differs), -len(r.runs), -max(run.folder.stat().st_mtime for run in r.runs)))


def _but_seed(said: tuple[workspace.Run, dict]) -> str:
    """All that changes numbers in a run but the seed, in an ensemble's members too."""
    one, several = ("task", "network", "init", "parent_init", "recipe"), ("networks", "inits", "recipes", "weights")
    return dumps({name: said[1].get(name) for name in (*one, *several)}, sort_keys=True)


def cells(clip_set: ClipSet, preset: str) -> pd.DataFrame:
    """One line per cell of Tables 2 and 4 to 14, in the paper's order, in percent.

    Columns: those of data/paper/tables.csv with `paper` for its value; then ours, low, high (mean and range over seeds; NaN:
    not run), difference (only where nothing differs), differs (what does) and runs (folder names).
    """
    runs, clips = runs_of(clip_set, preset), clip_set.table("video")
    known: dict[str, pd.Series] = {}
    lines = []
    for _, row in paper_rows().iterrows():
        found = match(row, runs)
        names = ", ".join(f"{run.task}/{run.name}" for run in found.runs) if found else ""
        for run in found.runs if found else ():
            if run.name not in known:
                known[run.name] = 100 * score(run, clips, run.task)[list(METRICS[run.task])]
        for metric, value in row.drop(KEYS).dropna().items():
            ours = pd.Series([known[run.name][metric] for run in found.runs] if found else [], dtype=float)
            line = {"metric": metric, "paper": value, "ours": ours.mean(), "low": ours.min(), "high": ours.max()}
            line["difference"] = ours.mean() - value if found and not found.differs else float("nan")
            lines.append({**row[KEYS], **line, "differs": "; ".join(found.differs) if found else "", "runs": names})
    return pd.DataFrame(lines)


def beyond(clip_set: ClipSet, preset: str) -> pd.DataFrame:
    """What the paper lacks: a line for each baseline and chosen ensemble, with its scores in percent and its run."""
    lines = []
    for run in runs_of(clip_set, preset):
        facts = run.facts()
        if facts["network"] in BEYOND and facts.get("chosen_on_validation", True):
            scores = 100 * score(run, clip_set.table("video"), run.task)[list(METRICS[run.task])]
            lines.append({"task": run.task, "what": what(facts), **scores, "run": run.name})
    return pd.DataFrame(lines, columns=["task", "what", *dict.fromkeys(sum(METRICS.values(), ())), "run"])


def what(facts: dict) -> str:
    """A baseline or ensemble in words."""
    said = BEYOND[facts["network"]]
    if facts["network"] == "ensemble":
        parts = zip(facts["weights"], facts["networks"], facts["inits"], strict=True)
        return f"{said}: " + " + ".join(
            f"{w:.2f} {NETWORKS.get(n, n)}" + (" fine-tuned" if i == "exercise" else "") for w, n, i in parts
        )
    return f"{said} {NETWORKS[facts['parent'].split('/')[-1].split('-')[0]]}" if "parent" in facts else said
