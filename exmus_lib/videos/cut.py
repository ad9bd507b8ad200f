"""Videos cut into clips of 2 <= t < 4 seconds (paper, section III), upright and small, as MP4 that browsers play."""

import os
import shutil
from collections.abc import Callable, Iterable
from contextlib import closing
from math import floor
from pathlib import Path

import av
import pandas as pd
from av.video.frame import VideoFrame
from tqdm.auto import tqdm

from exmus_lib import storage
from exmus_lib.videos import container, encode, guard, limits, scan
from exmus_lib.videos.faults import VideoError

COLUMNS = "clip_id video_id group exercise path start_sec seconds fps".split()


def cut(videos: pd.DataFrame, raw: Path, out: Path, progress: bool = True) -> pd.DataFrame:
    """Cut every video whose status is "ok" into floor(t / 2) equal pieces and return one row per clip.

    Paths are relative to `out`. A clip that is there already is kept. A video that proves damaged gives no clip, and
    the reason becomes its status (in `videos` itself). Each is read in a guarded process; OSError where clips cannot be written.
    """
    # A folder of its own: other processes may cut other videos, and a guarded one outlives a killed one for a moment.
    unfinished = out / "clips" / storage.part_name()
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    storage.sweep(unfinished.parent)
    unfinished.mkdir()
    good = videos[videos["status"] == "ok"]
    tables = {video.Index: _clips(video) for video in good.itertuples()}
    jobs = {video.Index: _job(video, tables[video.Index], raw, out, unfinished) for video in good.itertuples()}
    order = [index for index, job in jobs.items() if job[-1]]
    bar = tqdm(desc="cut", total=len(good), initial=len(good) - len(order), unit="video", disable=not progress)
    try:
        with bar, closing(guard.each(encode.pieces, [jobs[index] for index in order])) as results:
            for number, result in results:
                index = order[number]
                if isinstance(result, VideoError):
                    videos.loc[index, "status"] = result.reason
                for clip in tables[index]:
                    if isinstance(result, VideoError):
                        (out / clip["path"]).unlink(missing_ok=True)
                    elif (part := unfinished / Path(clip["path"]).name).exists():
                        part.replace(out / clip["path"])
                bar.update()
    finally:
        shutil.rmtree(unfinished)
    kept = videos.index[videos["status"] == "ok"]
    return pd.DataFrame([clip for index in kept for clip in tables[index]], columns=COLUMNS)


def _clips(video) -> list[dict[str, object]]:
    """The rows of a video's clips; `video` is a row of videos.parquet."""
    pieces = floor(video.seconds / 2)
    shared = {"video_id": video.video_id, "group": video.group, "exercise": video.exercise}
    shared |= {"seconds": round(video.seconds / pieces, 4), "fps": round(video.fps / limits.frame_step(video.fps), 3)}
    names = [f"{video.video_id}-{i:02d}" for i in range(pieces)]
    return [
        {"clip_id": name, "path": f"clips/{name}.mp4", "start_sec": round(i * video.seconds / pieces, 4), **shared}
        for i, name in enumerate(names)
    ]


def _job(video, clips: list[dict[str, object]], raw: Path, out: Path, unfinished: Path) -> tuple:
    """What encode.pieces needs to write those of a video's clips that are missing."""
    # Each clip says what it was cut from, so that neither half a clip nor one of an earlier file of that name is kept.
    origins = [f"{video.sha256} {clip['start_sec']} {clip['seconds']}" for clip in clips]
    missing = {i: clip for i, clip in enumerate(clips) if _origin(out / clip["path"]) != origins[i]}
    parts = {i: (unfinished / Path(clip["path"]).name, origins[i]) for i, clip in missing.items()}
    return scan.on_disk(raw, video.path), float(video.seconds), float(video.fps), len(clips), parts


def _origin(clip: Path) -> str | None:
    """What a clip was cut from: file, start, length; None when it is missing or broken."""
    try:
        with av.open(f"file:{clip}") as opened:
            return opened.metadata.get("comment")
    except av.FFmpegError:
        return None


def small_copy(
    video: Path, copy: Path, report: Callable[[float], None] = lambda share: None, side: int = encode.SIDE,
    shortest: float = limits.SHORTEST,
) -> container.VideoInfo:  # fmt: skip
    """Write a whole video as clips are cut, for networks to see and browsers to play, and return what the copy holds.

    `side` is the shorter side in pixels. `report` is called with the share done; what it raises ends the work. Raises VideoError
    naming the file and why when it cannot be read or is shorter than `shortest` seconds. The video is read in a guarded process.
    """
    origin = os.fsencode(video).decode(errors="replace")
    with storage.atomic(copy) as part:
        with closing(guard.stream(encode.copy, video, part, origin, side, shortest)) as shares:
            for share in shares:
                report(share)
    return container.info(copy)


def write(
    frames: Iterable[tuple[float, VideoFrame]], fps: int, path: Path, origin: str, side: int = encode.SIDE
) -> None:
    """Write frames (seconds, frame) with square pixels as one clip, whole or not at all. `origin` is written into the file."""
    with storage.atomic(path) as part:
        for _ in encode.write(frames, None, fps, part, origin, side):
            pass
