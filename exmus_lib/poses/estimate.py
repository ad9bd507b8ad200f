"""The joints of the person in a video, from BlazePose's, and those of all clips of a data set."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from joblib import Parallel, cpu_count, delayed
from tqdm.auto import tqdm

from exmus_lib.poses.blazepose import BlazePose
from exmus_lib.poses.files import files
from exmus_lib.poses.people import People, chosen, most_at_once
from exmus_lib.poses.pictures import Cuts, guarded_pictures, pictures
from exmus_lib.poses.track import BODY, RATE, Track
from exmus_lib.videos.faults import VideoError
from exmus_lib.videos.prepare import ClipSet

WORTH_WORKERS = 8  # clips; starting processes takes some seconds


def estimate(
    video: Path, report: Callable[[float], None] = lambda share: None, network: BlazePose | None = None
) -> Track:
    """The joints of the person who moves most in a video, at even times, from one cut of its editor to the next.

    `report` is called with the share done; what it raises ends the work. `network` is one to use again, by the same thread.
    Where another person is chosen within a shot, the next shot begins. The file is read in a guarded process. Raises VideoError
    when it cannot be read, and RuntimeError when BlazePose's files are missing and cannot be fetched (see poses.files).
    """

    def reported() -> Iterator[np.ndarray]:
        for share, picture in shown:
            report(share)
            yield picture

    with closing(guarded_pictures(video)) as shown:
        return track_of(reported(), network or loaded(*files()))


def track_of(pictures: Iterable[np.ndarray], network: BlazePose) -> Track:
    """The track of the person who moves most in pictures (height, width, 3) uint8 RGB, RATE a second."""
    people, is_cut, shots = People(network), Cuts(), []
    for picture in pictures:
        cut = is_cut(picture)
        if cut:
            people.forget()
        shots.append(shots[-1] + cut if shots else 0)
        people(picture)
    return _track(people, np.array(shots), picture.shape[:2])


def _track(people: People, shot: np.ndarray, size: tuple[int, int]) -> Track:
    who = chosen(people.sightings, shot, max(size))
    joints, found = np.full((len(shot), len(BODY), 6), np.nan, np.float32), np.zeros(len(shot), bool)
    joints[..., 5] = 0
    for number, seen in enumerate(people.sightings):
        kept = [i for i, sample in enumerate(seen.samples) if who[sample] == number]
        samples = [seen.samples[i] for i in kept]
        found[samples] = True
        if kept:
            joints[samples] = [seen.joints[i] for i in kept]
    handed_over = np.append(False, (np.diff(who) != 0) & (np.diff(shot) == 0))
    return Track(
        image=joints[..., :2],
        world=joints[..., 2:5],
        visibility=joints[..., 5],
        found=found,
        shot=shot + np.cumsum(handed_over),
        times=np.arange(len(shot)) / RATE,
        size=size,
        people=most_at_once(people.sightings, len(shot)),
    )


def estimate_clips(clip_set: ClipSet, progress: bool = True) -> dict[str, Track]:
    """The track of each clip by its clip_id, estimated on all cores unless it was before; kept in poses/ beside the clips.

    What was interrupted goes on where it was. A clip that changed since is estimated anew; one that cannot be read is named and
    left out.
    """
    clips = {row.clip_id: clip_set.path(row) for row in clip_set.clips.itertuples()}
    tracks = {name: clip_set.folder / "poses" / f"{name}.npz" for name in clips}
    jobs = [(clips[name], tracks[name]) for name in clips if not _is_newer(tracks[name], clips[name])]
    if jobs:
        work = partial(_estimate_to, files())
        bar = partial(tqdm, desc="finding joints", total=len(jobs), unit="clip", disable=not progress)
        if len(jobs) < WORTH_WORKERS:
            results = (work(*job) for job in jobs)
        else:  # joblib's processes are no forks, which may hang where threads run (a notebook's, torch's)
            results = Parallel(cpu_count(), return_as="generator_unordered")(delayed(work)(*job) for job in jobs)
        for reason in filter(None, list(bar(results))):
            print(f"left out: {reason}")
    return {name: Track.load(track) for name, track in tracks.items() if _is_newer(track, clips[name])}


def _is_newer(track: Path, clip: Path) -> bool:
    """Whether a track is there and younger than its clip."""
    return track.exists() and clip.exists() and track.stat().st_mtime_ns >= clip.stat().st_mtime_ns


def _estimate_to(network_files: tuple[Path, Path], clip: Path, track: Path) -> str | None:
    """Estimate one clip and keep its track; the reason why it cannot be."""
    cv2.setNumThreads(1)  # the processes share the cores already
    try:
        track_of((picture for _, picture in pictures(clip)), loaded(*network_files)).save(track)
    except (VideoError, FileNotFoundError) as error:
        return str(error)


class _Loaded(threading.local):
    """Networks by their files, other ones in each thread: LiteRT's interpreters serve one thread alone."""

    def __init__(self):
        self.networks: dict[tuple[Path, Path], BlazePose] = {}


_LOADED = _Loaded()


def loaded(detector: Path, landmarks: Path) -> BlazePose:
    """Loaded once in each thread, and let go when the thread ends."""
    if (detector, landmarks) not in _LOADED.networks:
        _LOADED.networks[detector, landmarks] = BlazePose(detector, landmarks)
    return _LOADED.networks[detector, landmarks]
