"""Browse and weigh: the clips of a data set, what runs say of them, and what other weights and thresholds would."""

from html import escape

import ipywidgets as ipw
import numpy as np
import pandas as pd

from exmus_lib import predictions, review, workspace
from exmus_lib.pictures.explorer import choice, shown
from exmus_lib.pictures.explorer.state import State
from exmus_lib.pictures.explorer.thresholds import Thresholds
from exmus_lib.pictures.explorer.widgets import Gallery, Matrix, Player
from exmus_lib.recipes import NETWORKS
from exmus_lib.scores import calibration
from exmus_lib.scores.metrics import THRESHOLD
from exmus_lib.scores.paper import HEADINGS
from exmus_lib.videos import prepare
from exmus_lib.vocabulary import EXERCISES, MUSCLES_OF, TASKS

A_PAGE = 24
ANY = "all"
LOOK = {"style": {"description_width": "110px"}, "layout": ipw.Layout(width="auto", max_width="420px")}


class Browser(ipw.VBox):
    """Clips of a data set with their predictions: filters, a gallery, a player, a confusion matrix, sliders, marks.

    `dataset` is a prepared data set's name; at first X3D-M and SlowFast-R50 at `preset` are mixed.
    """

    def __init__(self, dataset: str, task: str = "exercise", preset: str = "quick"):
        self.preset = preset
        known = sorted(path.parent.name for path in workspace.clips_dir(dataset).parent.glob("*/clips.parquet"))
        self.dataset = ipw.Dropdown(options=known, value=dataset, description="data set", **LOOK)
        self.task = ipw.Dropdown(options=TASKS, value=task, description="task", **LOOK)
        self.runs = ipw.SelectMultiple(options=[], rows=4, description="runs", **LOOK)
        self.split = ipw.Dropdown(options=predictions.SPLITS, value="test", description="split", **LOOK)
        self.exercise = ipw.Dropdown(options=[ANY, *EXERCISES], description="exercise", **LOOK)
        self.right = ipw.Dropdown(options=[ANY, "wrong", "right"], description="answer", **LOOK)
        self.confidence = ipw.FloatRangeSlider(value=(0, 1), min=0, max=1, step=0.01, description="confidence", **LOOK)
        self.x = ipw.FloatSlider(value=0.5, min=0, max=1, step=0.01, description="weight x", **LOOK)
        self.thresholds = Thresholds(lambda: self._safely(self._weigh), self._fitted_thresholds, **LOOK)
        self.best, self.message, self.scores, self.labels = ipw.HTML(), ipw.HTML(), ipw.HTML(), ipw.HTML()
        self.matrix, self.gallery, self.player = Matrix(), Gallery(), Player()
        self.correct = ipw.Dropdown(options=EXERCISES, description="it shows", **LOOK)
        self.relabel = ipw.Button(description="mark: wrong label")
        self.unusable = ipw.Button(description="mark: unusable")
        self.marked = ipw.Dropdown(options=[], description="marked", **LOOK)
        self.unmark = ipw.Button(description="take mark away")
        self.marking = ipw.HTML()  # beside its buttons: the message above the filters may be out of sight
        self.state: State | None = None
        self.playing: tuple[str, str] | None = None  # data set and clip_id
        self._order, self._own_doing = pd.DataFrame(), False
        super().__init__(self._parts())
        self._load_runs()
        for widget, name, act in (
            (self.dataset, "value", self._load_runs), (self.task, "value", self._load_runs),
            (self.runs, "value", self._load), (self.split, "value", self._load),
            (self.x, "value", self._weigh),
            (self.exercise, "value", self._filter), (self.right, "value", self._filter),
            (self.confidence, "value", self._filter), (self.matrix, "cell", self._filter),
            (self.gallery, "page", self._page), (self.gallery, "chosen", self._play),
            (self.correct, "value", self._allow_marks),
        ):  # fmt: skip
            widget.observe(lambda change, act=act: self._safely(act), name)
        for button, act in (
            (self.relabel, lambda: self._mark(self.correct.value)),
            (self.unusable, lambda: self._mark(review.UNUSABLE)), (self.unmark, self._unmark),
        ):  # fmt: skip
            button.on_click(lambda _, act=act: self._safely(act))

    def _safely(self, act) -> None:
        """Do what a widget asks for, unless this class itself moved it. An error becomes a message: nobody else would show it."""
        if self._own_doing:
            return
        try:
            act()
        except (ValueError, OSError) as error:
            self._say(str(error))

    def _parts(self) -> list[ipw.Widget]:
        def block(title: str, *parts: ipw.Widget, room: str = "330px") -> ipw.Widget:
            return ipw.VBox(
                [ipw.HTML(f"<b>{title}</b>"), *parts],
                layout=ipw.Layout(flex=f"1 1 {room}", min_width="0", padding="0 10px 0 0"),
            )

        wrap = ipw.Layout(display="flex", flex_flow="row wrap", width="100%")
        return [
            self.message,
            ipw.Box(
                [
                    block("What", self.dataset, self.task, self.runs, self.split),
                    block("Which clips", self.exercise, self.right, self.confidence),
                    block("Weigh", self.x, self.best, self.thresholds, self.scores),
                ],
                layout=wrap,
            ),
            self.gallery,
            self.player,
            ipw.Box([self.correct, self.relabel, self.unusable, self.marked, self.unmark, self.marking], layout=wrap),
            ipw.Box(
                [
                    block("Confusion: press a number to see its clips", self.matrix, room="590px"),
                    block("By label", self.labels),
                ],
                layout=wrap,
            ),
        ]

    def _load_runs(self) -> None:
        """Other data set or task: offer its runs, the hybrid's two first."""
        self.clip_set = prepare.load(self.dataset.value)
        self.found = choice.offered(self.clip_set, self.task.value, self.preset)
        self._stop_playing()
        self._own_doing = True
        self.thresholds.set(THRESHOLD)
        self.runs.options = self.found  # which empties `value`
        self.runs.value = choice.hybrid(self.found.values(), self.task.value, self.preset)
        self._own_doing = False
        self._load()

    def _load(self) -> None:
        """Other runs, split or marks: read their predictions."""
        self.state = None
        try:
            if not self.runs.value:
                raise ValueError(
                    f"No run is chosen. There are {len(self.found)} of {self.task.value} on {self.dataset.value} at"
                    f" {self.preset}; `make demo`, 02_x3d and 03_slowfast make them."
                )
            self.clip_set = prepare.load(self.dataset.value)
            order = [*NETWORKS, *sorted({run.facts()["network"] for run in self.runs.value} - {*NETWORKS})]
            runs = sorted(self.runs.value, key=lambda run: order.index(run.facts()["network"]))
            self.state = State(self.clip_set, self.task.value, runs, self.split.value)
        except (ValueError, OSError) as error:
            self._clear()
            self._say(str(error))
            return
        self.state.thresholds = self.thresholds.values
        if self.playing and self.playing[1] not in set(self.state.rows["clip_id"]):
            self._stop_playing()
        self._say("")
        self._list_marks()
        best = self.state.best_weight()
        self.x.disabled = len(runs) < 2
        share = f"x is the share of {self.run_names()[0]}" if len(runs) > 1 else ""
        chosen = f"; validation chooses {best:.2f}" if best is not None else ""
        self.best.value = f'<div class="exmus-best">{escape(share + chosen)}</div>'
        self.thresholds.layout.display = None if self.task.value == "mgap" else "none"
        with self.matrix.hold_sync():
            self.matrix.cell = []
        self._weigh()

    def _clear(self) -> None:
        """Nothing to show: no numbers and no clips of what was there before."""
        self.scores.value = self.labels.value = self.best.value = ""
        self.matrix.cell, self.matrix.counts = [], []
        with self.gallery.hold_sync():
            self.gallery.items, self.gallery.page, self.gallery.pages, self.gallery.total = [], 0, 0, 0
        self._stop_playing()

    def _list_marks(self) -> None:
        marks = review.marks(self.clip_set.name)
        self.marked.options = [(f"{clip}: {what}", clip) for clip, what in reversed(marks.items())]  # the newest first
        self.marked.value = next(reversed(marks), None)

    def _say(self, text: str) -> None:
        rendered = workspace.is_rendered(self.dataset.value)
        words = "The clips are rendered: these networks know no real people." if rendered else ""
        self.message.value = f'<p role="status">{escape(text or words)}</p>'

    def _weigh(self) -> None:
        """Another weight or threshold: scores, matrix and gallery follow."""
        if self.state is None:
            return
        self.state.x = self.x.value
        scores, counts, table = self.state.scores(), self.state.counts(), self.state.per_label()
        cells = "".join(f"<td>{100 * value:.1f}</td>" for value in scores)
        heads = "".join(f"<th>{HEADINGS.get(name, name)}</th>" for name in scores.index)
        self.scores.value = (
            f'<table class="exmus-numbers exmus-scores">'
            f"<tr>{heads}</tr><tr>{cells}</tr></table>{len(self.state.rows)} clips, percent, pooled"
        )
        with self.matrix.hold_sync():
            self.matrix.rows, self.matrix.columns = list(counts.index), list(counts.columns)
            self.matrix.counts = counts.to_numpy().tolist()
        self.labels.value = shown.by_label(table)
        self._describe()
        self._filter()

    def _fitted_thresholds(self) -> np.ndarray:
        if self.state is None:
            return self.thresholds.values
        return calibration.thresholds(self.state.mixture(), self.state.clips)

    def _filter(self) -> None:
        if self.state is None:
            return
        exercise = None if self.exercise.value == ANY else self.exercise.value
        right = None if self.right.value == ANY else self.right.value == "right"
        cell = tuple(self.matrix.cell) or None
        self._order = self.state.chosen(exercise, right, self.confidence.value, cell)
        pages = -(-len(self._order) // A_PAGE)
        with self.gallery.hold_sync():
            self.gallery.page, self.gallery.pages, self.gallery.total = 0, pages, len(self._order)
        self._page()

    def _page(self) -> None:
        """Another page: only its own pictures are read."""
        if self.state is None:
            return
        start = A_PAGE * self.gallery.page
        page = self._order.iloc[start : start + A_PAGE]
        clips = self.state.rows.set_index("clip_id").loc[page["clip_id"]].reset_index()
        pictures = shown.thumbnails(self.clip_set, clips)
        self.gallery.items = [
            {
                "id": clip.clip_id,
                "title": clip.exercise,
                "note": f"{clip.said}, {clip.confidence:.0%}" if self.task.value == "exercise" else clip.said,
                "right": bool(clip.right),
                "picture": one,
            }
            for clip, one in zip(page.itertuples(), pictures, strict=True)
        ]

    def _play(self) -> None:
        """A clip was chosen: play it, and say what the runs make of it."""
        chosen = self.gallery.chosen
        if self.state is None or not chosen:
            return
        clip = self.state.rows.set_index("clip_id").loc[chosen]
        file = self.clip_set.path(clip)
        if not file.is_file():
            self._say(f"{file} is gone; make the clips again with 01_data_prep.")
            return
        self.playing = self.clip_set.name, chosen
        self.player.video = file.read_bytes()
        self.correct.value = clip["exercise"]
        self._describe()
        self._allow_marks()

    def _stop_playing(self) -> None:
        self.playing = None
        self.gallery.chosen, self.player.video, self.player.windows = "", b"", []
        self._allow_marks()

    def _describe(self) -> None:
        """Truth, every run's probabilities and the muscles of the clip that plays, at the present weight."""
        state = self.state
        place = np.flatnonzero(state.rows["clip_id"].eq(self.playing[1])) if self.playing else []
        if not len(place):
            return
        (row,) = place
        clip = state.rows.iloc[row]
        muscles = MUSCLES_OF[clip["exercise"]]
        true = [clip["exercise"]] if state.task == "exercise" else muscles
        own = {
            name: predictions.probabilities(state.logits[i, [row]], state.task)[0]
            for i, name in enumerate(self.run_names())
        }
        mixed = state.mixed()[row]
        all_of_them = {f"mixed, x = {state.x:.2f}": mixed} | own if len(own) > 1 else own
        by_muscle = mixed if state.task == "mgap" else shown.muscles_of(mixed)
        head = f"<b>{clip['exercise']}</b> ({', '.join(muscles)})<br><small>{escape(clip['clip_id'])}</small>"
        said = head + shown.bars(all_of_them, state.labels, true)
        with self.player.hold_sync():
            self.player.figure = shown.figure(muscles)
            self.player.windows = [shown.window(0, float(clip["seconds"]), said, by_muscle, muscles)]

    def run_names(self) -> list[str]:
        """What the runs that are mixed are called, the weighed one first."""
        known = {run: name for name, run in self.found.items()}
        return [known[run] for run in self.state.runs]

    def _allow_marks(self) -> None:
        """A clip must play to be marked, and its label is wrong only if another is right."""
        self.unusable.disabled = self.playing is None
        now = self.clip_set.clips.set_index("clip_id")["exercise"].get(self.playing[1]) if self.playing else None
        self.relabel.disabled = now in (None, self.correct.value)

    def _mark(self, what: str) -> None:
        if self.playing:
            dataset, clip_id = self.playing
            review.mark(dataset, clip_id, what, self.clip_set.labels)
            self._stop_playing()
            self._load()
            self.marking.value = f"{escape(clip_id)} is marked: {what}. Scores heed it at once."

    def _unmark(self) -> None:
        if self.marked.value:
            review.mark(self.clip_set.name, self.marked.value, None, self.clip_set.labels)
            self._load()
            self.marking.value = "The mark is taken away."
