"""The parts that ipywidgets lacks: a gallery that is paged, a matrix that can be clicked, a player, names of sliders.

Their JavaScript and style lie beside this file; nothing is fetched from elsewhere.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anywidget
import traitlets

HERE = Path(__file__).parent
STYLE = (HERE / "explorer.css").read_text(encoding="utf-8")


@contextmanager
def quiet(owner: object) -> Iterator[None]:
    """`owner.quiet` is true meanwhile, also when an error ends it: what code does to widgets is no wish of the user's."""
    owner.quiet = True
    try:
        yield
    finally:
        owner.quiet = False


class Gallery(anywidget.AnyWidget):
    """A page of clips: `items` have id, title, note, right and picture (a data URL); a click sets `chosen` to an id."""

    _esm, _css = (HERE / "gallery.js").read_text(encoding="utf-8"), STYLE
    items = traitlets.List([]).tag(sync=True)
    page = traitlets.Int(0).tag(sync=True)
    pages = traitlets.Int(0).tag(sync=True)
    total = traitlets.Int(0).tag(sync=True)
    chosen = traitlets.Unicode("").tag(sync=True)


class Matrix(anywidget.AnyWidget):
    """`counts` of clips by row and column name; a click sets `cell` to [row, column], a second one to []."""

    _esm, _css = (HERE / "matrix.js").read_text(encoding="utf-8"), STYLE
    rows = traitlets.List([]).tag(sync=True)
    columns = traitlets.List([]).tag(sync=True)
    counts = traitlets.List([]).tag(sync=True)
    cell = traitlets.List([]).tag(sync=True)


class Player(anywidget.AnyWidget):
    """A video (bytes of an MP4), a body (SVG), and what holds during each of the `windows`, as shown.window makes them.

    Windows of a timeline have `answer`, its `number` and `colour`, and the `ink` of the muscles (RGB) beside that; `marks` are
    the seconds at which repetitions turn. Each time that `called` changes, the player comes into sight.
    """

    _esm, _css = (HERE / "player.js").read_text(encoding="utf-8"), STYLE
    video = traitlets.Bytes(b"").tag(sync=True)
    figure = traitlets.Unicode("").tag(sync=True)
    windows = traitlets.List([]).tag(sync=True)
    marks = traitlets.List([]).tag(sync=True)
    called = traitlets.Int(0).tag(sync=True)


class Names(anywidget.AnyWidget):
    """Nothing to see: gives the handles of all sliders their description as a name, for screen readers."""

    _esm = (HERE / "names.js").read_text(encoding="utf-8")
