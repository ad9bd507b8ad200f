"""Your own video: chosen, recognised by the networks that come with ExMus or by runs of a data set, and played beside that."""

import os
import re
import threading
from functools import partial
from hashlib import sha256
from html import escape
from pathlib import Path

import ipywidgets as ipw
import pandas as pd
from matplotlib.figure import Figure

from exmus_lib import storage, workspace
from exmus_lib.pictures import body, timeline
from exmus_lib.pictures.explorer import choice, joints, pixels, shown, still
from exmus_lib.pictures.explorer.browse import BODY, LOOK, WIDE, WRAP
from exmus_lib.pictures.explorer.result import Result
from exmus_lib.pictures.explorer.widgets import Player
from exmus_lib.poses import files
from exmus_lib.poses.overlay import overlay
from exmus_lib.scores import tables
from exmus_lib.tasks import Muscles, Task
from exmus_lib.videos import cut, prepare
from exmus_lib.videos.faults import VideoError

STAYS = (
    "The video stays on the machine that runs this notebook's kernel (on Colab that is one of Google's); nothing is sent on."
    " Uploads over 10 MB want this page (<code>make app</code>) or <code>make lab</code>; a path always works."
)
BANNER = '<p style="border-left:4px solid #b35900;padding:2px 10px;background:#fdf4ea;color:#1a1a1a">{}</p>'
GOOD = '<p style="border-left:4px solid #0b3d6e;padding:2px 10px;background:#eef3f8;color:#1a1a1a">{}</p>'
JOINTS, RUNS = "joints", "runs"  # which networks are chosen


def uploaded(value) -> tuple[str, bytes] | None:
    """Name and content of the file in a FileUpload's value, of ipywidgets 7 (a dict) or 8 (a tuple); None when empty."""
    if not value:
        return None
    file = list(value.values())[-1] if isinstance(value, dict) else value[-1]
    return file.get("metadata", file)["name"], bytes(file["content"])


def _beside(*parts: ipw.Widget) -> ipw.VBox:
    """Half of a row, or all of it where the page is narrow."""
    return ipw.VBox(parts, layout=ipw.Layout(flex="1 1 440px", min_width="0", padding="0 10px 0 0"))


class Cancelled(Exception):
    """Somebody pressed cancel."""


class OwnVideo(ipw.VBox):
    """A video by upload or path, any length, for the networks that come with ExMus, or those of `dataset` trained at `preset`.

    `table` has the windows of the last video (`Result.table`), None where it failed. A data set that is not prepared is no error:
    its networks cannot be chosen then, and `banner` says what makes them.
    """

    def __init__(self, dataset: str, preset: str = "quick"):
        self.dataset, self.result, self.name, self.missing = dataset, None, "", ""
        self.path = ipw.Text(placeholder="/path/to/video.mp4", description="path", **WIDE)
        self.upload = ipw.FileUpload(accept="", multiple=False, description="or upload")
        self.networks = ipw.RadioButtons(
            options=[(joints.TITLE, JOINTS), (f"networks trained on the data set {dataset}", RUNS)],
            layout=ipw.Layout(width="auto"),
        )
        self.runs = self._menus(preset)
        self.go = ipw.Button(description="recognise", button_style="primary")
        self.cancel = ipw.Button(description="cancel", disabled=True)
        self.progress = ipw.FloatProgress(min=0, max=1, layout=LOOK["layout"])
        self.skeleton = ipw.Checkbox(value=True, description="draw the skeleton", indent=False)
        self.banner, self.message, self.stretches, self.take_away = (ipw.HTML() for _ in range(4))
        self.player, self._videos = Player(), {}  # whether with skeleton -> bytes
        self._stop, self._thread, self._newest = threading.Event(), None, None
        for widget in (self.path, self.upload):  # whichever was used last counts
            widget.observe(lambda change: setattr(self, "_newest", change["owner"]), "value")
        self.go.on_click(lambda _: self.start())
        self.cancel.on_click(lambda _: self._stop.set())
        self._menus_box = ipw.VBox(list(self.runs.values()))
        self.networks.observe(lambda _: self._choose(), "value")
        self.skeleton.observe(lambda _: self._play(), "value")
        super().__init__([
            ipw.HTML(f"<p>{STAYS}</p>"),
            ipw.Box([_beside(self.path, self.upload), _beside(self.networks, self._menus_box)], layout=WRAP),
            self.banner, ipw.Box([self.go, self.cancel, self.progress], layout=WRAP),
            self.message, self.stretches, self.skeleton, self.player, self.take_away,
        ])  # fmt: skip
        self._choose()
        self._clear()

    @property
    def table(self) -> pd.DataFrame | None:
        return None if self.result is None else self.result.table

    def _menus(self, preset: str) -> dict[str, ipw.SelectMultiple]:
        """The trained networks of each task of the data set; none where it was not prepared."""
        try:
            clip_set = prepare.load(self.dataset)
        except FileNotFoundError as error:
            self.missing = f"{error} {choice.DEMO}"
            return {}
        return {task.name: self._menu(clip_set, task, preset) for task in tables.tasks_of(clip_set)}

    def _choose(self) -> None:
        """Other networks: which they are, and whether they know real people."""
        of_runs = self.networks.value == RUNS
        self._menus_box.layout.display = None if of_runs else "none"
        if not of_runs:
            self.banner.value = GOOD.format(joints.KNOWN)
        elif self.missing:
            self.banner.value = BANNER.format(escape(self.missing))
        elif workspace.is_rendered(self.dataset):
            self.banner.value = BANNER.format(f"These networks are {choice.RENDERED}: of your video all stays grey.")
        else:
            self.banner.value = BANNER.format(f"These networks know what the videos of {escape(self.dataset)} show.")

    def _clear(self) -> None:
        """No video, and nothing of the last one."""
        self.result, self._videos, self.skeleton.layout.display = None, {}, "none"
        self.player.video, self.player.marks, self.player.windows = b"", [], []
        self.take_away.value = self.stretches.value = ""

    def _play(self) -> None:
        if self._videos:
            self.player.video = self._videos[self.skeleton.value]

    def _menu(self, clip_set: prepare.ClipSet, task: Task, preset: str) -> ipw.SelectMultiple:
        """The trained networks of a task, the hybrid's chosen."""
        shown_at, offered = choice.some(clip_set, task, preset)
        networks = {title: run for title, run in offered.items() if run.weights.exists()}
        chosen = choice.hybrid(networks.values(), task, shown_at)
        title = task.name + f", {shown_at}" * (shown_at != preset)
        return ipw.SelectMultiple(options=networks, value=chosen, rows=3, description=title, **WIDE)

    def start(self, video: str | Path | None = None, from_dataset: bool = False) -> None:
        """Begin with a video, else with the one that was chosen last, in a thread of its own, so that cancel is heard.

        `from_dataset`: it was made of clips of the data set, as `still.reel` makes one, so networks may know what they see.
        """
        if self._thread and self._thread.is_alive():
            return
        upload = uploaded(self.upload.value) if video is None and self._newest is not self.path else None
        typed = re.sub(r"""^(["'])(.*)\1$""", r"\2", self.path.value.strip())  # quotes are what "Copy as path" adds
        name, content = upload or (typed if video is None else str(video), None)
        video, runs = Path(os.path.expanduser(name)), None  # Path's own raises where ~ is nobody's
        if self.networks.value == RUNS:
            runs = {task: menu.value for task, menu in self.runs.items() if menu.value}
        self._clear()
        if not name:
            self._say("Choose a video: upload one, or give its path.")
        elif content is None and not video.is_file():
            problem = "is a folder, not a video" if video.is_dir() else "is not there"
            self._say(f"{video.absolute()} {problem}. Upload a video, or give its path.")
        elif runs is not None and not runs:
            self._say(self.missing or f"Choose at least one run. None there? {choice.makes(self.dataset)}.")
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
        return None if self.result is None else self.result.picture(self.name)

    def _work(self, video: Path, content: bytes | None, runs: pixels.Chosen | None, from_dataset: bool) -> None:
        try:
            with storage.scratch() as folder:
                if content is not None:
                    video = folder / "uploaded" / video.name
                    video.parent.mkdir()
                    video.write_bytes(content)
                if runs is None:
                    self._by_joints(video, folder)
                else:
                    self._by_pixels(video, folder / "copy.mp4", runs, from_dataset)
        except VideoError as error:
            self._say(f"{Path(error.path).name}: {error.reason}. Nothing was lost; choose another video.")
        except Cancelled:
            self._say("Cancelled.")
        except Exception as error:  # in a thread nobody else would hear of it
            self._say(f"{type(error).__name__}: {error}")
        finally:
            self.go.disabled, self.cancel.disabled, self.progress.value = False, True, 0.0
            self.progress.description = ""

    def _by_joints(self, video: Path, folder: Path) -> None:
        """By the networks that come with ExMus. They read the video itself; the copy is for the player."""
        copy, drawn = folder / "copy.mp4", folder / "drawn.mp4"
        self._say(f"{video.name}: reading")
        cut.small_copy(video, copy, partial(self._report, "reading", 0.0, 0.2), joints.SIDE, joints.SHORTEST)
        first = "" if files.present() else " (BlazePose is fetched first, 36 MB, this once)"
        self._say(f"{video.name}: finding joints{first}")
        result = joints.recognised(video, partial(self._report, "joints", 0.2, 0.85))
        overlay(copy, result.recognition.track, drawn, partial(self._report, "drawing", 0.85, 1.0))
        self._show(video.name, result, {False: copy.read_bytes(), True: drawn.read_bytes()})

    def _by_pixels(self, video: Path, copy: Path, runs: pixels.Chosen, from_dataset: bool) -> None:
        """By runs of the data set, which see what the player shows."""
        self._say(f"{video.name}: reading")
        facts = cut.small_copy(video, copy, partial(self._report, "reading", 0.0, 0.4))
        report = partial(self._report, "recognising", 0.4, 1.0)
        result = pixels.recognised(copy, facts, self.dataset, runs, from_dataset, report)
        self._show(video.name, result, dict.fromkeys((False, True), copy.read_bytes()))

    def _report(self, doing: str, low: float, high: float, share: float) -> None:
        if self._stop.is_set():
            raise Cancelled
        # Only another value is sent: one message for each per cent, not for each frame.
        self.progress.value, self.progress.description = round(low + (high - low) * share, 2), doing

    def _say(self, text: str) -> None:
        self.message.value = f'<p role="status">{escape(text)}</p>'

    def _show(self, name: str, result: Result, videos: dict[bool, bytes]) -> None:
        self.result, self.name, self._videos = result, name, videos
        self.skeleton.layout.display = None if result.recognition else "none"
        with self.player.hold_sync():
            self._play()
            self.player.figure = body.svg(dict.fromkeys(timeline.columns(self.table, Muscles), 0.0), width=BODY)
            self.player.marks, self.player.windows = result.turns, result.windows()
        self.stretches.value = result.html()
        # Of two videos with one name each keeps its files: they carry six digits of what is in it.
        stem = f"{storage.short(Path(name).stem)}-{sha256(videos[False]).hexdigest()[:6]}"
        folder, links = workspace.outputs_dir("own"), []
        for end, content in {**result.files(), ".png": still.png(self.picture())}.items():
            file, kind = stem + end, "image/png" if end == ".png" else "text/csv"
            with storage.where_possible(), storage.atomic(folder / file) as part:
                part.write_bytes(content)
            links.append(f'<a download="{escape(file)}" href="{shown.data_url(content, kind)}">{escape(file)}</a>')
        self.take_away.value = f"Take away: {', '.join(links)} (also in {escape(str(folder))})"
        self._say(f"{name}: {len(self.table)} window{'s' * (len(self.table) > 1)}. {result.why}")
