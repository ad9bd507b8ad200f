"""Folders of 40 videos, 12 of them damaged in ways drawn at random: 01, a training and 10 go through, and no good one is lost."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from corpus.damaged import changed, film, kept, left_out, wrong_frame, zeroed
from corpus.foreign import MADE, content
from corpus.intact import CODECS
from exmus_lib import labels, workspace

SEEDS = 20
FILES, DAMAGED = 40, 12
FOLDERS = "squat;deadlift;push-up;bench press;barbell biceps curl;lateral raise;leg raises;hip thrust".split(";")
GOOD = "h264.mp4 h264.mov index-behind.mp4 hevc.mp4 h264.mkv vp9.webm mpeg4.avi h264.ts wmv2.wmv mpeg2.mpeg".split()
STEPS = ("01_data_prep", "02_x3d", "10_report")


def damaged(rng: np.random.Generator):
    """What makes one damaged file: a way drawn at random, of those that no decoder overlooks (a key frame, the index, a third
    of the file), and its suffix."""
    kind = str(rng.choice(["h264.mp4", "h264.mov", "index-behind.mp4", "hevc.mp4"]))
    ways = [
        (changed(kind, kept(rng.uniform(0.01, 0.7))), "mp4"),
        (changed(kind, zeroed(0.0, rng.uniform(0.01, 0.5))), "mp4"),
        (changed("index-behind.mp4", left_out(0.02, rng.uniform(0.3, 0.9))), "mp4"),
        (changed("h264.mp4", wrong_frame("h264.mp4", 12 * int(rng.integers(1, 9)))), "mp4"),
        (changed("prores.mov", wrong_frame("prores.mov", int(rng.integers(0, 125)))), "mov"),
        (content(rng.bytes(int(rng.integers(0, 9999)))), "mp4"),
        (content(film(kind)[: int(rng.integers(0, 99))] + rng.bytes(5000)), "mp4"),
        *((MADE[name][0], "mp4") for name in ("unknown codec.mp4", "encrypted.mp4", "pipe.mp4", "nowhere.mp4")),
    ]
    return ways[rng.integers(len(ways))]


def made(raw: Path, seed: int) -> dict[str, bool]:
    """Make such a folder; whether each file in it is good."""
    rng, good = np.random.default_rng(seed), {}
    bad = set(rng.choice(FILES, DAMAGED, replace=False))
    for number in range(FILES):
        kind = str(rng.choice(GOOD))
        make, suffix = damaged(rng) if number in bad else (CODECS[kind], kind.split(".")[1])
        path = f"{FOLDERS[number % len(FOLDERS)]}/{number}.{suffix}"
        (raw / path).parent.mkdir(parents=True, exist_ok=True)
        make(raw / path)
        good[path] = number not in bad
    return good


def outcome(folder: Path, seed: int) -> str:
    """What is wrong once the notebooks have run on such a folder; "" where nothing is."""
    raw, home = folder / f"gym{seed}", folder / "home"
    good = made(raw, seed)
    for step in STEPS:
        command = [sys.executable, "-m", "papermill", "--log-level", "ERROR", "--no-progress-bar"]
        command += [str(workspace.REPOSITORY / f"notebooks/{step}.ipynb"), str(folder / "out.ipynb")]
        command += ["-p", "dataset", str(raw), "-p", "preset", "smoke"]
        command += ["-p", "networks", "x3d_m"] * (step == "02_x3d")
        environment = {**os.environ, "EXMUS_HOME": str(home), "JUPYTER_PREFER_ENV_PATH": "1"}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        if done.returncode:
            return f"{step}: {done.stderr[-1500:]}"
    (clip_set,) = (home / "data" / "clips").glob(f"{raw.name}-*/")
    videos, clips = (pd.read_parquet(clip_set / f"{table}.parquet") for table in ("videos", "clips"))
    status = videos.set_index("path")["status"]
    count = clips["video_id"].map(videos.set_index("video_id")["path"]).value_counts()
    wrong = [f"{path}: {status.get(path)}" for path, is_good in good.items() if is_good != (status.get(path) == "ok")]
    wrong += [f"{path}: {count.get(path)} clips" for path, is_good in good.items() if is_good and count.get(path) != 2]
    wrong += [f"{path}: {reason}" for path, reason in status.items() if "Error" in reason]
    wrong += [f"{path} is not there" for path in clips["path"] if not (clip_set / path).stat().st_size]
    return "; ".join(wrong)


def outcomes(folder: Path) -> dict[str, str]:
    """What is wrong with each seed."""
    assert {labels.read().exercise_of(name) is not None for name in FOLDERS} == {True}
    return {f"seed {seed}": outcome(folder, seed) for seed in range(SEEDS)}
