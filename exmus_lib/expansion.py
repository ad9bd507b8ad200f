"""X3D's progressive expansion (paper, IV.C; Feichtenhofer 2020, section 3.2): from X2D, one factor at a time.

Each step doubles what the network costs, once by each of six factors, trains the six, and goes on from the best. Every candidate
is an ordinary run of the network "x2d", so what was trained before is loaded, and a search that was killed goes on.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from math import log, sqrt

import pandas as pd

from exmus_lib import recipes, storage, workspace
from exmus_lib.networks import describe, fit
from exmus_lib.networks.build import build
from exmus_lib.recipes import Recipe
from exmus_lib.scores import intervals
from exmus_lib.videos.prepare import ClipSet

PATH = "expansion.csv"  # the search as it stands, in outputs/tables/<dataset>-<preset>, for the report
SIZES = [2 ** (i / 24) for i in range(60)]  # by which a factor may grow in one step: 1 to 5.5, each 3 % above the last


def _longer(how: Recipe, frames: int) -> Recipe:
    """More frames of a longer time, and more of them a second: each grows by half of it."""
    return replace(how, frames=frames, seconds=round(how.seconds * sqrt(frames / how.frames), 2))


# What growing a factor by `size` does to a recipe.
FACTORS: dict[str, Callable[[Recipe, float], Recipe]] = {
    "tau": lambda how, size: replace(how, frames=round(how.frames * size)),  # of the same time: a higher frame rate
    "t": lambda how, size: _longer(how, round(how.frames * size)),
    "s": lambda how, size: replace(how, side=2 * round(how.side * size / 2)),
    "w": lambda how, size: replace(how, width=round(how.width * size, 2)),
    "b": lambda how, size: replace(how, bottleneck=round(how.bottleneck * size, 2)),
    "d": lambda how, size: replace(how, depth=round(how.depth * size, 2)),
}
SHAPE = ("frames", "seconds", "side", "width", "bottleneck", "depth")  # of a recipe: all that a factor may change


def start(preset: str, **changes: object) -> Recipe:
    """X2D's recipe: one frame out of a second, every factor at 1, pictures of 112 pixels or, if smaller, of the preset's size."""
    usual = recipes.recipe("x2d", preset, **changes)
    return replace(usual, frames=1, seconds=1.0, side=min(112, usual.side))


@cache
def cost(how: Recipe, labels: int) -> tuple[float, float]:
    """Million parameters, and GFLOPs (multiply-adds / 1e9) for one view, of the network that a recipe builds."""
    with describe.shapes_alone():
        net = build("x2d", labels, how)
    return describe.complexity(net, (how.frames, how.side, how.side))


def expand(how: Recipe, factor: str, labels: int) -> Recipe:
    """A recipe with one factor grown until the built network costs twice as much, as nearly as whole channels, blocks and
    pixels allow."""
    wanted, grown = 2 * cost(how, labels)[1], [FACTORS[factor](how, size) for size in SIZES]
    above = bisect_left(grown, wanted, hi=len(grown) - 1, key=lambda one: cost(one, labels)[1])
    return min(grown[above - 1 : above + 1], key=lambda one: abs(log(cost(one, labels)[1] / wanted)))


def contract(before: Recipe, factor: str, labels: int, target: float) -> Recipe:
    """The last step taken back as far as needed: `before` with its factor grown as long as the network costs no more than
    `target` GFLOPs."""
    grown = [FACTORS[factor](before, size) for size in SIZES]
    return grown[max(0, bisect_right(grown, target, key=lambda one: cost(one, labels)[1]) - 1)]


def search(
    clip_set: ClipSet, task: str, preset: str, steps: int = 2, target: float | None = None, split: str = "video",
    seed: int = 0, overwrite: bool = False, **changes: object,
) -> pd.DataFrame:  # fmt: skip
    """Expand X2D so many steps, then contract it to `target` GFLOPs (None: three quarters of what the last step costs).

    One row for each network trained: task, step (the contraction's is steps + 1), factor ("" for X2D), SHAPE, parameters_m,
    gflops, score (the task's headline metric on validation clips; the test has no say), low, high (its 95 % interval), chosen,
    run. Of equal scores the cheaper one wins. `changes` to the recipe (epochs, learning_rate, ...) hold for all. The table so
    far is written after every step, for the report.
    """
    table, labels, rows = clip_set.table(split), clip_set.task(task), []
    place = workspace.outputs_dir("tables") / f"{clip_set.name}-{preset}" / PATH

    def measure(step: int, factor: str, how: Recipe) -> dict[str, object]:
        shape = {name: getattr(how, name) for name in SHAPE}
        run = fit.train(clip_set, "x2d", task, preset, "scratch", split, seed, overwrite, **changes | shape)
        sure = intervals.scores(run, table, labels, "val").loc[labels.headline]
        millions, gflops = cost(how, len(labels.names))
        row = {"task": task, "step": step, "factor": factor, **shape, "parameters_m": millions, "gflops": gflops}
        row |= {"score": sure["value"], "low": sure["low"], "high": sure["high"], "chosen": False, "run": run.name}
        rows.append(row)
        return row

    def keep(row: dict[str, object]) -> None:
        row["chosen"] = True
        with storage.where_possible(), storage.atomic(place) as part:
            pd.DataFrame(rows).to_csv(part, index=False)

    now = before = start(preset, **changes)
    keep(best := measure(0, "", now))
    for step in range(1, steps + 1):
        candidates = [measure(step, factor, expand(now, factor, len(labels.names))) for factor in FACTORS]
        keep(best := max(candidates, key=lambda row: (row["score"], -row["gflops"])))
        now, before = replace(now, **{name: best[name] for name in SHAPE}), now
    target = target or 0.75 * best["gflops"]
    if target < best["gflops"]:
        keep(measure(steps + 1, best["factor"], contract(before, best["factor"], len(labels.names), target)))
    return pd.DataFrame(rows)
