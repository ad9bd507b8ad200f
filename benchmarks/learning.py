"""What the networks of `make demo` learn from the sample: `python benchmarks/learning.py` writes docs/learning.png and .md.

X3D-M, SlowFast-R50 and their hybrid, both tasks, seeds 0, 1 and 2, at preset `quick`. Every run is one that the notebooks would
make, so finished runs are loaded and an interrupted one goes on. About a quarter of an hour on two cores, with a worker for each.
"""

import argparse
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns

from exmus_lib import predictions, recipes, workspace
from exmus_lib.networks import fit, sweep
from exmus_lib.scores import baselines, calibration, ensembles, metrics
from exmus_lib.tasks import METRIC_TITLES, TASKS
from exmus_lib.videos import prepare

NETWORKS, SEEDS = ("x3d_m", "slowfast_r50"), (0, 1, 2)
LEARNED = "F1, thresholds of validation"
SHOWN = {"exercise": ["top1", "auc", "f1"], "mgap": ["auc", "map", "f1", LEARNED]}
HYBRID = "their hybrid, weight by validation"
DOCS = workspace.REPOSITORY / "docs"


def main(workers: int) -> None:
    clips = prepare.prepare("sample")
    plan = [
        {"clip_set": clips, "network": network, "task": task, "preset": "quick", "seed": seed}
        for network, task, seed in product(NETWORKS[::-1], TASKS, SEEDS)  # what takes longest first
    ]
    if workers > 1:
        sweep.by_jobs([one for one in plan if not sweep.run_of(one).complete], workers=workers)
    runs = {(one["task"], one["network"], one["seed"]): fit.train(**one) for one in plan}
    page = words(pd.DataFrame(scored(runs, clips)), clips)
    print(page)
    (DOCS / "learning.md").write_text(page, encoding="utf-8")
    draw(runs).savefig(DOCS / "learning.png", dpi=110)


def scored(runs: dict[tuple, workspace.Run], clips: prepare.ClipSet) -> list[dict]:
    """The test scores of each run and of the hybrids, and of the prevalence, which no seed changes."""
    table, rows = clips.table(), []
    for name, seed in product(TASKS, SEEDS):
        task = clips.task(name)
        members = [runs[name, network, seed] for network in NETWORKS]
        read = [predictions.read(run) for run in members]
        x = ensembles.best(ensembles.curve(read, table, task, "val")[task.headline])
        each = {recipes.title(network): one for network, one in zip(NETWORKS, read, strict=True)}
        each |= {HYBRID: ensembles.combine(read, x), "always the prevalence": baselines.prevalence(table, task)}
        epochs = {recipes.title(run.facts()["network"]): run.facts()["recipe"]["epochs"] for run in members}
        for what, one in each.items():
            row = {"task": name, "what": what, "epochs": epochs.get(what, ""), **metrics.score(one, table, task)}
            if task.multilabel:
                row[LEARNED] = metrics.score(calibration.decided(one, table, task), table, task)["f1"]
            rows.append(row)
    return rows


def words(scores: pd.DataFrame, clips: prepare.ClipSet) -> str:
    """The page that goes with the picture: mean and range over the seeds, in percent of the test split."""
    test = clips.table().query("split == 'test'")
    lines = [
        "# What the networks learn from the rendered sample\n",
        "    python benchmarks/learning.py\n",
        "trains them as `make demo` does (preset `quick`, from scratch, split by video), seeds 0, 1 and 2, and writes this page.",
        f"Percent of {len(test)} test clips of {test['video_id'].nunique()} videos: mean over the seeds, and lowest and highest.",
    ]
    for task, rows in scores.groupby("task", sort=False):
        titles = ["macro " * (name == "f1") + METRIC_TITLES.get(name, name) for name in SHOWN[task]]
        lines += [
            f"\n| {TASKS[task].title.lower()} | epochs | {' | '.join(titles)} |",
            "|---" * (2 + len(titles)) + "|",
        ]
        for what, seeds in rows.groupby("what", sort=False):
            cells = [span(seeds[name]) for name in SHOWN[task]]
            lines.append(f"| {what} | {seeds['epochs'].iloc[0]} | {' | '.join(cells)} |")
    return "\n".join([*lines, "\n![Validation score per epoch](learning.png)\n"])


def span(values: pd.Series) -> str:
    low, mean, high = (100 * np.array([values.min(), values.mean(), values.max()])).round(1)
    return f"{mean} ({low} to {high})" if low != high else f"{mean}"


def draw(runs: dict[tuple, workspace.Run]) -> plt.Figure:
    """Validation score per epoch: a line is the mean over seeds, its band their range."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    for ax, task, column in zip(axes, TASKS, ("val_top1", "val_f1"), strict=True):
        curves = [
            run.history().assign(network=recipes.title(network))
            for (name, network, _), run in runs.items()
            if name == task
        ]
        curves = pd.concat(curves, ignore_index=True)
        sns.lineplot(x=curves["epoch"] + 1, y=100 * curves[column], hue=curves["network"], errorbar=("pi", 100), ax=ax)
        ax.set(xlabel="epoch", ylabel="validation, %", ylim=(0, 100), xlim=(1, None))
        ax.set_title(f"{TASKS[task].title.lower()}: {'top-1' if column == 'val_top1' else 'macro F1'}")
        ax.grid(alpha=0.3)
        ax.legend(fontsize=8)
    return figure


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--workers", type=int, default=2, help="trainings at once")
    main(parser.parse_args().workers)
