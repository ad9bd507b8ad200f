"""What the networks learn from the sample: `python benchmarks/learning.py` trains, then writes docs/learning.png and .md.

Every run is one that the notebooks would make (`papermill 02_x3d.ipynb out.ipynb -p networks x3d_m -p seed 1 -p epochs 40`), so
finished runs are loaded and an interrupted one goes on. Both lengths, both tasks and three seeds take some hours on two cores;
`--short` keeps to the demo's own length and prints the table only. Two processes share the work, the second `--backwards`, each
with OMP_NUM_THREADS=1.
"""

import argparse
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns

from exmus_lib import recipes, workspace
from exmus_lib.networks import fit
from exmus_lib.scores import baselines, metrics
from exmus_lib.videos import prepare

NETWORKS, TASKS, SEEDS, LENGTHS = ("x3d_m", "slowfast_r50"), ("exercise", "mgap"), (0, 1, 2), (None, 40)
SHOWN = {"exercise": ("top1", "f1"), "mgap": ("f1", "map")}
CHANCE = {"exercise": 100 / 16}
DOCS = workspace.REPOSITORY / "docs"


def main(lengths: tuple[int | None, ...], backwards: bool) -> None:
    clips = prepare.prepare("sample")
    plan = list(product(lengths, NETWORKS, TASKS, SEEDS))
    for epochs, network, task, seed in plan[::-1] if backwards else plan:
        fit.train(clips, network, task, "quick", seed=seed, epochs=epochs)
    rows, curves = [], []
    for epochs, network, task, seed in plan:
        run = fit.train(clips, network, task, "quick", seed=seed, epochs=epochs)  # loaded
        planned = run.facts()["recipe"]["epochs"]
        shared = {"network": recipes.title(network), "task": task, "seed": seed}
        rows.append({**shared, "epochs": planned, **metrics.score(run, clips.table(), task)})
        curves.append(run.history().assign(**shared, planned=planned))
    page = words(pd.DataFrame(rows), clips.table())
    print(page)
    if lengths != LENGTHS:  # half of the table would take the place of the whole
        return
    (DOCS / "learning.md").write_text(page, encoding="utf-8")
    draw(pd.concat(curves)).savefig(DOCS / "learning.png", dpi=110)


def words(scores: pd.DataFrame, table: pd.DataFrame) -> str:
    """The page that goes with the picture: mean and range over the seeds, in percent of the test split."""
    lines = [
        "# What the networks learn from the rendered sample\n",
        "    python benchmarks/learning.py\n",
        "trains them (preset `quick`, from scratch, split by video, seeds 0, 1 and 2) and writes this page.",
        "Test split, percent: mean over the seeds, and the lowest and highest of them.\n",
        "| task | network | epochs | top-1 | macro F1 | mean average precision |",
        "|---|---|---|---|---|---|",
    ]
    for (task, network, epochs), rows in scores.groupby(["task", "network", "epochs"]):
        cells = [span(rows[name]) if name in SHOWN[task] else "" for name in ("top1", "f1", "map")]
        lines.append(f"| {task} | {network} | {epochs} | " + " | ".join(cells) + " |")
    guess = metrics.score(baselines.prevalence(table, "mgap"), table, "mgap")
    lines.append(f"| mgap | always the prevalence | | | {100 * guess['f1']:.1f} | {100 * guess['map']:.1f} |")
    lines.append(f"| exercise | chance | | {CHANCE['exercise']:.1f} | | |")
    return "\n".join([*lines, "\n![Validation score per epoch](learning.png)\n"])


def span(values: pd.Series) -> str:
    low, mean, high = (100 * np.array([values.min(), values.mean(), values.max()])).round(1)
    return f"{mean} ({low} to {high})"


def draw(curves: pd.DataFrame) -> plt.Figure:
    """Validation score per epoch: a line is the mean over seeds, its band their range; dashed, the demo's own budget."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    for ax, task, column in zip(axes, TASKS, ("val_top1", "val_f1"), strict=True):
        of_task = curves[curves["task"] == task]
        longest = of_task["planned"].max()
        groups = of_task.groupby(["network", "planned"])
        for ((network, planned), part), colour in zip(groups, sns.color_palette("Paired"), strict=False):
            sns.lineplot(
                x=part["epoch"] + 1, y=100 * part[column], ax=ax, color=colour, errorbar=("pi", 100),
                linestyle="-" if planned == longest else "--", label=f"{network}, {planned} epochs",
            )  # fmt: skip
        ax.set(
            xlabel="epoch", ylabel="validation, %", title=f"{task}: {'top-1' if column == 'val_top1' else 'macro F1'}"
        )
        ax.set(ylim=(0, 100), xlim=(1, longest))
        ax.grid(alpha=0.3)
        ax.legend(fontsize=8)
    return figure


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="only as many epochs as the demo has")
    parser.add_argument(
        "--backwards", action="store_true", help="last run first, for a second process beside the first"
    )
    given = parser.parse_args()
    main(LENGTHS[:1] if given.short else LENGTHS, given.backwards)
