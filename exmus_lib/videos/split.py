"""Clips divided into train, val and test: by group, so that no source is on two sides; by clip, to measure leakage."""

import re
import warnings

import numpy as np
import pandas as pd

from exmus_lib.labels import nearest

# Clips of the paper's three sides (section III; its 2,113 is a misprint).
PROPORTIONS = {"train": 1227, "val": 443, "test": 442}
# What it costs that an exercise is missing from a side: one with too few groups does rather without val than without test.
MISSING_COST = np.array([1000.0, 10.0, 100.0])


def split(clips: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """The clips with two more columns of "train", "val" and "test", both stratified by exercise.

    `split_video` keeps all clips of a group on one side; `split_clip` deals out single clips. The clips of an exercise
    are divided as near to 1227:443:442 as its groups allow. The order of the rows does not matter.
    """
    return clips.assign(
        split_video=_assign(clips["group"], clips.exercise, seed),
        split_clip=_assign(clips["clip_id"], clips.exercise, seed),
    )


def sides(clips: pd.DataFrame, split: str) -> pd.Series:
    """The side of each clip under a split: "video" and "clip" as `split` made them, "fold2of5" with the second of five folds as
    test and the next one as val, and "5folds", in which every clip is a test clip of one of them. ValueError for another name.
    """
    if split in ("video", "clip"):
        return clips[f"split_{split}"]
    if pooled := re.fullmatch(r"(\d+)folds", split):
        return folds(clips, int(pooled[1])).map(lambda _: "test")
    one = re.fullmatch(r"fold(\d+)of(\d+)", split)
    if one and 1 <= int(one[1]) <= int(one[2]):
        fold, count = int(one[1]), int(one[2])
        return folds(clips, count).map({fold: "test", fold % count + 1: "val"}).fillna("train")
    hint = nearest(split, ("video", "clip"))
    raise ValueError(f'split = "{split}" is not one of video, clip, fold1of5, 5folds.{hint}')


def folds(clips: pd.DataFrame, count: int, seed: int = 0) -> pd.Series:
    """The fold, 1 to `count`, of each clip: groups stay together. The order of rows does not matter.

    Exercises are spread evenly over the folds, but where none has as many clips as there are folds; there groups are dealt out by
    chance. ValueError where there are fewer groups than folds.
    """
    ordered = clips.sort_values("clip_id")
    groups, most_clips = ordered["group"].nunique(), ordered.exercise.value_counts().max()
    if groups < count:
        raise ValueError(f"{count} folds need {count} groups (source videos) or more; there are {groups}")
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold  # a second, which only folds need

    kind = GroupKFold if most_clips < count else StratifiedGroupKFold
    numbers = pd.Series(0, ordered.index)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # an exercise of fewer groups than folds is missing from some
        parts = kind(count, shuffle=True, random_state=seed)
        for number, (_, test) in enumerate(parts.split(ordered, ordered.exercise, ordered["group"]), start=1):
            numbers.iloc[test] = number
    return numbers.reindex(clips.index)


def shortages(clips: pd.DataFrame, column: str = "split_video") -> list[str]:
    """A sentence for each exercise that is missing from train, val or test, with the cause, and one for a thin validation."""
    unit, noun = ("group", "group") if column == "split_video" else ("clip_id", "clip")
    sentences = []
    for exercise, rows in clips.groupby("exercise"):
        missing = [side for side in PROPORTIONS if side not in set(rows[column])]
        if not missing:
            continue
        units = rows[unit].nunique()
        if units < len(PROPORTIONS):
            cause = f"it has only {units} {noun}{'s' * (units > 1)}"
        else:
            others = sorted(set(clips.exercise[clips[unit].isin(rows[unit])]) - {exercise})
            cause = f"its {units} groups also hold {', '.join(others)}, and a group stays on one side"
        sentences.append(f"{exercise}: no clip in {' and '.join(missing)}, because {cause}")
    return sentences + thin_validation(clips, column)


def thin_validation(clips: pd.DataFrame, column: str = "split_video") -> list[str]:
    """A sentence where validation holds half of the exercises or fewer, else none."""
    present, every = clips.exercise[clips[column] == "val"].nunique(), clips.exercise.nunique()
    note = f"validation holds {present} of {every} exercises, and early stopping and the choice of weights rest on it"
    return [note] if 2 * present <= every else []


def _assign(units: pd.Series, exercises: pd.Series, seed: int) -> pd.Series:
    """A side for every unit (a group, or a single clip), as a column along the clips.

    Units come in random order, and each goes where it brings the numbers of its exercises nearest to what they should
    be. Then single units change sides as long as that helps.
    """
    from exmus_lib.videos.dealing import dealt  # compiles

    counts = pd.crosstab(units, exercises)
    counts = counts.iloc[np.random.default_rng(seed).permutation(len(counts))]
    clips = counts.to_numpy(dtype=float)  # (unit, exercise)
    share = np.array(list(PROPORTIONS.values())) / sum(PROPORTIONS.values())
    sides = dealt(clips, share[:, None] * clips.sum(axis=0), MISSING_COST)
    return units.map(pd.Series(np.array(list(PROPORTIONS))[sides], counts.index))
