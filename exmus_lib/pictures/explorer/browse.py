"""Browse and weigh: the clips of a data set, what runs say of them, and what other weights and thresholds would."""

from collections.abc import Callable, Sequence
from functools import partial
from html import escape

import ipywidgets as ipw
import numpy as np
import pandas as pd

from exmus_lib import predictions, recipes, review, workspace
from exmus_lib.pictures import body
from exmus_lib.pictures.explorer import choice, shown
from exmus_lib.pictures.explorer.state import State
from exmus_lib.pictures.explorer.thresholds import Thresholds
from exmus_lib.pictures.explorer.widgets import Gallery, Matrix, Names, Player, quiet
from exmus_lib.scores import calibration, tables
from exmus_lib.tasks import TASKS
from exmus_lib.videos import prepare

A_PAGE = 24
BODY = 240  # pixels
ANY = "all"
LOOK = {"style": {"description_width": "110px"}, "layout": ipw.Layout(width="auto", max_width="420px")}
WIDE = {**LOOK, "layout": ipw.Layout(width="100%", max_width="640px")}  # for titles of runs
WRAP = ipw.Layout(display="flex", flex_flow="row wrap", width="100%")


class Browser(ipw.VBox):
    """Clips of a data set with their predictions: filters, a gallery, a player, a confusion matrix, sliders, marks.

    `dataset` is a data set's name; at first X3D-M and SlowFast-R50 at `preset` are mixed, or, where a data set has no run at it,
    at that of its newest run. `state` has the numbers. It is None where no run can be shown, and `clip_set` too where the data
    set was not prepared: `message` says why then, and what to run.
    """

    def __init__(self, dataset: str, task: str = "exercise", preset: str = "quick"):
        def menu(name: str, options: Sequence = (), **more) -> ipw.Dropdown:
            return ipw.Dropdown(options=options, description=name, **more, **LOOK)

        self.asked = self.preset = preset
        known = {path.parent.name for path in workspace.clips_dir(dataset).parent.glob("*/clips.parquet")}
        self.dataset = menu("data set", sorted({dataset, *known}), value=dataset)
        self.task = menu("task", list(TASKS), value=task)
        self.runs = ipw.SelectMultiple(options=[], rows=6, description="runs", **WIDE)
        self.split = menu("split", predictions.SPLITS, value="test")
        self.exercise, self.right = menu("exercise", [ANY]), menu("answer", [ANY, "wrong", "right"])
        self.confidence = ipw.FloatRangeSlider(value=(0, 1), min=0, max=1, step=0.01, description="confidence", **LOOK)
        self.x = ipw.FloatSlider(value=0.5, min=0, max=1, step=0.01, description="weight x", **LOOK)
        self.thresholds = Thresholds(partial(self._safely, self._weigh), self._fitted_thresholds, **LOOK)
        # `marking` stands beside its buttons: the message above the filters may be out of sight
        self.best, self.message, self.scores, self.labels, self.marking = (ipw.HTML() for _ in range(5))
        self.matrix = Matrix()
        # The player beside the clips, where the screen is wide enough, and in sight while one scrolls through them.
        self.gallery = Gallery(layout=ipw.Layout(flex="3 1 520px", min_width="0"))
        self.player = Player(layout=ipw.Layout(flex="2 1 360px", min_width="0", align_self="flex-start"))
        self.player.add_class("exmus-beside")
        self.correct, self.marked = menu("it shows"), menu("marked")
        self.relabel = ipw.Button(description="mark: wrong label")
        self.unusable = ipw.Button(description="mark: unusable")
        self.unmark = ipw.Button(description="take mark away")
        self.clip_set, self.state = None, None
        self.left_out = ""
        self.playing: tuple[str, str] | None = None  # data set and clip_id
        self._order, self.quiet = pd.DataFrame(), False
        super().__init__(self._parts() if known else [self.message])
        self._safely(self._load_runs)
        for act, *widgets in (
            (self._load_runs, self.dataset, self.task), (self._load, self.runs, self.split), (self._weigh, self.x),
            (self._filter, self.exercise, self.right, self.confidence), (self._allow_marks, self.correct),
        ):  # fmt: skip
            for widget in widgets:
                widget.observe(partial(self._safely, act), "value")
        self.matrix.observe(partial(self._safely, self._filter), "cell")
        self.gallery.observe(partial(self._safely, self._page), "page")
        self.gallery.observe(partial(self._safely, self._play), "chosen")
        self.relabel.on_click(partial(self._safely, lambda: self._mark(self.correct.value)))
        self.unusable.on_click(partial(self._safely, lambda: self._mark(review.UNUSABLE)))
        self.unmark.on_click(partial(self._safely, self._unmark))

    def _safely(self, act: Callable[[], None], _: object = None) -> None:
        """Do what a widget asks for, unless this class itself moved it. An error becomes a message: nobody else would show it.

        Where no run can be shown there is nothing to weigh, filter or play.
        """
        if self.quiet or (self.state is None and act in (self._weigh, self._filter, self._page, self._play)):
            return
        try:
            act()
        except (ValueError, OSError) as error:
            if self.state is None:
                self._clear()
            self._say(str(error))

    def _parts(self) -> list[ipw.Widget]:
        def block(title: str, *parts: ipw.Widget, room: str = "330px") -> ipw.Widget:
            layout = ipw.Layout(flex=f"1 1 {room}", min_width="0", padding="0 10px 0 0")
            return ipw.VBox([ipw.HTML(f"<b>{title}</b>"), *parts], layout=layout)

        what = block("What", self.dataset, self.task, self.runs, self.split, room="440px")
        clips = block("Which clips", self.exercise, self.right, self.confidence)
        weigh = block("Weigh", self.x, self.best, self.thresholds, self.scores)
        marks = [self.correct, self.relabel, self.unusable, self.marked, self.unmark, self.marking]
        confusion = block("Confusion: press a number to see its clips", self.matrix, room="590px")
        return [
            Names(), self.message, ipw.Box([what, clips, weigh], layout=WRAP), ipw.Box([self.gallery, self.player], layout=WRAP),
            ipw.Box(marks, layout=WRAP), ipw.Box([confusion, block("By label", self.labels)], layout=WRAP),
        ]  # fmt: skip

    def _load_runs(self) -> None:
        """Another data set or task: offer its labels and runs, the hybrid's two first."""
        self._clear()
        try:
            self.clip_set = prepare.load(self.dataset.value)
        except FileNotFoundError as error:
            self.clip_set = None
            raise FileNotFoundError(f"{error} {choice.DEMO}") from error
        with quiet(self):
            chosen, self.task.options = self.task.value, [task.name for task in tables.tasks_of(self.clip_set)]
            self.task.value = chosen if chosen in self.task.options else self.task.options[0]
        task = self.clip_set.task(self.task.value)
        self.preset, self.offered = choice.some(self.clip_set, task, self.asked)
        other = f"There is no run at {self.asked}: these are at {self.preset}. " * (self.preset != self.asked)
        self.left_out = other + choice.left_out(self.clip_set, task, self.preset)
        with quiet(self):
            self.exercise.options, self.correct.options = [ANY, *task.labels.exercises], task.labels.exercises
            self.thresholds.begin(())
            self.runs.options = self.offered  # which empties `value`
            self.runs.value = choice.hybrid(self.offered.values(), task, self.preset)
        self._load()

    def _load(self) -> None:
        """Other runs, split or marks: read their predictions."""
        self.state, self.clip_set = None, prepare.load(self.dataset.value)
        marks = review.marks(self.clip_set.name)
        self.marked.options = [(f"{clip}: {mark}", clip) for clip, mark in reversed(marks.items())]  # the newest first
        self.marked.value = next(reversed(marks), None)
        if not self.runs.value:
            way = "choose from the list of runs" if self.offered else choice.makes(self.dataset.value)
            raise ValueError(
                f"No run is chosen. Of {self.task.value} on {self.dataset.value} at {self.preset} there"
                f" {'is 1' if len(self.offered) == 1 else f'are {len(self.offered)}'}; {way}. {self.left_out}"
            )
        networks = {run: run.facts()["network"] for run in self.runs.value}
        runs = sorted(networks, key=lambda run: [*recipes.NETWORKS, networks[run]].index(networks[run]))
        self.state = State(self.clip_set, self.clip_set.task(self.task.value), runs, self.split.value)
        self.thresholds.begin(self.state.names)
        self.state.thresholds = self.thresholds.values
        if self.playing and self.playing[1] not in set(self.state.rows["clip_id"]):
            self._stop_playing()
        self._say("")
        self.x.disabled = len(runs) < 2
        self.best.value = f'<div class="exmus-best">{escape(self._on_weight())}</div>'
        self.thresholds.layout.display = None if self.state.task.multilabel else "none"
        with quiet(self):
            self.matrix.cell = []
        self._weigh()

    def _on_weight(self) -> str:
        """What x weighs, and which value validation chooses."""
        if len(self.state.runs) < 2:
            return ""
        best = self.state.best_weight()
        chosen = "no validation clips that could choose it" if best is None else f"validation chooses {best:.2f}"
        return f"x is the share of {self.run_names()[0]}; {chosen}"

    def _clear(self) -> None:
        """Nothing to show: no numbers and no clips of what was there before."""
        self.state = None
        self.scores.value = self.labels.value = self.best.value = ""
        self.matrix.cell = self.matrix.counts = self.matrix.rows = self.matrix.columns = []
        with self.gallery.hold_sync():
            self.gallery.items, self.gallery.page, self.gallery.pages, self.gallery.total = [], 0, 0, 0
        self._stop_playing()

    def _say(self, text: str) -> None:
        rendered = workspace.is_rendered(self.dataset.value)
        words = "The clips are rendered: these networks know no real people. " if rendered else ""
        self.message.value = f'<p role="status">{escape(text or words + self.left_out)}</p>'

    def _weigh(self) -> None:
        """Another weight or threshold: scores, matrix and gallery follow."""
        self.state.x = self.x.value
        counts, scores = self.state.counts(), self.state.scores().to_frame("").T
        unit = f"{len(self.state.rows)} clips, percent, pooled"
        self.scores.value = shown.numbers(scores, digits=1, kind="exmus-scores") + unit
        with self.matrix.hold_sync():
            self.matrix.rows, self.matrix.columns = list(counts.index), list(counts.columns)
            self.matrix.counts = counts.to_numpy().tolist()
        self.labels.value = shown.numbers(self.state.per_label())
        self._describe()
        self._filter()

    def _fitted_thresholds(self) -> np.ndarray:
        if self.state is None:
            return self.thresholds.values
        return calibration.thresholds(self.state.mixture(), self.state.clips, self.state.task)

    def _filter(self) -> None:
        exercise = None if self.exercise.value == ANY else self.exercise.value
        right = None if self.right.value == ANY else self.right.value == "right"
        self._order = self.state.chosen(exercise, right, self.confidence.value, self.matrix.cell)
        with quiet(self), self.gallery.hold_sync():
            self.gallery.page, self.gallery.pages = 0, -(-len(self._order) // A_PAGE)
            self.gallery.total = len(self._order)
        self._page()

    def _page(self) -> None:
        """Another page: only its own pictures are read."""
        page = self._order.iloc[A_PAGE * self.gallery.page :][:A_PAGE]
        clips = self.state.rows.set_index("clip_id").loc[page["clip_id"]].reset_index()
        single = not self.state.task.multilabel
        self.gallery.items = [
            {
                "id": clip.clip_id, "title": clip.exercise, "right": bool(clip.right), "picture": one,
                "note": clip.predicted + single * f", {clip.confidence:.0%}",
            }
            for clip, one in zip(page.itertuples(), shown.thumbnails(self.clip_set, clips), strict=True)
        ]  # fmt: skip

    def _play(self) -> None:
        """A clip was chosen: play it, and say what the runs make of it."""
        chosen = self.gallery.chosen
        if not chosen:
            return
        clip = self.state.rows.set_index("clip_id").loc[chosen]
        file = self.clip_set.path(clip)
        if not file.is_file():
            self._say(f"{file} is gone; make the clips again with 01_data_prep.")
            return
        self.playing = self.clip_set.name, chosen
        self.player.video = file.read_bytes()
        self.player.called += 1
        self.correct.value = clip.exercise
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
        clip, mixed = state.rows.iloc[row], state.mixed()[row]
        runs = dict(zip(self.run_names(), state.task.probabilities(state.logits[:, row]), strict=True))
        bars = {f"mixed, x = {state.x:.2f}": mixed} | runs if len(runs) > 1 else runs
        muscles = self.clip_set.labels.muscles_of[clip.exercise]
        true = [name for name, has in zip(state.names, state.has[row], strict=True) if has]
        html = f"<b>{escape(clip.exercise)}</b> ({escape(', '.join(muscles))})<br><small>{escape(clip.clip_id)}</small>"
        html += shown.bars(bars, state.names, true)
        shares = state.muscles(row)
        worked = [muscle for muscle in muscles if muscle in shares]
        with self.player.hold_sync():
            self.player.figure = body.svg(dict.fromkeys(shares, 0.0), worked, BODY)  # the player shades it, by window
            self.player.windows = [shown.window(0, float(clip["seconds"]), html, shares, worked)]

    def run_names(self) -> list[str]:
        """What the runs that are mixed are called, the weighed one first."""
        known = {run: name for name, run in self.offered.items()}
        return [known[run] for run in self.state.runs]

    def _allow_marks(self) -> None:
        """A clip must play to be marked, and its label is wrong only if another is right."""
        self.unusable.disabled = self.playing is None
        now = self.clip_set.clips.set_index("clip_id").exercise.get(self.playing[1]) if self.playing else None
        self.relabel.disabled = now in (None, self.correct.value)

    def _mark(self, mark: str) -> None:
        if self.playing:
            dataset, clip_id = self.playing
            review.mark(dataset, clip_id, mark, self.clip_set.labels)
            self._stop_playing()
            self._load()
            self.marking.value = f"{escape(clip_id)} is marked: {mark}. Scores heed it at once."

    def _unmark(self) -> None:
        if self.marked.value:
            review.mark(self.clip_set.name, self.marked.value, None, self.clip_set.labels)
            self._load()
            self.marking.value = "The mark is taken away."
