"""Figures of people as a pose estimator sees them, and of what networks make of that. Joints and tables in, a Figure out."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from exmus_lib.pictures.figures import GRID, STYLE, panels
from exmus_lib.poses.draw import BLUE, MIN_VISIBILITY, VERMILION, skeleton_over, stick_figure
from exmus_lib.poses.repetitions import Repetition
from exmus_lib.poses.track import BODY, Track

# What stands together in a picture of visibility.
PARTS = {
    "head": ("nose", "ear"), "shoulders": ("shoulder",), "arms": ("elbow", "wrist"), "hips": ("hip",),
    "legs": ("knee", "ankle", "heel", "foot"),
}  # fmt: skip
LEFT, RIGHT = (np.array(colour) / 255 for colour in (VERMILION, BLUE))
LINES = ("#1b3a5c", "#d55e00", "#009e73", "#cc79a7")  # with the marks below, apart in grey too
MARKS = "osD^"
FAINT = 0.25  # opacity of limbs that are hardly seen


@mpl.rc_context(STYLE)
def seen(pictures: np.ndarray, track: Track, moments: Sequence[int]) -> Figure:
    """Pictures (T, height, width, 3) with the skeleton over them at some samples; below, how well each part is seen over time."""
    figure = plt.figure(figsize=(9.5, 3.1))
    grid = figure.add_gridspec(2, len(moments), height_ratios=(1.1, 1))
    for place, moment in enumerate(moments):
        ax = figure.add_subplot(grid[0, place])
        ax.imshow(skeleton_over(pictures[moment], track.image[moment], track.visibility[moment]))
        ax.set_axis_off()
        ax.set_title(f"{track.times[moment]:.1f} s")
    _visibility(figure.add_subplot(grid[1, :]), track)
    return figure


def _visibility(ax: Axes, track: Track) -> None:
    parts = visibility_of(track.visibility)
    shown = ax.imshow(
        parts.T.to_numpy(), aspect="auto", cmap="Blues", vmin=0, vmax=1,
        extent=(track.times[0], track.times[-1] + 0.1, len(parts.columns) - 0.5, -0.5),
    )  # fmt: skip
    ax.set_yticks(range(len(parts.columns)), parts.columns)
    ax.set(xlabel="seconds", title="How well each part is seen (the estimator's own judgement)")
    ax.figure.colorbar(shown, ax=ax, label="visibility", pad=0.01)


def visibility_of(visibility: np.ndarray) -> pd.DataFrame:
    """Mean visibility of each of PARTS, a row for each of visibility (T, J)."""
    columns = {part: [i for i, joint in enumerate(BODY) if joint.split()[-1 if joint[-5:] != "index" else 1] in names]
               for part, names in PARTS.items()}  # fmt: skip
    return pd.DataFrame({part: visibility[:, joints].mean(axis=1) for part, joints in columns.items()})


@mpl.rc_context(STYLE)
def stick_figures(people: Mapping[str, tuple[np.ndarray, np.ndarray | None]], columns: int = 4) -> Figure:
    """People side by side under their titles, joints (J, 2) and visibility (J,) or None: solid where well seen, else faint."""
    figure, axes = panels(len(people), columns, 9.5 / min(columns, len(people), 4) if len(people) > 1 else 3, 3.1)
    for ax, (title, (joints, visibility)) in zip(axes, people.items(), strict=True):
        _person(ax, joints, visibility)
        ax.set_title(title, fontsize=8.5)
    return figure


def _person(ax: Axes, joints: np.ndarray, visibility: np.ndarray | None) -> None:
    stick_figure(ax, joints, None)
    if visibility is not None:
        for line in ax.lines:
            line.set_alpha(FAINT)
        stick_figure(ax, joints, visibility)
        hidden = visibility < MIN_VISIBILITY
        ax.plot(*joints[hidden].T, "o", ms=4, mfc="white", mec="#888888")
    ax.margins(0.12)
    ax.set_axis_off()


@mpl.rc_context(STYLE)
def learning(history: pd.DataFrame) -> Figure:
    """Loss, and the share of held-out clips that are named right, over CPU seconds; columns as networks.people.train has them."""
    figure, (losses, shares) = plt.subplots(1, 2, figsize=(9, 3))
    smooth = history["loss"].rolling(max(1, len(history) // 20), min_periods=1).mean()
    losses.plot(history["cpu_seconds"], history["loss"], color="#b9d7ea", lw=0.8)
    losses.plot(history["cpu_seconds"], smooth, color=LINES[0])
    losses.set(xlabel="CPU seconds", ylabel="cross-entropy", title="Loss on virtual clips")
    looks = history.drop(columns=["step", "loss"]).dropna().set_index("cpu_seconds")
    for name, colour, mark in zip(looks, LINES, MARKS, strict=False):
        shares.plot(looks.index, 100 * looks[name], marker=mark, ms=4, color=colour, label=name)
    shares.set(
        xlabel="CPU seconds", ylabel="clips right (%)", ylim=(0, 100), title="Held-out clips, by the estimator's joints"
    )
    shares.legend(loc="upper left")
    for ax in (losses, shares):
        ax.grid(**GRID)
    return figure


@mpl.rc_context(STYLE)
def comparison(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Summaries (scores.people.summary) of several sets of clips: a dot with its interval for each network and metric."""
    figure, axes = panels(len(tables), len(tables), 9.5 / max(2, len(tables)), 3.6, sharey=True)
    for ax, (title, table) in zip(axes, tables.items(), strict=True):
        metrics, networks = list(table["metric"].unique()), list(table["network"].unique())
        for number, (network, colour, mark) in enumerate(zip(networks, LINES, MARKS, strict=False)):
            rows = table[table["network"] == network].set_index("metric").loc[metrics]
            place = np.arange(len(metrics)) + 0.18 * (number - (len(networks) - 1) / 2)
            ax.vlines(place, rows["low"], rows["high"], color=colour, lw=1.5)
            ax.plot(place, rows["value"], mark, color=colour, ms=5, label=network)
        ax.set_xticks(range(len(metrics)), metrics, fontsize=8)
        ax.set(title=title, ylim=(0, 102))
        ax.grid(axis="y", **GRID)
    axes[0].set_ylabel("%")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


@mpl.rc_context(STYLE)
def mistakes(errors: pd.DataFrame, tracks: Mapping[str, Track]) -> Figure:
    """The person of each clip of scores.people.confident_errors in the middle of it, with how well arms and legs are seen."""
    people = {}
    for row in errors.itertuples():
        track = tracks[row.clip_id]
        samples = np.flatnonzero(track.found)
        if len(samples):
            middle = samples[len(samples) // 2]
            parts = visibility_of(track.visibility[track.found]).mean()
            title = f"{row.exercise}, taken for\n{row.predicted} ({row.probability:.0%})"
            people[f"{title}\nseen: arms {parts['arms']:.0%}, legs {parts['legs']:.0%}" + " " * len(people)] = (
                track.image[middle], track.visibility[middle],
            )  # fmt: skip
    return stick_figures(people) if people else _words("no clip with a person in it is taken for another exercise")


@mpl.rc_context(STYLE)
def counted(track: Track, name: str, degrees: np.ndarray, repetitions: Sequence[Repetition], title: str) -> Figure:
    """An angle (T, 2), left and right, over time, each repetition shaded and numbered where it turns."""
    figure, ax = plt.subplots(figsize=(9, 2.8))
    for column, side, colour in zip(degrees.T, ("left", "right"), (LEFT, RIGHT), strict=True):
        ax.plot(track.times, column, color=colour, label=side, lw=1.5)
    for number, repetition in enumerate(repetitions, start=1):
        ax.axvspan(repetition.start, repetition.end, color="#dddddd" if number % 2 else "#eeeeee", lw=0)
        ax.axvline(repetition.turn, color="#555555", lw=0.8, ls=":")
        ax.annotate(str(number), (repetition.turn, 1.0), xycoords=("data", "axes fraction"), ha="center", va="top")
    ax.set(xlabel="seconds", ylabel=f"{name} (degrees)", title=title)
    ax.legend(loc="lower right", ncols=2)
    return figure


@mpl.rc_context(STYLE)
def worth(table: pd.DataFrame | None, chance: float = 0.0) -> Figure:
    """What so many real clips of each exercise add, as scores.people.worth has it: mean and range over the draws.

    Without a table the figure says what it needs.
    """
    if table is None:
        return _words("needs real clips of two sources: -p real <folder of class folders>")
    figure, ax = plt.subplots(figsize=(6.5, 3.4))
    for (taught, rows), colour, mark in zip(table.groupby("taught"), LINES, MARKS, strict=False):
        of_count = 100 * rows.groupby("clips")["top1"].agg(["mean", "min", "max"])
        ax.plot(of_count.index, of_count["mean"], marker=mark, color=colour, label=taught)
        ax.fill_between(of_count.index, of_count["min"], of_count["max"], color=colour, alpha=0.15, lw=0)
    ax.axhline(100 * chance, color="#888888", ls="--", lw=1, label="the commonest exercise")
    ax.set(xlabel="real clips of each exercise", ylabel="real clips right (%)", ylim=(0, 100))
    ax.set_xticks(sorted(table["clips"].unique()))
    ax.set_title("What a few real clips are worth")
    ax.grid(axis="y", **GRID)
    ax.legend(loc="lower right")
    return figure


def _words(text: str) -> Figure:
    figure, ax = plt.subplots(figsize=(6.5, 0.8))
    ax.set_axis_off()
    ax.text(0.5, 0.5, text, ha="center", va="center", color="#555555")
    return figure
