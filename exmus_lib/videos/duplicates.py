"""Videos that look like one recording (copied, trimmed, scaled, filmed in one go): listed, and merged by nobody but the reader.

A hash is the sign pattern of a frame's low spatial frequencies (pHash: Zauner, 2010), as in the library imagehash, but of
12 x 12 frequencies, since gyms resemble each other; OpenCV computes it in three lines.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from joblib import cpu_count

from exmus_lib import storage
from exmus_lib.videos import scan
from exmus_lib.videos.prepare import ClipSet
from exmus_lib.videos.read import read_frames

CLIPS, POSITIONS = 4, (0.25, 0.75)  # of a video at most, spread evenly, and the frames of each that are hashed
FREQUENCIES = 12
# Share of differing bits. Copies (trimmed, scaled, 30 times smaller) stay below 0.22, unrelated videos above 0.31; 0.5 is chance.
MAX_DISTANCE = 0.25


def near_duplicates(clip_set: ClipSet, max_distance: float = MAX_DISTANCE) -> pd.DataFrame:
    """Pairs of videos of different groups that look alike, nearest first: `first`, `second` (paths), `distance`, `sides`.

    The distance of two videos is that of a frame of one to the nearest of the other: the mean over the frames of the one that
    resembles the other more, so that a cut-out resembles the whole.
    """
    by_video = clip_set.clips.sort_values(["video_id", "start_sec"]).groupby("video_id")
    with ThreadPoolExecutor(cpu_count()) as pool:
        hashes = list(pool.map(lambda rows: _hashes(clip_set, rows), [rows for _, rows in by_video]))
    one, other, distance = pairs_of(hashes, max_distance)
    videos = by_video[["group", "split_video"]].first().join(clip_set.videos.set_index("video_id")["path"])
    one, other = (videos.iloc[rows].reset_index() for rows in (one, other))
    pairs = pd.DataFrame({"first": one["path"], "second": other["path"], "distance": distance.round(3)})
    pairs["sides"] = one["split_video"] + ", " + other["split_video"]
    return pairs[one["group"] != other["group"]].sort_values("distance", kind="stable", ignore_index=True)


def pairs_of(hashes: list[np.ndarray], max_distance: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Numbers of the videos of each pair that look alike, the lesser first, and their distance: three arrays (pairs,).

    `hashes` of each video are (frames, bits) booleans. Where the mean over frames is small enough, so is a frame's own: only
    such pairs are compared as a whole. Quadratic, but of 60,000 videos minutes where reading them takes hours.
    """
    from exmus_lib.videos.hashes import near  # compiles what it counts with

    every, owner = np.concatenate(hashes), np.repeat(np.arange(len(hashes)), [len(one) for one in hashes])
    pairs = near(every, owner, int(max_distance * every.shape[1]))
    distances = np.array([_distance(hashes[one], hashes[other]) for one, other in pairs])
    kept = distances <= max_distance
    return pairs[kept, 0], pairs[kept, 1], distances[kept]


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    """The share of differing bits between each frame of a video and the nearest of the other, averaged over the frames of the
    video that resembles the other more."""
    differing = (one[:, None] != other[None]).mean(axis=2)
    return min(differing.min(axis=1).mean(), differing.min(axis=0).mean())


def suggest(clip_set: ClipSet, pairs: pd.DataFrame) -> Path:
    """Write MANIFEST.suggested.csv beside the clips, in which the groups of each pair are one, and return its path.

    Looked through and copied into the data set's folder as MANIFEST.csv, it counts.
    """
    videos = clip_set.videos.set_index("path")["group"]
    groups = scan.joined(videos, zip(pairs["first"].map(videos), pairs["second"].map(videos), strict=True))
    with storage.atomic(clip_set.folder / "MANIFEST.suggested.csv") as part:
        groups.to_csv(part)
    return clip_set.folder / "MANIFEST.suggested.csv"


def _hashes(clip_set: ClipSet, clips: pd.DataFrame) -> np.ndarray:
    """Hashes of some frames of a video, given its clips: (frames, bits), booleans."""
    picked = clips.iloc[np.unique(np.linspace(0, len(clips) - 1, min(CLIPS, len(clips))).round().astype(int))]
    frames = [f for c in picked.itertuples() for f in read_frames(clip_set.path(c), np.multiply(POSITIONS, c.seconds))]
    return np.stack([_hash(frame) for frame in frames])


def _hash(frame: np.ndarray) -> np.ndarray:
    grey = cv2.resize(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), (32, 32), interpolation=cv2.INTER_AREA)
    low = cv2.dct(grey.astype(np.float32))[:FREQUENCIES, :FREQUENCIES].ravel()[1:]  # but for the brightness
    return low > np.median(low)
