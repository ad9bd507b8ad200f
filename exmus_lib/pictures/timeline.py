"""A video's windows as a picture: the exercise along time, and each muscle's probability below it."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from exmus_lib.pictures.figures import STYLE
from exmus_lib.vocabulary import EXERCISES, MUSCLES

UNSURE = "not sure"
GREY = "#c9c9c9"


def colour(answer: str) -> str:
    """The colour of an exercise, the same in every timeline; grey for what is none."""
    if answer not in EXERCISES:
        return GREY
    return mpl.colors.to_hex(sns.husl_palette(len(EXERCISES), l=0.6)[EXERCISES.index(answer) * 7 % len(EXERCISES)])


def number(answer: str) -> str:
    """The exercise's number, as in Table 3, which tells pieces apart in grey too; "" for what is none."""
    return str(EXERCISES.index(answer)) if answer in EXERCISES else ""


@mpl.rc_context(STYLE)
def timeline(table: pd.DataFrame, title: str) -> Figure:
    """Windows with start, end, answer and, where there are any, mgap/<muscle> probabilities: a strip, and a map below it."""
    columns = [f"mgap/{muscle}" for muscle in MUSCLES]
    has_muscles = columns[0] in table
    figure, axes = plt.subplots(
        1 + has_muscles, 1, figsize=(8, 3.9 if has_muscles else 1.4), sharex=True, squeeze=False,
        height_ratios=[1, 4] if has_muscles else [1],
    )  # fmt: skip
    middles = (table["start"] + table["end"]).to_numpy() / 2
    edges = np.concatenate([[table["start"].iloc[0]], (middles[1:] + middles[:-1]) / 2, [table["end"].iloc[-1]]])
    strip = axes[0, 0]
    strip.barh(0, np.diff(edges), left=edges[:-1], color=[colour(answer) for answer in table["answer"]], height=1)
    runs = table["answer"].ne(table["answer"].shift()).cumsum()
    for _, part in table.groupby(runs):
        first, last = part.index[0] - table.index[0], part.index[-1] - table.index[0]
        share = (edges[last + 1] - edges[first]) / (edges[-1] - edges[0])
        answer = part["answer"].iloc[0]
        fitting = next((text for text in (answer, number(answer)) if share > 0.02 * len(text)), "")
        strip.text((edges[first] + edges[last + 1]) / 2, 0, fitting, ha="center", va="center", fontsize=8)
    strip.set(yticks=[], ylim=(-0.5, 0.5), xlim=(edges[0], edges[-1]))
    strip.set_title(title)
    shown = [answer for answer in dict.fromkeys(table["answer"])]
    strip.legend(
        handles=[Patch(color=colour(answer), label=f"{number(answer)} {answer}".strip()) for answer in shown], loc="upper left",
        bbox_to_anchor=(1.01, 1.4), fontsize=7.5,
    )  # fmt: skip
    if has_muscles:
        ax = axes[1, 0]
        drawn = ax.pcolormesh(
            edges, np.arange(len(MUSCLES) + 1), 100 * table[columns].to_numpy().T, cmap="Blues", vmin=0, vmax=100
        )
        ax.set_yticks(np.arange(len(MUSCLES)) + 0.5, MUSCLES)
        ax.invert_yaxis()
        figure.colorbar(drawn, ax=ax, label="probability (%)", pad=0.02)
    axes[-1, 0].set_xlabel("seconds")
    return figure
