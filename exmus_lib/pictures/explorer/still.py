"""The explorer's views as pictures, for where no browser is looking: under papermill, in print."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from exmus_lib.pictures.explorer import shown
from exmus_lib.pictures.explorer.state import State
from exmus_lib.pictures.figures import STYLE
from exmus_lib.videos import cut, read
from exmus_lib.videos.prepare import ClipSet


@mpl.rc_context(STYLE)
def gallery(clip_set: ClipSet, state: State, rows: int = 2, columns: int = 6) -> Figure:
    """The clips with the greatest loss, each with its exercise and what was said of it."""
    worst = state.chosen().iloc[: rows * columns]
    clips = state.rows.set_index("clip_id").loc[worst["clip_id"]].reset_index()
    figure, axes = plt.subplots(rows, columns, figsize=(1.75 * columns, 1.9 * rows), squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, clip, one in zip(axes.flat, worst.itertuples(), shown.thumbnails(clip_set, clips), strict=False):
        ax.imshow(shown.picture(one))
        ax.set_title(f"{clip.exercise}\n{'✓' if clip.right else '✗'} {clip.said}", fontsize=7.5, wrap=True)
    return figure


def reel(clips: Sequence[Path], path: Path, most: int = 6) -> Path:
    """A video of several clips, one after the other: something longer to try things on.

    Only clips as large as the first are taken, and no more than `most`.
    """
    size = _size(clips[0])
    equal = [clip for clip in clips if _size(clip) == size][:most]

    def frames():
        offset = 0.0
        for clip in equal:
            with read.opened(clip) as (container, stream):
                moment = 0.0
                for moment, frame in read.timed_frames(container, stream):
                    yield offset + moment, frame
                offset += moment + 1 / cut.TOP_FPS

    cut.encode(frames(), None, cut.TOP_FPS, path, "reel")
    return path


def _size(clip: Path) -> tuple[int, int]:
    facts = read.info(clip)
    return facts.width, facts.height
