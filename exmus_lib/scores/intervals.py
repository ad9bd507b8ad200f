"""How sure a number is: bootstrap over groups, so that clips of one source come and go together, and paired comparisons.

A group is drawn as often as there are groups, with replacement, and all metrics are computed on each such resample. Percentile
intervals, widened a little, since few groups vary too little (Hesterberg 2015, What Teachers Should Know about the Bootstrap).
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control, norm, t

from exmus_lib import predictions, workspace
from exmus_lib.scores.metrics import METRICS, measure, scored

RESAMPLES = 2000  # more make the ends of an interval steadier, and take longer
LEVEL = 0.95


def resamples(groups: np.ndarray, count: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """How often each clip counts in each of `count` resamples: (count, N) whole numbers, equal within a group."""
    names, codes = np.unique(groups, return_inverse=True)
    drawn = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), count)
    return drawn[:, codes]


def interval(samples: np.ndarray, groups: int, level: float = LEVEL) -> np.ndarray:
    """The ends (2, ...) within which a value lies, given those of the resamples (count, ...) of so many groups.

    NaN for one group: nothing says then how much another one would differ.
    """
    samples = np.asarray(samples)
    if groups < 2:
        return np.full((2, *np.shape(samples)[1:]), np.nan)
    if not np.size(samples):
        return np.empty((2, 0))
    tail = norm.cdf(t.ppf((1 - level) / 2, groups - 1) * np.sqrt(groups / (groups - 1)))
    return np.nanquantile(samples, [tail, 1 - tail], axis=0)


def scores(
    run: workspace.Run | pd.DataFrame, clips: pd.DataFrame, task: str, split: str = "test", unit: str = "clip"
) -> pd.DataFrame:
    """Every metric of a run with its 95 % interval, over clips or over videos: rows as METRICS, columns value, low, high."""
    values, groups = _resampled(run, clips, task, split, unit)
    low, high = interval(values[1:], groups.nunique())
    return pd.DataFrame({"value": values.iloc[0], "low": low, "high": high})


def compare(
    runs: Mapping[str, workspace.Run | pd.DataFrame], clips: pd.DataFrame, task: str, metric: str, split: str = "test"
) -> pd.DataFrame:
    """Every run against the best one, on the same resamples: a row per run, best first.

    Columns: value, low, high; behind, behind_low, behind_high, how far it is behind the best; p, two-sided, of there being no
    difference, adjusted for so many comparisons (Benjamini and Hochberg); `worse`, whether the interval excludes zero and p is
    below 5 %. The best is chosen on the same clips, which flatters its lead, the more the more runs there are. Raises
    ValueError for a metric that the task lacks.
    """
    if metric not in METRICS[task]:
        raise ValueError(f"metric = {metric!r} is not one of {task}'s: {', '.join(METRICS[task])}")
    resampled = {name: _resampled(run, clips, task, split) for name, run in runs.items()}
    first, (_, compared) = next(iter(resampled.items()))
    for name, (_, own) in resampled.items():
        if not own.equals(compared):
            raise ValueError(f"{first} and {name} cannot be compared: predictions of other clips")
    groups = compared.nunique()
    values = pd.DataFrame({name: found[metric] for name, (found, _) in resampled.items()})
    values = values[values.iloc[0].sort_values(ascending=False, kind="stable").index]
    low, high = interval(values[1:], groups)
    table = pd.DataFrame({"value": values.iloc[0], "low": low, "high": high})
    behind = values.iloc[:, :1].to_numpy() - values.iloc[:, 1:]
    rows = pd.DataFrame({"behind": behind.iloc[0]})
    rows["behind_low"], rows["behind_high"] = interval(behind[1:], groups)
    # A difference of 0 in a resample, or none, speaks for either side, and so does the resample that was seen.
    either = np.minimum((~(behind[1:] > 0)).sum(), (~(behind[1:] < 0)).sum())
    rows["p"] = false_discovery_control(np.minimum(1, 2 * (either + 1) / len(behind))) if groups > 1 else np.nan
    rows["worse"] = (rows["behind_low"] > 0) & (rows["p"] < 1 - LEVEL)
    return table.join(rows)


def coverage(sources: int, clips_of_each: int, trials: int, accuracy: float = 0.7) -> tuple[float, float]:
    """How often 95 % intervals hold the true accuracy: over sources, and over clips as if each were a source of its own.

    Made-up data: every source has its own difficulty (Beta distributed, so that clips of one source correlate by a half).
    """
    covered = np.zeros(2)
    source = np.repeat(np.arange(sources), clips_of_each)
    for seed in range(trials):
        random = np.random.default_rng(seed)
        right = random.random(len(source)) < random.beta(accuracy, 1 - accuracy, sources)[source]
        for place, groups in enumerate((source, np.arange(len(source)))):
            weights = resamples(groups, 1000, seed)
            low, high = interval(weights @ right / weights.sum(axis=1), len(np.unique(groups)))
            covered[place] += low <= accuracy <= high
    return tuple(covered / trials)


def _resampled(run, clips: pd.DataFrame, task: str, split: str, unit: str = "clip") -> tuple[pd.DataFrame, pd.Series]:
    """The metrics of a run, first on all clips of the split, then on each resample of them; and the clips' groups, by clip_id."""
    rows, truth, logits = scored(run, clips, task, split, unit)
    order = np.argsort(rows["clip_id"].to_numpy())  # the same resamples for every run
    groups = clips.set_index("clip_id")["group"].loc[rows["clip_id"].iloc[order]]
    weights = np.vstack([np.ones(len(groups)), resamples(groups)])
    values = measure(truth[order], predictions.probabilities(logits, task)[order], weights)
    return values[list(METRICS[task])], groups
