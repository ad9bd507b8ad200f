"""Videos cut into clips of 2 <= t < 4 seconds (paper, section III), upright and small, as MP4 that browsers play."""

import itertools
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from math import ceil, floor
from pathlib import Path

import av
import numpy as np
import pandas as pd
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from tqdm.auto import tqdm

from exmus_lib import workspace
from exmus_lib.videos import read

SIDE = 256  # pixels of the shorter side: what the networks see at most
TOP_FPS = 30
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
    step = max(1, ceil(video.fps / TOP_FPS - 0.1))  # 60 frames a second become 30, 50 become 25
    rows = [
        {
            "clip_id": f"{video.video_id}-{i:02d}",
            "video_id": video.video_id,
            "group": video.group,
            "exercise": video.exercise,
            "path": f"clips/{video.exercise}/{video.video_id}-{i:02d}.mp4",
            "start_sec": round(i * video.seconds / pieces, 4),
            "seconds": round(video.seconds / pieces, 4),
            "fps": round(video.fps / step, 3),
        }
        for i in range(pieces)
    ]
    # Each clip says what it was cut from, so that neither half a clip nor one of an earlier file of that name is kept.
    origins = [f"{video.sha256} {row['start_sec']} {row['seconds']}" for row in rows]
    paths = [out / row["path"] for row in rows]
    missing = {i for i in range(pieces) if _origin(paths[i]) != origins[i]}
    if missing:
        try:
            _write(video, file, step, {i: (paths[i], origins[i]) for i in missing})
        except read.VideoError:
            for path in paths:
                path.unlink(missing_ok=True)
            raise
    return rows


def _write(video, file: Path, step: int, clips: dict[int, tuple[Path, str]]) -> None:
    """Decode a video once, from end to end, and write the clips asked for: number -> path and origin."""
    pieces, written, count = floor(video.seconds / 2), set(), 0

    def piece_of(timed_frame: tuple[float, VideoFrame]) -> int:
        return min(int(timed_frame[0] / video.seconds * pieces + 1e-6), pieces - 1)

    with read.opened(file) as (container, stream):
        frames = itertools.islice(read.timed_frames(container, stream), 0, None, step)
        for piece, part in itertools.groupby(frames, piece_of):
            if piece in clips:
                count += encode(part, stream.sample_aspect_ratio, round(video.fps / step), *clips[piece])
                written.add(piece)
    expected = len(clips) * video.seconds / pieces * video.fps / step
    if written != clips.keys() or count < 0.8 * expected:
        raise read.VideoError(file, f"damaged: only {count} of {expected:.0f} frames can be decoded")


def encode(
    frames: Iterable[tuple[float, VideoFrame]], aspect: Fraction | None, fps: int, path: Path, origin: str
) -> int:
    """Write frames (seconds, frame) as one upright clip, the first at time 0, and return how many there were.

    `origin` is written into the file, to know it by; `aspect` is that of the stream's pixels.
    """
    scaler, output, count = VideoReformatter(), None, 0
    with workspace.atomic(path) as part, av.open(str(part), "w", options={"movflags": "+faststart"}) as container:
        container.metadata["comment"] = origin
        for moment, frame in frames:
            if output is None:
                start, turn, size = moment, read.clockwise(frame), read.display_size(frame, aspect, SIDE)
                output = container.add_stream("libx264", rate=fps, options=ENCODER)
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
    how = "AREA" if size[0] <= frame.width else "BICUBIC"
    small = scaler.reformat(frame, *size, "yuv420p", interpolation=how, dst_colorspace="ITU601", dst_color_range="MPEG")
    if not turn:
        return small
    width, height = size
    luma, chroma = np.split(small.to_ndarray(), [height])  # the chroma planes, half as high and wide, follow each other
    planes = [luma, *chroma.reshape(2, height // 2, width // 2)]
    flat = np.concatenate([read.turned(plane, turn).reshape(-1) for plane in planes])
    return VideoFrame.from_ndarray(flat.reshape(-1, height if turn % 180 else width), "yuv420p")


def _origin(clip: Path) -> str | None:
    """What a clip was cut from: file, start, length; None when it is missing or broken."""
    try:
        with av.open(str(clip)) as container:
            return container.metadata.get("comment")
    except av.FFmpegError:
        return None
