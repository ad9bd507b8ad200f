"""Networks on joints beside networks on pixels: trained while one watches, and what both say of the clips of a data set."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.special import log_softmax, logit

from exmus_lib import labels, predictions, workspace
from exmus_lib.labels import Labels
from exmus_lib.networks import predict, pretrain
from exmus_lib.networks.loading import loader
from exmus_lib.networks.recognise import Recogniser
from exmus_lib.poses import features, virtual
from exmus_lib.poses.estimate import estimate_clips
from exmus_lib.poses.track import Track
from exmus_lib.tasks import Exercise, Muscles
from exmus_lib.videos.dataset import ClipDataset
from exmus_lib.videos.prepare import ClipSet

LOOKS = 12  # at held-out clips while a network learns
LEAST = 1e-6  # probability: logits stay finite


@dataclass(frozen=True)
class Seen:
    """N clips as networks on joints take them: a row each of `clips`, their tracks by clip_id, joints, `mask` (N, T), and the
    share (N,) of samples in which a person was found."""

    clips: pd.DataFrame
    tracks: dict[str, Track]
    joints: features.Joints
    mask: np.ndarray
    found: np.ndarray

    def clearest(self, exercise: str) -> Track | None:
        """The clip of an exercise in which most of the person is seen; None where there is no clip of it."""
        names = self.clips["clip_id"][self.clips.exercise.eq(exercise)]
        return max((self.tracks[name] for name in names), key=lambda track: track.visibility.mean(), default=None)


def seen(clip_set: ClipSet, clips: pd.DataFrame) -> Seen:
    """What the pose estimator makes of these clips of a set; clips that cannot be read are named and left out."""
    tracks = estimate_clips(replace(clip_set, clips=clips))
    clips = clips[clips["clip_id"].isin(list(tracks))].reset_index(drop=True)
    parts = [features.windows(tracks[row.clip_id], [(0.0, row.seconds)]) for row in clips.itertuples()]
    joints, masks, found = zip(*parts, strict=True)
    joints = tuple(map(np.concatenate, zip(*joints, strict=True)))
    return Seen(clips, tracks, joints, np.concatenate(masks), np.concatenate(found))


def some(clip_set: ClipSet, split: str | None, of_each: int | None = None, seed: int = 0) -> pd.DataFrame:
    """Clips of the paper's exercises, of one split or (None) all as "test"; at most so many of each exercise, drawn by chance.

    ValueError where there is none.
    """
    clips = clip_set.table().assign(split="test") if split is None else clip_set.table().query("split == @split")
    clips = clips[clips.exercise.isin(labels.paper().exercises)]
    if clips.empty:
        raise ValueError(f"{clip_set.name}: no clip of the 16 exercises that virtual people perform")
    if of_each:
        clips = clips.sample(frac=1, random_state=seed).groupby("exercise").head(of_each).sort_index()
    return clips.reset_index(drop=True)


def train(
    performances: virtual.Performances, held_out: Mapping[str, Seen], steps: int, kind: str = "deep", seed: int = 0
) -> tuple[Recogniser, pd.DataFrame]:
    """One network, taught on virtual clips alone, and how it learned: a row for each step.

    Columns: step, cpu_seconds (of training: to look at held-out clips is not counted), loss, and, at LOOKS of the steps, the
    share of the held-out clips that it names.
    """
    known, rows, start = labels.paper(), [], time.process_time()
    every = max(1, steps // LOOKS)

    def watch(step: int, loss: float, networks: list) -> None:
        nonlocal start
        rows.append({"step": step, "cpu_seconds": time.process_time() - start, "loss": loss})
        if step % every == 0 or step in (1, steps):
            before = time.process_time()
            rows[-1] |= {name: _accuracy(networks[0], clips, kind) for name, clips in held_out.items()}
            start += time.process_time() - before

    batches = virtual.clips(performances, pretrain.BATCH, np.random.default_rng(seed))
    networks = pretrain.train(batches, [*known.exercises, virtual.IDLE], [kind], steps, seed, watch=watch)
    return Recogniser(((networks[0], kind),), known, pretrain.SURE_ABOVE), pd.DataFrame(rows)


@torch.inference_mode()
def _accuracy(network: torch.nn.Module, clips: Seen, kind: str) -> float:
    logits = network.eval()(torch.from_numpy(features.views(clips.joints, clips.mask, kind)))
    network.train()
    truth = Exercise(labels.paper()).truth(clips.clips.exercise)
    return float((logits[:, :-1].argmax(dim=1).numpy() == truth).mean())


def answers(
    clip_set: ClipSet, clips: Seen, recognisers: Mapping[str, Recogniser], run: workspace.Run | None
) -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
    """The predictions tables, of exercises and of muscles, of recognisers and, where there is a run, of the network on pixels
    ("pixels") and of both averaged ("poses and pixels", with the last recogniser)."""
    tables = {name: by_poses(recogniser, clips) for name, recogniser in recognisers.items()}
    if run:
        poses = list(tables.values())[-1]
        tables["pixels"] = by_pixels(run, clip_set, clips.clips)
        tables["poses and pixels"] = averaged(poses, tables["pixels"])
    return {name: (table, muscles(table, labels.paper())) for name, table in tables.items()}


def by_poses(recogniser: Recogniser, clips: Seen) -> pd.DataFrame:
    """The predictions table of a recogniser: which exercise, if it is one."""
    likely = recogniser.probabilities(clips.joints, clips.mask)[:, :-1]
    return _table(clips.clips, likely / likely.sum(axis=1, keepdims=True), recogniser.labels)


def by_pixels(run: workspace.Run, clip_set: ClipSet, clips: pd.DataFrame) -> pd.DataFrame:
    """The predictions table of a run on pixels, of clips of any set."""
    network, recipe = predict.restore(run)
    task = predictions.task_of(run)
    data = ClipDataset(clips, clip_set.folder, recipe, task, train=False, cache=None)
    name = run.facts()["network"]
    batches = loader(data, recipe.batch, light=False)
    logits = [predict.forward(network, view, name)[0] for view, _ in batches]
    return predictions.table(clips, log_softmax(np.concatenate(logits), axis=1), task.names)


def averaged(one: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """The mean of two networks' probabilities, as a predictions table."""
    both = [np.exp(log_softmax(predictions.logits(table), axis=1)) for table in (one, other)]
    return predictions.with_logits(one, np.log(np.maximum(sum(both) / 2, LEAST)))


def muscles(table: pd.DataFrame, known: Labels) -> pd.DataFrame:
    """A predictions table of muscles out of one of exercises: a muscle is as likely as all exercises that work it."""
    likely = np.exp(log_softmax(predictions.logits(table), axis=1)) @ Muscles(known).truth(predictions.names_of(table))
    return predictions.table(table, logit(np.clip(likely, LEAST, 1 - LEAST)), known.muscles)


def pixels_run(clip_set: ClipSet, preset: str) -> workspace.Run | None:
    """Of the networks on pixels that know the paper's exercises, trained on the present clips with a preset as it is (no tag, the
    head that all have), the one that is best on validation; None without one."""
    task, clips, present = Exercise(labels.paper()), clip_set.table(), clip_set.hash()

    def is_one(run: workspace.Run) -> bool:
        facts = run.facts()
        same = (facts.get("preset"), facts.get("split"), facts.get("clip_set")) == (preset, "video", present)
        usual = predict.input_of(run) == "pixels" and not (facts.get("tag") or facts.get("head"))
        return same and usual and run.weights.exists() and run.labels().exercises == task.names

    def on_validation(run: workspace.Run) -> float:
        _, truth, logits = predictions.with_truth(predictions.read(run), clips, task, "val")
        return float((logits.argmax(axis=1) == truth).mean())

    runs = [run for run in workspace.find_runs(clip_set.name, task.name) if is_one(run)]
    return max(runs, key=on_validation, default=None)


def video_of(clip_set: ClipSet, folder: str, exercise: str, seconds: float = 15.0) -> tuple[Path, str]:
    """The video of a data set's folder that is about so long, of this exercise if there is one, and its exercise."""
    readable = clip_set.videos.query("status == 'ok'")
    there = readable[readable.exercise.isin(labels.paper().exercises)]
    there = there if not there.exercise.eq(exercise).any() else there[there.exercise.eq(exercise)]
    row = there.loc[(there["seconds"] - seconds).abs().idxmin()]
    return Path(folder).expanduser() / row["path"], row.exercise


@torch.inference_mode()
def embeddings(recogniser: Recogniser, joints: features.Joints, mask: np.ndarray) -> np.ndarray:
    """What the last layers see (N, D), those of all networks side by side."""
    parts = [net.embed(torch.from_numpy(features.views(joints, mask, kind))) for net, kind in recogniser.networks]
    return torch.cat(parts, dim=1).numpy()


def _table(clips: pd.DataFrame, likely: np.ndarray, known: Labels) -> pd.DataFrame:
    return predictions.table(clips, np.log(np.maximum(likely, LEAST)), known.exercises)
