"""09_explore with trained networks, in a real browser, in JupyterLab and as a page of Voila: what is pressed does as it says."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import papermill
import pytest
from helpers import free_port

from exmus_lib import predict, predictions, review, workspace
from exmus_lib.networks import fit
from exmus_lib.pictures import body
from exmus_lib.pictures.explorer.own import RUNS, OwnVideo
from exmus_lib.sample import make
from exmus_lib.sample.film import Take
from exmus_lib.scores import ensembles
from exmus_lib.scores.metrics import score
from exmus_lib.videos import prepare

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-quic"]
SECONDS = 1000  # milliseconds
PLAYER = workspace.REPOSITORY / "exmus_lib" / "pictures" / "explorer" / "player.js"
WORKBOOK = workspace.REPOSITORY / "notebooks" / "09_explore.ipynb"


@pytest.fixture(scope="module")
def home(demo, tmp_path_factory):
    """The small sample with trained networks, whose predictions for exercises are made such that the weight matters."""
    home = shutil.copytree(demo, tmp_path_factory.mktemp("home"), dirs_exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXMUS_HOME", str(home))
        clips = prepare.prepare("sample", "smoke")
        random, task = np.random.default_rng(0), clips.task("exercise")
        for network in ("x3d_m", "slowfast_r50"):
            run = fit.train(clips, network, "exercise", "smoke")
            table = predictions.read(run)
            right = np.eye(16)[task.truth(clips.clips.set_index("clip_id").loc[table["clip_id"], "exercise"])]
            soft = predictions.with_logits(table, 2 * right + random.normal(size=right.shape))
            predictions.write(predictions.path(run), soft, task.names)
        yield home


def test_a_window_says_what_the_network_says_of_that_clip(home):
    clips = prepare.load("sample-smoke")
    clip = clips.path(clips.clips.iloc[0])
    video = OwnVideo(clips.name, "smoke")
    video.networks.value, video.runs["exercise"].value = RUNS, ()
    video.start(clip)
    video.wait()
    expected = predict(clip, *(run.folder for run in video.runs["mgap"].value))
    (file,) = (home / "outputs" / "own").glob(f"{clip.stem}-*.csv")
    window = pd.read_csv(file).iloc[0]
    assert video.take_away.value.count("download=") == 2 and window["answer"] == "muscles only"
    assert [window[f"mgap/{muscle}"] for muscle in expected.index] == pytest.approx(expected.tolist(), abs=0.03)


def test_cancel_leaves_no_result(home):
    clips = prepare.load("sample-smoke")
    video = OwnVideo(clips.name, "smoke")
    video.networks.value = RUNS
    video.start(clips.path(clips.clips.iloc[0]))
    video.cancel.click()
    video.wait()
    assert "Cancelled" in video.message.value and video.table is None and not video.go.disabled


@pytest.fixture(scope="module")
def nobody():
    """Address of a machine that never answers, as behind many a firewall: its queue is full."""
    with socket.socket() as silent, socket.socket() as first, socket.socket() as second:
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(silent.getsockname())
        yield f"127.0.0.1:{silent.getsockname()[1]}"


@pytest.fixture(scope="module")
def browser(nobody):
    if not CHROMIUM:
        pytest.skip(f"none of {', '.join(NAMES)} is installed: on Debian and Ubuntu, apt install chromium")
    playwright.expect.set_options(timeout=60 * SECONDS)
    with playwright.sync_playwright() as engine:
        everywhere_else = f"--host-resolver-rules=MAP * {nobody}, EXCLUDE 127.0.0.1"
        started = engine.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, everywhere_else])
        yield started
        started.close()


@pytest.fixture(scope="module", params=["app", pytest.param("lab", marks=pytest.mark.hard)])
def page(request, home, browser, tmp_path_factory) -> Iterator:
    """The notebook, run to its end: in JupyterLab as `make lab` has it, and in Voila as `make app` has it."""
    folder = tmp_path_factory.mktemp(request.param)
    # JupyterLab draws only the cells in sight unless told otherwise, and asks whether it may fetch news.
    for file, values in (
        ("notebook-extension/tracker", {"windowingMode": "none"}),
        ("apputils-extension/notification", {"fetchNews": "false", "checkForUpdates": False}),
    ):
        settings = folder / "settings" / "@jupyterlab" / f"{file}.jupyterlab-settings"
        settings.parent.mkdir(parents=True)
        settings.write_text(json.dumps(values))
    clips = prepare.load("sample-smoke")
    clip = clips.path(clips.clips.iloc[0])
    parameters = {"preset": "smoke", "video": str(clip)}
    papermill.execute_notebook(WORKBOOK, folder / "09.ipynb", parameters, prepare_only=True, progress_bar=False)
    port = free_port()
    making = ["make", "-n", "--no-print-directory", "-o", ".venv/ready", request.param]
    words = shlex.split(subprocess.check_output(making, cwd=workspace.REPOSITORY, text=True))
    lab = "--allow-root --LabApp.expose_app_in_browser=True --IdentityProvider.token=".split()
    command = {
        "lab": ["jupyter", *words[1:], *lab],
        "app": [*words[2:], str(folder / "09.ipynb")],  # behind python -m
    }[request.param]
    environment = {**os.environ, "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"), "JUPYTER_PREFER_ENV_PATH": "1"}
    server = subprocess.Popen(
        [sys.executable, "-m", *command, "--no-browser", f"--port={port}"],
        cwd=folder, env=environment, stdout=(folder / "log").open("w"), stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    try:
        wait_for(f"http://127.0.0.1:{port}/", folder / "log")
        opened = browser.new_page(viewport={"width": 1280, "height": 1000})
        opened.set_default_timeout(120 * SECONDS)
        opened.scripts = []
        opened.on("request", lambda r: opened.scripts.append(r.url) if r.resource_type == "script" else None)
        printed = re.search(rf"http://127\.0\.0\.1:{port}/\?token=\w+", (folder / "log").read_text())
        opened.goto(f"http://127.0.0.1:{port}/lab/tree/09.ipynb" if request.param == "lab" else printed.group())
        if request.param == "lab":
            opened.locator(".jp-Notebook-cell").first.wait_for()
            opened.wait_for_function("window.jupyterapp.shell.currentWidget?.context?.sessionContext?.session?.kernel")
            opened.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
        opened.locator(f"text=/{re.escape(clip.name)}: 1 window/").last.wait_for()
        yield opened
        opened.close()
    finally:
        os.killpg(server.pid, signal.SIGKILL)


def player(page, of_ones_own: bool = False) -> int:
    """The number of a player on the page: that of the browser, or of one's own video, which the page of `make app` has first."""
    return int(of_ones_own == ("/lab/" in page.url))


def wait_for(address: str, log: Path) -> None:
    for _ in range(120):
        try:
            urllib.request.urlopen(address, timeout=60).close()
            return
        except OSError:
            time.sleep(0.5)
    pytest.fail(f"no server after a minute:\n{log.read_text()[-2000:]}")


def test_the_weight_slider_shows_the_score_of_that_weight(page):
    slider = page.locator(".widget-hslider", has_text="weight x").first
    shown = page.locator(".exmus-scores td").first
    clips = prepare.load("sample-smoke")
    tables = [predictions.read(run) for run in workspace.find_runs(clips.name, "exercise")]
    seen = set()
    for key, x in (("Home", 0.0), ("End", 1.0)):
        slider.locator(".noUi-handle").press(key)
        expected = 100 * score(ensembles.combine(tables, x), clips.table(), clips.task("exercise"))["top1"]
        playwright.expect(shown).to_have_text(f"{expected:.1f}")
        seen.add(expected)
    assert len(seen) == 2


def test_a_confusion_cell_filters_the_gallery_and_a_clip_plays(page):
    cell = page.locator(".exmus-matrix button").last
    count = cell.inner_text()
    cell.click()
    playwright.expect(page.locator(".exmus-gallery .exmus-bar").first).to_contain_text(f"{count} clips")
    page.locator(".exmus-card").first.click()
    playwright.expect(page.locator(".exmus-predicted").nth(player(page))).to_contain_text("%")
    video = f"document.querySelectorAll('.exmus-player')[{player(page)}].querySelector('video')"
    before = page.evaluate(f"{video}.currentTime")
    page.wait_for_function(f"{video}.currentTime > {before} + 0.3")
    cell.click()
    playwright.expect(page.locator(".exmus-gallery .exmus-bar").first).not_to_contain_text(f", {count} clips")


def test_a_mark_is_on_disk(page):
    page.locator(".exmus-card").nth(1).click()
    page.get_by_role("button", name="mark: unusable").click()
    kept = page.locator(".widget-dropdown", has_text="marked").locator("select")
    playwright.expect(kept).to_contain_text(": unusable")
    ((clip, mark),) = review.marks("sample-smoke").items()
    assert mark == "unusable" and clip in kept.inner_text()
    page.get_by_role("button", name="take mark away").click()
    playwright.expect(kept).not_to_contain_text(clip)
    assert review.marks("sample-smoke") == {}


def test_an_uploaded_video_gives_a_timeline_or_says_why_not(page, tmp_path):
    films = {"upright.mp4": (Take("squat", 24, 5.0, 128, 96), 0), "turned.mp4": (Take("push-up", 24, 5.0, 96, 128), 90)}
    for file, (take, degrees) in films.items():
        make.encode(tmp_path / file, take, degrees, False, np.random.default_rng(0))
        if degrees:
            make.set_display_matrix(tmp_path / file, degrees, take.height)
    (tmp_path / "not-a-video.mp4").write_text("no film at all")
    assert (
        page.get_by_placeholder("/path/to/video.mp4").input_value() == ""
    )  # the notebook's own video stands elsewhere
    shown = f"document.querySelectorAll('.exmus-player')[{player(page, of_ones_own=True)}]"
    video = f"{shown}.querySelector('video')"
    for file, tall in (("upright.mp4", False), ("turned.mp4", True), ("not-a-video.mp4", None)):
        with page.expect_file_chooser() as chooser:
            page.locator(".jupyter-widgets.widget-upload").click()
        chooser.value.set_files(tmp_path / file)
        page.get_by_role("button", name="recognise").click()
        message = page.locator(f"text=/{re.escape(file)}: /").first
        if tall is None:
            playwright.expect(message).to_contain_text("choose another video")
        else:
            playwright.expect(message).to_contain_text("3 windows")
            page.wait_for_function(
                f"{video}.videoWidth && ({video}.videoHeight > {video}.videoWidth) === {str(tall).lower()}"
            )
            page.wait_for_function(f"{shown}.querySelector('canvas').clientWidth > 0")


@pytest.mark.parametrize("page", ["app"], indirect=True)  # JupyterLab's own side bar leaves a phone no room
def test_nothing_is_cut_off_on_a_phone(page):
    page.set_viewport_size({"width": 390, "height": 844})
    wide = page.evaluate(
        "[...document.querySelectorAll('.exmus-gallery, .exmus-player')].filter(e => e.scrollWidth > e.clientWidth + 1).length"
    )
    page.set_viewport_size({"width": 1280, "height": 1000})
    assert wide == 0


@pytest.mark.parametrize("page", ["app"], indirect=True)  # JupyterLab's own faults are not ours
def test_axe_finds_nothing_and_a_key_plays_a_clip_in_sight(page):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="pip install axe-playwright-python").Axe()
    levels = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
    assert [fault["id"] for fault in axe.run(page, options=levels).response["violations"]] == []
    page.locator(".exmus-card").last.press("Enter")
    playwright.expect(page.locator(".exmus-predicted").nth(player(page))).to_contain_text("%")
    playwright.expect(page.locator(".exmus-player").nth(player(page)).locator("video")).to_be_in_viewport(ratio=0.95)
    assert [fault["id"] for fault in axe.run(page, options=levels).response["violations"]] == []


def test_pictures_for_print_are_hidden_where_the_widgets_live_and_not_made_for_the_page(page):
    stills = page.locator(".exmus-still")
    playwright.expect(stills).to_have_count(2 if page.url.endswith(".ipynb") else 0)
    assert not any(still.is_visible() for still in stills.all())


def test_a_player_that_stands_still_costs_nothing(browser):
    """player.js alone, with a model made up: frames are drawn while something changes, and none after."""
    shares = {"quads": 0.25, "forearms": 0.5}
    windows = [
        {"start": i, "end": i + 3, "html": f"window {i}", "shares": shares, "words": "", "answer": "squat", "number": "0",
         "colour": "#c9c9c9", "ink": [90, 90, 90]} for i in (0, 1)
    ]  # fmt: skip
    opened = browser.new_page()
    opened.set_content("<div id=here></div>")
    opened.evaluate(
        """async ([code, windows, figure]) => {
            window.frames_asked = 0;
            const ask = window.requestAnimationFrame.bind(window);
            window.requestAnimationFrame = (act) => { window.frames_asked += 1; return ask(act); };
            const values = { windows, figure, video: new DataView(new ArrayBuffer(0)) };
            const model = { get: (name) => values[name], on: () => {} };
            const { default: player } = await import(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
            player.render({ model, el: document.getElementById("here") });
        }""",
        [PLAYER.read_text(encoding="utf-8"), windows, body.svg(dict.fromkeys(shares, 0.0))],
    )
    playwright.expect(opened.locator(".exmus-predicted")).to_have_text("window 0")
    assert "50%" in opened.locator("[data-muscle=forearms]").inner_html()
    opened.wait_for_timeout(300)
    before = opened.evaluate("window.frames_asked")
    opened.wait_for_timeout(500)
    assert 0 < before < 10 and opened.evaluate("window.frames_asked") == before
    opened.close()


def test_no_code_comes_from_another_machine(page):
    assert {urlsplit(address).hostname for address in page.scripts} <= {"127.0.0.1", None}  # None: data and blob URLs
    assert page.scripts
