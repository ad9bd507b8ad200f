"""The networks that come with ExMus on real videos: `python benchmarks/real_people.py FOLDER [--keep CACHE] [--to CSV]`.

FOLDER holds class folders, as data sets do, and may hold a MANIFEST.csv with the columns path and group: videos of one group were
made by the same people, and intervals are over groups. Nothing is trained; of the videos, CACHE keeps joints alone.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from exmus_lib import labels, workspace
from exmus_lib.networks import recognise
from exmus_lib.poses.estimate import estimate
from exmus_lib.poses.track import Track
from exmus_lib.scores import intervals, metrics
from exmus_lib.tasks import Exercise, Muscles
from exmus_lib.videos import scan


def groups_of(folder: Path) -> dict[str, str]:
    """path -> group, by MANIFEST.csv; none without one."""
    file = folder / "MANIFEST.csv"
    return workspace.read_csv(file).set_index("path")["group"].to_dict() if file.exists() else {}


def answers(folder: Path, keep: Path | None) -> pd.DataFrame:
    """A row for each video of a known class folder; `grey` is the share of its windows without an answer."""
    known, groups, rows = labels.read(), groups_of(folder), []
    for path in tqdm(scan.find(folder), "recognising", unit="video"):
        video = folder / path
        if known.unknown([video.parent.name]) or not known.exercise_of(video.parent.name):
            continue
        kept = keep and keep / f"{video.parent.name}__{video.stem}.npz"
        track = Track.load(kept) if kept and kept.exists() else estimate(video)
        if kept and not kept.exists():
            track.save(kept)
        found = recognise.of_track(track)
        row = {
            "path": str(path),
            "exercise": known.exercise_of(video.parent.name),
            "group": groups.get(str(path), str(path)),
        }
        row |= {f"exercise/{name}": p for name, p in found.exercises().items()}
        row |= {f"mgap/{name}": p for name, p in found.muscles().items()}
        rows.append(row | {"grey": 1 - found.table["sure"].mean(), "windows": len(found.table)})
    return pd.DataFrame(rows)


def scored(table: pd.DataFrame) -> pd.DataFrame:
    """Metrics with their 95 % intervals over groups, in percent: rows top-1, macro recall, top-3, muscles' F1 and mAP."""
    known = labels.read()
    exercise, muscles = Exercise(known), Muscles(known)
    of_exercises = table[[f"exercise/{name}" for name in exercise.names]].to_numpy()
    of_muscles = table[[f"mgap/{name}" for name in muscles.names]].to_numpy()
    truth = exercise.truth(table["exercise"])
    top3 = (np.argsort(-of_exercises, axis=1)[:, :3] == truth[:, None]).any(axis=1)

    def measured(weights: np.ndarray | None) -> pd.DataFrame:
        first = metrics.measure(truth, of_exercises, weights)
        second = metrics.measure(muscles.truth(table["exercise"]), of_muscles, weights)
        third = np.average(np.tile(top3, (len(first), 1)), axis=1, weights=weights)
        chosen = {"top-1": first["top1"], "macro recall": first["recall"], "top-3": third}
        return pd.DataFrame(chosen | {"muscles F1": second["f1"], "muscles mAP": second["map"]})

    value = measured(None)
    drawn = pd.concat(
        [measured(weights) for weights in intervals.resamples(table["group"].to_numpy())], ignore_index=True
    )
    low, high = intervals.interval(drawn, table["group"].nunique())
    return pd.DataFrame({"value": value.iloc[0], "low": low, "high": high}).mul(100).round(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--keep", type=Path, help="a folder for the joints, so that the next call is quick")
    parser.add_argument("--to", type=Path, help="a CSV file for the answers")
    options = parser.parse_args()
    table = answers(options.folder, options.keep)
    names = [column for column in table if column.startswith("exercise/")]
    table["answer"] = table[names].idxmax(axis=1).str.removeprefix("exercise/")
    if options.to:
        table.to_csv(options.to, index=False)
    grey = np.average(table["grey"], weights=table["windows"])
    print(f"{len(table)} videos of {table['group'].nunique()} groups; {grey:.0%} of their windows are grey")
    print(scored(table).to_string())
    right = (table["answer"] == table["exercise"]).groupby(table["exercise"]).agg(["sum", "count"])
    print(right.set_axis(["right", "videos"], axis=1).to_string())
    for row in table[table["answer"] != table["exercise"]].itertuples():
        print(f"  {row.path}: {row.answer}")


if __name__ == "__main__":
    main()
