"""Browse and weigh: the clips of a data set, what runs say of them, and what other weights and thresholds would."""

from html import escape

import ipywidgets as ipw
import numpy as np
import pandas as pd

from exmus_lib import predictions, review, workspace
from exmus_lib.pictures.explorer import shown
from exmus_lib.pictures.explorer.state import State
from exmus_lib.pictures.explorer.widgets import Gallery, Matrix, Player
from exmus_lib.recipes import NETWORKS
from exmus_lib.scores import calibration
from exmus_lib.scores.paper import HEADINGS
from exmus_lib.videos import prepare
from exmus_lib.vocabulary import EXERCISES, MUSCLES, MUSCLES_OF, TASKS

A_PAGE = 24
ANY = "all"
WIDE = {"description_width": "110px"}
ROOM = ipw.Layout(width="auto", max_width="420px")
RENDERED = (
    '<p style="border-left:4px solid #b35900;padding:2px 10px;background:#fdf4ea">These networks were trained on the rendered'
    " sample. They do not know real people, and what they say of a real video means nothing yet.</p>"
)


def names(runs: list[workspace.Run]) -> dict[str, workspace.Run]:
    """Runs by what a reader calls them; the folder's name where two would be called the same."""
    said = {}
    for run in runs:
        facts = run.facts()
        parts = [
            NETWORKS.get(facts["network"], run.name),
            facts.get("init"),
            facts.get("head"),
            f"seed {facts.get('seed', 0)}",
        ]
        parts += [f"{facts['recipe']['epochs']} epochs"] if "recipe" in facts else []
        name = ", ".join(filter(None, parts))
        said[name if name not in said else run.name] = run
    return said


def usual(found: dict[str, workspace.Run]) -> list[workspace.Run]:
    """The hybrid's two runs among those found: of each network the lowest seed, the newest of these."""
    ranked = sorted(found.values(), key=lambda run: -run.facts().get("seed", 0))
    best = {run.facts()["network"]: run for run in ranked if "head" not in run.facts()}
    return [best[network] for network in ("x3d_m", "slowfast_r50") if network in best]


class Browser(ipw.VBox):
    """Clips of a data set with their predictions: filters, a gallery, a player, a confusion matrix, sliders, marks.

    `dataset` is a prepared data set's name; `runs` those to begin with, else X3D-M and SlowFast-R50 at `preset`.
    """

    def __init__(
        self, dataset: str, task: str = "exercise", preset: str = "quick", runs: list[workspace.Run] | None = None
    ):
        self.preset, self.first = preset, runs
        known = sorted(path.parent.name for path in workspace.clips_dir(dataset).parent.glob("*/clips.parquet"))
        self.dataset = ipw.Dropdown(options=known, value=dataset, description="data set", style=WIDE, layout=ROOM)
        self.task = ipw.Dropdown(options=TASKS, value=task, description="task", style=WIDE, layout=ROOM)
        self.runs = ipw.SelectMultiple(options=[], rows=4, description="runs", style=WIDE, layout=ROOM)
        self.split = ipw.Dropdown(
            options=predictions.SPLITS, value="test", description="split", style=WIDE, layout=ROOM
        )
        self.exercise = ipw.Dropdown(options=[ANY, *EXERCISES], description="exercise", style=WIDE, layout=ROOM)
        self.right = ipw.Dropdown(options=[ANY, "wrong", "right"], description="answer", style=WIDE, layout=ROOM)
        self.confidence = ipw.FloatRangeSlider(
            value=(0, 1), min=0, max=1, step=0.01, description="confidence", style=WIDE, layout=ROOM
        )
        self.x = ipw.FloatSlider(value=0.5, min=0, max=1, step=0.01, description="weight x", style=WIDE, layout=ROOM)
        self.muscle = ipw.Dropdown(
            options=["all muscles", *MUSCLES], description="threshold of", style=WIDE, layout=ROOM
        )
        self.threshold = ipw.FloatSlider(value=0.5, min=0, max=1, step=0.01, description="is", style=WIDE, layout=ROOM)
        self.fitted = ipw.Button(description="those of validation", tooltip="best F1 on validation, for each muscle")
        self.best, self.message, self.scores, self.labels = ipw.HTML(), ipw.HTML(), ipw.HTML(), ipw.HTML()
        self.matrix, self.gallery, self.player = Matrix(), Gallery(), Player()
        self.correct = ipw.Dropdown(options=EXERCISES, description="it shows", style=WIDE, layout=ROOM)
        self.relabel = ipw.Button(description="mark: wrong label")
        self.unusable = ipw.Button(description="mark: unusable")
        self.marked = ipw.Dropdown(options=[], description="marked", style=WIDE, layout=ROOM)
        self.unmark = ipw.Button(description="take mark away")
        self.state: State | None = None
        self._order = pd.DataFrame()
        super().__init__(self._parts())
        self._load_runs()
        for widget, name, act in (
            (self.dataset, "value", self._load_runs), (self.task, "value", self._load_runs),
            (self.runs, "value", self._load), (self.split, "value", self._load),
            (self.x, "value", self._weigh), (self.threshold, "value", self._set_threshold),
            (self.muscle, "value", self._show_threshold),
            (self.exercise, "value", self._filter), (self.right, "value", self._filter),
            (self.confidence, "value", self._filter), (self.matrix, "cell", self._filter),
            (self.gallery, "page", self._page), (self.gallery, "chosen", self._play),
        ):  # fmt: skip
            widget.observe(lambda change, act=act: act(), name)
        self.fitted.on_click(lambda _: self._fit_thresholds())
        self.relabel.on_click(lambda _: self._mark(self.correct.value))
        self.unusable.on_click(lambda _: self._mark(review.UNUSABLE))
        self.unmark.on_click(lambda _: self._unmark())

    def _parts(self) -> list[ipw.Widget]:
        def block(title: str, *parts: ipw.Widget) -> ipw.Widget:
            return ipw.VBox(
                [ipw.HTML(f"<b>{title}</b>"), *parts],
                layout=ipw.Layout(flex="1 1 330px", min_width="0", padding="0 10px 0 0"),
            )

        wrap = ipw.Layout(display="flex", flex_flow="row wrap", width="100%")
        self.thresholds = ipw.VBox([self.muscle, self.threshold, self.fitted])
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
            ipw.Box([self.correct, self.relabel, self.unusable, self.marked, self.unmark], layout=wrap),
            ipw.Box(
                [block("Confusion: press a number to see its clips", self.matrix), block("By label", self.labels)],
                layout=wrap,
            ),
        ]

    def _load_runs(self) -> None:
        """Other data set or task: offer its runs, the hybrid's two first."""
        kept = [
            r
            for r in workspace.find_runs(self.dataset.value, self.task.value)
            if r.facts().get("preset") == self.preset
        ]
        found = names(kept)
        wanted = [name for name, run in found.items() if self.first and run in self.first]
        chosen = [found[name] for name in wanted] or usual(found)
        self._found, self.state, self._settled = found, None, False
        self.runs.options = found  # which empties `value`
        self.runs.value = tuple(chosen)
        self._settled = True
        self._load()

    def _load(self) -> None:
        """Other runs or split: read their predictions."""
        if not self._settled:
            return
        if not self.runs.value:
            self._say(
                f"No run is chosen. Runs of {self.task.value} on {self.dataset.value} at {self.preset}: {len(self._found)}."
            )
            return
        try:
            self.clip_set = prepare.load(self.dataset.value)
            runs = sorted(
                self.runs.value,
                key=lambda run: list(NETWORKS).index(n) if (n := run.facts()["network"]) in NETWORKS else 99,
            )
            self.state = State(self.clip_set, self.task.value, runs, self.split.value)
        except ValueError as error:
            self.state = None
            self._say(str(error))
            return
        self._say("")
        marks = review.marks(self.clip_set.name)
        self.marked.options = [(f"{clip}: {what}", clip) for clip, what in reversed(marks.items())]  # the newest first
        self.marked.value = next(reversed(marks), None)
        several, best = len(runs) > 1, self.state.best_weight()
        self.x.disabled = not several
        self.best.value = (
            f'<span style="margin-left:110px">validation chooses x = {best:.2f}</span>' if best is not None else ""
        )
        self.thresholds.layout.display = None if self.task.value == "mgap" else "none"
        with self.matrix.hold_sync():
            self.matrix.cell = []
        self._weigh()

    def _say(self, text: str) -> None:
        rendered = self.dataset.value.startswith("sample")
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
        self._filter()

    def _set_threshold(self) -> None:
        if self.state is not None and self.task.value == "mgap":
            chosen = slice(None) if self.muscle.value == "all muscles" else MUSCLES.index(self.muscle.value)
            self.state.thresholds[chosen] = self.threshold.value
            self._weigh()

    def _show_threshold(self) -> None:
        if self.state is not None and self.muscle.value != "all muscles":
            self.threshold.value = round(float(self.state.thresholds[MUSCLES.index(self.muscle.value)]), 2)

    def _fit_thresholds(self) -> None:
        if self.state is not None and self.task.value == "mgap":
            self.state.thresholds = calibration.thresholds(self.state.mixture(), self.state.clips)
            self._show_threshold()
            self._weigh()

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
        """A clip was chosen: play it beside truth, every run's probabilities, and the muscles."""
        state, chosen = self.state, self.gallery.chosen
        place = np.flatnonzero(state.rows["clip_id"].eq(chosen)) if state else []
        if not len(place):
            return
        (row,) = place
        file = self.clip_set.path(state.rows.iloc[row])
        if not file.is_file():
            self._say(f"{file} is gone; make the clips again with 01_data_prep.")
            return
        clip = state.rows.iloc[row]
        muscles = MUSCLES_OF[clip.exercise]
        true = [clip.exercise] if state.task == "exercise" else muscles
        own = {
            name: predictions.probabilities(state.logits[i, [row]], state.task)[0]
            for i, name in enumerate(self.run_names())
        }
        mixed = state.mixed()[row]
        likely = {f"mixed, x = {state.x:.2f}": mixed} | own if len(own) > 1 else own
        by_muscle = mixed if state.task == "mgap" else shown.muscles_of(mixed)
        head = f"<b>{clip.exercise}</b> ({', '.join(muscles)})<br><small>{clip.clip_id}</small>"
        with self.player.hold_sync():
            self.player.video = file.read_bytes()
            self.player.windows = [
                {
                    "start": 0, "end": float(clip.seconds), "colour": "#888", "muscles": [],
                    "said": head + shown.bars(likely, state.labels, true), "body": shown.muscles(by_muscle, muscles),
                }
            ]  # fmt: skip
        self.correct.value = clip.exercise

    def run_names(self) -> list[str]:
        """What the runs that are mixed are called, the weighed one first."""
        known = {run: name for name, run in self._found.items()}
        return [known[run] for run in self.state.runs]

    def _mark(self, what: str) -> None:
        if not self.gallery.chosen:
            self._say("Choose a clip first: a click on its picture.")
            return
        review.mark(self.clip_set.name, self.gallery.chosen, what)
        self._load()

    def _unmark(self) -> None:
        if self.marked.value:
            review.mark(self.clip_set.name, self.marked.value, None)
            self._load()
