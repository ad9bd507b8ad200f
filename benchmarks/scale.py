"""How work on tables grows: `python benchmarks/scale.py` prints CPU seconds, ratios for ten times the clips, peak memory.

Tables as the workbook keeps them, of 2,000, 20,000 and 200,000 clips of made-up videos (no video file): three clips a video,
one video in twenty filmed together with another, and runs whose logits are right more often than not. Each step runs in a
process of its own, so that its peak memory is its own. Videos are never read, which takes longer than all of this.
"""

import argparse
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from exmus_lib import labels, predictions, recipes, review, storage, workspace
from exmus_lib.scores import intervals, metrics, tables, verdict
from exmus_lib.tasks import TASKS
from exmus_lib.videos import duplicates, prepare, scan, split

SIZES = (2_000, 20_000, 200_000)  # clips
NAME, PRESET, NETWORK = "sample", "quick", "x3d_m"
CLIPS_A_VIDEO, TOGETHER = 3, 20  # one video in so many is filmed together with the one before
HASHES = 6  # of a video: two frames of each of its clips


def make(clips: int) -> None:
    """The data set "sample" of so many clips and a run of each task, below EXMUS_HOME."""
    random, known, count = np.random.default_rng(0), labels.read(), -(-clips // CLIPS_A_VIDEO)
    number = np.arange(count)
    folders = sorted(folder for folder, exercise in known.folders.items() if exercise)
    folder = np.array(folders)[number % len(folders)]
    video_id = np.char.add(np.char.add(folder, "_"), number.astype(str))
    videos = pd.DataFrame({
        "video_id": video_id, "group": video_id, "path": np.char.add(np.char.add(folder, "/"), np.char.add(video_id, ".mp4")),
        "folder": folder, "exercise": [known.exercise_of(name) for name in folder], "seconds": 6.0, "fps": 24.0,
        "sha256": number - number % 97 % 2, "status": "ok",
    })  # fmt: skip
    of_group = np.where(number % TOGETHER == TOGETHER - 1, number - len(folders) * (number >= len(folders)), number)
    raw, made = workspace.raw_dir(NAME), workspace.clips_dir(NAME)
    raw.mkdir(parents=True)
    made.mkdir(parents=True)
    manifest = pd.DataFrame({"path": videos["path"], "group": np.array(video_id)[of_group]})
    manifest.to_csv(raw / "MANIFEST.csv", index=False)
    videos["sha256"] = videos["sha256"].astype(str)
    videos["group"] = manifest["group"]
    rows = videos.loc[np.repeat(number, CLIPS_A_VIDEO)[:clips], ["video_id", "group", "exercise", "fps"]].reset_index(
        drop=True
    )
    place = (np.arange(clips) % CLIPS_A_VIDEO).astype(str)
    rows["clip_id"] = rows["video_id"] + "-" + place
    rows = rows.assign(path="clips/" + rows["clip_id"] + ".mp4", start_sec=0.0, seconds=2.0)
    rows["split_video"] = rows["split_clip"] = _sides(rows["group"], random)
    storage.write_parquet(videos, made / "videos.parquet")
    storage.write_parquet(rows, made / "clips.parquet")
    clip_set = prepare.load(NAME)
    for name in TASKS:
        _run(clip_set, name, random)


def _sides(groups: pd.Series, random: np.random.Generator) -> np.ndarray:
    index, names = pd.factorize(groups)
    return np.array(["train", "val", "test"])[random.choice(3, len(names), p=[0.6, 0.2, 0.2])][index]


def _run(clip_set: prepare.ClipSet, task_name: str, random: np.random.Generator) -> None:
    task, clips = clip_set.task(task_name), clip_set.table()
    truth = task.truth(clips.exercise)
    has = truth if task.multilabel else truth[:, None] == np.arange(len(task.names))
    logits = random.normal(2.0 * has - task.multilabel, 1.0)
    facts = {
        "network": NETWORK, "init": "scratch", "preset": PRESET, "split": "video", "seed": 0,
        "recipe": recipes.kept(recipes.recipe(NETWORK, PRESET)), "clip_set": clip_set.hash(), "seen": review.seen(clips, task),
    }  # fmt: skip
    predictions.store(NAME, task, NETWORK, predictions.table(clips, logits, task.names), facts)


def _runs() -> list[workspace.Run]:
    return [workspace.find_runs(NAME, task)[0] for task in TASKS]


def grouping() -> object:
    """The groups of a manifest, joined where two hold the same file."""
    videos = pd.read_parquet(workspace.clips_dir(NAME) / "videos.parquet").drop(columns="group")
    return scan._groups(workspace.raw_dir(NAME), videos)


def splitting() -> object:
    return split.split(_clips())


def folding() -> object:
    return split.folds(_clips(), 5)


def _clips() -> pd.DataFrame:
    return pd.read_parquet(workspace.clips_dir(NAME) / "clips.parquet")


def alike() -> object:
    """Near-duplicates, given the hashes of frames; of videos there are a third as many as clips."""
    random, videos = np.random.default_rng(0), _clips()["video_id"].nunique()
    hashes = list(random.random((videos, HASHES, duplicates.FREQUENCIES**2 - 1), np.float32) < 0.5)
    return duplicates.pairs_of(hashes, duplicates.MAX_DISTANCE)


def joining() -> object:
    """Load a data set with its labels and marks, its digest, and the truth of two runs' predictions."""
    clip_set = prepare.load(NAME)
    clips, digest = clip_set.table(), clip_set.hash()
    return digest, [metrics.score(run, clips, clip_set.task(run.task)) for run in _runs()]


def intervals_of_scores() -> object:
    """The bootstrap of one exercise run's scores on the test split."""
    clip_set, run = prepare.load(NAME), _runs()[0]
    return intervals.scores(run, clip_set.table(), clip_set.task(run.task))


def gallery() -> object:
    """The explorer's numbers: everything that another weight or filter asks for, but for the pictures of a page."""
    from exmus_lib.pictures.explorer.state import State  # which brings PyTorch

    clip_set = prepare.load(NAME)
    for run in _runs():
        state = State(clip_set, clip_set.task(run.task), [run])
        state.scores(), state.per_label(), state.counts(), state.chosen(right=False), state.chosen(cell=(0, 1))


def report() -> object:
    """Every table of the report, each with its intervals, and the page."""
    from exmus_lib.pictures import page

    clip_set = prepare.load(NAME)
    rankings = {task.name: tables.ranking(clip_set, PRESET, task) for task in tables.tasks_of(clip_set)}
    claims = verdict.claims(clip_set, PRESET)
    return page.write(
        clip_set, PRESET, claims, tables.cells(clip_set, PRESET), tables.beyond(clip_set, PRESET), rankings
    )


STEPS: dict[str, Callable[[], object]] = {
    "grouping": grouping, "split": splitting, "five folds": folding, "near-duplicates": alike, "load and join": joining,
    "2,000 resamples": intervals_of_scores, "gallery": gallery, "report": report,
}  # fmt: skip


def peak() -> float:
    """The most memory that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)


def _measured(work: Callable[[], object], home: Path | str, answer) -> None:
    os.environ["EXMUS_HOME"] = str(home)
    started = time.process_time()
    work()
    answer.send((time.process_time() - started, peak() / 1024))


def _alone(work: Callable[[], object], home: Path | str) -> tuple[float, float]:
    """CPU seconds of some work in a process of its own, and the peak of its memory in GB, libraries included."""
    here, there = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_measured, args=(work, home, there))
    process.start()
    there.close()
    try:
        return here.recv()
    except EOFError:
        raise SystemExit(f"{work.__name__} failed") from None
    finally:
        process.join()


def measure(sizes: Sequence[int] = SIZES, steps: Sequence[str] = tuple(STEPS)) -> pd.DataFrame:
    """A row for each step and size: step, clips, seconds (CPU), ratio (to the size before), gigabytes (peak)."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            home = Path(folder) / str(size)
            home.mkdir()
            _alone(lambda size=size: make(size), home)
            rows += [(step, size, *_alone(STEPS[step], home)) for step in steps]
    table = pd.DataFrame(rows, columns=["step", "clips", "seconds", "gigabytes"])
    table["ratio"] = table["seconds"] / table.groupby("step")["seconds"].shift()
    return table.sort_values("step", key=lambda s: s.map(list(STEPS).index), kind="stable", ignore_index=True)


def scale() -> Iterator[dict]:
    """Rows for benchmarks/bench.py: seconds and peak memory of each step at 20,000 clips, and its ratio to a tenth of them.

    The largest size takes ten minutes by itself.
    """
    for row in measure(SIZES[:2]).query("clips == @SIZES[1]").itertuples():
        what = f"{row.step}, {row.clips:,} clips ({row.ratio:.1f} times a tenth of them)"
        yield {"what": what, "unit": "CPU s", "ours": row.seconds}
        yield {"what": f"{row.step}, peak memory", "unit": "GB", "ours": row.gigabytes}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clips", type=int, nargs="+", default=SIZES, help="sizes, the smallest first")
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=list(STEPS))
    options = parser.parse_args(arguments)
    table = measure(options.clips, options.steps)
    print(table.pivot(index="step", columns="clips").reindex(options.steps).round(2).to_string())


if __name__ == "__main__":
    main()
