"""Your own video: chosen, read, cut into overlapping windows, recognised, and played beside what was recognised."""

import base64
import io
import tempfile
import threading
from html import escape
from pathlib import Path

import ipywidgets as ipw
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from exmus_lib import predictions, workspace
from exmus_lib.pictures import timeline
from exmus_lib.pictures.explorer import analysis, shown
from exmus_lib.pictures.explorer.browse import RENDERED, ROOM, WIDE, names, usual
from exmus_lib.pictures.explorer.state import State
from exmus_lib.pictures.explorer.widgets import Player
from exmus_lib.scores import calibration
from exmus_lib.videos import prepare
from exmus_lib.videos.read import VideoError
from exmus_lib.vocabulary import EXERCISES, MUSCLES, TASKS

STAYS = "The video stays on the machine that runs this notebook's kernel (on Colab that is one of Google's); nothing is sent on."


def uploaded(value) -> tuple[str, bytes] | None:
    """Name and content of the file in a FileUpload's value, of ipywidgets 7 (a dict) or 8 (a tuple); None when empty."""
    if not value:
        return None
    if isinstance(value, dict):
        name, file = next(reversed(value.items()))
        return name, bytes(file["content"])
    return value[-1]["name"], bytes(value[-1]["content"])


class OwnVideo(ipw.VBox):
    """A video by upload or path, any length; the networks of `dataset` trained at `preset`, both tasks.

    `table` has the windows of the last video (analysis.analyse), with `sure`, whether the exercise is above the confidence at
    which validation clips were mostly right.
    """

    def __init__(self, dataset: str, preset: str = "quick"):
        self.dataset, self.table = dataset, None
        self.path = ipw.Text(placeholder="/path/to/video.mp4", description="path", style=WIDE, layout=ROOM)
        self.upload = ipw.FileUpload(accept="", multiple=False, description="or upload")
        self.go = ipw.Button(description="recognise", button_style="primary")
        self.cancel = ipw.Button(description="cancel", disabled=True)
        self.progress = ipw.FloatProgress(min=0, max=1, layout=ROOM)
        self.message, self.take_away, self.player = ipw.HTML(), ipw.HTML(), Player()
        self.runs = {}
        for task in TASKS:
            kept = [
                r
                for r in workspace.find_runs(dataset, task)
                if (f := r.facts()).get("preset") == preset and "recipe" in f
            ]
            found = names([run for run in kept if (run.folder / "weights.safetensors").exists()])
            self.runs[task] = ipw.SelectMultiple(
                options=found, value=usual(found), rows=3, description=task, style=WIDE, layout=ROOM
            )
        self._stop, self._thread, self._newest = threading.Event(), None, None
        for widget in (self.path, self.upload):  # whichever was used last counts
            widget.observe(lambda change: setattr(self, "_newest", change["owner"]), "value")
        self.go.on_click(lambda _: self.start())
        self.cancel.on_click(lambda _: self._stop.set())
        wrap = ipw.Layout(display="flex", flex_flow="row wrap", width="100%")
        banner = RENDERED if dataset.startswith("sample") else ""
        super().__init__([
            ipw.HTML(f"{banner}<p>{STAYS}</p>"),
            ipw.Box([ipw.VBox([self.path, self.upload]), ipw.VBox(list(self.runs.values()))], layout=wrap),
            ipw.Box([self.go, self.cancel, self.progress], layout=wrap),
            self.message, self.player, self.take_away,
        ])  # fmt: skip

    def start(self) -> None:
        """Begin in a thread of its own, so that cancel is heard."""
        if self._thread and self._thread.is_alive():
            return
        chosen = uploaded(self.upload.value) if self._newest is self.upload else None
        if not chosen and not self.path.value.strip():
            self._say("Choose a video: upload one, or give its path.")
            return
        if not any(widget.value for widget in self.runs.values()):
            self._say("Choose at least one run. None there? `make demo` trains some.")
            return
        self._stop.clear()
        self.go.disabled, self.cancel.disabled = True, False
        self._thread = threading.Thread(target=self._work, args=(chosen,), daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Until the video that was begun is done."""
        if self._thread:
            self._thread.join()

    def _work(self, chosen: tuple[str, bytes] | None) -> None:
        try:
            with tempfile.TemporaryDirectory() as folder:
                video = Path(self.path.value.strip()).expanduser()
                if chosen:
                    video = Path(folder) / Path(chosen[0]).name
                    video.write_bytes(chosen[1])
                self._recognise(video, Path(folder) / "copy.mp4")
        except VideoError as error:
            self._say(f"{Path(error.path).name}: {error.reason}. Nothing was lost; choose another video.")
        except analysis.Cancelled:
            self._say("Cancelled.")
        except Exception as error:  # in a thread nobody else would hear of it
            self._say(f"{type(error).__name__}: {error}")
        finally:
            self.go.disabled, self.cancel.disabled, self.progress.value = False, True, 0.0

    def _recognise(self, video: Path, copy: Path) -> None:
        self._say(f"{video.name}: reading")
        facts = analysis.small_copy(video, copy, self._progress(0.0, 0.4), self._stop.is_set)
        hybrids, limit = [], 0.0
        clip_set = prepare.load(self.dataset)
        for task, widget in self.runs.items():
            if widget.value:
                state = State(clip_set, task, widget.value, self._split_of(widget.value))
                best = state.best_weight()
                state.x = 0.5 if best is None else best
                hybrids.append(analysis.Hybrid(task, widget.value, state.x))
                if task == "exercise":
                    limit = calibration.sure_above(state.mixture(), state.clips)
        table = analysis.analyse(copy, facts, hybrids, self._progress(0.4, 1.0), self._stop.is_set)
        self.table = with_answer(table, limit)
        self._show(video.name, copy.read_bytes(), limit)

    def _split_of(self, runs) -> str:
        return "val" if predictions.read(runs[0])["split"].eq("val").any() else "train"

    def _progress(self, low: float, high: float):
        last = [-1.0]

        def said(share: float, what: str) -> None:
            done = low + (high - low) * share
            if done - last[0] >= 0.01 or share == 1:  # a message for each per cent, not for each frame
                last[0], self.progress.value, self.progress.description = done, done, what

        return said

    def _say(self, text: str) -> None:
        self.message.value = f'<p role="status">{escape(text)}</p>'

    def _show(self, name: str, video: bytes, limit: float) -> None:
        count = len(self.table)
        self._say(f"{name}: {count} window{'s' * (count > 1)}. {self._how_sure(limit)}")
        with self.player.hold_sync():
            self.player.video, self.player.windows = video, [self._window(row) for _, row in self.table.iterrows()]
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
            links.append(
                f'<a download="{file}" href="data:{kind};base64,{base64.b64encode(content).decode()}">{file}</a>'
            )
        self.take_away.value = f"Take away: {', '.join(links)} (also in {folder})"

    def _how_sure(self, limit: float) -> str:
        share = f"{calibration.RIGHT:.0%} of the validation clips are right"
        if not any(run for run in self.runs["exercise"].value):
            return "Muscles only: no run of the exercises is chosen."
        if limit > 1:
            return f"At no confidence {share}: these networks are too weak to be sure, and all windows are grey."
        return (
            f"{self.table['sure'].sum()} are above {limit:.0%}, the confidence from which {share}; the others are grey."
        )

    def _window(self, row: pd.Series) -> dict:
        said, figure, muscles = f"<b>{row.start:.1f} to {row.end:.1f} s: {row.answer}</b>", "", []
        columns = {
            task: [f"{task}/{label}" for label in labels]
            for task, labels in (("exercise", EXERCISES), ("mgap", MUSCLES))
        }
        if columns["exercise"][0] in row:
            said += shown.bars({"exercise": row[columns["exercise"]].to_numpy(float)}, EXERCISES, most=3)
        if columns["mgap"][0] in row:
            likely = row[columns["mgap"]].to_numpy(float)
            said += shown.bars({"muscles": likely}, MUSCLES, most=3)
            figure, muscles = shown.muscles(likely), likely.round(2).tolist()
        colour = timeline.colour(row.answer)
        return {"start": row.start, "end": row.end, "said": said, "body": figure, "muscles": muscles, "colour": colour}


def with_answer(table: pd.DataFrame, limit: float) -> pd.DataFrame:
    """The windows with columns `answer` (the exercise, or that none is sure) and `sure`; without exercises, neither is sure."""
    columns = [f"exercise/{label}" for label in EXERCISES]
    if columns[0] not in table:
        return table.assign(answer="muscles only", sure=False)
    likely = table[columns].to_numpy()
    sure = likely.max(axis=1) >= limit
    answer = np.where(sure, np.array(EXERCISES)[likely.argmax(axis=1)], timeline.UNSURE)
    return table.assign(answer=answer, sure=sure)
