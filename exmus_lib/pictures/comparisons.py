"""Figures that set several runs side by side: ensemble weights, embeddings, ablations. Tables in, a Figure out."""

from collections.abc import Mapping, Sequence
from itertools import cycle

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from exmus_lib.pictures.figures import GRID, SHADES, STYLE, colours, panels, rows
from exmus_lib.scores.paper import DAGGER
from exmus_lib.scores.verdict import FAILS, HOLDS, OPEN
from exmus_lib.tasks import METRIC_TITLES

WEIGHED = ("top1", "auc", "f1", "map")  # the scores that ensemble weights are drawn by, three to a task
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 2)), (0, (8, 2)))
MARKERS = "os^DvPX*"
# Of a claim: its mark and the mark's face.
OUTCOMES = {HOLDS: ("o", SHADES[0]), FAILS: ("X", SHADES[0]), OPEN: ("o", "white")}
BESIDE = {"loc": "center left", "bbox_to_anchor": (1.01, 0.5)}  # a legend to the right of its Axes


@mpl.rc_context(STYLE)
def weight_curves(curves: Mapping[str, pd.DataFrame], chosen: float | None, first: str, rest: str) -> Figure:
    """Three metrics along the weight x of the first run, one panel per split of `curves` (scores.ensembles.curve).

    The line stands at `chosen`, the weight chosen on validation (None: no line); marks at the paper's three. Each curve is
    named at its right end.
    """
    figure, axes = panels(len(curves), len(curves), 4.4, 3.5, sharey=True)
    for ax, (split, curve) in zip(axes, curves.items(), strict=True):
        shown = [int(np.abs(curve.index - x).argmin()) for x in (0.25, 0.5, 0.75)]
        drawn = curve[curve.columns.intersection(WEIGHED, sort=False)]
        lines = _lines(ax, drawn, marker="o", ms=3.5, mfc="white", markevery=shown)
        _name_ends(ax, lines)
        if chosen is not None:
            _upright(ax, chosen, f"{chosen:.2f}", linewidth=0.8)
        ax.set(xlabel=f"x: {rest} alone at 0, {first} alone at 1", xlim=(0, 1))
        ax.set_title(split, pad=14)
    axes[0].set_ylabel("%")
    return figure


def _name_ends(ax: Axes, lines: Sequence[mpl.lines.Line2D], apart: float = 0.06) -> None:
    """The name of each line at its right end, in its colour, no two nearer than a share `apart` of the axis."""
    (low, high), lowest = ax.get_ylim(), -np.inf
    for line in sorted(lines, key=lambda line: line.get_ydata()[-1]):
        height = (line.get_ydata()[-1] - low) / (high - low)
        lowest = max(height, lowest + apart)
        name, look = METRIC_TITLES[line.get_label()], {"va": "center", "color": line.get_color(), "fontweight": "bold"}
        ax.annotate(name, (1.02, lowest), xycoords="axes fraction", annotation_clip=False, **look)


@mpl.rc_context(STYLE)
def embeddings(
    points: Mapping[str, np.ndarray], exercises: Mapping[str, Sequence[str]], names: Sequence[str]
) -> Figure:
    """t-SNE points (N, 2) of each network, a panel each (paper, Fig. 6 and 7), and one legend by the numbers of `names`.

    Exercises differ in colour and in shape of their mark, up to sixteen of them; their number stands beside the middle of
    their points.
    """
    figure, axes = panels(len(points), 2, 5.1, 4.1)
    palette = colours(len(names), lightness=0.5)
    for ax, (network, places) in zip(axes, points.items(), strict=True):
        of = np.asarray(exercises[network])
        for number, name in enumerate(names):
            some, colour = places[of == name], palette[number]
            face = colour if number // len(MARKERS) % 2 == 0 else "white"  # filled, then open
            style = {"marker": MARKERS[number % len(MARKERS)], "s": 28, "linewidth": 1.1, "edgecolor": colour}
            ax.scatter(*some.T, facecolor=face, label=f"{number}  {name}", **style)
            if len(some):
                look = {"xytext": (6, 6), "textcoords": "offset points", "fontsize": 8, "fontweight": "bold"}
                ax.annotate(str(number), np.median(some, axis=0), **look)
        ax.set(xticks=[], yticks=[], title=network)
    title = {"loc": "outside right upper", "title": "exercise", "fontsize": 7.5}
    figure.legend(*axes[0].get_legend_handles_labels(), ncols=-(-len(names) // 24), **title)
    return figure


@mpl.rc_context(STYLE)
def bars(scores: pd.DataFrame, title: str = "") -> Figure:
    """Scores as bars, in percent: a panel for each column, a bar for each row, which is named on the axis."""
    figure, axes = panels(len(scores.columns), 3, 2.9, 0.9 + 0.22 * len(scores), sharey=True)
    for ax, (metric, values) in zip(axes, scores.items(), strict=True):
        drawn = ax.barh(range(len(values)), 100 * values, color=SHADES[1])
        ax.bar_label(drawn, fmt="%.1f", fontsize=7, padding=2)
        rows(ax, [" ".join(map(str, np.atleast_1d(name))) for name in scores.index])
        ax.set(xlabel="%", xlim=(0, 112), xticks=range(0, 101, 25), title=METRIC_TITLES.get(metric, metric))
    figure.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
    return figure


@mpl.rc_context(STYLE)
def protocol(spreads: Mapping[str, Sequence[float]], title: str, xlabel: str, line: float | None = None) -> Figure:
    """How a score spreads, in percent: a box for each of `spreads` (quartiles; whiskers to the ends) with its mean beside it.

    Of up to 30 values each is drawn as a point. `line` marks a value to compare with.
    """
    figure, ax = plt.subplots(figsize=(7, 0.8 + 0.36 * len(spreads)))
    edge = {"color": SHADES[0]}
    box = {"boxprops": {"facecolor": SHADES[2], **edge}, "medianprops": edge, "whiskerprops": edge, "capprops": edge}
    box |= {"whis": (0, 100), "showfliers": False, "patch_artist": True, "manage_ticks": False}
    for row, values in enumerate(spreads.values()):
        percent = 100 * np.asarray(values)
        if len(percent) <= 30:
            ax.plot(percent, np.full(len(percent), row), "o", ms=5, mfc="white", mec=SHADES[0])
            continue
        ax.boxplot(percent, positions=[row], widths=0.55, orientation="horizontal", **box)
        beside = {"xytext": (5, 0), "textcoords": "offset points", "va": "center"}
        ax.annotate(f"mean {percent.mean():.1f}", (percent.max(), row), **beside)
    if line is not None:
        _upright(ax, 100 * line, f"{100 * line:.1f}", linewidth=1, linestyle="--")
    rows(ax, list(spreads))
    ax.set_xlabel(xlabel)
    ax.set_title(title, pad=14)
    return figure


@mpl.rc_context(STYLE)
def estimates(table: pd.DataFrame, title: str, xlabel: str = "%") -> Figure:
    """Values with their intervals, in percent: a row for each row of `table` (value, low, high)."""
    figure, ax = plt.subplots(figsize=(6.5, 0.9 + 0.3 * len(table)))
    percent = 100 * table[["value", "low", "high"]].astype(float)
    spread = (percent["value"] - percent["low"], percent["high"] - percent["value"])
    ax.errorbar(percent["value"], range(len(table)), xerr=spread, fmt="o", color=SHADES[0], ms=5, capsize=3)
    rows(ax, [str(name) for name in table.index])
    ax.set(xlabel=xlabel, title=title)
    return figure


@mpl.rc_context(STYLE)
def reliability(before: Mapping[str, pd.DataFrame], after: Mapping[str, pd.DataFrame]) -> Figure:
    """Reliability diagrams, a panel each: how often predictions of a probability came true (scores.calibration.reliability).

    Open marks before calibration, filled ones after it, as large as there are predictions; on the diagonal, confidence is true.
    """
    figure, axes = panels(len(before), 2, 3.6, 3.5)
    for ax, (name, old) in zip(axes, before.items(), strict=True):
        ax.plot([0, 100], [0, 100], color="#999999", linewidth=0.8)
        for table, face, label, line in ((old, "white", "before", "--"), (after[name], SHADES[1], "after", "-")):
            size = 12 + 160 * table["count"] / table["count"].sum()
            confidence, share = 100 * table["confidence"], 100 * table["share"]
            ax.plot(confidence, share, color=SHADES[1], linestyle=line, linewidth=0.8)
            ax.scatter(confidence, share, s=size, facecolor=face, edgecolor=SHADES[0], label=label, zorder=3)
        ax.set(xlabel="confidence (%)", ylabel="came true (%)", title=name)
        ax.set(xlim=(-3, 103), ylim=(-3, 103), aspect="equal")
        ax.grid(**GRID)
    axes[len(before) - 1].legend(**BESIDE)
    return figure


@mpl.rc_context(STYLE)
def simulations(curves: pd.DataFrame, dots: pd.DataFrame, x: str, y: str) -> Figure:
    """What a protocol makes of accuracy: a line for each column of `curves` along its index, and `dots` (columns x, y)."""
    figure, ax = plt.subplots(figsize=(6, 3.8))
    _lines(ax, curves.set_axis(100 * curves.index))
    ax.plot(dots[x], dots[y], "o", ms=6, mfc="white", mec="black", label="the paper's rows")
    across, up = METRIC_TITLES[x], METRIC_TITLES[y]
    ax.set(xlabel=f"{across} (%)", ylabel=f"{up} (%)", title=f"{up} that follows from {across}")
    ax.legend(**BESIDE)
    return figure


@mpl.rc_context(STYLE)
def coverage(shares: pd.DataFrame, trials: int) -> Figure:
    """How often 95 % intervals hold the truth (scores.simulation.coverage): a row for each metric, a mark for each column.

    The band is where so many trials of intervals that keep their word lie.
    """
    figure, ax = plt.subplots(figsize=(6.5, 0.9 + 0.26 * len(shares)))
    chance = 196 * np.sqrt(0.95 * 0.05 / trials)
    ax.axvspan(95 - chance, min(100, 95 + chance), color="#e4e4e4", linewidth=0)
    for (name, values), mark, face in zip(shares.items(), MARKERS, (SHADES[0], "white"), strict=False):
        size = 5.5 if face != "white" else 8.5  # seen around the other where both are equal
        ax.plot(
            100 * values, range(len(values)), mark, color=SHADES[0], mfc=face, ms=size, zorder=4 - size / 8, label=name
        )
    rows(ax, [f"{METRIC_TITLES[metric]} ({task})" for task, metric in shares.index])
    ax.set(xlabel="intervals that hold the truth (%)", title="95 % intervals, drawn over sources and over clips")
    ax.legend(**BESIDE)
    return figure


def _lines(ax: Axes, table: pd.DataFrame, **look) -> list[mpl.lines.Line2D]:
    """A line in percent for each column along the index; strokes differ too, which print in grey keeps apart."""
    import seaborn as sns

    looks = zip(table.items(), cycle(LINES), cycle(sns.color_palette("colorblind")))
    ax.grid(**GRID)
    return [ax.plot(table.index, 100 * v, linestyle=s, color=c, label=name, **look)[0] for (name, v), s, c in looks]


def _upright(ax: Axes, x: float, text: str, **look) -> None:
    """An upright line, and what it stands for above it."""
    ax.axvline(x, color="black", **look)
    ax.annotate(text, (x, 1.02), xycoords=("data", "axes fraction"), ha="center", fontsize=7.5)


@mpl.rc_context(STYLE)
def claims(summary: pd.DataFrame) -> Figure:
    """The paper's claims (scores.verdict.summary): ours with its interval, the paper's difference as an open diamond, in points.

    Right of zero, as the paper says. A claim that was tested in another set-up than the paper's has a dagger.
    """
    shown = summary[summary["task"] != ""]
    figure, ax = plt.subplots(figsize=(8.6, 0.9 + 0.3 * len(shown)))
    ax.axvline(0, color="black", linewidth=0.8)
    for row, claim in enumerate(shown.itertuples()):
        ax.plot(claim.paper, row, "D", mfc="white", mec="#888888", ms=5)
        if claim.outcome in OUTCOMES:
            mark, face = OUTCOMES[claim.outcome]
            ax.plot([claim.ahead_low, claim.ahead_high], [row, row], color=SHADES[1], linewidth=1.6)
            ax.plot(claim.ahead, row, mark, mfc=face, mec=SHADES[0], ms=7)
        words = claim.outcome + f" {DAGGER}" * (claim.outcome in OUTCOMES and not claim.counts)
        look = {"xycoords": ("axes fraction", "data"), "va": "center", "annotation_clip": False}
        ax.annotate(words, (1.02, row), color="#666666" if claim.outcome not in OUTCOMES else "black", **look)
    rows(ax, list(shown["claim"]))
    ax.set_xscale("symlog", linthresh=5, linscale=0.8)
    ends = (-50, -20, -5, 0, 5, 20, 50)
    ax.set(
        xlim=(-100, 100),
        xlabel="points ahead: right of 0 as the paper says",
        title="◇ the paper    ● ours, with its 95 % interval",
    )
    ax.set_xticks(ends, [f"{end:+d}" if end else "0" for end in ends])
    ax.minorticks_off()
    return figure
