"""Figures of clips, training and scores. Tables in, an Axes (or a Figure of several) out; `save` writes PNG and PDF.

Colours tell apart for colour-blind eyes, and in grey: bars run from dark to light in the order of the legend.
"""

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path

import cv2
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from exmus_lib import predictions, storage, workspace
from exmus_lib.scores import metrics
from exmus_lib.tasks import METRIC_TITLES, Task
from exmus_lib.videos.prepare import ClipSet
from exmus_lib.videos.read import read_frames

STYLE = {
    "font.size": 9, "figure.dpi": 110, "figure.constrained_layout.use": True,
    "axes.titlesize": 10, "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.labelsize": 9,
    "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True,
    "legend.frameon": False, "legend.fontsize": 8.5,
    "text.parse_math": False,  # an exercise, a muscle or a file may be called $x$
}  # fmt: skip
SHADES = ("#1b3a5c", "#3d85b8", "#b9d7ea")  # dark, middle, light
# Jupyter's backend turns itself on with the first figure; inside rc_context that would be undone, and no later figure shown.
plt.close(plt.figure())
GRID = {"color": "#dddddd", "linewidth": 0.6}


def save(figure: Figure | Axes, name: str) -> list[Path]:
    """Write outputs/figures/<name>.png (200 dpi) and .pdf (vectors, text as text), where that is possible; returns both paths."""
    figure = figure.figure if isinstance(figure, Axes) else figure
    paths = [workspace.outputs_dir("figures") / f"{name}.{kind}" for kind in ("png", "pdf")]
    with mpl.rc_context({"pdf.fonttype": 42}):
        for path in paths:
            with storage.where_possible(), storage.atomic(path) as part:
                figure.savefig(part, dpi=200, bbox_inches="tight", facecolor="white")
    return paths


def panels(count: int, columns: int, width: float, height: float, **more) -> tuple[Figure, list[Axes]]:
    """A figure of so many Axes in rows of `columns`, each (width, height) inches. `more` is for plt.subplots."""
    columns = min(columns, count)
    rows = -(-count // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(width * columns, height * rows), squeeze=False, **more)
    for ax in axes.flat[count:]:
        ax.set_axis_off()
    return figure, list(axes.flat[:count])


def rows(ax: Axes, names: Sequence[str]) -> None:
    """A row on the y axis for each name, the first on top."""
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x", **GRID)


def colours(count: int, lightness: float) -> list[tuple[float, float, float]]:
    """A colour along the circle for each of so many labels, in an order in which neighbours differ."""
    import seaborn as sns

    stride = next(step for step in range(max(1, round(0.44 * count)), count + 1) if np.gcd(step, count) == 1)
    return [sns.husl_palette(count, l=lightness)[number * stride % count] for number in range(count)]


@mpl.rc_context(STYLE)
def class_balance(clips: pd.DataFrame, task: Task, ax: Axes | None = None) -> Axes:
    """Clips per exercise (Fig. 2) or per muscle (Fig. 3) and split, as stacked bars with their numbers; column `split`.

    A clip counts once for each of its muscles, so their bars add up to more than the clips.
    """
    present = task.truth(clips.exercise)
    if not task.multilabel:
        present = present[:, None] == np.arange(len(task.names))
    counts = {split: present[clips["split"] == split].sum(axis=0) for split in predictions.SPLITS}
    ax = ax or plt.subplots(figsize=(7, 0.27 * len(task.names) + 0.9))[1]
    left, longest = np.zeros(len(task.names)), max(1, present.sum(axis=0).max())
    for (split, count), colour in zip(counts.items(), SHADES, strict=True):
        bars = ax.barh(range(len(count)), count, left=left, color=colour, edgecolor="white", height=0.78, label=split)
        shown = [str(n) if n > 0.025 * longest else "" for n in count]
        ax.bar_label(bars, shown, label_type="center", fontsize=7, color="black" if colour == SHADES[2] else "white")
        left += count
    for row, total in enumerate(left):
        ax.text(total + 0.01 * longest, row, f"{total:.0f}", va="center", fontsize=8, fontweight="bold")
    rows(ax, task.names)
    ax.set(xlabel="clips", xlim=(0, 1.07 * longest), title=f"Clips per {task.noun} and split")
    ax.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
    ax.legend(loc="lower right", title="split", ncols=3, bbox_to_anchor=(1, 1), borderaxespad=0, title_fontsize=8.5)
    return ax


@mpl.rc_context(STYLE)
def frame_strip(clip_set: ClipSet, seed: int = 0) -> Figure:
    """The middle frame of one clip of each exercise, chosen by `seed`, with the muscles that it works (Fig. 1)."""
    chosen = clip_set.clips.sample(frac=1, random_state=seed).drop_duplicates(["exercise"])
    order, muscles_of = clip_set.labels.exercises, clip_set.labels.muscles_of
    chosen = sorted(chosen.itertuples(), key=lambda clip: order.index(clip.exercise))
    pictures = [_frames(clip_set, clip, [clip.seconds / 2]) for clip in chosen]
    names = [clip.exercise for clip in chosen]
    return _sheet(pictures, names, [", ".join(muscles_of[name]) for name in names], columns=4)


@mpl.rc_context(STYLE)
def contact_sheet(clip_set: ClipSet, number: int = 24, seed: int = 0) -> Figure:
    """The first, middle and last frame of clips chosen by `seed`, from as many source videos as possible."""
    chosen = clip_set.clips.sample(frac=1, random_state=seed)
    chosen = chosen.loc[chosen["video_id"].duplicated().sort_values(kind="stable").index[:number]]
    pictures = [_frames(clip_set, clip, [0, clip.seconds / 2, clip.seconds]) for clip in chosen.itertuples()]
    return _sheet(pictures, chosen.exercise, chosen["clip_id"], columns=3)


@mpl.rc_context(STYLE)
def views(pictures: Sequence[np.ndarray], names: Sequence[str]) -> Figure:
    """Views (3, T, H, W), values from 0 to 1, as a network sees them: a row each, of at most 8 of the frames."""
    strips, notes = [], []
    for view in pictures:
        _, time, height, width = view.shape
        shown = np.linspace(0, time - 1, min(time, 8)).round().astype(int)
        strips.append(np.hstack(list(np.clip(view[:, shown], 0, 1).transpose(1, 2, 3, 0))))
        notes.append(f"{time} frames of {height} × {width} pixels" + ("" if time <= 8 else ", 8 shown"))
    return _sheet(strips, names, notes, columns=1)


def _sheet(pictures: Sequence[np.ndarray], names: Sequence[str], notes: Sequence[str], columns: int) -> Figure:
    """Pictures of one shape in columns, each below its name and a note."""
    height, width = pictures[0].shape[:2]
    wide = min(9.5 / columns, 1.75 * width / height)
    figure, axes = panels(len(pictures), columns, wide, wide * height / width + 0.42)
    for ax, picture, name, note in zip(axes, pictures, names, notes, strict=True):
        ax.imshow(picture)
        ax.set_axis_off()
        ax.set_title(name, fontsize=8.5, loc="center", pad=12)
        look = {"xytext": (0, 3), "textcoords": "offset points", "ha": "center", "fontsize": 7, "color": "#444444"}
        ax.annotate(note, (0.5, 1), xycoords="axes fraction", **look)
    return figure


def _frames(clips: ClipSet, clip, times: Sequence[float]) -> np.ndarray:
    """Frames of a clip side by side, each whole and centred on a white square."""
    frames = read_frames(clips.path(clip), times, side=256)
    up, left = ((max(frames[0].shape) - size) // 2 for size in frames[0].shape[:2])
    border = cv2.BORDER_CONSTANT, None, (255, 255, 255)
    squares = [cv2.copyMakeBorder(frame, up, up, left, left, *border) for frame in frames]
    return np.hstack([cv2.resize(square, (320, 320), interpolation=cv2.INTER_AREA) for square in squares])


@mpl.rc_context(STYLE)
def learning_curves(runs: Mapping[str, workspace.Run]) -> Figure:
    """Loss, and the validation metric, per epoch, from the history.csv of runs, name -> run.

    An open mark, another shape for each run, stands at the epoch whose weights are kept: that of least validation loss. The
    legend has its validation score.
    """
    import seaborn as sns

    figure, (losses, scores) = plt.subplots(1, 2, figsize=(9, max(3, 0.7 + 0.2 * len(runs))))
    lines = []
    for (name, run), colour, mark in zip(runs.items(), cycle(sns.color_palette("colorblind")), cycle("os^Dv<>ph*")):
        history = run.history().assign(epoch=lambda h: h["epoch"] + 1).set_index("epoch")
        monitor = "val_loss" if "val_loss" in history else "train_loss"
        best = history[monitor].argmin()
        look = {"color": colour, "marker": mark, "ms": 7, "mfc": "none", "mew": 1.5}
        kept = {**look, "markevery": [best], "clip_on": False}
        (line,) = losses.plot(history[monitor], **kept)
        if monitor == "val_loss":
            losses.plot(history["train_loss"], ":" if len(history) > 1 else ".", color=colour)
        for metric in history.columns.intersection(["val_top1", "val_f1"]):
            scores.plot(100 * history[metric], **kept)
            scores.set_ylabel(f"{METRIC_TITLES[metric.removeprefix('val_')]} (%)")
            name = f"{name}, {100 * history[metric].iloc[best]:.1f} %"
        line.set_label(name)
        lines.append(line)
    losses.set(ylabel="loss", title="Loss (dotted: on training clips)")
    scores.set(title="Validation score")
    for ax in (losses, scores):
        (low, high), (_, top) = ax.get_xlim(), ax.get_ylim()
        ax.set(xlabel="epoch (mark: the one that is kept)", xlim=(low - 0.5, high + 0.5), ylim=(0, 1.05 * top))
        ax.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True, min_n_ticks=1))
        ax.grid(**GRID)
    if not scores.get_lines():
        scores.text(0.5, 0.5, "no validation clips", transform=scores.transAxes, ha="center", color="#555555")
    figure.legend(handles=lines, loc="outside right upper", fontsize=7.5)
    return figure


def by_label(table: pd.DataFrame, clips: pd.DataFrame, task: Task, title: str = "") -> Axes:
    """What a predictions table gets right and wrong on the test split: confusion_matrix of exercises, label_bars of muscles."""
    rows, truth, logits = predictions.with_truth(table, clips, task)
    draw = label_bars if task.multilabel else confusion_matrix
    return draw(truth, task.probabilities(logits), predictions.names_of(rows), title=title)


@mpl.rc_context(STYLE)
def confusion_matrix(truth: np.ndarray, probabilities: np.ndarray, names: Sequence[str], title: str = "") -> Axes:
    """Which of L exercises (N,) was taken for which, going by the highest of the probabilities (N, L); `names` are theirs.

    Cells hold clips, shaded by their share of the row: the shade of the diagonal is each exercise's recall.
    """
    import seaborn as sns
    import sklearn.metrics

    counts = sklearn.metrics.confusion_matrix(truth, probabilities.argmax(axis=1), labels=range(len(names)))
    support = counts.sum(axis=1, keepdims=True)
    ax = sns.heatmap(
        100 * counts / np.maximum(support, 1), ax=plt.subplots(figsize=(3.4 + 0.24 * len(names), 2.6 + 0.225 * len(names)))[1],
        annot=np.where(counts > 0, counts.astype(str), ""), fmt="", annot_kws={"fontsize": 7.5},
        cmap="Blues", vmin=0, vmax=100, square=True, linewidths=0.4, linecolor="#dddddd",
        cbar_kws={"label": "share of the row (%)", "shrink": 0.7},
        xticklabels=names, yticklabels=[f"{name} ({n})" for name, n in zip(names, support[:, 0], strict=True)],
    )  # fmt: skip
    right = f"{np.trace(counts)} of {counts.sum()} clips right"
    ax.set(xlabel=f"predicted exercise ({right})", ylabel="true exercise (clips)", title=title)
    ax.tick_params(length=0, labelrotation=0)
    plt.setp(ax.get_xticklabels(), rotation=45, ha="right", rotation_mode="anchor")
    return ax


@mpl.rc_context(STYLE)
def label_bars(truth: np.ndarray, probabilities: np.ndarray, names: Sequence[str], title: str = "") -> Axes:
    """Precision, recall and F1 of each label, of the truth and probabilities that scores.metrics.per_label takes.

    Names carry the number of clips. A score of 0, or one that is undefined (scores.metrics), says so in place of its bar.
    """
    labels = metrics.per_label(truth, probabilities, names)
    ax = plt.subplots(figsize=(6.5, 0.36 * len(labels) + 1))[1]
    height = 0.27
    for i, (metric, shade) in enumerate(zip(("precision", "recall", "f1"), SHADES, strict=True)):
        place, values = np.arange(len(labels)) + (i - 1) * height, labels[metric]
        look = {"color": shade, "edgecolor": "white", "linewidth": 0.4}
        ax.barh(place, 100 * values, height, label=METRIC_TITLES[metric], **look)
        for y, value in zip(place, values, strict=True):
            if not value > 0:
                ax.text(0.5, y, "undefined" if np.isnan(value) else "0", va="center", fontsize=6, color="#555555")
    rows(ax, [f"{name} ({support})" for name, support in zip(names, labels["support"], strict=True)])
    ax.set(xlabel="%", xlim=(0, 100), ylabel="clips in brackets")
    ax.set_title(title, pad=20)  # above the legend
    ax.legend(loc="lower left", ncols=3, bbox_to_anchor=(0, 1), borderaxespad=0)
    return ax
