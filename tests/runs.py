"""Clip sets and complete runs on disk, without a video or a training: what everything below the waist reads."""

import numpy as np
import pandas as pd

from exmus_lib import labels, predictions, recipes, tasks, workspace
from exmus_lib.labels import Labels
from exmus_lib.videos.prepare import ClipSet

LABELS = labels.read()
EXERCISE, MGAP = TASKS = [tasks.task(name, LABELS) for name in tasks.TASKS]


def sample() -> ClipSet:
    """The data set "sample" on disk: two test clips, of one video, of each exercise, and as many for training."""
    videos = [f"{part}{i}" for part in ("train", "test") for i in range(16)]
    clips = pd.DataFrame({"video_id": np.repeat(videos, 2), "exercise": np.repeat(LABELS.exercises * 2, 2)})
    clips["clip_id"] = [f"c{i}" for i in clips.index]
    clips = clips.assign(group=clips["video_id"], path="", start_sec=0.0, seconds=2.0)
    clips = clips.assign(split_video=clips["video_id"].str[:-1].str.rstrip("1"), split_clip="test")
    return to_disk(
        "sample", pd.DataFrame({"video_id": videos, "folder": LABELS.exercises * 2, "sha256": videos}), clips
    )


def to_disk(name: str, videos: pd.DataFrame, clips: pd.DataFrame) -> ClipSet:
    folder = workspace.clips_dir(name)
    folder.mkdir(parents=True)
    videos.to_parquet(folder / "videos.parquet")
    clips.to_parquet(folder / "clips.parquet")
    return ClipSet(name, folder, videos, clips)


KEPT = ("seen", "code", "tag", "head")  # of run.json, where a test asks for them


def clip_set_of(known: Labels, dataset: str = "gym") -> ClipSet:
    """A data set on disk, four test and four validation clips of each exercise, with labels of its own."""
    exercises = np.repeat(known.exercises, 8)
    clips = pd.DataFrame({"exercise": exercises, "clip_id": [f"c{i}" for i in range(len(exercises))]})
    clips = clips.assign(video_id=clips["clip_id"], group=clips["clip_id"], path="", start_sec=0.0, seconds=2.0)
    clips["split_video"] = ["test" if i % 2 else "val" for i in clips.index]
    videos = pd.DataFrame({"video_id": clips["video_id"], "folder": exercises, "sha256": clips["video_id"]})
    clip_set = to_disk(dataset, videos, clips.assign(split_clip="test"))
    return ClipSet(dataset, clip_set.folder, clip_set.videos, clip_set.clips, known)


def facts(network="x3d_m", task="exercise", preset="quick", init="scratch", split="video", seed=0, **changes) -> dict:
    kept = {name: changes.pop(name) for name in KEPT if name in changes}
    recipe = recipes.kept(recipes.recipe(network, preset, **changes))
    return {
        "network": network,
        "task": task,
        "preset": preset,
        "init": init,
        "split": split,
        "seed": seed,
        "recipe": recipe,
        **kept,
    }


def write_run(
    clip_set: ClipSet, dataset: str = "sample", wrong: int = 0, clips_hash: str | None = None, **how
) -> workspace.Run:
    """A complete run that is right everywhere but for the first so many test clips."""
    values = facts(**how) | {"clip_set": clips_hash or clip_set.hash("video")}
    run = workspace.Run(
        dataset, values["task"], f"{values['network']}-{values['init']}-s{values['seed']}-{workspace.six_hex(values)}"
    )
    run.write_facts({**values, "labels": clip_set.labels.to_json()})
    clips = clip_set.table("video")
    exercises = clips["exercise"].to_numpy().copy()
    tests = np.flatnonzero(clips["split"] == "test")[:wrong]
    exercises[tests] = np.where(exercises[tests] == "Squat", "Push-up", "Squat")
    task = clip_set.task(run.task)
    table = predictions.table(clips, 20 * (2 * one_hot(task, exercises) - 1), task.names)
    predictions.write(run.folder / "predictions.parquet", table, task.names)
    return run


def one_hot(task: tasks.Task, exercises) -> np.ndarray:
    """Zeros and ones (N, L): the labels of clips, given their exercises."""
    truth = task.truth(exercises)
    return truth if task.multilabel else np.eye(len(task.names))[truth]


def compute_in_double(patch=setattr) -> None:
    """From here on networks train and predict in double precision: in single, Adam makes of a rounding error of a gradient near
    zero a step like any other."""
    import torch

    from exmus_lib.networks import build, compute

    forward = build.VideoNetwork.forward
    as_floats = lambda view: (build.normalise(view) if view.dtype is torch.uint8 else view).double()  # noqa: E731
    patch(compute, "precision", lambda *_, **__: "64-true")
    patch(build.VideoNetwork, "forward", lambda self, view: forward(self, as_floats(view)))
