"""The explorer on much, for bench.py: times and memory, with the networks of `make demo` where they are there.

2,112 clips, as many as the paper has: the time to the first page of the gallery, to turn it, and to move the weight. A video of
a minute at 1080p, made of sample clips: time and peak memory of the hybrid of both tasks; how long cancel takes; and how long the
page of `make app` keeps one waiting (with playwright and Chromium).
"""

import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
from scale import peak

from exmus_lib import predictions, workspace
from exmus_lib.networks import fit
from exmus_lib.videos import prepare

CLIPS, LONG = 2112, 60  # clips, seconds


def explorer() -> Iterator[dict]:
    """Rows of each piece of work, made by a process of its own, so that its memory is its own."""
    for work in (page, gallery, long_video, cancel):
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            yield from pool.submit(work).result()


def pair() -> list[workspace.Run]:
    """A run of each network on the sample: those of the demo, or of one epoch where there are none."""
    clips = prepare.prepare("sample")
    if not workspace.find_runs("sample", "exercise"):
        for network in ("x3d_m", "slowfast_r50"):
            fit.train(clips, network, "exercise", "quick", epochs=1)
    return workspace.find_runs("sample", "exercise")


def page() -> list[dict]:
    """From opening the link of `make app` until a clip can be pressed and a video given; no row without a browser to open it."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium or not find_spec("playwright"):
        return []
    from playwright.sync_api import sync_playwright

    pair()
    command = [sys.executable, "-m", "exmus_lib.app", "--no-browser"]
    environment = {**os.environ, "JUPYTER_PREFER_ENV_PATH": "1"}
    server = psutil.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def spent() -> float:
        return sum(sum(one.cpu_times()[:2]) for one in (server, *server.children(recursive=True)))

    try:
        link = next(
            match.group() for line in server.stdout if (match := re.search(r"http://127.0.0.1:\S+token=\w+", line))
        )
        threading.Thread(target=server.stdout.read, daemon=True).start()  # a full pipe would stop the server
        with sync_playwright() as engine:
            opened = engine.chromium.launch(executable_path=chromium, args=["--no-sandbox"]).new_page()
            opened.set_default_timeout(300_000)
            start, before = time.perf_counter(), spent()
            opened.goto(link)
            opened.locator(".exmus-card").first.wait_for()
            opened.get_by_placeholder("/path/to/video.mp4").wait_for()
            took, cpu = time.perf_counter() - start, spent() - before
    finally:
        for one in (*server.children(recursive=True), server):
            one.kill()
    what = "the page of `make app`: browser and player are there"
    return [
        {"what": what, "unit": "s", "ours": took},
        {"what": f"{what}: CPU of server and kernel", "unit": "s", "ours": cpu},
    ]


def gallery() -> list[dict]:
    """A clip set of 2,112 clips, each a link to one of the sample's, with two runs of made-up predictions."""
    sample = prepare.load("sample")
    runs = [pair()[0].facts() | {"network": n} for n in ("x3d_m", "slowfast_r50")]
    with tempfile.TemporaryDirectory() as home:
        os.environ["EXMUS_HOME"] = home
        clips = pd.concat([sample.clips.assign(copy=i) for i in range(-(-CLIPS // len(sample.clips)))])[:CLIPS]
        folder = workspace.clips_dir("many")
        folder.mkdir(parents=True)
        names = [f"{clip.clip_id}-{clip.copy}" for clip in clips.itertuples()]
        for name, path in zip(names, clips["path"], strict=True):
            (folder / f"{name}.mp4").symlink_to(sample.folder / path)
        sides = np.repeat(["train", "val", "test"], [1227, 443, 442])
        clips = clips.assign(clip_id=names, path=[f"{name}.mp4" for name in names], split_video=sides)
        clips.drop(columns=["copy", "unusable"]).to_parquet(folder / "clips.parquet")
        sample.videos.to_parquet(folder / "videos.parquet")
        many, random = prepare.load("many"), np.random.default_rng(0)
        names = many.task("exercise").names
        for facts in runs:
            run = workspace.Run("many", "exercise", f"{facts['network']}-made-up")
            run.write_facts(facts | {"clip_set": many.hash(), "preset": "quick"})
            table = predictions.table(many.table(), random.normal(size=(CLIPS, len(names))), names)
            predictions.write(predictions.path(run), table, names)
        from exmus_lib.pictures.explorer.browse import Browser

        start = time.perf_counter()
        browser = Browser("many")
        first = time.perf_counter() - start
        browser.split.value = "train"
        start = time.perf_counter()
        browser.gallery.page = 1
        turned = time.perf_counter() - start
        browser.split.value = "test"
        took = []
        for x in np.arange(0.02, 1, 0.02):
            start = time.perf_counter()
            browser.x.value = x
            took.append(time.perf_counter() - start)
        return [
            {"what": f"{CLIPS:,} clips: first page of the gallery", "unit": "s", "ours": first},
            {"what": "the next page, pictures made", "unit": "s", "ours": turned},
            {"what": "another weight, 442 clips", "unit": "ms", "ours": 1000 * float(np.median(took))},
            {"what": f"{CLIPS:,} clips: memory of the kernel", "unit": "MB", "ours": peak()},
        ]


def video_of(path: Path) -> Path:
    """A 1080p video of LONG seconds, of sample clips one after the other, scaled up."""
    import av

    from exmus_lib.videos import container as videos

    sample = prepare.load("sample")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"preset": "ultrafast", "g": "60"})
        stream.width, stream.height, stream.pix_fmt, count = 1920, 1080, "yuv420p", 0
        while count < 30 * LONG:
            for clip in sample.clips.itertuples():
                with videos.opened(sample.folder / clip.path) as (source, video):
                    for _, frame in videos.timed_frames(source, video):
                        large = frame.reformat(1920, 1080, "yuv420p")
                        large.pts, large.time_base, large.pict_type = count, Fraction(1, 30), 0
                        container.mux(stream.encode(large))
                        count += 1
                if count >= 30 * LONG:
                    break
        container.mux(stream.encode(None))
    return path


def made() -> Path:
    """The video, made once, by a process of its own: its memory is not counted."""
    path = workspace.outputs_dir("own") / f"benchmark-{LONG}.mp4"
    if not path.exists():
        process = multiprocessing.get_context("spawn").Process(target=video_of, args=(path,))
        process.start()
        process.join()
    return path


def long_video() -> list[dict]:
    runs, video = pair(), made()
    from exmus_lib.pictures.explorer.own import RUNS, OwnVideo

    own_video = OwnVideo("sample")
    own_video.networks.value, own_video.path.value = RUNS, str(video)
    start = time.perf_counter()
    own_video.start()
    own_video.wait()
    what = f"{LONG} s of 1080p by {len(runs)} runs"
    return [
        {"what": what, "unit": "s", "ours": time.perf_counter() - start},
        {"what": f"{what}: memory", "unit": "MB", "ours": peak()},
    ]


def cancel() -> list[dict]:
    video, rows = made(), []
    from exmus_lib.pictures.explorer.own import RUNS, OwnVideo

    for doing, share in (("reading", 0.1), ("recognising", 0.5)):
        own_video, heard = OwnVideo("sample"), threading.Event()
        own_video.networks.value, own_video.path.value = RUNS, str(video)
        own_video.progress.observe(
            lambda change, share=share, heard=heard: change["new"] > share and heard.set(), "value"
        )
        own_video.start()
        heard.wait()
        start = time.perf_counter()
        own_video.cancel.click()
        own_video.wait()
        rows.append({"what": f"cancel while {doing} is obeyed after", "unit": "s", "ours": time.perf_counter() - start})
    return rows
