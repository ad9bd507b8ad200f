"""A video by trained runs of a data set: windows of pixels, and the confidence from which validation says that they are sure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from exmus_lib import workspace
from exmus_lib.pictures import timeline
from exmus_lib.pictures.explorer import choice
from exmus_lib.pictures.explorer.result import Result
from exmus_lib.pictures.explorer.state import State
from exmus_lib.scores import calibration, ensembles
from exmus_lib.tasks import Exercise
from exmus_lib.videos import prepare
from exmus_lib.videos.container import VideoInfo

if TYPE_CHECKING:  # PyTorch would keep the page waiting for seconds
    from exmus_lib.networks.predict import Mixture

MOSTLY = f"{calibration.RIGHT:.0%} of the validation clips are right"
Chosen = dict[str, tuple[workspace.Run, ...]]  # the runs of each task, by its name


def recognised(
    copy: Path, facts: VideoInfo, dataset: str, runs: Chosen, from_dataset: bool, report: Callable[[float], None]
) -> Result:
    """What runs of a data set say of a small copy of a video; grey all over where they know no real people.

    `from_dataset`: it was made of clips of the data set, so the networks may know what they see.
    """
    from exmus_lib.networks.predict import window_table

    clip_set = prepare.load(dataset)  # with today's marks
    weighed = {name: weigh(clip_set, name, chosen) for name, chosen in runs.items()}
    mixtures = [mixture for mixture, _, _ in weighed.values()]
    table = window_table(copy, facts, mixtures, report)
    warning = choice.RENDERED if not from_dataset and any(mixture.rendered for mixture in mixtures) else ""
    _, limit, _ = weighed.get(Exercise.name, (None, np.inf, []))
    table = answered(table, np.inf if warning else limit, warning)
    why = dict.fromkeys(sentence for _, _, sentences in weighed.values() for sentence in sentences)
    if warning:
        why = [f"All windows are grey, since these networks were {warning}."]
    elif Exercise.name not in weighed:
        why = [*why, "Muscles only: no run of the exercises is chosen."]
    elif np.isfinite(limit):
        sure = table["sure"].sum()
        why = [*why, f"{sure} are above {limit:.0%}, the confidence from which {MOSTLY}; the others are grey."]
    return Result(table, " ".join(why))


def weigh(clip_set: prepare.ClipSet, name: str, runs: tuple[workspace.Run, ...]) -> tuple[Mixture, float, list[str]]:
    """Runs of a task with the weight that validation chooses, 0.5 where it cannot; the confidence from which they are sure
    (exercises), infinite where there is none; and why, in sentences."""
    from exmus_lib.networks.predict import Mixture

    if len(runs) > 1:
        ensembles.check(runs)
    split, limit, why = "val" if clip_set.table()["split"].eq("val").any() else "train", np.inf, []
    try:
        state = State(clip_set, clip_set.task(name), runs, split)
    except ValueError as error:  # such as other labels than the clips have: runs that can be asked, though not scored
        why = [f"Nothing tells when these networks are sure ({error}): all is grey."]
        return Mixture.weighed(runs, 0.5), limit, why
    best = state.best_weight()
    state.x = 0.5 if best is None else best
    if best is None and len(runs) > 1:
        why.append(f"The weight of {name} is 0.5: there are no validation clips that could choose another.")
    if split == "train":
        why.append("There are no validation clips to learn from when these networks are sure: all is grey.")
    elif not state.task.multilabel:
        limit = calibration.sure_above(state.mixture(), state.clips, state.task)
        if np.isinf(limit):
            why.append(f"At no confidence {MOSTLY}: these networks are too weak to be sure, and all is grey.")
    return Mixture.weighed(state.runs, state.x), limit, why


def answered(table: pd.DataFrame, limit: float, warning: str = "") -> pd.DataFrame:
    """The windows with columns `answer` (the exercise, or that none is sure), `sure` and `warning`.

    Sure is an exercise whose probability is at or above `limit`, the confidence from which validation clips are mostly right.
    """
    columns = timeline.columns(table, Exercise)
    if not columns:
        return table.assign(answer="muscles only", sure=False, warning=warning)
    likely = table[[*columns.values()]].to_numpy()
    sure = likely.max(axis=1) >= limit
    answer = np.where(sure, np.array([*columns])[likely.argmax(axis=1)], timeline.UNSURE)
    return table.assign(answer=answer, sure=sure, warning=warning)
