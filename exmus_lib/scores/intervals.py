"""How sure a number is: bootstrap over groups, so that clips of one source come and go together, and paired comparisons.

A group is drawn as often as there are groups, with replacement, and all metrics are computed on each such resample. Percentile
intervals, widened a little, since few groups vary too little (Hesterberg 2015, What Teachers Should Know about the Bootstrap).
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

import numpy as np
import pandas as pd
import scipy

from exmus_lib.scores.metrics import Scored, measure, score, scored
from exmus_lib.tasks import Task

RESAMPLES = 2000  # more make the ends of an interval steadier, and take longer
BLOCK = 200_000  # weights of clips at once: 1.6 MB, which a processor keeps near while it measures them
LEVEL = 0.95  # of every interval; the p below which runs are told apart is the rest
COMPARED = ["value", "low", "high", "ahead", "ahead_low", "ahead_high", "p", "verdict"]


def resamples(groups: np.ndarray, count: int = RESAMPLES, seed: int = 0) -> Iterator[np.ndarray]:
    """How often each clip counts in each of `count` resamples: (count, N), equal within a group, in blocks of at most BLOCK."""
    names, codes = np.unique(groups, return_inverse=True)
    random, rows = np.random.default_rng(seed), max(1, BLOCK // max(1, len(codes)))
    for start in range(0, count, rows):
        drawn = random.multinomial(len(names), np.full(len(names), 1 / len(names)), min(rows, count - start))
        yield drawn[:, codes]


def interval(samples: pd.DataFrame, groups: int) -> np.ndarray:
    """The ends (2, columns) within which values lie, given those of the resamples (count, columns) of so many groups.

    NaN for one group: nothing says then how much another one would differ.
    """
    if groups < 2:
        return np.full((2, samples.shape[1]), np.nan)
    norm, t = scipy.stats.norm, scipy.stats.t
    tail = norm.cdf(t.ppf((1 - LEVEL) / 2, groups - 1) * np.sqrt(groups / (groups - 1)))
    return samples.quantile([tail, 1 - tail]).to_numpy()


def scores(
    runs: Scored | Sequence[Scored], clips: pd.DataFrame, task: Task, split: str = "test", unit: str = "clip"
) -> pd.DataFrame:
    """Every metric with its 95 % interval, over clips or videos (`unit`): rows as task.metrics, columns value, low, high.

    Of several runs, seeds of one set-up, the mean over them. The interval says how far the value would move with other
    sources, not with another seed. Top-1, AUC and shares of decisions are held as often as promised; exercise F1 and mean
    average precision less often, since with few sources they lie too low or too high themselves (simulation.coverage).
    """
    values, groups = resampled(runs, clips, task, split, unit)
    low, high = interval(values[1:], groups)
    return pd.DataFrame({"value": values.iloc[0], "low": low, "high": high})


def compare(
    runs: Mapping[str, Scored | Sequence[Scored]], clips: pd.DataFrame, task: Task, metric: str, split: str = "test"
) -> pd.DataFrame:
    """Every run (or mean over seeds) against one of them, the reference, on the same resamples: a row per run, best first.

    The reference is the best run on validation (without validation clips, the first one), since the best on the compared
    clips would seem further ahead than it is. Columns: value, low, high; ahead, ahead_low, ahead_high (the run less the
    reference: + is better); p, two-sided, adjusted for so many comparisons (Benjamini and Hochberg); verdict: "reference",
    "worse" or "better" where the interval excludes zero and p < 5 %, else "not told apart". ValueError for a
    metric that the task lacks.
    """
    if metric not in task.metrics:
        raise ValueError(f"metric = {metric!r} is not one of {task.name}'s: {', '.join(task.metrics)}")
    samples = {name: resampled(run, clips, task, split) for name, run in runs.items()}
    groups, reference = next(iter(samples.values()))[1], _reference(runs, clips, task, metric)
    values = pd.DataFrame({name: drawn[metric] for name, (drawn, _) in samples.items()})
    values = values[values.iloc[0].sort_values(ascending=False, kind="stable").index]
    low, high = interval(values[1:], groups)
    table = pd.DataFrame({"value": values.iloc[0], "low": low, "high": high})
    rows = differences(values.drop(columns=reference).sub(values[reference], axis="index"), groups)
    rows["p"] = adjusted(rows["p"])
    apart = [(rows["p"] < 1 - LEVEL) & side for side in (rows["ahead_high"] < 0, rows["ahead_low"] > 0)]
    rows["verdict"] = np.select(apart, ["worse", "better"], "not told apart")
    return table.join(rows).fillna({"verdict": "reference"})[COMPARED]


def readable(compared: pd.DataFrame) -> pd.DataFrame:
    """The table of `compare` as one reads it: percent, an interval in brackets, differences with their sign (+ is better)."""
    percent = 100 * compared[["value", "low", "high", "ahead", "ahead_low", "ahead_high"]]

    def spans(low: str, high: str, form: str) -> list[str]:
        pairs = zip(percent[low], percent[high], strict=True)
        return ["" if np.isnan(a) else f"[{a:{form}} to {b:{form}}]" for a, b in pairs]

    return pd.DataFrame({
        "%": percent["value"].round(1), "95 % interval": spans("low", "high", ".1f"),
        "ahead of the reference": ["" if np.isnan(a) else f"{a:+.1f}" for a in percent["ahead"]],
        "its interval": spans("ahead_low", "ahead_high", "+.1f"),
        "p": ["" if np.isnan(p) else f"{p:.3f}" for p in compared["p"]], "verdict": compared["verdict"],
    })  # fmt: skip


def differences(samples: pd.DataFrame, groups: int) -> pd.DataFrame:
    """Differences (1 + count, columns) of what `resampled` gives, as a row for each column: ahead, ahead_low, ahead_high and p,
    two-sided, not adjusted. NaN for one group, but for ahead."""
    rows = pd.DataFrame({"ahead": samples.iloc[0]})
    rows["ahead_low"], rows["ahead_high"] = interval(samples[1:], groups)
    rows["p"] = _p(samples[1:], groups) if groups > 1 else np.nan
    return rows


def adjusted(p: pd.Series) -> np.ndarray:
    """p-values, adjusted for so many comparisons (Benjamini and Hochberg); NaN where they are."""
    return scipy.stats.false_discovery_control(p) if p.notna().all() else p.to_numpy()


def _reference(runs: Mapping[str, Scored | Sequence[Scored]], clips: pd.DataFrame, task: Task, metric: str) -> str:
    if not (clips["split"] == "val").any():
        return next(iter(runs))
    on_validation = pd.Series({name: score(run, clips, task, "val")[metric] for name, run in runs.items()})
    return on_validation.fillna(-np.inf).idxmax()


def _p(ahead: pd.DataFrame, groups: int) -> np.ndarray:
    """Two-sided p-values (runs,) of differences (count, runs), by the same tails as `interval`."""
    # A difference of 0 in a resample, or none, speaks for either side, and so does the resample that was seen.
    either = np.minimum((~(ahead > 0)).sum(), (~(ahead < 0)).sum())
    share = np.minimum(1, (either + 1) / (len(ahead) + 1))
    norm, t = scipy.stats.norm, scipy.stats.t
    return np.minimum(1, 2 * t.cdf(norm.ppf(share) * np.sqrt((groups - 1) / groups), groups - 1))


def resampled(
    run: Scored | Sequence[Scored], clips: pd.DataFrame, task: Task, split: str = "test", unit: str = "clip"
) -> tuple[pd.DataFrame, int]:
    """The metrics of a run (or their mean over seeds), first on all clips of the split, then on each resample; and how many
    groups these have. The resamples are the same for all runs on the same clips, so that their differences are paired."""
    if not isinstance(run, Scored):
        seeds = [resampled(one, clips, task, split, unit) for one in run]
        return sum(values for values, _ in seeds) / len(seeds), seeds[0][1]
    rows, truth, logits = scored(run, clips, task, split, unit)
    order = np.argsort(rows["clip_id"].to_numpy())  # the same resamples for every run
    groups = clips.set_index("clip_id")["group"].loc[rows["clip_id"].iloc[order]]
    truth, likely = truth[order], task.probabilities(logits)[order]
    values = measure(truth, likely, chain([np.ones((1, len(truth)))], resamples(groups)))
    return values[list(task.metrics)], groups.nunique()
