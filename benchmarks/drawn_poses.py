"""The paper's own networks on drawn poses, taught by virtual clips, on real videos: `python benchmarks/drawn_poses.py FOLDER`.

Trains X3D-M and SlowFast-R50 with input "pose" on the sample (joints alone, no pixels) unless that was done. Then these, their
hybrid and the networks that come with ExMus answer for the videos in FOLDER, as in real_people.py. Each run's history.csv is its
learning curve.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from real_people import labelled, scored, track_of

from exmus_lib import labels, predictions
from exmus_lib.networks import fit, joints, predict, recognise
from exmus_lib.poses import features
from exmus_lib.poses.track import RATE, Track
from exmus_lib.scores import ensembles
from exmus_lib.tasks import Muscles
from exmus_lib.videos import prepare, windows
from exmus_lib.videos.container import VideoInfo
from exmus_lib.workspace import Run


def logits_of(run: Run, track: Track) -> np.ndarray:
    """Of the exercises (labels,), averaged over all windows, as they are and mirrored, as those that come with ExMus are."""
    network, recipe = predict.restore(run)
    length = len(track) / RATE
    video = VideoInfo(length, 30.0, track.size[1], track.size[0], 0, "", False, round(30 * length))
    swapped = features.mirrored(*(a[None] for a in (track.image - [track.size[1], 0], track.world, track.visibility)))
    both = (
        track,
        replace(track, **{name: a[0] for name, a in zip(("image", "world", "visibility"), swapped, strict=True)}),
    )
    spans = windows.spans(length)
    views = torch.stack([joints.span_view(one, span, video, recipe) for one in both for span in spans])
    logits = np.concatenate([predict.forward(network, part, run.facts()["network"])[0] for part in views.split(8)])
    return logits.mean(axis=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--keep", type=Path, help="a folder for the joints, so that the next call is quick")
    parser.add_argument("--networks", default="x3d_m,slowfast_r50")
    parser.add_argument("--epochs", default="60,40", help="of each network")
    options = parser.parse_args()
    clip_set, runs = prepare.prepare("sample"), {}
    for network, epochs in zip(options.networks.split(","), map(int, options.epochs.split(",")), strict=True):
        started = time.process_time()
        view = {"input": "pose", "frames": 8, "side": 48, "epochs": epochs}
        runs[network] = fit.train(clip_set, network, "exercise", "quick", **view)
        print(
            f"{network}: {time.process_time() - started:.0f} CPU s",
            runs[network].history().iloc[-1].to_dict(),
            flush=True,
        )
    known, task = labels.read(), clip_set.task("exercise")
    if len(runs) == 2:  # as 05 chooses it
        tables = [predictions.read(run) for run in runs.values()]
        weight = ensembles.best(ensembles.curve(tables, clip_set.table(), task, "val")["top1"])
        print(f"the hybrid's weights, chosen on rendered validation clips: {weight:.2f} and {1 - weight:.2f}")
    muscles, names, rows = Muscles(known).truth(known.exercises), known.exercises, []
    for path, exercise, group in labelled(options.folder, "asking"):
        track = track_of(options.folder / path, options.keep)
        logits = {name: logits_of(run, track) for name, run in runs.items()}
        if len(logits) == 2:
            logits["hybrid"] = ensembles.mean(np.stack([*logits.values()])[:, None], weight)[0]
        each = {name: task.probabilities(values[None].astype(float))[0] for name, values in logits.items()}
        each["comes with ExMus"] = recognise.of_track(track).exercises()[list(names)].to_numpy()
        each["both averaged"] = (each[[*logits][-1]] + each["comes with ExMus"]) / 2
        for name, p in each.items():
            row = {"network": name, "exercise": exercise, "group": group}
            row |= dict(zip([f"exercise/{e}" for e in names], p, strict=True))
            rows.append(row | dict(zip([f"mgap/{m}" for m in known.muscles], p @ muscles, strict=True)))
    for name, table in pd.DataFrame(rows).groupby("network", sort=False):
        print(name, scored(table).to_string(), sep="\n")


if __name__ == "__main__":
    main()
