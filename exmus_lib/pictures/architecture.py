"""Networks drawn from their measured tables (networks.describe): stages (Fig. 4, 5), X3D's expansion and a search for it."""

import itertools

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from exmus_lib.pictures.figures import GRID, SHADES, STYLE, rows

# Front, top and side of a box.
BLUE, ORANGE = ("#9ecae1", "#cfe4f1", "#4a8fba"), ("#d98a4b", "#efc19b", "#a85f24")
FACES = {"": BLUE, "slow": BLUE, "fast": ORANGE}
ARROW = {"arrowstyle": "-|>", "color": "#333333", "lw": 1.1, "shrinkA": 0, "shrinkB": 0}
LATERAL = ARROW | {"color": ORANGE[2], "lw": 1.6}
# Inches, so that text fits: from one stage to the next, and the widest, tallest and deepest box.
SLOT, WIDE, TALL, DEEP = 1.55, 0.75, 1.0, 0.32


@mpl.rc_context(STYLE)
def stages(table: pd.DataFrame, title: str) -> Axes:
    """A network as boxes, one per stage of `table` (networks.describe.stages): Fig. 4 for X3D, Fig. 5 for SlowFast.

    A box is as wide as the stage has channels, as high as its pictures and as deep as its frames (their square roots,
    against the largest in the drawing). With two pathways, Slow stands above Fast; an arrow from one to the other is a
    lateral connection, with the channels that it adds.
    """
    body, head = table[~table["stage"].eq("head") & ~table["pathway"].eq("lateral")], table.iloc[-1]
    names = list(body["stage"].unique())
    middles = {"slow": 3.05, "fast": 0.9} if body["pathway"].any() else {"": 0.9}
    left, right, top = -1.2 if len(middles) > 1 else -0.65, SLOT * (len(names) - 1) + 1.9, max(middles.values()) + 0.7
    _, ax = plt.subplots(figsize=(right - left, top + 0.75))
    ax.set(xlim=(left, right), ylim=(-0.45, top), title=title)
    key = "channels × frames × height × width of what each stage puts out"
    ax.set_title(key, loc="right", fontsize=7, weight="normal")
    ax.set_axis_off()
    x, y = right - 0.85, np.mean(list(middles.values()))
    ax.text(x, y, f"head\n{head['channels']} logits\n", va="center", fontsize=8.5, fontweight="bold")
    ax.text(x, y - 0.08, _cost(head), va="top", fontsize=7, linespacing=1.35)
    for pathway, middle in middles.items():
        rows = body[body["pathway"] == pathway]
        ends = [_box(ax, SLOT * i, middle, stage, body) for i, (_, stage) in enumerate(rows.iterrows())]
        for (_, start), (end, _) in itertools.pairwise(ends):
            ax.annotate("", (end, middle), (start, middle), arrowprops=ARROW)
        ax.annotate("", (x - 0.06, y + np.sign(middle - y) * 0.25), (ends[-1][1], middle), arrowprops=ARROW)
        if pathway:
            share = 100 * rows["gflops"].sum() / table["gflops"].sum()
            note = f"{_count(rows['parameters'].sum())} parameters, {share:.0f} % of GFLOPs"
            look = {"rotation": 90, "ha": "center", "va": "center", "color": FACES[pathway][2]}
            ax.text(-1.1, middle - 0.3, f"{pathway.capitalize()} pathway", fontsize=8.5, fontweight="bold", **look)
            ax.text(-0.92, middle - 0.3, note, fontsize=7, **look)
    for _, lateral in table[table["pathway"] == "lateral"].iterrows():
        x = SLOT * (names.index(lateral["stage"]) + 0.5) + 0.1
        ax.annotate("", (x, middles["slow"]), (x, middles["fast"]), arrowprops=LATERAL, zorder=1)
        text = f"+ {lateral['channels']}\nchannels"
        ax.text(x + 0.06, middles["fast"] + 0.62, text, fontsize=7, color=LATERAL["color"])
    return ax


def _box(ax: Axes, x: float, y: float, stage: pd.Series, among: pd.DataFrame) -> tuple[float, float]:
    """One stage with its middle at (x, y), what it is written below; returns its left and right ends, for arrows."""
    largest = {"channels": WIDE, "height": TALL, "time": DEEP}
    width, height, depth = (size * np.sqrt(stage[of] / among[of].max()) for of, size in largest.items())
    left, right, low, high = x - width / 2, x + width / 2, y - height / 2, y + height / 2
    back, up = right + depth, 0.55 * depth
    faces = [
        [(left, low), (right, low), (right, high), (left, high)],
        [(left, high), (right, high), (back, high + up), (left + depth, high + up)],
        [(right, low), (back, low + up), (back, high + up), (right, high)],
    ]
    for face, colour in zip(faces, FACES[stage["pathway"]], strict=True):
        ax.add_patch(mpl.patches.Polygon(face, facecolor=colour, edgecolor="white", linewidth=0.7, zorder=2))
    shape = " × ".join(str(stage[of]) for of in ("channels", "time", "height", "width"))
    ax.text(x, y - 0.62, stage["stage"], ha="center", va="top", fontsize=8.5, fontweight="bold")
    ax.text(x, y - 0.79, f"{shape}\n{_cost(stage)}", ha="center", va="top", fontsize=7, linespacing=1.35)
    return left, back


def _cost(stage: pd.Series) -> str:
    return f"{_count(stage['parameters'])} parameters\n{_count(1e9 * stage['gflops'])}FLOPs"


def _count(number: float) -> str:
    """A number in three digits: 816, 15.4 k, 1.35 M."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k"), (1, " ")):
        if number >= 0.9995 * size:
            return (f"{number / size:#.3g}".rstrip(".") + unit).rstrip()
    return "0"


@mpl.rc_context(STYLE)
def block(table: pd.DataFrame, title: str) -> Axes:
    """An X3D block (networks.describe.block) from left to right: each box a convolution, as high as it puts out channels.

    Orange boxes convolve each channel by itself; the arc is the way round the block, which is added at its end.
    """
    _, ax = plt.subplots(figsize=(8.2, 2.5))
    ax.set(xlim=(-0.6, len(table) + 0.15), ylim=(-0.95, 0.85), title=title)
    ax.set_axis_off()
    ends, tallest = (-0.5, len(table) - 0.08), table[["inputs", "outputs"]].max(axis=None)
    for place, layer in table.iterrows():
        height = 0.25 + 0.75 * layer["outputs"] / tallest
        face = (ORANGE if layer["each_channel_alone"] else BLUE)[0]
        ax.add_patch(mpl.patches.Rectangle((place, -height / 2), 0.62, height, facecolor=face, edgecolor="white"))
        ax.text(place + 0.31, 0, f"{layer['purpose']}\n{layer['kernel']}", ha="center", va="center", fontsize=8)
        count = f"{layer['inputs']} → {layer['outputs']} channels\n{layer['parameters']:,} parameters"
        ax.text(place + 0.31, -0.62, count, ha="center", va="top", fontsize=7, linespacing=1.4)
        ax.annotate("", (place, 0), (place - 0.38, 0), arrowprops=ARROW)
    ax.annotate("", (ends[1], 0), (ends[1] - 0.3, 0), arrowprops=ARROW)
    ax.text(ends[1] + 0.1, 0, "+", ha="center", va="center", fontsize=15, fontweight="bold")
    start, stop = ends[0] + 0.06, ends[1] + 0.1
    ax.plot([start, start, stop, stop], [0, 0.78, 0.78, 0.3], color=ARROW["color"], linewidth=ARROW["lw"])
    ax.annotate("", (stop, 0.14), (stop, 0.35), arrowprops=ARROW)
    return ax


@mpl.rc_context(STYLE | {"text.parse_math": True})  # of the logarithmic axis
def expansion(table: pd.DataFrame) -> Figure:
    """From X2D to X3D, step by step (networks.describe.expansion): parameters, and GFLOPs on a logarithmic axis."""
    figure, axes = plt.subplots(1, 2, figsize=(8, 0.32 * len(table) + 1), sharey=True)
    columns = {"parameters_m": "parameters (million)", "gflops": "GFLOPs for one view"}
    for ax, (column, label) in zip(axes, columns.items(), strict=True):
        bars = ax.barh(table.index, table[column], color=SHADES[1], height=0.7)
        ax.bar_label(bars, [f"{value:.2f}" for value in table[column]], padding=3, fontsize=8)
        ax.set(xlabel=label, ylim=(len(table) - 0.5, -0.5))
        ax.tick_params(axis="y", length=0)
        ax.grid(axis="x", **GRID)
    axes[0].set(title="X2D expanded to X3D", xlim=(0, 1.15 * table["parameters_m"].max()))
    axes[1].set(xscale="log", xlim=(table["gflops"].min() / 2, 3 * table["gflops"].max()))
    return figure


# The factors of exmus_lib.expansion, as axes name them.
FACTORS = {
    "tau": "γτ frame rate",
    "t": "γt time",
    "s": "γs side",
    "w": "γw width",
    "b": "γb bottleneck",
    "d": "γd depth",
}


@mpl.rc_context(STYLE)
def search(table: pd.DataFrame, paper: pd.DataFrame, metric: str) -> Figure:
    """A search (expansion.search) beside the paper's way from X2D to X3D-M (networks.describe.expansion).

    Left, what each network costs and scores, with its 95 % interval; the line joins those that were chosen, its dashed end is
    the contraction. Right, which factor grew at which cost, in multiples of X2D's, and the value that it came to.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.8))
    score, chosen = 100 * table["score"], table[table["chosen"]]
    # The contraction alone costs less than what was before it.
    back = chosen[chosen["gflops"] < chosen["gflops"].shift()]
    path, middle = chosen.drop(back.index), {"textcoords": "offset points", "fontsize": 8}
    left.vlines(table["gflops"], 100 * table["low"], 100 * table["high"], color="#cccccc", linewidth=1, zorder=1)
    left.plot(table["gflops"], score, "o", color=SHADES[1], mfc="white", ms=5, label="candidate, 95 % interval")
    end = pd.concat([path.tail(1), back])
    left.plot(end["gflops"], 100 * end["score"], "--D", color=ORANGE[2], ms=5, label="contracted")
    left.plot(path["gflops"], 100 * path["score"], "-o", color=SHADES[0], ms=6, label="chosen")
    for row in table.itertuples():
        name = FACTORS[row.factor].split()[0] if row.factor else "X2D"
        left.annotate(name, (row.gflops, 100 * row.score), (5, 3), **middle)
    left.set(title="The search: cost and score", xlabel="GFLOPs for one view", ylabel=f"{metric} on validation (%)")
    left.legend(loc="upper left", fontsize=7.5, bbox_to_anchor=(0, -0.16), ncols=3)
    left.grid(axis="y", **GRID)
    ours = path.iloc[1:].assign(cost=path["gflops"] / path["gflops"].iloc[0])
    _grown(right, [(row.cost, row.factor, "") for row in ours.itertuples()], "ours", SHADES[0], "o", -0.17)
    grown = paper[[f"gamma_{name}" for name in FACTORS]].set_axis(list(FACTORS), axis=1)
    steps = grown.where(grown.ne(grown.shift())).iloc[1:].stack().dropna()
    relative = paper["gflops"] / paper["gflops"].iloc[0]
    theirs = [(relative[network], factor, f"{value:.3g}") for (network, factor), value in steps.items()]
    _grown(right, theirs, "to X3D-S and X3D-M", ORANGE[2], "s", 0.17)
    rows(right, list(FACTORS.values()))
    right.set(
        title="Which factor grew, at which cost", xlabel="cost after the step (X2D = 1)", xscale="log", xlim=(1, 600)
    )
    right.xaxis.set_major_formatter("{x:g}")
    right.legend(loc="upper left", fontsize=7.5, bbox_to_anchor=(0, -0.16), ncols=2)
    return figure


def _grown(ax: Axes, steps: list[tuple[float, str, str]], name: str, colour: str, marker: str, below: float) -> None:
    """A mark, and its text, for each (cost, factor, text)."""
    for cost, factor, text in steps:
        y = list(FACTORS).index(factor) + below
        ax.annotate(text, (cost, y), (5, -3), textcoords="offset points", fontsize=7.5, color=colour)
    places = [list(FACTORS).index(factor) + below for _, factor, _ in steps]
    ax.plot([cost for cost, *_ in steps], places, marker, color=colour, ms=5.5, label=name)
