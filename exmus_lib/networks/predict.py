"""From trained weights to the predictions table and embeddings, and to the answer for one video."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

from exmus_lib import predictions, workspace
from exmus_lib.networks import compute, weights
from exmus_lib.networks.build import VideoNetwork, build
from exmus_lib.recipes import Recipe
from exmus_lib.videos import windows
from exmus_lib.videos.cut import small_copy
from exmus_lib.videos.dataset import ClipDataset, ViewCache, view_of
from exmus_lib.videos.prepare import ClipSet
from exmus_lib.videos.read import read_frames

MAX_SHARE = 0.8  # of a clip: the longest of several views of it


def predict_clips(
    run: workspace.Run, network: VideoNetwork, clips: pd.DataFrame, folder: Path, how: Recipe, cache: ViewCache | None
) -> None:
    """Write embeddings.npz and then predictions.parquet, last, for the clips of all three splits (column `split`)."""
    logits, embeddings = _all(
        run, network, ClipDataset(clips, folder, how, predictions.task_of(run), train=False, cache=cache)
    )
    with workspace.atomic(run.folder / "embeddings.npz") as part:
        np.savez_compressed(
            part,
            clip_id=clips["clip_id"].to_numpy(str),
            split=clips["split"].to_numpy(str),
            embedding=embeddings,
        )
    predictions.write(run.folder / "predictions.parquet", predictions.table(clips, logits, run.task), run.task)


def several_views(run: workspace.Run, clip_set: ClipSet, views: int) -> pd.DataFrame:
    """A run's predictions with the logits of several views of each clip averaged, read where they were made before.

    The views are spread evenly over the clip, each as long as the recipe's window but no longer than MAX_SHARE of the clip, so
    that there is room to move; one view is the run's own, the centre. Written as predictions-v<views>.parquet.
    """
    path = predictions.path(run, views)
    if views > 1 and not path.exists():
        network, how = restore(run)
        clips, sums = clip_set.table(run.facts()["split"]), 0.0
        task = predictions.task_of(run)
        for position in np.linspace(0, 1, views):
            data = ClipDataset(
                clips, clip_set.folder, how, task, train=False, cache=None, position=position, max_share=MAX_SHARE
            )
            sums = sums + _all(run, network, data)[0]
        predictions.write(path, predictions.table(clips, sums / views, run.task), run.task)
    return predictions.read(run, views)


def _all(run: workspace.Run, network: VideoNetwork, data: ClipDataset) -> tuple[np.ndarray, np.ndarray]:
    """Logits (N, labels) and embeddings (N, D) of all clips, in their order."""
    name, workers = run.facts()["network"], 0 if data.cache else min(4, torch.get_num_threads())
    loader = torch.utils.data.DataLoader(data, data.recipe.batch, num_workers=workers)
    found = [forward(network, view, name) for view, _ in tqdm(loader, "predicting", leave=False)]
    logits, embeddings = zip(*found, strict=True)
    return np.concatenate(logits), np.concatenate(embeddings)


@torch.inference_mode()
def forward(network: VideoNetwork, view: torch.Tensor, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Logits (batch, labels) and embeddings (batch, D), float32, of views (batch, 3, time, side, side)."""
    network.eval()
    with compute.autocast(name):
        out = network.embed(view.to(compute.device(), memory_format=compute.FORMAT))
    return tuple(x.float().cpu().numpy() for x in out)


def restore(run: workspace.Run) -> tuple[VideoNetwork, Recipe]:
    """The trained network of a complete run and its recipe. ValueError for a run without one, as an ensemble is."""
    predictions.read(run)  # says which runs there are when this one is not complete
    facts = run.facts()
    if "recipe" not in facts:
        raise ValueError(f"{run.name} has no network of its own: predict with {facts.get('members', 'a trained run')}")
    how = Recipe(**facts["recipe"])
    network = build(facts["network"], run.task, how, softmax="head" in facts)
    weights.load(network, run.folder / "weights.safetensors")
    return compute.prepare(network), how


def predict(video: str | Path, run: workspace.Run | str | Path) -> pd.Series:
    """Probabilities of one video file, label -> probability, highest first. `run` is a Run or the path of its folder.

    Windows as long as clips are laid over the whole video (videos.windows) and their logits averaged; they are read from a
    small copy, as the clips were that the network learned from. Raises VideoError naming the file and why when it cannot be
    read or is shorter than a clip.
    """
    run = run if isinstance(run, workspace.Run) else workspace.Run.at(run)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.mp4"
        facts = small_copy(Path(video), copy)
        network, how = restore(run)
        name, task = run.facts()["network"], predictions.task_of(run)
        times = [windows.span_times(span, facts, how) for span in windows.spans(facts.seconds)]
        logits = [forward(network, view_of(read_frames(copy, t), how)[None], name)[0] for t in times]
    return pd.Series(task.probabilities(np.mean(logits, axis=0))[0], task.names).sort_values(ascending=False)
