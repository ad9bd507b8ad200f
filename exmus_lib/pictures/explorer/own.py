"""Your own video: chosen, read, cut into overlapping windows, recognised, and played beside what was recognised."""

import base64
import io
import tempfile
import threading
from dataclasses import dataclass
from html import escape
from pathlib import Path

import ipywidgets as ipw
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from exmus_lib import workspace
from exmus_lib.pictures import timeline
from exmus_lib.pictures.explorer import analysis, choice, shown
from exmus_lib.pictures.explorer.browse import LOOK
from exmus_lib.pictures.explorer.state import State
from exmus_lib.pictures.explorer.widgets import Player
from exmus_lib.scores import calibration
from exmus_lib.videos import prepare
from exmus_lib.videos.read import VideoError
from exmus_lib.vocabulary import EXERCISES, MUSCLES, TASKS

STAYS = (
    "The video stays on the machine that runs this notebook's kernel (on Colab that is one of Google's); nothing is sent on."
    " Uploads over 10 MB need a server started by <code>make lab</code> or <code>make app</code>; a path always works."
)


def uploaded(value) -> tuple[str, bytes] | None:
    """Name and content of the file in a FileUpload's value, of ipywidgets 7 (a dict) or 8 (a tuple); None when empty."""
    if not value:
        return None
    if isinstance(value, dict):
        name, file = next(reversed(value.items()))
        return name, bytes(file["content"])
    return value[-1]["name"], bytes(value[-1]["content"])


@dataclass(frozen=True)
class Job:
    """What was asked for when the button was pressed: later clicks do not change it. `content` is an upload's."""

    video: Path
    content: bytes | None
    runs: dict[str, tuple[workspace.Run, ...]]


class OwnVideo(ipw.VBox):
    """A video by upload or path, any length; the networks of `dataset` trained at `preset`, both tasks.

    `table` has the windows of the last video (analysis.analyse), None where it failed, with `sure`, whether the exercise is
    above the confidence at which validation clips were mostly right.
    """

    def __init__(self, dataset: str, preset: str = "quick"):
        self.clip_set, self.table = prepare.load(dataset), None
        self.path = ipw.Text(placeholder="/path/to/video.mp4", description="path", **LOOK)
        self.upload = ipw.FileUpload(accept="", multiple=False, description="or upload")
        self.go = ipw.Button(description="recognise", button_style="primary")
        self.cancel = ipw.Button(description="cancel", disabled=True)
        self.progress = ipw.FloatProgress(min=0, max=1, layout=LOOK["layout"])
        self.message, self.take_away, self.player = ipw.HTML(), ipw.HTML(), Player()
        self.runs = {}
        for task in TASKS:
            found = {
                name: run
                for name, run in choice.offered(self.clip_set, task, preset).items()
                if (run.folder / "weights.safetensors").exists()
            }
            chosen = choice.hybrid(found.values(), task, preset)
            self.runs[task] = ipw.SelectMultiple(options=found, value=chosen, rows=3, description=task, **LOOK)
        self._stop, self._thread, self._newest = threading.Event(), None, None
        for widget in (self.path, self.upload):  # whichever was used last counts
            widget.observe(lambda change: setattr(self, "_newest", change["owner"]), "value")
        self.go.on_click(lambda _: self.start())
        self.cancel.on_click(lambda _: self._stop.set())
        wrap = ipw.Layout(display="flex", flex_flow="row wrap", width="100%")
        banner = choice.RENDERED if workspace.is_rendered(dataset) else ""
        super().__init__([
            ipw.HTML(f"{banner}<p>{STAYS}</p>"),
            ipw.Box([ipw.VBox([self.path, self.upload]), ipw.VBox(list(self.runs.values()))], layout=wrap),
            ipw.Box([self.go, self.cancel, self.progress], layout=wrap),
            self.message, self.player, self.take_away,
        ])  # fmt: skip

    def start(self, video: str | Path | None = None) -> None:
        """Begin with a video, else with the one that was chosen last, in a thread of its own, so that cancel is heard."""
        if self._thread and self._thread.is_alive():
            return
        if video is not None:
            self.path.value, self._newest = str(video), self.path
        upload = uploaded(self.upload.value) if self._newest is not self.path else None
        name, content = upload or (self.path.value.strip(), None)
        job = Job(Path(name).expanduser(), content, {task: w.value for task, w in self.runs.items() if w.value})
        self.table, self.player.video, self.player.windows, self.take_away.value = None, b"", [], ""
        if not name:
            self._say("Choose a video: upload one, or give its path.")
        elif content is None and not job.video.is_file():
            what = "is a folder, not a video" if job.video.is_dir() else "is not there"
            self._say(f"{job.video.absolute()} {what}. Upload a video, or give its path.")
        elif not job.runs:
            self._say("Choose at least one run. None there? `make demo`, 02_x3d and 03_slowfast train some.")
        else:
            self._stop.clear()
            self.go.disabled, self.cancel.disabled = True, False
            self._thread = threading.Thread(target=self._work, args=(job,), daemon=True)
            self._thread.start()

    def wait(self) -> None:
        """Until the video that was begun is done."""
        if self._thread:
            self._thread.join()

    def _work(self, job: Job) -> None:
        try:
            with tempfile.TemporaryDirectory() as folder:
                video = job.video
                if job.content is not None:
                    video = Path(folder) / video.name
                    video.write_bytes(job.content)
                self._recognise(video, Path(folder) / "copy.mp4", job.runs)
        except VideoError as error:
            self._say(f"{Path(error.path).name}: {error.reason}. Nothing was lost; choose another video.")
        except analysis.Cancelled:
            self._say("Cancelled.")
        except Exception as error:  # in a thread nobody else would hear of it
            self._say(f"{type(error).__name__}: {error}")
        finally:
            self.go.disabled, self.cancel.disabled, self.progress.value = False, True, 0.0
            self.progress.description = ""

    def _recognise(self, video: Path, copy: Path, runs: dict[str, tuple[workspace.Run, ...]]) -> None:
        self._say(f"{video.name}: reading")
        facts = analysis.small_copy(video, copy, self._progress(0.0, 0.4), self._stop.is_set)
        clip_set = prepare.load(self.clip_set.name)  # with today's marks
        split = "val" if clip_set.table()["split"].eq("val").any() else "train"
        hybrids, limit = [], None
        for task, chosen in runs.items():
            state = State(clip_set, task, chosen, split)
            best = state.best_weight()
            state.x = 0.5 if best is None else best
            hybrids.append(analysis.Hybrid(task, state.runs, state.x))
            if task == "exercise" and split == "val":
                limit = calibration.sure_above(state.mixture(), state.clips)
        table = analysis.analyse(copy, facts, hybrids, self._progress(0.4, 1.0), self._stop.is_set)
        self.table = with_answer(table, np.inf if limit is None else limit)
        self._show(video.name, copy.read_bytes(), self._how_sure(limit, "exercise" in runs))

    def _progress(self, low: float, high: float):
        last = [-1.0]

        def said(share: float, what: str) -> None:
            done = low + (high - low) * share
            if done - last[0] >= 0.01 or share == 1:  # a message for each per cent, not for each frame
                last[0], self.progress.value, self.progress.description = done, done, what

        return said

    def _say(self, text: str) -> None:
        self.message.value = f'<p role="status">{escape(text)}</p>'

    def _show(self, name: str, video: bytes, how_sure: str) -> None:
        count = len(self.table)
        with self.player.hold_sync():
            self.player.video, self.player.figure = video, shown.figure()
            self.player.windows = [_window(row) for _, row in self.table.iterrows()]
        figure = timeline.timeline(self.table, name)
        picture = io.BytesIO()
        figure.savefig(picture, format="png", dpi=150)
        plt.close(figure)
        stem = Path(name).stem
        files = {
            f"{stem}.csv": ("text/csv", self.table.to_csv(index=False).encode()),
            f"{stem}.png": ("image/png", picture.getvalue()),
        }
        folder = workspace.outputs_dir("own")
        links = []
        for file, (kind, content) in files.items():
            with workspace.atomic(folder / file) as part:
                part.write_bytes(content)
            data = f"data:{kind};base64,{base64.b64encode(content).decode()}"
            links.append(f'<a download="{escape(file)}" href="{data}">{escape(file)}</a>')
        self.take_away.value = f"Take away: {', '.join(links)} (also in {escape(str(folder))})"
        self._say(f"{name}: {count} window{'s' * (count > 1)}. {how_sure}")

    def _how_sure(self, limit: float | None, exercises: bool) -> str:
        share = f"{calibration.RIGHT:.0%} of the validation clips are right"
        if not exercises:
            return "Muscles only: no run of the exercises is chosen."
        if limit is None:
            return "There are no validation clips to learn from when these networks are sure: all windows are grey."
        if np.isinf(limit):
            return f"At no confidence {share}: these networks are too weak to be sure, and all windows are grey."
        return (
            f"{self.table['sure'].sum()} are above {limit:.0%}, the confidence from which {share}; the others are grey."
        )


def _window(row: pd.Series) -> dict:
    """A row of the table as the player takes it: the answer, and the top three of each task."""
    said, muscles = f"<b>{row.start:.1f} to {row.end:.1f} s: {row.answer}</b>", None
    if f"exercise/{EXERCISES[0]}" in row:
        likely = row[[f"exercise/{exercise}" for exercise in EXERCISES]].to_numpy(float)
        said += shown.bars({"exercise": likely}, EXERCISES, most=3)
    if f"mgap/{MUSCLES[0]}" in row:
        muscles = row[[f"mgap/{muscle}" for muscle in MUSCLES]].to_numpy(float)
        said += shown.bars({"muscles": muscles}, MUSCLES, most=3)
    drawn = {"answer": row.answer, "number": timeline.number(row.answer), "colour": timeline.colour(row.answer)}
    return shown.window(row.start, row.end, said, muscles, **drawn)


def with_answer(table: pd.DataFrame, limit: float) -> pd.DataFrame:
    """The windows with columns `answer` (the exercise, or that none is sure) and `sure`; without exercises, neither is sure."""
    columns = [f"exercise/{label}" for label in EXERCISES]
    if columns[0] not in table:
        return table.assign(answer="muscles only", sure=False)
    likely = table[columns].to_numpy()
    sure = likely.max(axis=1) >= limit
    answer = np.where(sure, np.array(EXERCISES)[likely.argmax(axis=1)], timeline.UNSURE)
    return table.assign(answer=answer, sure=sure)
