"""Networks on real people: how good each is, with intervals over sources; where it errs; what a few real clips are worth."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from exmus_lib.scores import intervals, metrics
from exmus_lib.tasks import Exercise, Muscles, Task

DIMENSIONS = 48  # that embeddings are reduced to before the regression: more only cost time
REAL_COUNTS = 4  # rendered clips that one real clip counts as
FOLDS, REPEATS = 5, 3


def summary(
    tables: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]], clips: pd.DataFrame, exercise: Exercise, muscle: Muscles
) -> pd.DataFrame:
    """For each network, of its predictions of exercises and of muscles: a row per metric, over videos, in percent.

    Columns: network, metric (top-1, top-3, macro recall, macro F1, muscles mAP), value, low and high (95 %, over sources).
    """
    rows = []
    for name, (exercises, muscles) in tables.items():
        scores = intervals.scores(exercises, clips, exercise, unit="video")
        works = intervals.scores(muscles, clips, muscle, unit="video")
        lines = {
            "top-1": scores.loc["top1"],
            "top-3": top_k(exercises, clips, exercise, 3),
            "macro recall": scores.loc["recall"],
            "macro F1": scores.loc["f1"],
            "muscles mAP": works.loc["map"],
        }
        rows += [{"network": name, "metric": metric, **100 * line} for metric, line in lines.items()]
    return pd.DataFrame(rows)


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """A summary to read: a row per network, "72 [63 to 81]" for each metric."""
    words = [
        f"{value:.0f}" + (f" [{low:.0f} to {high:.0f}]" if low == low else "")
        for value, low, high in table[["value", "low", "high"]].to_numpy()
    ]
    wide = table.assign(words=words).pivot(index="network", columns="metric", values="words")
    return wide.loc[table["network"].unique(), table["metric"].unique()].rename_axis(index=None, columns=None)


def top_k(table: pd.DataFrame, clips: pd.DataFrame, task: Exercise, k: int, unit: str = "video") -> pd.Series:
    """The share of the test split whose exercise is among the k likeliest: value, low and high, as intervals.scores has them."""
    rows, truth, logits = metrics.scored(table, clips, task, "test", unit)
    hits = (np.argsort(-logits, axis=1, kind="stable")[:, :k] == truth[:, None]).any(axis=1)
    groups = clips.set_index("clip_id")["group"].loc[rows["clip_id"]].to_numpy()
    weights = np.vstack([*intervals.resamples(groups)])
    resampled = pd.DataFrame({"hits": weights @ hits / weights.sum(axis=1)})
    low, high = intervals.interval(resampled, len(np.unique(groups)))[:, 0]
    return pd.Series({"value": hits.mean(), "low": low, "high": high})


def confident_errors(table: pd.DataFrame, clips: pd.DataFrame, task: Task, count: int) -> pd.DataFrame:
    """The wrong answers that a network is surest of, one for each video at most: clip_id, exercise, predicted, probability."""
    rows, truth, logits = metrics.scored(table, clips, task)
    likely = task.probabilities(logits)
    best = likely.argmax(axis=1)
    wrong = rows.assign(predicted=np.array(task.names)[best], probability=likely.max(axis=1))[best != truth]
    surest = wrong.sort_values("probability", ascending=False, kind="stable").drop_duplicates("video_id")
    return surest[["clip_id", "exercise", "predicted", "probability"]].head(count).reset_index(drop=True)


@dataclass(frozen=True)
class Embedded:
    """Embeddings (N, D) of clips, their exercises (N,) and sources (N,)."""

    values: np.ndarray
    exercises: np.ndarray
    groups: np.ndarray


def worth(rendered: Embedded, real: Embedded, counts: Sequence[int] = (0, 1, 2, 5), seed: int = 0) -> pd.DataFrame:
    """How well a logistic regression on embeddings names real clips, taught with so many real clips of each exercise.

    A row each time: taught ("rendered and real" or "real only"), clips (of each exercise), repeat (other clips drawn), top1 and
    recall (macro). Folds keep each source on one side, so no source teaches about itself; an exercise that one source alone
    has is then never known from real clips. ValueError for fewer than two sources.
    """
    from sklearn.decomposition import PCA
    from sklearn.model_selection import GroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    sources = len(np.unique(real.groups))
    if sources < 2:
        raise ValueError(f"{sources} source of real clips: two are needed, since none may teach about itself")
    # What rendered people alone say about which directions matter; a reduction for each regression would take ten times as long.
    reduce = make_pipeline(StandardScaler(), PCA(min(DIMENSIONS, *rendered.values.shape), random_state=0))
    reduce.fit(rendered.values)
    rendered, real = (replace(one, values=reduce.transform(one.values)) for one in (rendered, real))
    folds = list(GroupKFold(min(FOLDS, sources)).split(real.values, groups=real.groups))
    rows = []
    for count in counts:
        for taught in ("rendered and real", "real only")[: 2 if count else 1]:
            for repeat in range(REPEATS if count else 1):
                random = np.random.default_rng([seed, repeat])
                predicted = np.empty(len(real.values), dtype=object)
                for train, test in folds:
                    few = _some_of_each(real.exercises, train, count, random)
                    predicted[test] = _taught(rendered, real, few, taught == "real only").predict(real.values[test])
                right = pd.Series(predicted == real.exercises)
                recall = right.groupby(real.exercises).mean().mean()
                rows.append(dict(taught=taught, clips=count, repeat=repeat, top1=right.mean(), recall=recall))
    return pd.DataFrame(rows)


def as_much(table: pd.DataFrame) -> str:
    """What `worth` found, in a sentence."""
    means = table.groupby(["taught", "clips"])["top1"].mean()
    rendered, alone = means["rendered and real"].loc[0], means["real only"]
    enough = alone[alone >= rendered]
    sentence = f"rendered people alone: {rendered:.0%}; "
    if len(enough):
        return sentence + f"real clips alone get there with {enough.index[0]} of each exercise ({enough.iloc[0]:.0%})"
    return (
        sentence + f"real clips alone do not get there with {alone.index[-1]} of each exercise ({alone.iloc[-1]:.0%})"
    )


def _some_of_each(exercises: np.ndarray, among: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    """Indices of at most `count` clips of each exercise, drawn by chance."""
    order = random.permutation(among)
    return order[pd.Series(exercises[order]).groupby(exercises[order]).cumcount().to_numpy() < count]


def _taught(rendered: Embedded, real: Embedded, few: np.ndarray, real_only: bool):
    from sklearn.dummy import DummyClassifier
    from sklearn.linear_model import LogisticRegression

    values, exercises = real.values[few], real.exercises[few]
    weights = np.full(len(few), float(REAL_COUNTS))
    if not real_only:
        values, exercises = np.concatenate([rendered.values, values]), np.concatenate([rendered.exercises, exercises])
        weights = np.concatenate([np.ones(len(rendered.values)), weights])
    if len(set(exercises)) == 1:
        return DummyClassifier().fit(values, exercises)
    with warnings.catch_warnings():  # one clip of each exercise is what is asked about
        warnings.filterwarnings("ignore", message="The number of unique classes")
        return LogisticRegression(C=0.1, max_iter=300).fit(values, exercises, sample_weight=weights)
