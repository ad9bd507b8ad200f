"""A video's windows as a picture: the exercise along time, and each muscle's probability below it."""

from collections.abc import Sequence
from textwrap import wrap

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from exmus_lib.pictures import figures
from exmus_lib.tasks import Exercise, Muscles, Task

UNSURE = "not sure"
GREY = "#c9c9c9"


def columns(table: pd.DataFrame, task: type[Task]) -> dict[str, str]:
    """label -> the column of its probability, <task>/<label>, in label order; empty where the windows have none of a task."""
    return {column.partition("/")[2]: column for column in table if column.startswith(f"{task.name}/")}


def look(answer: str, exercises: Sequence[str]) -> tuple[str, str]:
    """Number (from 0; it tells pieces apart in grey too) and colour of an exercise; "" and grey of what is none of them."""
    if answer not in exercises:
        return "", GREY
    number = exercises.index(answer)
    return str(number), mpl.colors.to_hex(figures.colours(len(exercises), lightness=0.6)[number])


def timeline(table: pd.DataFrame, title: str, lines: Sequence[str] = (), turns: Sequence[float] = ()) -> Figure:
    """Windows with start, end, answer and the probabilities of `columns`: a strip, and a map of the muscles, if any, below it.

    `lines` stand below the strip; at each of `turns`, in seconds, the strip has a stroke for a repetition. Where a column `idle`
    says how likely it is that nobody trains, muscles have no colour in windows that are not `sure` of an exercise. What a column
    `warning` says stands in the title, and then nothing has a colour. Made without pyplot and its settings, so
    that any thread may draw it; a notebook shows it by `display`.
    """
    exercises, muscles = list(columns(table, Exercise)), columns(table, Muscles)
    warning = "".join(table.get("warning", pd.Series(dtype=str)).unique())
    height = 0.7 + 0.29 * max(2, len(muscles))
    figure = Figure(figsize=(8, height + 0.17 * len(lines)), dpi=110, layout="constrained")
    ratios = [1, 4] if muscles else [1]
    strip, *below = figure.subplots(len(ratios), sharex=True, squeeze=False, height_ratios=ratios).flat
    middles = (table["start"] + table["end"]).to_numpy() / 2
    edges = np.concatenate([[table["start"].iloc[0]], (middles[1:] + middles[:-1]) / 2, [table["end"].iloc[-1]]])
    answers = table["answer"].tolist()
    looks = {answer: look(answer, exercises) for answer in answers}
    strip.barh(0, np.diff(edges), left=edges[:-1], color=[looks[answer][1] for answer in answers], height=1)
    starts = [i for i, answer in enumerate(answers) if i == 0 or answer != answers[i - 1]]
    for first, last in zip(starts, [*starts[1:], len(answers)], strict=True):
        answer, share = answers[first], (edges[last] - edges[first]) / (edges[-1] - edges[0])
        fitting = next((text for text in (answer, looks[answer][0]) if share > 0.02 * len(text)), "")
        strip.text((edges[first] + edges[last]) / 2, 0, fitting, ha="center", va="center", fontsize=8)
    strip.set(yticks=[], ylim=(-0.5, 0.5), xlim=(edges[0], edges[-1]))
    heading = {"loc": "left", "fontsize": 10, "fontweight": "bold", "parse_math": False}  # a file may be called $x$
    strip.set_title("\n".join([title, *wrap(warning, 70)]), color="#8a3b00" if warning else "black", **heading)
    patches = [Patch(color=colour, label=f"{number} {answer}".strip()) for answer, (number, colour) in looks.items()]
    if turns:
        strip.vlines(turns, -0.5, -0.28, color="black", lw=1)
        patches.append(Line2D([], [], color="black", marker="|", ls="", label="repetition"))
    figure.legend(handles=patches, loc="outside right upper", fontsize=7.5, frameon=False)
    for ax in below:
        shares = 100 * table[list(muscles.values())].to_numpy().T
        told = table["sure"].to_numpy(bool) if "idle" in table else np.ones(len(table), bool)
        coloured = told & (warning == "")
        rows = np.arange(len(muscles) + 1)
        drawn, *_ = [
            ax.pcolormesh(edges, rows, np.where(chosen, shares, np.nan), cmap=shades, vmin=0, vmax=100)
            for shades, chosen in (("Blues", coloured), ("Greys", ~coloured))
            if chosen.any()
        ]
        ax.set_yticks(np.arange(len(muscles)) + 0.5, muscles)
        ax.invert_yaxis()
        figure.colorbar(drawn, ax=ax, pad=0.02).set_label("probability (%)", fontsize=9)
    for ax in figure.axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=9)
    [strip, *below][-1].set_xlabel("seconds", fontsize=9)
    if lines:
        text = "\n".join(part for line in lines for part in wrap(line, 80))
        strip.set_xlabel(
            text + ("" if below else "\nseconds"), loc="left", fontsize=8, multialignment="left", parse_math=False
        )
    return figure
