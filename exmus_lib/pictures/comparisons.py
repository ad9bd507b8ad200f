"""Figures that set several runs side by side: ensemble weights, embeddings, ablations. Tables in, a Figure out."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from exmus_lib.pictures.figures import GRID, SHADES, STYLE
from exmus_lib.vocabulary import EXERCISES

NAMES = {
    "top1": "top-1", "top5": "top-5", "auc": "AUC", "f1": "F1", "accuracy": "accuracy", "exact_match": "exact match",
    "precision": "precision", "recall": "recall", "map": "mean average precision",
}  # fmt: skip
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 2)), (0, (8, 2)))
MARKERS = "os^DvPX*"  # filled for the first eight exercises, open for the others: sixteen shapes that grey print keeps


@mpl.rc_context(STYLE)
def weight_curves(curves: Mapping[str, pd.DataFrame], chosen: float | None, first: str, rest: str) -> Figure:
    """Every metric along the weight x of the first run, one panel per split of `curves` (scores.ensembles.curve).

    The line stands at `chosen`, the weight chosen on validation (None: no line); marks at the paper's three.
    """
    figure, axes = plt.subplots(1, len(curves), figsize=(4.4 * len(curves), 3.5), sharey=True, squeeze=False)
    for ax, (split, curve) in zip(axes[0], curves.items(), strict=True):
        for (metric, values), line, colour in zip(curve.items(), LINES, sns.color_palette("colorblind"), strict=False):
            shown = [int(np.abs(curve.index - x).argmin()) for x in (0.25, 0.5, 0.75)]
            ax.plot(
                curve.index, 100 * values, linestyle=line, color=colour, label=NAMES[metric],
                marker="o", ms=3.5, mfc="white", markevery=shown,
            )  # fmt: skip
        if chosen is not None:
            ax.axvline(chosen, color="black", linewidth=0.8)
            ax.annotate(f"{chosen:.2f}", (chosen, 1.01), xycoords=("data", "axes fraction"), ha="center", fontsize=7.5)
        ax.set(xlabel=f"x: {rest} alone at 0, {first} alone at 1", xlim=(0, 1))
        ax.set_title(split, pad=14)
        ax.grid(**GRID)
    axes[0, 0].set_ylabel("%")
    axes[0, -1].legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


@mpl.rc_context(STYLE)
def embeddings(points: Mapping[str, np.ndarray], exercises: Mapping[str, Sequence[str]]) -> Figure:
    """t-SNE points (N, 2) of each network, a panel each (paper, Fig. 6 and 7), and one legend by Table 3's numbers.

    Exercises differ in colour and in shape of their mark; their number stands beside the middle of their points.
    """
    columns = min(2, len(points))
    rows = -(-len(points) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(4.3 * columns + 1.7, 4.1 * rows), squeeze=False)
    colours = sns.husl_palette(len(EXERCISES), l=0.5)
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, (name, where) in zip(axes.flat, points.items(), strict=False):
        ax.set_axis_on()
        names = np.asarray(exercises[name])
        for number, exercise in enumerate(EXERCISES):
            own, colour = where[names == exercise], colours[number * 7 % len(EXERCISES)]
            style = {"marker": MARKERS[number % 8], "s": 28, "linewidth": 1.1, "edgecolor": colour}
            ax.scatter(*own.T, facecolor=colour if number < 8 else "white", label=f"{number}  {exercise}", **style)
            if len(own):
                ax.annotate(
                    str(number), np.median(own, axis=0), xytext=(6, 6), textcoords="offset points",
                    fontsize=8, fontweight="bold",
                )  # fmt: skip
        ax.set(xticks=[], yticks=[])
        ax.set_title(name)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right upper", title="Table 3", fontsize=7.5)
    return figure


@mpl.rc_context(STYLE)
def bars(scores: pd.DataFrame, title: str = "") -> Figure:
    """Scores as bars, in percent: a panel for each column, a bar for each row, which is named on the axis."""
    columns = min(3, len(scores.columns))
    rows = -(-len(scores.columns) // columns)
    size = (1.8 + 2.3 * columns, (0.8 + 0.22 * len(scores)) * rows + 0.2)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, sharey=True)
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, (metric, values) in zip(axes.flat, scores.items(), strict=False):
        ax.set_axis_on()
        drawn = ax.barh(
            [" ".join(map(str, np.atleast_1d(name))) for name in scores.index], 100 * values, color=SHADES[1]
        )
        ax.bar_label(drawn, fmt="%.1f", fontsize=7, padding=2)
        ax.set(xlabel="%", xlim=(0, 112), xticks=range(0, 101, 25), title=NAMES.get(metric, metric))
        ax.tick_params(axis="y", length=0)
        ax.grid(axis="x", **GRID)
    axes[0, 0].invert_yaxis()
    figure.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
    return figure


@mpl.rc_context(STYLE)
def protocol(spreads: Mapping[str, Sequence[float]], title: str, xlabel: str, line: float | None = None) -> Figure:
    """How a score spreads, in percent: a box for each of `spreads` (quartiles; whiskers to the ends) with its mean beside it.

    Of up to 30 values each is drawn as a point. `line` marks a value to compare with.
    """
    figure, ax = plt.subplots(figsize=(7, 0.8 + 0.36 * len(spreads)))
    for row, values in enumerate(spreads.values()):
        percent = 100 * np.asarray(values)
        if len(percent) <= 30:
            ax.plot(percent, np.full(len(percent), row), "o", ms=5, mfc="white", mec=SHADES[0])
            continue
        box = {"color": SHADES[0]}
        ax.boxplot(
            percent, positions=[row], widths=0.55, orientation="horizontal", whis=(0, 100), showfliers=False,
            patch_artist=True, manage_ticks=False,
            boxprops={"facecolor": SHADES[2], **box}, medianprops=box, whiskerprops=box, capprops=box,
        )  # fmt: skip
        ax.annotate(
            f"{percent.mean():.1f}", (percent.max(), row), xytext=(5, 0), textcoords="offset points", va="center"
        )
    if line is not None:
        ax.axvline(100 * line, color="black", linewidth=1, linestyle="--")
        ax.annotate(
            f"{100 * line:.1f}", (100 * line, 1.02), xycoords=("data", "axes fraction"), ha="center", fontsize=7.5
        )
    ax.set_yticks(range(len(spreads)), spreads)
    ax.set(xlabel=xlabel, ylim=(len(spreads) - 0.5, -0.5))
    ax.set_title(title, pad=14)
    ax.grid(axis="x", **GRID)
    return figure


@mpl.rc_context(STYLE)
def estimates(table: pd.DataFrame, title: str, xlabel: str = "%") -> Figure:
    """Values with their intervals, in percent: a row for each row of `table` (value, low, high)."""
    figure, ax = plt.subplots(figsize=(6.5, 0.9 + 0.3 * len(table)))
    percent = 100 * table[["value", "low", "high"]].astype(float)
    spread = (percent["value"] - percent["low"], percent["high"] - percent["value"])
    ax.errorbar(percent["value"], range(len(table)), xerr=spread, fmt="o", color=SHADES[0], ms=5, capsize=3)
    ax.set_yticks(range(len(table)), [str(name) for name in table.index])
    ax.set(xlabel=xlabel, ylim=(len(table) - 0.5, -0.5))
    ax.set_title(title)
    ax.grid(axis="x", **GRID)
    return figure


@mpl.rc_context(STYLE)
def reliability(before: Mapping[str, pd.DataFrame], after: Mapping[str, pd.DataFrame]) -> Figure:
    """Reliability diagrams, a panel each: how often predictions of a probability came true (scores.calibration.reliability).

    Open marks before calibration, filled ones after it, as large as there are predictions; on the diagonal, what is said is true.
    """
    figure, axes = plt.subplots(1, len(before), figsize=(3.6 * len(before), 3.5), squeeze=False)
    for ax, (name, old) in zip(axes[0], before.items(), strict=True):
        ax.plot([0, 100], [0, 100], color="#999999", linewidth=0.8)
        for table, face, label in ((old, "white", "before"), (after[name], SHADES[1], "after")):
            size = 12 + 160 * table["count"] / table["count"].sum()
            confidence, share = 100 * table["confidence"], 100 * table["share"]
            ax.plot(confidence, share, color=SHADES[1], linestyle="--" if label == "before" else "-", linewidth=0.8)
            ax.scatter(confidence, share, s=size, facecolor=face, edgecolor=SHADES[0], label=label, zorder=3)
        ax.set(xlabel="said (%)", ylabel="came true (%)", xlim=(-3, 103), ylim=(-3, 103), aspect="equal")
        ax.set_title(name)
        ax.grid(**GRID)
        ax.legend(loc="upper left")
    return figure


@mpl.rc_context(STYLE)
def simulations(curves: pd.DataFrame, rows: pd.DataFrame, x: str, y: str) -> Figure:
    """What a protocol makes of accuracy: a line for each column of `curves` along its index, dots for `rows` (columns x, y)."""
    figure, ax = plt.subplots(figsize=(6, 3.8))
    for (name, values), line, colour in zip(curves.items(), LINES, sns.color_palette("colorblind"), strict=False):
        ax.plot(100 * curves.index, 100 * values, linestyle=line, color=colour, label=name)
    ax.plot(rows[x], rows[y], "o", ms=6, mfc="white", mec="black", label="the paper's rows")
    ax.set(xlabel=f"{NAMES[x]} (%)", ylabel=f"{NAMES[y]} (%)", title=f"{NAMES[y]} that follows from {NAMES[x]}")
    ax.grid(**GRID)
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


@mpl.rc_context(STYLE)
def coverage(shares: pd.DataFrame, trials: int) -> Figure:
    """How often 95 % intervals hold the truth (scores.intervals.coverage): a row for each metric, a mark for each column.

    The band is where so many trials of intervals that keep their word lie.
    """
    figure, ax = plt.subplots(figsize=(6.5, 0.9 + 0.26 * len(shares)))
    chance = 196 * np.sqrt(0.95 * 0.05 / trials)
    ax.axvspan(95 - chance, min(100, 95 + chance), color="#e4e4e4", linewidth=0)
    for (name, values), mark, face in zip(shares.items(), MARKERS, (SHADES[0], "white"), strict=False):
        ax.plot(100 * values, range(len(values)), mark, color=SHADES[0], mfc=face, ms=5.5, label=name)
    ax.set_yticks(range(len(shares)), [f"{NAMES[metric]} ({task})" for task, metric in shares.index])
    ax.set(xlabel="intervals that hold the truth (%)", ylim=(len(shares) - 0.5, -0.5))
    ax.set_title("95 % intervals, drawn over sources and over clips")
    ax.grid(axis="x", **GRID)
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure
