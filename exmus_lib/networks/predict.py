"""From trained weights to the predictions table and embeddings, and to the answer for one video."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

from exmus_lib import predictions, storage, workspace
from exmus_lib.networks import compiled, compute, folded, joints, weights
from exmus_lib.networks.build import VideoNetwork, build
from exmus_lib.networks.loading import loader
from exmus_lib.poses.estimate import estimate, estimate_clips
from exmus_lib.poses.track import Track
from exmus_lib.recipes import NETWORKS, Recipe
from exmus_lib.tasks import Task
from exmus_lib.videos import windows
from exmus_lib.videos.cache import ViewCache
from exmus_lib.videos.container import VideoInfo
from exmus_lib.videos.cut import small_copy
from exmus_lib.videos.dataset import ClipDataset, read_view, view_cache
from exmus_lib.videos.prepare import ClipSet
from exmus_lib.workspace import Run

MAX_SHARE = 0.8  # of a clip: the longest of several views of it
KEPT_NETWORKS = 4  # between calls of `predict`
LOOKING = 0.8  # of the time that a video takes, where its joints must be found

Clips = ClipDataset | joints.TrackDataset
Predictor = Callable[[torch.Tensor], tuple[np.ndarray, np.ndarray]]


def clip_views(
    clip_set: ClipSet,
    clips: pd.DataFrame,
    recipe: Recipe,
    task: Task,
    known: ViewCache | Mapping[str, Track] | None = None,
    **place: float,
) -> Clips:
    """The views of clips for evaluation, as the recipe says: pixels, drawn joints, or joints as numbers.

    `known` are a cache of the views, or the clips' tracks, which else are estimated where they are missing; `place` are position
    and max_share of the window (ClipDataset).
    """
    if recipe.input == "pixels":
        return ClipDataset(clips, clip_set.folder, recipe, task, train=False, cache=known, **place)
    return joints.TrackDataset(clips, clip_set.folder, known or estimate_clips(clip_set), recipe, task, **place)


def predict_clips(run: Run, network: VideoNetwork, clips: pd.DataFrame, views: Clips) -> None:
    """Write embeddings.npz and then predictions.parquet, last, for the clips of all three splits (column `split`) with their
    views in the same order."""
    task = predictions.task_of(run)
    logits, embeddings = forward_all(network, views, run.facts()["network"])
    with storage.atomic(run.folder / "embeddings.npz") as part:
        np.savez_compressed(
            part,
            clip_id=clips["clip_id"].to_numpy(str),
            split=clips["split"].to_numpy(str),
            embedding=embeddings,
        )
    predictions.write(run.folder / "predictions.parquet", predictions.table(clips, logits, task.names), task.names)


def untrained(clip_set: ClipSet, clips: pd.DataFrame, name: str, recipe: Recipe, task: Task, seed: int) -> pd.DataFrame:
    """The predictions table of a network of recipes.NETWORKS before its first step of training, for some of a set's clips."""
    torch.manual_seed(seed)
    network = compute.prepare(build(name, len(task.names), recipe))
    known = (
        view_cache(clip_set.clips, clip_set.folder, recipe, clip_set.hash("video"))
        if recipe.input == "pixels"
        else None
    )
    logits, _ = forward_all(network, clip_views(clip_set, clips, recipe, task, known), name)
    return predictions.table(clips, logits, task.names)


def several_views(run: Run, clip_set: ClipSet, views: int) -> pd.DataFrame:
    """A run's predictions with the logits of several views of each clip averaged, read where they were made before.

    The views are spread evenly over the clip, each as long as the recipe's window but no longer than MAX_SHARE of the clip, so
    that there is room to move; one view is the run's own, the centre. Written as predictions-v<views>.parquet.
    """
    path = predictions.path(run, views)
    if views > 1 and not path.exists():
        network, recipe = restore(run)
        clips, sums, task = clip_set.table(run.facts()["split"]), 0.0, predictions.task_of(run)
        tracks = None if recipe.input == "pixels" else estimate_clips(clip_set)
        for position in np.linspace(0, 1, views):
            data = clip_views(clip_set, clips, recipe, task, tracks, position=position, max_share=MAX_SHARE)
            sums = sums + forward_all(network, data, run.facts()["network"], kept=True)[0]
        predictions.write(path, predictions.table(clips, sums / views, task.names), task.names)
    return predictions.read(run, views)


def forward_all(network: VideoNetwork, data: Clips, name: str, kept: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Logits (N, labels) and embeddings (N, D) of all clips, in their order; `name` is the network's in recipes.NETWORKS, `kept`
    as for `predictor_of`."""
    batches = loader(data, data.recipe.batch, light=bool(data.cache))
    predictor = predictor_of(network, name, data.recipe, len(data), kept)
    # tqdm.auto calls iter() on what it is given beside looping over it: a loader's second set of processes would read for nobody.
    pairs = [predictor(view) for view, _ in tqdm(iter(batches), "predicting", len(batches), leave=False)]
    logits, embeddings = zip(*pairs, strict=True)
    return np.concatenate(logits), np.concatenate(embeddings)


@torch.inference_mode()
def forward(network: VideoNetwork, view: torch.Tensor, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Logits (batch, labels) and embeddings (batch, D), float32, of views (batch, channels, time, side, side): uint8, or floats
    as they are after videos.dataset.normalise."""
    network.eval()
    with compute.autocast(name):
        out = network.embed(view.to(compute.device(), memory_format=compute.FORMAT, non_blocking=True))
    return tuple(x.float().cpu().numpy() for x in out)


def predictor_of(network: VideoNetwork, name: str, recipe: Recipe, clips: int, kept: bool = False) -> Predictor:
    """What predicts so many clips soonest: a function as `forward`, of views alone; with `kept`, for a network that is trained no
    further, what is made for it serves later calls too."""
    if compiled.pays(name, recipe, clips):
        make = compiled.Compiled
    elif folded.pays(name, recipe, clips):
        make = _folded
    else:
        return partial(forward, network, name=name)
    if not kept:
        return make(network, name, recipe)
    if _MADE.get(network, (None, None))[0] is not make:
        _MADE[network] = make, make(network, name, recipe)
    return _MADE[network][1]


def _folded(network: VideoNetwork, name: str, recipe: Recipe) -> Predictor:
    return partial(forward, folded.folded(network, name, recipe), name=name)


_MADE: WeakKeyDictionary[VideoNetwork, tuple[Callable, Predictor]] = WeakKeyDictionary()  # with what made it
_WINDOWS: WeakKeyDictionary[VideoNetwork, int] = WeakKeyDictionary()  # of videos, given to each in this process


def predictor_of_video(network: VideoNetwork, name: str, recipe: Recipe, spans: int) -> Predictor:
    """`predictor_of` for one video. The windows of earlier ones count too: who gives videos one by one has them predicted by a
    folded copy and then by OpenVINO from some on, whose logits differ by rounding. At worst these are made for nothing."""
    _WINDOWS[network] = _WINDOWS.get(network, 0) + spans
    return predictor_of(network, name, recipe, _WINDOWS[network], kept=True)


def restore(run: Run) -> tuple[VideoNetwork, Recipe]:
    """The trained network of a complete run and its recipe; the last few are kept. ValueError for a run without a network."""
    predictions.read(run)  # says which runs there are when this one is not complete
    file = run.weights
    if not file.exists():
        facts = run.facts()
        others = facts.get("members") or facts.get("folds") or "a trained run"
        raise ValueError(f"{run.name} has no network of its own: predict with {others}")
    return _restored(run, str(file), file.stat().st_mtime_ns)


@lru_cache(KEPT_NETWORKS)
def _restored(run: Run, file: str, written: int) -> tuple[VideoNetwork, Recipe]:
    facts = run.facts()
    if facts["network"] not in NETWORKS:
        raise ValueError(f'{facts.path}: network "{facts["network"]}" is not one of: {", ".join(NETWORKS)}')
    recipe = Recipe(**facts["recipe"])
    network = build(facts["network"], len(predictions.task_of(run).names), recipe, softmax="head" in facts)
    weights.load(network, Path(file), facts.get("weights_sha256"))
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
        """Whether a run was trained on the pixels of rendered people, and so knows no real ones; by their joints it does."""
        return any(workspace.is_rendered(run.dataset) and input_of(run) == "pixels" for run in self.runs)


def input_of(run: Run) -> str:
    """What the network of a run reads: one of recipes.INPUTS."""
    return run.facts().get("recipe", {}).get("input", Recipe.input)


def over_windows(
    copy: Path, video: VideoInfo, mixtures: Sequence[Mixture], report: Callable[[float], None] = lambda share: None
) -> Iterator[tuple[tuple[float, float], list[np.ndarray]]]:
    """For each window of a video made by videos.cut.small_copy: start and end in seconds, and the logits (labels,) of each
    mixture. A view that several networks share is read once, and joints, where one reads them, are found once.

    `report` is given the share that is done; what it raises ends the work.
    """
    networks = {run: restore(run) for mixture in mixtures for run in mixture.runs}
    looks = any(recipe.input != "pixels" for _, recipe in networks.values())
    track = estimate(copy, lambda share: report(LOOKING * share)) if looks else None
    spans = windows.spans(video.seconds)
    predictors = {
        run: predictor_of_video(net, run.facts()["network"], how, len(spans)) for run, (net, how) in networks.items()
    }
    for number, span in enumerate(spans, start=1):
        views, logits = {}, {}
        for run, (_, recipe) in networks.items():
            if recipe not in views and recipe.input != "pixels":
                views[recipe] = joints.span_view(track, span, video, recipe)[None]
            elif recipe not in views:
                times = windows.span_times(span, video, recipe)
                views[recipe] = read_view(copy, times, recipe)[None]
            logits[run] = predictors[run](views[recipe])[0][0]
        yield span, [sum(w * logits[run] for run, w in zip(m.runs, m.weights, strict=True)) for m in mixtures]
        report(1 - (1 - LOOKING * looks) * (1 - number / len(spans)))


def window_table(
    copy: Path, video: VideoInfo, mixtures: Sequence[Mixture], report: Callable[[float], None] = lambda share: None
) -> pd.DataFrame:
    """What mixtures predict for each window of a video, as `over_windows` has them: a row per window.

    Columns: start, end (seconds), and <task>/<label>, probabilities. `report` is given the share that is done; what it
    raises ends the work.
    """
    rows = []
    for (start, end), logits in over_windows(copy, video, mixtures, report):
        row = {"start": round(start, 3), "end": round(end, 3)}
        for task, values in zip((mixture.task for mixture in mixtures), logits, strict=True):
            likely = task.probabilities(values.astype(float)[None])[0].tolist()
            row |= {f"{task.name}/{label}": p for label, p in zip(task.names, likely, strict=True)}
        rows.append(row)
    return pd.DataFrame(rows)


def predict(video: str | Path, runs: Run | str | Path | Sequence[Run | str | Path]) -> pd.Series:
    """Probabilities of one video file, label -> probability, highest first.

    `runs` are those of `Mixture.of`: a run or its folder, an ensemble, several runs. Windows as long as clips are laid over the
    whole video (videos.windows) and their logits averaged; networks are kept between calls. `attrs["trained_on"]` of the result
    names the data sets; a UserWarning says when pixels of rendered people were among them, which know no real ones. Raises
    FileNotFoundError for a missing file, VideoError naming the file and why when it cannot be read or is shorter than a clip, and
    RuntimeError where a run reads joints and the pose estimator's files cannot be fetched.
    """
    mixture = Mixture.of(runs)
    if not Path(video).is_file():
        raise FileNotFoundError(f'no video "{video}" (looked in {Path.cwd()})')
    with storage.scratch() as folder:
        copy = folder / "copy.mp4"
        info = small_copy(Path(video), copy)
        logits = [values for _, (values,) in over_windows(copy, info, [mixture])]
    known = (run.dataset + ", by its joints" * (input_of(run) != "pixels") for run in mixture.runs)
    task, trained_on = mixture.task, ", ".join(dict.fromkeys(known))
    if mixture.rendered:
        warnings.warn(f"trained on {trained_on}, which is rendered: it knows no real people", UserWarning, stacklevel=2)
    result = pd.Series(task.probabilities(np.mean(logits, axis=0)[None])[0], task.names, name=task.name)
    result.attrs["trained_on"] = trained_on
    return result.sort_values(ascending=False)
