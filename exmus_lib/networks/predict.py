"""From trained weights to the predictions table and embeddings, and to the answer for one video."""

import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

from exmus_lib import predictions, workspace
from exmus_lib.networks import compute, weights
from exmus_lib.networks.build import VideoNetwork, build
from exmus_lib.recipes import Recipe
from exmus_lib.tasks import Task
from exmus_lib.videos import windows
from exmus_lib.videos.cut import small_copy
from exmus_lib.videos.dataset import ClipDataset, ViewCache, view_of
from exmus_lib.videos.prepare import ClipSet
from exmus_lib.videos.read import VideoInfo, read_frames
from exmus_lib.workspace import Run

MAX_SHARE = 0.8  # of a clip: the longest of several views of it
KEPT_NETWORKS = 4  # between calls of `predict`


def predict_clips(
    run: Run, network: VideoNetwork, clips: pd.DataFrame, folder: Path, recipe: Recipe, cache: ViewCache | None
) -> None:
    """Write embeddings.npz and then predictions.parquet, last, for the clips of all three splits (column `split`)."""
    task = predictions.task_of(run)
    logits, embeddings = _all(run, network, ClipDataset(clips, folder, recipe, task, train=False, cache=cache))
    with workspace.atomic(run.folder / "embeddings.npz") as part:
        np.savez_compressed(
            part,
            clip_id=clips["clip_id"].to_numpy(str),
            split=clips["split"].to_numpy(str),
            embedding=embeddings,
        )
    predictions.write(run.folder / "predictions.parquet", predictions.table(clips, logits, task.names), task.names)


def several_views(run: Run, clip_set: ClipSet, views: int) -> pd.DataFrame:
    """A run's predictions with the logits of several views of each clip averaged, read where they were made before.

    The views are spread evenly over the clip, each as long as the recipe's window but no longer than MAX_SHARE of the clip, so
    that there is room to move; one view is the run's own, the centre. Written as predictions-v<views>.parquet.
    """
    path = predictions.path(run, views)
    if views > 1 and not path.exists():
        network, recipe = restore(run)
        clips, sums, task = clip_set.table(run.facts()["split"]), 0.0, predictions.task_of(run)
        for position in np.linspace(0, 1, views):
            data = ClipDataset(
                clips, clip_set.folder, recipe, task, train=False, cache=None, position=position, max_share=MAX_SHARE
            )
            sums = sums + _all(run, network, data)[0]
        predictions.write(path, predictions.table(clips, sums / views, task.names), task.names)
    return predictions.read(run, views)


def _all(run: Run, network: VideoNetwork, data: ClipDataset) -> tuple[np.ndarray, np.ndarray]:
    """Logits (N, labels) and embeddings (N, D) of all clips, in their order."""
    name, workers = run.facts()["network"], 0 if data.cache else min(4, torch.get_num_threads())
    loader = torch.utils.data.DataLoader(data, data.recipe.batch, num_workers=workers)
    pairs = [forward(network, view, name) for view, _ in tqdm(loader, "predicting", leave=False)]
    logits, embeddings = zip(*pairs, strict=True)
    return np.concatenate(logits), np.concatenate(embeddings)


@torch.inference_mode()
def forward(network: VideoNetwork, view: torch.Tensor, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Logits (batch, labels) and embeddings (batch, D), float32, of views (batch, 3, time, side, side)."""
    network.eval()
    with compute.autocast(name):
        out = network.embed(view.to(compute.device(), memory_format=compute.FORMAT))
    return tuple(x.float().cpu().numpy() for x in out)


def restore(run: Run) -> tuple[VideoNetwork, Recipe]:
    """The trained network of a complete run and its recipe; the last few are kept. ValueError for a run without a network."""
    predictions.read(run)  # says which runs there are when this one is not complete
    file = run.folder / "weights.safetensors"
    if not file.exists():
        facts = run.facts()
        others = facts.get("members") or facts.get("folds") or "a trained run"
        raise ValueError(f"{run.name} has no network of its own: predict with {others}")
    return _restored(run, str(file), file.stat().st_mtime_ns)


@lru_cache(KEPT_NETWORKS)
def _restored(run: Run, file: str, written: int) -> tuple[VideoNetwork, Recipe]:
    facts = run.facts()
    recipe = Recipe(**facts["recipe"])
    network = build(facts["network"], len(predictions.task_of(run).names), recipe, softmax="head" in facts)
    weights.load(network, Path(file))
    return compute.prepare(network), recipe


@dataclass(frozen=True)
class Mixture:
    """Trained runs of one task and the same labels, and the weights of their logits, which add up to one."""

    runs: tuple[Run, ...]
    weights: tuple[float, ...]

    @classmethod
    def of(cls, runs: Run | str | Path | Sequence[Run | str | Path]) -> "Mixture":
        """A run (or its folder), an ensemble with its own weights, or several runs, each counting the same.

        Raises FileNotFoundError for a folder that is not a run's, ValueError for runs of different tasks or labels.
        """
        several = [runs] if isinstance(runs, Run | str | Path) else list(runs)
        several = [run if isinstance(run, Run) else Run.at(run) for run in several]
        if not several:
            raise ValueError("no run to predict with")
        shares: dict[Run, float] = {}
        for run in several:
            facts = run.facts()
            members = [Run(run.dataset, run.task, name, run.runs) for name in facts.get("members", [run.name])]
            for member, weight in zip(members, facts.get("weights", [1.0]), strict=True):
                shares[member] = shares.get(member, 0.0) + weight / len(several)
        first, *others = shares
        for other in others:
            if (first.task, predictions.task_of(first).names) != (other.task, predictions.task_of(other).names):
                raise ValueError(f"{first.name} and {other.name} cannot be averaged: other tasks or labels")
        return cls(tuple(shares), tuple(shares.values()))

    @classmethod
    def weighed(cls, runs: Sequence[Run], x: float) -> "Mixture":
        """The first run with weight `x`, the others sharing the rest evenly; one run alone has all of it."""
        others = len(runs) - 1
        return cls(tuple(runs), (x, *[(1 - x) / others] * others) if others else (1.0,))

    @property
    def task(self) -> Task:
        """With the labels that the runs were trained on."""
        return predictions.task_of(self.runs[0])

    @property
    def rendered(self) -> bool:
        """Whether a run was trained on rendered people, and so knows no real ones."""
        return any(workspace.is_rendered(run.dataset) for run in self.runs)


def over_windows(
    copy: Path, video: VideoInfo, mixtures: Sequence[Mixture]
) -> Iterator[tuple[tuple[float, float], list[np.ndarray]]]:
    """For each window of a video made by videos.cut.small_copy: start and end in seconds, and the logits (labels,) of each
    mixture. A view that several networks share is read once.
    """
    networks = {run: restore(run) for mixture in mixtures for run in mixture.runs}
    for span in windows.spans(video.seconds):
        views, logits = {}, {}
        for run, (network, recipe) in networks.items():
            if recipe not in views:
                times = windows.span_times(span, video, recipe)
                views[recipe] = view_of(read_frames(copy, times), recipe)[None]
            logits[run] = forward(network, views[recipe], run.facts()["network"])[0][0]
        yield span, [sum(w * logits[run] for run, w in zip(m.runs, m.weights, strict=True)) for m in mixtures]


def window_table(
    copy: Path, video: VideoInfo, mixtures: Sequence[Mixture], report: Callable[[float], None] = lambda share: None
) -> pd.DataFrame:
    """What mixtures predict for each window of a video, as `over_windows` has them: a row per window.

    Columns: start, end (seconds), and <task>/<label>, probabilities. `report` is given the share that is done; what it
    raises ends the work.
    """
    rows, count = [], len(windows.spans(video.seconds))
    for (start, end), logits in over_windows(copy, video, mixtures):
        row = {"start": round(start, 3), "end": round(end, 3)}
        for task, values in zip((mixture.task for mixture in mixtures), logits, strict=True):
            likely = task.probabilities(values.astype(float)[None])[0].tolist()
            row |= {f"{task.name}/{label}": p for label, p in zip(task.names, likely, strict=True)}
        rows.append(row)
        report(len(rows) / count)
    return pd.DataFrame(rows)


def predict(video: str | Path, runs: Run | str | Path | Sequence[Run | str | Path]) -> pd.Series:
    """Probabilities of one video file, label -> probability, highest first.

    `runs` are those of `Mixture.of`: a run or its folder, an ensemble, several runs. Windows as long as clips are laid over the
    whole video (videos.windows) and their logits averaged; networks are kept between calls. `attrs["trained_on"]` of the result
    names the data sets; of rendered ones a UserWarning says that they know no real people. Raises FileNotFoundError for a missing
    file, VideoError naming the file and why when it cannot be read or is shorter than a clip.
    """
    mixture = Mixture.of(runs)
    if not Path(video).is_file():
        raise FileNotFoundError(f'no video "{video}" (looked in {Path.cwd()})')
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.mp4"
        info = small_copy(Path(video), copy)
        logits = [values for _, (values,) in over_windows(copy, info, [mixture])]
    task, trained_on = mixture.task, ", ".join(dict.fromkeys(run.dataset for run in mixture.runs))
    if mixture.rendered:
        warnings.warn(f"trained on {trained_on}, which is rendered: it knows no real people", UserWarning, stacklevel=2)
    result = pd.Series(task.probabilities(np.mean(logits, axis=0)[None])[0], task.names, name=task.name)
    result.attrs["trained_on"] = trained_on
    return result.sort_values(ascending=False)
