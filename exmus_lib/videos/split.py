"""Clips divided into train, val and test: by group, so that no source is on two sides; by clip, to measure leakage."""

import numpy as np
import pandas as pd

# Clips of the paper's three sides (section III; its 2,113 is a misprint).
PROPORTIONS = {"train": 1227, "val": 443, "test": 442}
# Which side a class that has too few groups for all three does without: rather val than test, rather test than train.
WORTH = np.array([100.0, 1.0, 10.0])


def split(clips: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """The clips with two more columns of "train", "val" and "test", both stratified by exercise.

    `split_video` keeps all clips of a group on one side; `split_clip` deals out single clips. The clips of an exercise
    are divided as near to 1227:443:442 as its groups allow. The order of the rows does not matter.
    """
    return clips.assign(
        split_video=_assign(clips["group"], clips["exercise"], seed),
        split_clip=_assign(clips["clip_id"], clips["exercise"], seed),
    )


def scarce(clips: pd.DataFrame, column: str = "split_video") -> dict[str, int]:
    """The exercises that are missing from train, val or test for want of groups, each with how many groups it has."""
    of_exercise = clips.groupby("exercise")
    missing = of_exercise[column].nunique() < len(PROPORTIONS)
    return of_exercise["group"].nunique()[missing].to_dict()


def _assign(units: pd.Series, exercises: pd.Series, seed: int) -> pd.Series:
    """A side for every unit (a group, or a single clip), as a column along the clips.

    Units come in random order, and each goes where it brings the numbers of its exercises nearest to what they should
    be. Then single units change sides as long as that helps.
    """
    counts = pd.crosstab(units, exercises)
    counts = counts.iloc[np.random.default_rng(seed).permutation(len(counts))]
    share = np.array(list(PROPORTIONS.values())) / sum(PROPORTIONS.values())
    clips = counts.to_numpy(dtype=float)  # (unit, exercise)
    target = share[:, None] * clips.sum(axis=0)  # (side, exercise)

    def cost(sides: np.ndarray) -> np.ndarray:
        """Of clips per side and exercise (..., side, exercise): a missing side outweighs any lopsidedness."""
        lopsided = ((sides - target) ** 2 / (target * clips.sum(axis=0))).sum(axis=(-1, -2))
        return lopsided + ((sides == 0).sum(axis=-1) * WORTH).sum(axis=-1) * 10

    def moved(sides: np.ndarray, unit: int) -> np.ndarray:
        """The three (side, exercise) arrays after adding the unit to each of the sides."""
        return sides + np.eye(3)[:, :, None] * clips[unit]

    sides, side_of = np.zeros_like(target), np.full(len(clips), -1)
    changed = True
    while changed:
        changed = False
        for unit in range(len(clips)):
            without = sides - (np.arange(3) == side_of[unit])[:, None] * clips[unit]
            costs = cost(moved(without, unit))
            best = int(costs.argmin())
            if side_of[unit] < 0 or costs[best] < costs[side_of[unit]] - 1e-9:
                side_of[unit], sides, changed = best, moved(without, unit)[best], True
    return units.map(dict(zip(counts.index, np.array(list(PROPORTIONS))[side_of], strict=True)))
