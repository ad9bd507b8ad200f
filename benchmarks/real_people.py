"""The networks that come with ExMus on real videos: `python benchmarks/real_people.py FOLDER [--keep CACHE] [--to CSV]`.

FOLDER holds class folders, as data sets do, and may hold a MANIFEST.csv with the columns path and group: videos of one group were
made by the same people, and intervals are over groups. Nothing is trained; of the videos, CACHE keeps joints alone.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import binomtest
from tqdm import tqdm

from exmus_lib import labels, sheets
from exmus_lib.networks import recognise
from exmus_lib.poses.estimate import estimate
from exmus_lib.poses.track import BODY, Track
from exmus_lib.scores import intervals, metrics
from exmus_lib.tasks import Exercise, Muscles
from exmus_lib.videos import scan


def labelled(folder: Path, doing: str) -> Iterator[tuple[str, str, str]]:
    """Path, exercise and group (by MANIFEST.csv, where there is one) of each video of a class folder of the paper's."""
    file, known = folder / "MANIFEST.csv", labels.read()
    groups = sheets.table(file, "path", "group").set_index("path")["group"].to_dict() if file.exists() else {}
    for path in tqdm([path for path in scan.find(folder) if scan.is_video(path)], doing, unit="video"):
        name = Path(path).parent.name
        if not known.unknown([name]) and (exercise := known.exercise_of(name)):
            yield path, exercise, groups.get(path, path)


def answers(folder: Path, keep: Path | None) -> pd.DataFrame:
    """A row for each video of a known class folder; `grey` is the share of its windows without an answer."""
    rows = []
    for path, exercise, group in labelled(folder, "recognising"):
        track = track_of(folder / path, keep)
        answer = recognise.of_track(track)
        row = {"path": path, "exercise": exercise, "group": group}
        row |= {f"exercise/{name}": p for name, p in answer.exercises().items()}
        row |= {f"mgap/{name}": p for name, p in answer.muscles().items()}
        rows.append(
            row | {"view": view_of(track), "grey": 1 - answer.table["sure"].mean(), "windows": len(answer.table)}
        )
    return pd.DataFrame(rows)


def view_of(track: Track) -> str:
    """From where most of a video is filmed, by the line of the shoulders in the world: front, side or behind."""
    left, right = (track.world[track.found][:, BODY.index(f"{side} shoulder")] for side in ("left", "right"))
    across, away = np.median((left - right)[:, [0, 2]], axis=0) if track.found.any() else (0.0, 0.0)
    if abs(away) > abs(across):
        return "side"
    return "front" if across > 0 else "behind"


def idle_stretches(file: Path, folder: Path, keep: Path | None) -> pd.DataFrame:
    """Stretches in which nobody exercises, as a person saw; `grey`: whether at least half of their windows are."""
    stretches = sheets.table(file, "start", "end").astype({"start": float, "end": float})
    tables = {path: recognise.of_track(track_of(folder / path, keep)).table for path in stretches["path"].unique()}
    grey = []
    for row in stretches.itertuples():
        middle = tables[row.path][["start", "end"]].mean(axis=1)
        inside = middle.between(row.start, row.end)
        grey.append((~tables[row.path]["sure"][inside]).mean() >= 0.5)
    return stretches.assign(grey=grey)


def track_of(video: Path, keep: Path | None) -> Track:
    """The joints of a video, estimated unless they are kept."""
    kept = keep and keep / f"{video.parent.name}__{video.stem}.npz"
    if kept and kept.exists():
        return Track.load(kept)
    track = estimate(video)
    if kept:
        track.save(kept)
    return track


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


def shares(right: pd.Series, by: pd.Series) -> pd.DataFrame:
    """How many are right of how many, and the 95 % interval of that share in percent (Wilson), as if videos were independent."""
    table = right.groupby(by).agg(right="sum", videos="count")
    limits = [binomtest(int(r), int(n)).proportion_ci(method="wilson") for r, n in table.to_numpy()]
    return table.assign(low=[round(100 * one.low) for one in limits], high=[round(100 * one.high) for one in limits])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--keep", type=Path, help="a folder for the joints, so that the next call is quick")
    parser.add_argument("--to", type=Path, help="a CSV file for the answers")
    parser.add_argument("--idle", type=Path, help="a CSV file (path, start, end) of stretches without exercise")
    options = parser.parse_args()
    table = answers(options.folder, options.keep)
    names = [column for column in table if column.startswith("exercise/")]
    table["answer"] = table[names].idxmax(axis=1).str.removeprefix("exercise/")
    if options.to:
        table.to_csv(options.to, index=False)
    grey = np.average(table["grey"], weights=table["windows"])
    print(f"{len(table)} videos of {table['group'].nunique()} groups; {grey:.0%} of their windows are grey")
    print(scored(table).to_string())
    for by in ("exercise", "view"):
        print(shares(table["answer"] == table["exercise"], table[by]).to_string())
    for row in table[table["answer"] != table["exercise"]].itertuples():
        print(f"  {row.path}: {row.answer}")
    if options.idle:
        idle = idle_stretches(options.idle, options.folder, options.keep)
        print(
            idle.to_string(), f"{idle['grey'].mean():.0%} of {len(idle)} stretches without exercise are grey", sep="\n"
        )


if __name__ == "__main__":
    main()
