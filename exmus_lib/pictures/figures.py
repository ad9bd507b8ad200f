"""Figures of clips, training and scores. Tables in, an Axes (or a Figure of several) out; `save` writes PNG and PDF.

Colours tell apart for colour-blind eyes, and in grey: bars run from dark to light in the order of the legend.
"""

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from exmus_lib import workspace
from exmus_lib.videos.read import read_frames
from exmus_lib.vocabulary import EXERCISES, LABELS, MUSCLES_OF, truth

STYLE = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "figure.dpi": 110,
    "figure.constrained_layout.use": True,
}
SHADES = ("#1b3a5c", "#3d85b8", "#b9d7ea")  # dark, middle, light
LINES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#000000")  # Okabe and Ito
GRID = {"color": "#dddddd", "linewidth": 0.6}


def save(figure: Figure | Axes, name: str) -> list[Path]:
    """Write outputs/figures/<name>.png (200 dpi) and .pdf (vectors, text as text); returns both paths."""
    figure = figure.figure if isinstance(figure, Axes) else figure
    paths = [workspace.outputs_dir("figures") / f"{name}.{kind}" for kind in ("png", "pdf")]
    with mpl.rc_context({"pdf.fonttype": 42}):
        for path in paths:
            with workspace.atomic(path) as part:
                figure.savefig(part, dpi=200, bbox_inches="tight", facecolor="white")
    return paths


@mpl.rc_context(STYLE)
def class_balance(clips: pd.DataFrame, task: str, ax: Axes | None = None) -> Axes:
    """Clips per exercise (Fig. 2) or per muscle (Fig. 3) and split, as stacked bars with their numbers; column `split`.

    A clip counts once for each muscle that its exercise works, so the bars of `mgap` add up to more than the clips.
    """
    labels, present = LABELS[task], truth(clips["exercise"], task)
    if task == "exercise":
        present = present[:, None] == np.arange(len(labels))
    counts = pd.DataFrame({s: present[clips["split"] == s].sum(axis=0) for s in ("train", "val", "test")}, index=labels)
    ax = ax or plt.subplots(figsize=(7, 0.27 * len(labels) + 0.9))[1]
    left, longest = np.zeros(len(labels)), counts.sum(axis=1).max()
    for (split, column), colour in zip(counts.items(), SHADES, strict=True):
        bars = ax.barh(labels, column, left=left, color=colour, edgecolor="white", height=0.78, label=split)
        shown = [str(n) if n > 0.025 * longest else "" for n in column]
        ax.bar_label(bars, shown, label_type="center", fontsize=7, color="black" if colour == SHADES[2] else "white")
        left += column
    for row, total in enumerate(left):
        ax.text(total + 0.01 * longest, row, f"{total:.0f}", va="center", fontsize=8, fontweight="bold")
    ax.set(
        xlabel="clips",
        xlim=(0, 1.07 * longest),
        title=f"Clips per {'exercise' if task == 'exercise' else 'muscle'} and split",
    )
    ax.set_ylim(len(labels) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.legend(loc="lower right", title="split", ncols=3, bbox_to_anchor=(1, 1), borderaxespad=0, title_fontsize=8.5)
    return ax


@mpl.rc_context(STYLE)
def frame_strip(clips: pd.DataFrame, folder: Path, frames: int = 1, columns: int = 4) -> Figure:
    """Frames of the given clips, labelled with exercise and muscles (Fig. 1), read from folder/<path>.

    One frame a clip is that of its middle; more are spread evenly over the clip, side by side: a contact sheet.
    """
    rows = -(-len(clips) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(1.75 * frames * columns, 2.15 * rows), squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, clip in zip(axes.flat, clips.itertuples(), strict=False):
        times = (np.arange(frames) + 0.5) / frames * clip.seconds
        ax.imshow(np.hstack([_squared(frame) for frame in read_frames(folder / clip.path, times, side=256)]))
        ax.set_title(clip.exercise, fontsize=8.5, loc="center", pad=12)
        ax.text(
            0.5,
            1.02,
            ", ".join(MUSCLES_OF[clip.exercise]),
            transform=ax.transAxes,
            ha="center",
            fontsize=7,
            color="#444444",
        )
    return figure


def _squared(frame: np.ndarray) -> np.ndarray:
    """A frame (height, width, 3) on a white square, whole and centred."""
    height, width = frame.shape[:2]
    square = np.full((max(height, width), max(height, width), 3), 255, dtype=np.uint8)
    top, left = (len(square) - height) // 2, (len(square) - width) // 2
    square[top : top + height, left : left + width] = frame
    return square


@mpl.rc_context(STYLE)
def learning_curves(histories: Mapping[str, pd.DataFrame], title: str = "Learning curves") -> Figure:
    """Loss, and the validation metric, per epoch, from the history tables (history.csv) of runs, name -> table.

    The best epoch, that of least validation loss, whose weights a run keeps, carries a ring.
    """
    figure, (losses, scores) = plt.subplots(1, 2, figsize=(8, 3))
    names = {"val_top1": "top-1 (%)", "val_f1": "macro F1 (%)"}
    for (name, history), colour in zip(histories.items(), LINES, strict=False):
        epochs = history["epoch"] + 1
        monitor = "val_loss" if "val_loss" in history else "train_loss"
        best = history[monitor].idxmin()
        losses.plot(epochs, history["train_loss"], ":", color=colour, label=f"{name}, training")
        losses.plot(epochs[best], history[monitor][best], "o", ms=9, mfc="none", mew=1.5, color=colour)
        if monitor == "val_loss":
            losses.plot(epochs, history["val_loss"], color=colour, label=f"{name}, validation")
        for metric, label in names.items():
            if metric in history:
                scores.plot(epochs, 100 * history[metric], color=colour, label=name)
                scores.plot(epochs[best], 100 * history[metric][best], "o", ms=9, mfc="none", mew=1.5, color=colour)
                text, at = f"{100 * history[metric][best]:.1f}", (epochs[best], 100 * history[metric][best])
                scores.annotate(text, at, (0, 8), textcoords="offset points", ha="center", color=colour, fontsize=8)
                scores.set(ylabel=f"validation {label}", title="Validation score")
    losses.set(ylabel="loss", title=title)
    for ax in (losses, scores):
        ax.set_xlabel("epoch (ring: least validation loss, kept)")
        ax.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
        ax.set_ylim(bottom=0)
        ax.grid(**GRID)
        if ax.get_lines():
            ax.legend()
    return figure


@mpl.rc_context(STYLE)
def confusion_matrix(truth: np.ndarray, probabilities: np.ndarray, ax: Axes | None = None) -> Axes:
    """Which exercise (N,) was taken for which, going by the highest of the probabilities (N, 16).

    Cells hold clips, shaded by their share of the row: the shade of the diagonal is each exercise's recall.
    """
    counts = np.zeros((len(EXERCISES), len(EXERCISES)), dtype=int)
    np.add.at(counts, (truth, probabilities.argmax(axis=1)), 1)
    support = counts.sum(axis=1, keepdims=True)
    share = 100 * counts / np.maximum(support, 1)
    ax = ax or plt.subplots(figsize=(7.2, 6.2))[1]
    sns.heatmap(
        share,
        ax=ax,
        annot=np.where(counts > 0, counts.astype(str), ""),
        fmt="",
        cmap="Blues",
        vmin=0,
        vmax=100,
        square=True,
        linewidths=0.4,
        linecolor="#dddddd",
        annot_kws={"fontsize": 7.5},
        cbar_kws={"label": "share of the true exercise's clips (%)", "shrink": 0.7},
        xticklabels=EXERCISES,
        yticklabels=[f"{name} ({n})" for name, n in zip(EXERCISES, support[:, 0], strict=True)],
    )
    right = np.trace(counts)
    ax.set(xlabel="predicted exercise", ylabel="true exercise (clips)")
    ax.set_title(f"{right} of {counts.sum()} clips right ({100 * right / counts.sum():.1f} %)")
    ax.tick_params(length=0)
    plt.setp(ax.get_xticklabels(), rotation=45, ha="right", rotation_mode="anchor")
    return ax


@mpl.rc_context(STYLE)
def label_bars(
    labels: pd.DataFrame, columns: tuple[str, ...] = ("precision", "recall", "f1"), ax: Axes | None = None
) -> Axes:
    """Up to three scores per exercise or muscle, from the table of scores.metrics.per_label, with the number of clips.

    A score that is undefined has no bar but says so.
    """
    ax = ax or plt.subplots(figsize=(6.5, 0.34 * len(labels) + 1))[1]
    height = 0.8 / len(columns)
    for i, (column, colour) in enumerate(zip(columns, SHADES, strict=False)):
        position = np.arange(len(labels)) + (i - (len(columns) - 1) / 2) * height
        name = {"f1": "F1", "auc": "AUC", "average_precision": "average precision"}.get(column, column)
        ax.barh(position, 100 * labels[column], height, color=colour, edgecolor="white", linewidth=0.4, label=name)
        for y in position[labels[column].isna()]:
            ax.text(1, y, "undefined", va="center", fontsize=6, color="#555555")
    ax.set_yticks(np.arange(len(labels)), [f"{n} ({s})" for n, s in zip(labels.index, labels["support"], strict=True)])
    ax.set(xlabel="%", xlim=(0, 100), ylabel=f"{labels.index.name} (clips)", title=f"Scores per {labels.index.name}")
    ax.set_ylim(len(labels) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x", **GRID)
    ax.legend(loc="lower right", ncols=3, bbox_to_anchor=(1, 1), borderaxespad=0)
    return ax
