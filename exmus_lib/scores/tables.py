"""Our runs beside the paper's tables of results: a line per cell, traceable to runs; what the paper lacks; rankings."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from json import dumps

import numpy as np
import pandas as pd

from exmus_lib import predictions, workspace
from exmus_lib.recipes import SEARCHED
from exmus_lib.review import outdated
from exmus_lib.scores import intervals, metrics, protocol
from exmus_lib.scores.paper import DAGGER, KEYS, differs, is_of, on_joints, paper_rows, paper_rows_of
from exmus_lib.scores.titles import BASELINES, is_folds, setup_title
from exmus_lib.tasks import TASKS, Task
from exmus_lib.videos.prepare import ClipSet

OURS = ("ours", "low", "high", "interval_low", "interval_high")
# The columns of `cells` that hold numbers.
BESIDE = ("paper", *OURS, "protocol_low", "protocol_high", "difference_low", "difference_high")


@dataclass(frozen=True)
class Group:
    """Runs that differ in their seed alone; the facts of the last of them, and why they are outdated, if they are."""

    runs: tuple[workspace.Run, ...]
    facts: Mapping[str, object]
    outdated: str

    @property
    def names(self) -> str:
        return ", ".join(f"{run.task}/{run.name}" for run in self.runs)


def tasks_of(clip_set: ClipSet) -> list[Task]:
    """The tasks of a clip set: those that have labels."""
    return [clip_set.task(name) for name, task in TASKS.items() if task(clip_set.labels).names]


def runs_of(clip_set: ClipSet, preset: str, folds: bool = False) -> list[workspace.Run]:
    """The complete runs of a preset, all tasks, that can be scored on the present clips; `left_out` has the others.

    Those of the split by video or, with `folds`, the pooled runs of cross-validation, which predict every clip. Of ensembles
    whose weight was chosen, and chosen again after a member was trained anew, the newest alone.
    """
    runs = {}
    for run, facts, reason in _checked(clip_set, preset):
        if is_folds(facts["split"]) == folds and not reason:
            runs[(run.task, *facts["members"]) if facts.get("chosen_on_validation") else run.name] = run
    return list(runs.values())


def left_out(clip_set: ClipSet, preset: str) -> list[tuple[workspace.Run, str]]:
    """The complete runs of a preset that cannot be scored on the present clips, and why: other labels, clips or split."""
    return [(run, reason) for run, _, reason in _checked(clip_set, preset) if reason]


def _checked(clip_set: ClipSet, preset: str) -> list[tuple[workspace.Run, dict, str]]:
    """Each complete run of a preset with its facts and why it cannot be scored on the present clips; "" where it can."""
    present = cache(lambda split: (clip_set.table(split), clip_set.hash(split)))

    def reason(run: workspace.Run, facts: dict) -> str:
        if facts["split"] != "video" and not is_folds(facts["split"]):
            return f"another split: by {facts['split']}"
        try:
            clips, clips_hash = present(facts["split"])
            if facts["clip_set"] != clips_hash:
                return "other clips"
            rows, *_ = predictions.with_truth(predictions.read(run), clips, clip_set.task(run.task), None)
        except ValueError as error:  # other labels, a clip without a prediction, a damaged table
            return str(error)
        return "" if rows["split"].eq("test").any() else "no test clip to score"

    runs = [(run, run.facts()) for task in TASKS for run in workspace.find_runs(clip_set.name, task)]
    # A run with a Softmax head is there to show what that does (11_protocol_audit), and stands for nothing else; candidates of
    # 13_expansion have a table of their own, and would crowd the others.
    shown = [pair for pair in runs if not pair[1].get("head") and pair[1]["network"] not in SEARCHED]
    return [(*pair, reason(*pair)) for pair in shown if pair[1]["preset"] == preset]


def grouped(runs: Iterable[workspace.Run], clip_set: ClipSet) -> list[Group]:
    """Runs that differ in their seed alone together; of one seed the newest. A run that is outdated stands apart."""
    groups: dict[str, dict[object, tuple[workspace.Run, dict, str]]] = {}
    for run in runs:
        facts, note = run.facts(), outdated(run, clip_set)
        key = dumps([run.task, note, _but_seed(run, facts)], sort_keys=True)
        groups.setdefault(key, {})[facts["seed"]] = run, facts, note
    return [Group(tuple(run for run, *_ in group.values()), *list(group.values())[-1][1:]) for group in groups.values()]


def _but_seed(run: workspace.Run, facts: dict) -> dict:
    """All that changes numbers in a run but the seed, in what it was made from too."""
    names = "network init recipe networks inits recipes split tag tags chosen_on_validation".split()
    setup = {name: facts.get(name) for name in names}
    if not facts.get("chosen_on_validation"):
        setup["weights"] = facts.get("weights")
    if facts["network"] in BASELINES and (parent := run.parent()):
        setup["parent"] = _but_seed(parent, parent.facts()) if parent.complete else facts["parent"]
    return setup


def newest(runs: Iterable[workspace.Run]) -> float:
    """When the newest of these runs was finished, in seconds since 1970."""
    return max(predictions.path(run).stat().st_mtime for run in runs)


def match(row: pd.Series, groups: Sequence[Group]) -> tuple[Group | None, tuple[str, ...]]:
    """The runs that stand for a row of the paper, and what of them is not the paper's.

    Of its kind (paper.is_of) those with fewest differences; among equals not outdated ones, most seeds, then the newest.
    """
    same = [(group, tuple(differs(group.runs[-1], group.facts, row))) for group in groups if is_of(row, group.facts)]
    order = [(len(other), bool(group.outdated), -len(group.runs), -newest(group.runs)) for group, other in same]
    return same[order.index(min(order))] if same else (None, ())


def cells(clip_set: ClipSet, preset: str) -> pd.DataFrame:
    """One line per cell of Tables 2 and 4 to 14, in the paper's order, in percent.

    Columns: those of data/paper/tables.csv with `paper` for its value; then ours, low, high (mean and range over seeds;
    NaN: not run), interval_low, interval_high (intervals.scores, of the mean), protocol_low, protocol_high (ours by the
    paper's protocol, over the numbers of loader workers that the row may have had), difference_low, difference_high (those
    less the paper's, only where nothing differs), differs (what does), outdated (why, if they are) and runs (folder names).
    """
    clips, groups, lines = clip_set.table("video"), grouped(runs_of(clip_set, preset), clip_set), []
    measured = cache(lambda runs: _measured(runs, clips, clip_set.task(runs[0].task)))
    for _, row in paper_rows().iterrows():
        group, other = match(row, groups)
        beside = _beside(row, *(measured(group.runs) if group else (None, None)), not other)
        of_run = {"outdated": group.outdated, "runs": group.names} if group else {"outdated": "", "runs": ""}
        of_all = {**row[KEYS], "differs": "; ".join(other), **of_run}
        lines.append(pd.DataFrame({"metric": beside.index, **beside, **of_all}))
    table = pd.concat(lines, ignore_index=True).dropna(subset="paper", ignore_index=True)
    return table[[*KEYS, *table.columns.drop(KEYS)]]


def _measured(runs: Sequence[workspace.Run | pd.DataFrame], clips: pd.DataFrame, task: Task) -> tuple:
    """Of runs that differ in their seed alone: OURS (see `pooled`), and by the paper's protocol a row per number of workers."""
    read = [predictions.read(run) if isinstance(run, workspace.Run) else run for run in runs]
    return pooled(read, clips, task), 100 * sum(protocol.score(one, clips, task) for one in read) / len(read)


def _beside(row: pd.Series, ours: pd.DataFrame | None, batched: pd.DataFrame | None, same: bool) -> pd.DataFrame:
    """A row of the paper and ours, a line per metric, as in `cells`; `same`: nothing differs, so that differences are given."""
    if ours is None:
        return row.drop(KEYS).dropna().astype(float).to_frame("paper").reindex(columns=BESIDE)
    paper = row.reindex(ours.index).astype(float)
    could_be = batched.loc[list(protocol.possible_workers(row))]
    low, high, less = could_be.min(), could_be.max(), paper if same else np.nan
    lines = {"paper": paper, **ours, "protocol_low": low, "protocol_high": high}
    return pd.DataFrame(lines | {"difference_low": low - less, "difference_high": high - less}, index=ours.index)


def beyond(clip_set: ClipSet, preset: str) -> pd.DataFrame:
    """What the paper lacks: baselines, runs on joints, chosen ensembles, cross-validation; one line per task, method and metric,
    in percent.

    Columns: task, what, metric; ours, low, high, interval_low, interval_high, outdated, runs, as in `cells`.
    """
    tasks, lines = {task.name: task for task in tasks_of(clip_set)}, []
    by_video, by_folds = (grouped(runs_of(clip_set, preset, folds), clip_set) for folds in (False, True))
    kept = [
        one
        for one in by_video
        if one.facts["network"] in BASELINES or one.facts.get("chosen_on_validation") or on_joints(one.facts)
    ]
    for group in sorted(kept + by_folds, key=lambda group: list(tasks).index(group.runs[0].task)):
        task, what = tasks[group.runs[0].task], setup_title(group.facts)
        if group.facts.get("chosen_on_validation"):
            weights = ", ".join(f"{run.facts()['weights'][0]:.2f}" for run in group.runs)
            what = f"{setup_title({**group.facts, 'weights': None})} (x = {weights})"
        scores = pooled(group.runs, clip_set.table(group.facts["split"]), task).rename_axis("metric").reset_index()
        lines.append(scores.assign(task=task.name, what=what, outdated=group.outdated, runs=group.names))
    columns = ["task", "what", "metric", *OURS, "outdated", "runs"]
    return pd.concat(lines, ignore_index=True)[columns] if lines else pd.DataFrame(columns=columns)


def ranking(clip_set: ClipSet, preset: str, task: Task) -> pd.DataFrame:
    """All runs of a task against one of them (intervals.compare, by its headline metric): a row per run, best first.

    Columns: name, those of compare, in percent but for p, and outdated. Empty without runs.
    """
    runs = {run.name: run for run in runs_of(clip_set, preset) if run.task == task.name}
    if not runs:
        return pd.DataFrame(columns=["name", *intervals.COMPARED, "outdated"])
    table = intervals.compare(runs, clip_set.table("video"), task, task.headline)
    shares = table.select_dtypes("number").columns.drop("p")
    table = table.assign(**100 * table[shares], outdated=[outdated(runs[name], clip_set) for name in table.index])
    return table.rename_axis("name").reset_index()


def pooled(runs: Sequence[workspace.Run | pd.DataFrame], clips: pd.DataFrame, task: Task) -> pd.DataFrame:
    """OURS of each metric, in percent: mean and range over runs, and the interval of the mean."""
    values = pd.DataFrame([metrics.score(run, clips, task)[list(task.metrics)] for run in runs])
    sure = intervals.scores(runs, clips, task)[["low", "high"]].add_prefix("interval_")
    return 100 * pd.DataFrame({"ours": values.mean(), "low": values.min(), "high": values.max()}).join(sure)


def beside_paper(
    runs: Iterable[workspace.Run], clip_set: ClipSet, split: str = "video", views: int = 1
) -> pd.DataFrame:
    """Test scores of runs above the paper's, in percent: rows (run, row), a column per metric, and `note`.

    Row "ours" has a dagger where anything differs from the paper's row below it, and `note` says what. Above each row of
    the paper, ours by its protocol with that row's loader workers; where these may be several, the lowest and the highest.
    Row "difference", those less the paper's, only where nothing differs. `views` says which predictions of the runs
    (predictions.path). ValueError without runs.
    """
    tables = {}
    for run in runs:
        facts, task = run.facts(), clip_set.task(run.task)
        ours, batched = _measured([predictions.read(run, views)], clip_set.table(split), task)
        theirs, note = paper_rows_of(facts), outdated(run, clip_set)
        other = differs(run, facts, theirs[0]) if theirs else ["not in the paper"]
        other += [f"{views} views of a clip"] if views > 1 else []
        rows = {f"ours {DAGGER}" if other else "ours": ours["ours"]}
        for place, row in enumerate(theirs):
            lines = _beside(row, ours, batched, not other)
            workers = protocol.possible_workers(row)
            ends = {"": "low"} if len(workers) == 1 else {", lowest": "low", ", highest": "high"}
            by = f"ours by Table {row['table']}'s protocol, {'/'.join(map(str, workers))} workers"
            rows |= {by + name: lines[f"protocol_{end}"] for name, end in ends.items()}
            rows[f"paper, {row['variant']} (Table {row['table']})"] = lines["paper"]
            if not other and not place:
                rows |= {f"difference{name}": lines[f"difference_{end}"] for name, end in ends.items()}
        notes = ["; ".join([*other, *([f"outdated: {note}"] if note else [])]), *[""] * (len(rows) - 1)]
        tables[run.name] = pd.DataFrame(rows).T.assign(note=notes)
    if not tables:
        raise ValueError("no runs to set beside the paper; train one with 02_x3d.ipynb or 03_slowfast.ipynb")
    return pd.concat(tables, names=["run", "row"]).round(2)
