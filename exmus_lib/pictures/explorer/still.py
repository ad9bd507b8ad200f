"""The explorer's views as pictures, for where no browser is looking: under papermill, in print."""

import io
import tempfile
from collections.abc import Sequence
from html import escape
from pathlib import Path
from urllib.request import urlopen

import matplotlib as mpl
import matplotlib.pyplot as plt
from IPython.display import HTML
from matplotlib.figure import Figure
from PIL import Image

from exmus_lib import storage
from exmus_lib.pictures.explorer import shown
from exmus_lib.pictures.explorer.state import State
from exmus_lib.pictures.figures import STYLE, panels
from exmus_lib.videos import container, cut, limits
from exmus_lib.videos.prepare import ClipSet


@mpl.rc_context(STYLE)
def gallery(clip_set: ClipSet, state: State | None, rows: int = 2, columns: int = 6) -> Figure:
    """The clips with the greatest loss, each with its exercise and what was predicted; of no state, a sentence."""
    if state is None:
        figure = plt.figure(figsize=(1.75 * columns, 0.5))
        figure.text(0, 0.5, "No run can be shown: the message above says why.", va="center")
        return figure
    worst = state.chosen().iloc[: rows * columns]
    clips = state.rows.set_index("clip_id").loc[worst["clip_id"]].reset_index()
    figure, axes = panels(len(worst), columns, 1.75, 1.9)
    for ax, clip, one in zip(axes, worst.itertuples(), shown.thumbnails(clip_set, clips), strict=True):
        if one:  # a clip that is gone has no picture
            ax.imshow(Image.open(urlopen(one)))
        ax.set_title(f"{clip.exercise}\n{'✓' if clip.right else '✗'} {clip.predicted}", fontsize=7.5, wrap=True)
        ax.set_axis_off()
    return figure


def instead(figure: Figure | None, words: str = "") -> HTML:
    """A picture to stand below a widget in copies in which no widget lives: the widget's own style hides it where one does."""
    if figure is None:
        return HTML(f'<p class="exmus-still">{escape(words)}</p>')
    plt.close(figure)  # or the notebook would show it too
    url = shown.data_url(png(figure), "image/png")
    return HTML(f'<img class="exmus-still" style="max-width:100%" alt="{escape(words)}" src="{url}">')


def png(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=150)
    return file.getvalue()


def reel(clips: Sequence[Path], path: Path, count: int = 6) -> Path:
    """A video of several clips, one after the other: something longer to try on. At most `count`, as large as the first.

    Its path: `path`, or one in a temporary folder where that cannot be written to.
    """
    infos = [container.info(clip) for clip in clips]
    size = infos[0].width, infos[0].height
    equal = [clip for clip, info in zip(clips, infos, strict=True) if (info.width, info.height) == size][:count]

    def frames():
        offset = 0.0
        for clip in equal:
            with container.opened(clip) as opened:
                moment = 0.0
                for moment, frame in container.timed_frames(*opened):
                    yield offset + moment, frame
                offset += moment + 1 / limits.MAX_FPS

    with storage.where_possible():
        cut.write(frames(), limits.MAX_FPS, path, "reel")
        return path
    other = Path(tempfile.mkdtemp(prefix=storage.part_name())) / path.name
    cut.write(frames(), limits.MAX_FPS, other, "reel")
    return other
