"""Videos cut into clips of 2 <= t < 4 seconds (paper, section III), upright and small, as MP4 that browsers play."""

import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from math import floor
from pathlib import Path

import av
import numpy as np
import pandas as pd
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from tqdm.auto import tqdm

from exmus_lib import workspace
from exmus_lib.videos import read, windows

SIDE = 256  # pixels of the shorter side: what the networks see at most
# A key frame every 8 frames and none that waits for later ones: reading a view decodes little more than the view.
# ultrafast leaves out what is slow to read, too (CABAC, deblocking); superfast takes a third longer for files that are
# a fifth (rendered videos) to a half (filmed ones) smaller.
ENCODER = {"preset": "ultrafast", "crf": "23", "g": "8", "bf": "0", "threads": "1"}
TICKS = 90_000  # per second: every common frame rate is a whole number of them
COLUMNS = "clip_id video_id group exercise path start_sec seconds fps".split()


def cut(videos: pd.DataFrame, raw: Path, out: Path, progress: bool = True) -> pd.DataFrame:
    """Cut every video whose status is "ok" into floor(t / 2) equal pieces and return one row per clip.

    Paths are relative to `out`. A clip that is there already is kept. A video that proves damaged gives no clip, and
    the reason becomes its status (in `videos` itself).
    """
    good = videos[videos["status"] == "ok"]

    def work(video) -> list[dict[str, object]] | str:
        try:
            return cut_video(video, raw / video.path, out)
        except read.VideoError as error:
            return error.reason

    rows = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = tqdm(pool.map(work, good.itertuples()), "cut", len(good), unit="video", disable=not progress)
        for index, result in zip(good.index, results, strict=True):
            if isinstance(result, str):
                videos.loc[index, "status"] = result
            else:
                rows += result
    return pd.DataFrame(rows, columns=COLUMNS)


def cut_video(video, file: Path, out: Path) -> list[dict[str, object]]:
    """Cut one video (a row of videos.parquet) and return the rows of its clips. Raises VideoError if it is damaged."""
    pieces = floor(video.seconds / 2)
    shared = {"video_id": video.video_id, "group": video.group, "exercise": video.exercise}
    shared |= {"seconds": round(video.seconds / pieces, 4), "fps": round(video.fps / windows.frame_step(video.fps), 3)}
    names = [f"{video.video_id}-{i:02d}" for i in range(pieces)]
    rows = [
        {"clip_id": name, "path": f"clips/{name}.mp4", "start_sec": round(i * video.seconds / pieces, 4), **shared}
        for i, name in enumerate(names)
    ]
    # Each clip says what it was cut from, so that neither half a clip nor one of an earlier file of that name is kept.
    origins = [f"{video.sha256} {row['start_sec']} {row['seconds']}" for row in rows]
    paths = [out / row["path"] for row in rows]
    missing = {i: clip for i, clip in enumerate(zip(paths, origins, strict=True)) if _origin(clip[0]) != clip[1]}
    if missing:
        try:
            _write(video, file, missing)
        except read.VideoError:
            for path in paths:
                path.unlink(missing_ok=True)
            raise
    return rows


def small_copy(
    video: Path, copy: Path, report: Callable[[float], None] = lambda share: None, side: int = SIDE
) -> read.VideoInfo:
    """Write a whole video as clips are cut, for networks to see and browsers to play, and return what the copy holds.

    `side` is the shorter side in pixels. `report` is called with the share done; what it raises ends the work. Raises VideoError
    naming the file and why when it cannot be read or is shorter than a clip.
    """
    facts = read.info(video)
    windows.check_length(video, facts.seconds)

    def frames() -> Iterator[tuple[float, VideoFrame]]:
        for moment, frame in _thinned(container, stream, facts.fps):
            report(min(1.0, moment / facts.seconds))
            yield moment, frame

    step = windows.frame_step(facts.fps)
    with read.opened(video) as (container, stream):
        count = encode(frames(), stream.sample_aspect_ratio, round(facts.fps / step), copy, str(video), side)
    windows.check_decoded(video, count, facts.seconds * facts.fps / step)
    return read.info(copy)


def _thinned(container: InputContainer, stream: VideoStream, fps: float) -> Iterator[tuple[float, VideoFrame]]:
    return itertools.islice(read.timed_frames(container, stream), 0, None, windows.frame_step(fps))


def _write(video, file: Path, clips: dict[int, tuple[Path, str]]) -> None:
    """Decode a video once, from end to end, and write the clips asked for: number -> path and origin."""
    pieces, written, count, fps = floor(video.seconds / 2), set(), 0, video.fps / windows.frame_step(video.fps)

    def piece_of(timed_frame: tuple[float, VideoFrame]) -> int:
        return min(int(timed_frame[0] / video.seconds * pieces + 1e-6), pieces - 1)

    with read.opened(file) as (container, stream):
        for piece, part in itertools.groupby(_thinned(container, stream, video.fps), piece_of):
            if piece in clips:
                count += encode(part, stream.sample_aspect_ratio, round(fps), *clips[piece])
                written.add(piece)
    windows.check_decoded(file, count if written == clips.keys() else 0, len(clips) * video.seconds / pieces * fps)


def encode(
    frames: Iterable[tuple[float, VideoFrame]],
    aspect: Fraction | None,
    fps: int,
    path: Path,
    origin: str,
    side: int = SIDE,
) -> int:
    """Write frames (seconds, frame) as one upright clip, the first at time 0, and return how many there were.

    `origin` is written into the file, to know it by; `aspect` is that of the stream's pixels.
    """
    scaler, output, count = VideoReformatter(), None, 0
    with workspace.atomic(path) as part, av.open(str(part), "w", options={"movflags": "+faststart"}) as container:
        container.metadata["comment"] = origin
        for moment, frame in frames:
            if output is None:
                start, turn, size = moment, read.clockwise(frame), read.display_size(frame, aspect, side)
                output = container.add_stream("libx264", rate=max(1, fps), options=ENCODER)
                output.width, output.height = size[::-1] if turn % 180 else size
                output.pix_fmt, output.codec_context.time_base = "yuv420p", Fraction(1, TICKS)
            small = _small(scaler, frame, size, turn)
            small.pts, small.time_base = round((moment - start) * TICKS), Fraction(1, TICKS)
            small.pict_type = 0  # else the encoder repeats the key frames of the source
            container.mux(output.encode(small))
            count += 1
        container.mux(output.encode(None))
    return count


def _small(scaler: VideoReformatter, frame: VideoFrame, size: tuple[int, int], turn: int) -> VideoFrame:
    """A frame scaled to size (width, height), then turned; in the colours that players expect of a small video."""
    width, height = size
    interpolation = "AREA" if width <= frame.width else "BICUBIC"
    colours = {"dst_colorspace": "ITU601", "dst_color_range": "MPEG"}
    small = scaler.reformat(frame, width, height, "yuv420p", interpolation=interpolation, **colours)
    if not turn:
        return small
    luma, chroma = np.split(small.to_ndarray(), [height])  # the chroma planes, half as high and wide, follow each other
    planes = [luma, *chroma.reshape(2, height // 2, width // 2)]
    flat = np.concatenate([np.rot90(plane, -turn // 90).ravel() for plane in planes])
    return VideoFrame.from_ndarray(flat.reshape(-1, height if turn % 180 else width), "yuv420p")


def _origin(clip: Path) -> str | None:
    """What a clip was cut from: file, start, length; None when it is missing or broken."""
    try:
        with av.open(str(clip)) as container:
            return container.metadata.get("comment")
    except av.FFmpegError:
        return None
