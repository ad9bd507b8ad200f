"""The paper's claims, each tested on our runs by paired intervals: it holds, it fails, or so few clips cannot tell.

A claim says of pairs of rows of the paper that the first is ahead. It holds where the 95 % interval of every difference lies
above zero, and fails where that of one lies below and its p, adjusted for the pairs of the claim, is under 5 %.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from exmus_lib import workspace
from exmus_lib.scores import intervals, tables
from exmus_lib.scores.paper import KEYS, paper_rows
from exmus_lib.tasks import TASKS
from exmus_lib.videos.prepare import ClipSet

HOLDS, FAILS, OPEN, NOT_RUN, NO_SCORE = "holds", "fails", "cannot be told", "not run", "no score decides it"
SHARES = ["ahead", "ahead_low", "ahead_high"]
LINES = ["claim", "source", "task", "metric", "first", "second", "paper", *SHARES, "p", "runs", "differs"]
NETWORKS = ("X3D-s", "X3D-m", "SlowFast-R50", "SlowFast-R101")


@dataclass(frozen=True)
class Claim:
    """What the paper says, where, and the pairs of its rows, given by some of their columns, of which the first is ahead.

    Instead of a second row, 0 or 1 stands for the ensemble's own X3D or SlowFast. `every_metric`: in each metric of the paper,
    not in the headline alone. Without pairs no score can decide it.
    """

    text: str
    source: str
    pairs: tuple[tuple[dict, dict | int], ...] = ()
    every_metric: bool = False


def _network(table: int, model: str, variant: str = "pretrained") -> dict:
    return {"table": table, "model": model, "variant": variant}


def _hybrid(table: int, x3d: float = 0.25) -> dict:
    return {"table": table, "weights_x3d": x3d}


def _beta(inverse: int) -> dict:
    return {"table": 12, "inverse_beta": inverse}


def _of_both_tasks(text: str, source: str, exercises: Sequence, muscles: Sequence, **more: bool) -> list[Claim]:
    pairs = {"exercises": exercises, "muscles": muscles}
    return [Claim(f"{text}, {task}", source, tuple(of_task), **more) for task, of_task in pairs.items()]


# What the abstract, the discussion (section VI) and the conclusion say of the results; 25/75 is 25 % X3D, 75 % SlowFast.
CLAIMS = (
    *_of_both_tasks("The hybrid 25/75 is better than its X3D and its SlowFast", "abstract, conclusion",
                    *([(_hybrid(table), member) for member in (0, 1)] for table in (9, 10))),
    *_of_both_tasks("It is better than both in every metric", "abstract, conclusion",
                    *([(_hybrid(table), member) for member in (0, 1)] for table in (9, 10)), every_metric=True),
    *_of_both_tasks("It is better than the baselines Slow, I3D and R(2+1)D", "abstract, conclusion", *(
        [(_hybrid(table), _network(other, f"{name}-R50")) for name in ("Slow", "I3D", "R(2+1)D")]
        for table, other in ((9, 7), (10, 8)))),
    *_of_both_tasks("Pretraining makes each network better", "abstract, conclusion", *(
        [(_network(table, name), _network(table, name, "scratch")) for name in NETWORKS] for table in (7, 8))),
    Claim("A channel ratio 1/β of 10 is better than 2, 4 and 16, exercises", "abstract, conclusion",
          tuple((_beta(10), _beta(other)) for other in (2, 4, 16))),
    Claim("Learning exercises first makes the hybrid 25/75 better, muscles", "abstract, conclusion",
          ((_hybrid(11), _hybrid(10)),)),
    Claim("SlowFast-R101 is better than R50, exercises", "section VI",
          ((_network(7, "SlowFast-R101"), _network(7, "SlowFast-R50")),)),
    *_of_both_tasks("X3D-M is better than X3D-S", "section VI",
                    *([(_network(table, "X3D-m"), _network(table, "X3D-s"))] for table in (7, 8))),
    *_of_both_tasks("25/75 is the best weighting", "section VI",
                    *([(_hybrid(table), _hybrid(table, x3d)) for x3d in (0.5, 0.75)] for table in (9, 10))),
    Claim("A camera is enough: no sensor on the body, a smartphone", "abstract, conclusion"),
    Claim("It adapts to a wide variety of exercises and muscles", "abstract, conclusion"),
)  # fmt: skip


def claims(clip_set: ClipSet, preset: str) -> pd.DataFrame:
    """LINES for each pair and metric of CLAIMS, in percent: the first less the second (+ is as the paper says), its and ours.

    ahead, its interval and p (not adjusted) are NaN and `runs` is "" where either was not run, or the two not trained alike.
    `differs` says what of the two is not the paper's set-up. A claim that no score decides has one line, without a task.
    """
    groups, clips = tables.grouped(tables.runs_of(clip_set, preset), clip_set), clip_set.table("video")
    resampled = cache(lambda runs: intervals.resampled(runs, clips, clip_set.task(runs[0].task)))
    lines = []
    for claim in CLAIMS:
        for first, second in claim.pairs:
            rows = _rows(first, second)
            sides, differs = _runs(*rows, second, groups)
            task = TASKS[rows[0]["task"]]
            metrics = list(task.protocol if claim.every_metric else [task.headline])
            line = pd.DataFrame({"paper": (rows[0][metrics] - rows[1][metrics]).astype(float)})
            if sides:
                (ours, count), (other, _) = map(resampled, sides)
                line = line.join(intervals.differences((ours - other)[metrics], count))
                defined = line["ahead"].notna()  # as top-5 of five exercises is not
                line = line[defined] if defined.any() else line
            names = "; ".join(", ".join(f"{run.task}/{run.name}" for run in side) for side in sides)
            words = {"first": row_title(rows[0]), "second": row_title(rows[1]), "runs": names, "differs": differs}
            line = line.assign(claim=claim.text, source=claim.source, task=task.name, **words)
            lines.append(line.rename_axis("metric").reset_index())
        if not claim.pairs:
            lines.append(pd.DataFrame({"claim": [claim.text], "source": claim.source}))
    table = pd.concat(lines, ignore_index=True).reindex(columns=LINES)
    words = ["task", "metric", "first", "second", "runs", "differs"]
    return table.assign(**100 * table[SHARES], **table[words].fillna(""))


def _rows(first: dict, second: dict | int) -> tuple[pd.Series, pd.Series]:
    """The two rows of the paper that a claim compares."""
    ahead = _row(**first).copy()
    if isinstance(second, int):
        second = _network(ahead["table"], ahead["model"].split("+")[second])
    return ahead, _row(**second).copy()


@cache
def _row(**keys: object) -> pd.Series:
    every = paper_rows()
    (one,) = every[(every[list(keys)] == pd.Series(keys)).all(axis=1)].to_dict("records")
    return pd.Series(one)


def _runs(
    first: pd.Series, second: pd.Series, other: dict | int, groups: Sequence[tables.Group]
) -> tuple[tuple[tuple[workspace.Run, ...], ...], str]:
    """The runs (seeds) that stand for two rows of the paper, and what of them is not its set-up; no runs where those of a row are
    missing, or the two were trained differently, which the second says.

    Where `other` is a number, it is that of the ensemble's own network, which may be smaller than that of the paper's row.
    """
    group, differs = tables.match(first, groups)
    if isinstance(other, int) and group:
        members, beside = tuple(run.members()[other] for run in group.runs), differs
        behind = [one for one in groups if set(members) & set(one.runs)]
    else:
        match, beside = tables.match(second, groups)
        members, behind = (match.runs, [match]) if match else ((), [])
    if not (group and members and set(members) <= {run for one in behind for run in one.runs}):
        return (), ""
    unlike = _training(differs) ^ _training(beside)
    if unlike:
        return (), f"not trained alike: {', '.join(sorted(unlike))}"
    outdated = [one.outdated for one in (group, *behind) if one.outdated]
    return (group.runs, members), "; ".join(dict.fromkeys([*differs, *beside, *outdated]))


def _training(differs: Sequence[str]) -> set[str]:
    """What differs from the paper's rows in how the runs were trained, wherever: which networks are averaged is not of it."""
    return {what.removeprefix("exercise run: ") for what in differs if not what.startswith("network ")}


def row_title(row: pd.Series) -> str:
    """A row of the paper in a few words: "SlowFast-R50, scratch", "X3D-m+SlowFast-R50, 25/75", "1/β = 10, scratch"."""
    if row["variant"] == "ensemble":
        x3d = 100 * row["weights_x3d"]
        return f"{row['model']}, {x3d:.0f}/{100 - x3d:.0f}"
    model = row["model"] if np.isnan(row["inverse_beta"]) else f"1/β = {row['inverse_beta']:.0f}"
    return f"{model}, {row['variant']}"


def summary(lines: pd.DataFrame) -> pd.DataFrame:
    """A row for each claim of `claims`: its outcome, whether it was tested in the paper's set-up (`counts`), and of its pairs
    the one least ahead: of ours, or of the paper's where none was run."""
    rows = []
    for _, pairs in lines.groupby("claim", sort=False):
        run = pairs[pairs["runs"] != ""]
        least = pairs.loc[run["ahead_low"].fillna(-np.inf).idxmin() if len(run) else pairs["paper"].fillna(0).idxmin()]
        counts = len(run) > 0 and (run["differs"] == "").all()
        rows.append({**least, "differs": "; ".join(dict.fromkeys(filter(None, pairs["differs"])))} | {
            "outcome": _outcome(pairs, run), "counts": counts, "pairs": len(pairs), "run": len(run),
        })  # fmt: skip
    return pd.DataFrame(rows)


def _outcome(pairs: pd.DataFrame, run: pd.DataFrame) -> str:
    if (pairs["task"] == "").all():
        return NO_SCORE
    if len(run) and ((run["ahead_high"] < 0) & (intervals.adjusted(run["p"]) < 1 - intervals.LEVEL)).any():
        return FAILS
    if len(run) < len(pairs):
        return NOT_RUN
    return HOLDS if (run["ahead_low"] > 0).all() else OPEN


def sentences(summary: pd.DataFrame, cells: pd.DataFrame, clip_set: ClipSet, preset: str) -> tuple[str, str]:
    """The verdict: what was run on which data, and how many of the paper's claims hold, out of `summary` and tables.cells."""
    rows = cells.groupby(KEYS, sort=False, dropna=False)[["runs", "differs", "outdated"]].first()
    run = rows[rows["runs"] != ""]
    same = (run[["differs", "outdated"]] == "").all(axis=1).sum()
    test = clip_set.table("video").query("split == 'test'")
    data = clip_set.name + " (rendered people, not the paper's)" * workspace.is_rendered(clip_set.name)
    ran = (
        f"{len(run)} of the paper's {len(rows)} rows of results have a run of ours, {same or 'none'} of them in its set-up,"
        f" on the data set {data}, {len(test)} test clips of {test['video_id'].nunique()} videos, preset {preset}."
    )
    decidable = summary[summary["outcome"] != NO_SCORE]
    tested = decidable[decidable["outcome"] != NOT_RUN]
    counted = tested[tested["counts"]]
    none = f"None of its {len(decidable)} claims that scores can decide was tested"
    if tested.empty:
        return ran, f"{none}: the runs that it takes are not there."
    if counted.empty:
        return ran, (
            f"{none} in its set-up, so none is confirmed or refuted; of the {len(tested)} that could be tested in another,"
            f" {_counts(tested)}."
        )
    tried = f"Of its {len(decidable)} claims that scores can decide, {len(counted)} were tested in its set-up"
    return ran, f"{tried}: {_counts(counted)}."


def _counts(tested: pd.DataFrame) -> str:
    holds, fails, still_open = (int((tested["outcome"] == outcome).sum()) for outcome in (HOLDS, FAILS, OPEN))
    decided = f"{holds} hold{'s' * (holds == 1)}, {fails} fail{'s' * (fails == 1)}"
    return f"{decided}, {still_open} cannot be told from so few clips"
