"""Your own video: chosen, read, cut into overlapping windows, recognised, and played beside what was recognised."""

import tempfile
import threading
from functools import partial
from hashlib import sha256
from html import escape
from pathlib import Path

import ipywidgets as ipw
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from exmus_lib import workspace
from exmus_lib.networks.predict import Mixture, window_table
from exmus_lib.pictures import body, timeline
from exmus_lib.pictures.explorer import choice, shown, still
from exmus_lib.pictures.explorer.browse import BODY, LOOK, WRAP
from exmus_lib.pictures.explorer.state import State
from exmus_lib.pictures.explorer.widgets import Player
from exmus_lib.scores import calibration, ensembles, tables
from exmus_lib.tasks import Exercise, Muscles, Task
from exmus_lib.videos import cut, prepare
from exmus_lib.videos.read import VideoError

STAYS = (
    "The video stays on the machine that runs this notebook's kernel (on Colab that is one of Google's); nothing is sent on."
    " Uploads over 10 MB need a server started by <code>make lab</code> or <code>make app</code>; a path always works."
)
BANNER = '<p style="border-left:4px solid #b35900;padding:2px 10px;background:#fdf4ea;color:#1a1a1a">{}</p>'
MOSTLY = f"{calibration.RIGHT:.0%} of the validation clips are right"
Chosen = dict[str, tuple[workspace.Run, ...]]  # the runs of each task, by its name
BLUE, GREY = (11, 61, 110), (90, 90, 90)  # ink of the muscles along time


def uploaded(value) -> tuple[str, bytes] | None:
    """Name and content of the file in a FileUpload's value, of ipywidgets 7 (a dict) or 8 (a tuple); None when empty."""
    if not value:
        return None
    file = list(value.values())[-1] if isinstance(value, dict) else value[-1]
    return file.get("metadata", file)["name"], bytes(file["content"])


class Cancelled(Exception):
    """Somebody pressed cancel."""


class OwnVideo(ipw.VBox):
    """A video by upload or path, any length; the networks of `dataset` trained at `preset`, all tasks.

    `table` has the windows of the last video (`window_table` and `answered`), None where it failed.
    """

    def __init__(self, dataset: str, preset: str = "quick"):
        self.clip_set, self.table, self.name = prepare.load(dataset), None, ""
        self.path = ipw.Text(placeholder="/path/to/video.mp4", description="path", **LOOK)
        self.upload = ipw.FileUpload(accept="", multiple=False, description="or upload")
        self.go = ipw.Button(description="recognise", button_style="primary")
        self.cancel = ipw.Button(description="cancel", disabled=True)
        self.progress = ipw.FloatProgress(min=0, max=1, layout=LOOK["layout"])
        self.message, self.take_away, self.player = ipw.HTML(), ipw.HTML(), Player()
        self.runs = {task.name: self._menu(task, preset) for task in tables.tasks_of(self.clip_set)}
        self._stop, self._thread, self._newest = threading.Event(), None, None
        for widget in (self.path, self.upload):  # whichever was used last counts
            widget.observe(lambda change: setattr(self, "_newest", change["owner"]), "value")
        self.go.on_click(lambda _: self.start())
        self.cancel.on_click(lambda _: self._stop.set())
        banner = f"These networks are {choice.RENDERED}." if workspace.is_rendered(dataset) else ""
        super().__init__([
            ipw.HTML(f"{banner and BANNER.format(banner)}<p>{STAYS}</p>"),
            ipw.Box([ipw.VBox([self.path, self.upload]), ipw.VBox(list(self.runs.values()))], layout=WRAP),
            ipw.Box([self.go, self.cancel, self.progress], layout=WRAP),
            self.message, self.player, self.take_away,
        ])  # fmt: skip

    def _menu(self, task: Task, preset: str) -> ipw.SelectMultiple:
        """The trained networks of a task, the hybrid's chosen."""
        offered = choice.offered(self.clip_set, task, preset).items()
        networks = {title: run for title, run in offered if (run.folder / "weights.safetensors").exists()}
        chosen = choice.hybrid(networks.values(), task, preset)
        return ipw.SelectMultiple(options=networks, value=chosen, rows=3, description=task.name, **LOOK)

    def start(self, video: str | Path | None = None, from_dataset: bool = False) -> None:
        """Begin with a video, else with the one that was chosen last, in a thread of its own, so that cancel is heard.

        `from_dataset`: it was made of clips of the data set, as `still.reel` makes one, so networks may know what they see.
        """
        if self._thread and self._thread.is_alive():
            return
        if video is not None:
            self.path.value, self._newest = str(video), self.path
        upload = uploaded(self.upload.value) if self._newest is not self.path else None
        name, content = upload or (self.path.value.strip(), None)
        video, runs = Path(name).expanduser(), {task: menu.value for task, menu in self.runs.items() if menu.value}
        self.table, self.player.video, self.player.windows, self.take_away.value = None, b"", [], ""
        if not name:
            self._say("Choose a video: upload one, or give its path.")
        elif content is None and not video.is_file():
            problem = "is a folder, not a video" if video.is_dir() else "is not there"
            self._say(f"{video.absolute()} {problem}. Upload a video, or give its path.")
        elif not runs:
            self._say(f"Choose at least one run. None there? {choice.MAKE}.")
        else:  # later clicks change nothing of what was asked for
            self._stop.clear()
            self.go.disabled, self.cancel.disabled = True, False
            self._thread = threading.Thread(target=self._work, args=(video, content, runs, from_dataset), daemon=True)
            self._thread.start()

    def wait(self) -> None:
        """Until the video that was begun is done."""
        if self._thread:
            self._thread.join()

    def picture(self) -> Figure | None:
        """The timeline of the last video; None where it failed."""
        return None if self.table is None else timeline.timeline(self.table, self.name)

    def _work(self, video: Path, content: bytes | None, runs: Chosen, from_dataset: bool) -> None:
        try:
            with tempfile.TemporaryDirectory() as folder:
                if content is not None:
                    video = Path(folder) / video.name
                    video.write_bytes(content)
                self._recognise(video, Path(folder) / "copy.mp4", runs, from_dataset)
        except VideoError as error:
            self._say(f"{Path(error.path).name}: {error.reason}. Nothing was lost; choose another video.")
        except Cancelled:
            self._say("Cancelled.")
        except Exception as error:  # in a thread nobody else would hear of it
            self._say(f"{type(error).__name__}: {error}")
        finally:
            self.go.disabled, self.cancel.disabled, self.progress.value = False, True, 0.0
            self.progress.description = ""

    def _recognise(self, video: Path, copy: Path, runs: Chosen, from_dataset: bool) -> None:
        self._say(f"{video.name}: reading")
        facts = cut.small_copy(video, copy, partial(self._report, "reading", 0.0, 0.4))
        clip_set = prepare.load(self.clip_set.name)  # with today's marks
        weighed = {name: weigh(clip_set, name, chosen) for name, chosen in runs.items()}
        mixtures = [mixture for mixture, _, _ in weighed.values()]
        table = window_table(copy, facts, mixtures, partial(self._report, "recognising", 0.4, 1.0))
        warning = choice.RENDERED if not from_dataset and any(mixture.rendered for mixture in mixtures) else ""
        _, limit, _ = weighed.get(Exercise.name, (None, np.inf, []))
        self.table, self.name = answered(table, np.inf if warning else limit, warning), video.name
        why = dict.fromkeys(sentence for _, _, sentences in weighed.values() for sentence in sentences)
        if warning:
            why = [f"All windows are grey, since these networks were {warning}."]
        elif Exercise.name not in weighed:
            why = [*why, "Muscles only: no run of the exercises is chosen."]
        elif np.isfinite(limit):
            sure = self.table["sure"].sum()
            why = [*why, f"{sure} are above {limit:.0%}, the confidence from which {MOSTLY}; the others are grey."]
        self._show(copy.read_bytes(), " ".join(why))

    def _report(self, doing: str, low: float, high: float, share: float) -> None:
        if self._stop.is_set():
            raise Cancelled
        # Only another value is sent: one message for each per cent, not for each frame.
        self.progress.value, self.progress.description = round(low + (high - low) * share, 2), doing

    def _say(self, text: str) -> None:
        self.message.value = f'<p role="status">{escape(text)}</p>'

    def _show(self, video: bytes, why: str) -> None:
        with self.player.hold_sync():
            self.player.video = video
            self.player.figure = body.svg(dict.fromkeys(timeline.columns(self.table, Muscles), 0.0), width=BODY)
            self.player.windows = [_window(row, self.table) for _, row in self.table.iterrows()]
        # Of two videos with one name each keeps its files: they carry six digits of what is in it.
        stem, folder = f"{Path(self.name).stem}-{sha256(video).hexdigest()[:6]}", workspace.outputs_dir("own")
        links = []
        for file, kind, content in (
            (f"{stem}.csv", "text/csv", self.table.to_csv(index=False).encode()),
            (f"{stem}.png", "image/png", still.png(self.picture())),
        ):
            with workspace.atomic(folder / file) as part:
                part.write_bytes(content)
            links.append(f'<a download="{escape(file)}" href="{shown.data_url(content, kind)}">{escape(file)}</a>')
        self.take_away.value = f"Take away: {', '.join(links)} (also in {escape(str(folder))})"
        self._say(f"{self.name}: {len(self.table)} window{'s' * (len(self.table) > 1)}. {why}")


def weigh(clip_set: prepare.ClipSet, name: str, runs: tuple[workspace.Run, ...]) -> tuple[Mixture, float, list[str]]:
    """Runs of a task with the weight that validation chooses, 0.5 where it cannot; the confidence from which they are sure
    (exercises), infinite where there is none; and why, in sentences."""
    if len(runs) > 1:
        ensembles.check(runs)
    split, limit, why = "val" if clip_set.table()["split"].eq("val").any() else "train", np.inf, []
    try:
        state = State(clip_set, clip_set.task(name), runs, split)
    except ValueError as error:  # such as other labels than the clips have: runs that can be asked, though not scored
        return (
            Mixture.weighed(runs, 0.5),
            limit,
            [f"Nothing tells when these networks are sure ({error}): all is grey."],
        )
    best = state.best_weight()
    state.x = 0.5 if best is None else best
    if best is None and len(runs) > 1:
        why.append(f"The weight of {name} is 0.5: there are no validation clips that could choose another.")
    if split == "train":
        why.append("There are no validation clips to learn from when these networks are sure: all is grey.")
    elif not state.task.multilabel:
        limit = calibration.sure_above(state.mixture(), state.clips, state.task)
        if np.isinf(limit):
            why.append(f"At no confidence {MOSTLY}: these networks are too weak to be sure, and all is grey.")
    return Mixture.weighed(state.runs, state.x), limit, why


def _window(row: pd.Series, table: pd.DataFrame) -> dict:
    """A row of the table as the player takes it: the answer, and the top three of each task."""
    html = f"<b>{row.start:.1f} to {row.end:.1f} s: {escape(row.answer)}</b>"
    html += f"<br>{escape(row.warning)}" if row.warning else ""
    exercises, muscles = (
        {label: row[column] for label, column in timeline.columns(table, task).items()} for task in (Exercise, Muscles)
    )
    for title, likely in (("exercises", exercises), ("muscles", muscles)):
        if likely:
            html += shown.bars({title: np.array([*likely.values()])}, [*likely], count=3)
    number, colour = timeline.look(row.answer, list(exercises))
    look = {"answer": row.answer, "number": number, "colour": colour, "ink": GREY if row.warning else BLUE}
    return shown.window(row.start, row.end, html, muscles, **look)


def answered(table: pd.DataFrame, limit: float, warning: str = "") -> pd.DataFrame:
    """The windows with columns `answer` (the exercise, or that none is sure), `sure` and `warning`.

    Sure is an exercise whose probability is at or above `limit`, the confidence from which validation clips are mostly right.
    """
    columns = timeline.columns(table, Exercise)
    if not columns:
        return table.assign(answer="muscles only", sure=False, warning=warning)
    likely = table[[*columns.values()]].to_numpy()
    sure = likely.max(axis=1) >= limit
    answer = np.where(sure, np.array([*columns])[likely.argmax(axis=1)], timeline.UNSURE)
    return table.assign(answer=answer, sure=sure, warning=warning)
