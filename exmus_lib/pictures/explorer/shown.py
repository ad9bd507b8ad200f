"""Pieces of HTML and pictures that the explorer shows of one clip, or one window of a video."""

import base64
import io
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from html import escape

import numpy as np
import pandas as pd
from joblib import cpu_count
from PIL import Image

from exmus_lib import storage
from exmus_lib.pictures import body
from exmus_lib.tasks import METRIC_TITLES
from exmus_lib.videos.faults import VideoError
from exmus_lib.videos.prepare import ClipSet
from exmus_lib.videos.read import read_frames

THUMBNAIL = 96  # pixels of the shorter side


def bars(likely: Mapping[str, np.ndarray], names: Sequence[str], true: Sequence[str] = (), count: int = 5) -> str:
    """A table of bars for each entry of `likely` (title -> probabilities (L,) of `names`): the likeliest, and what is true."""
    parts = []
    for title, values in likely.items():
        ranked = [(names[i], 100 * values[i]) for i in np.argsort(-values)]
        lines = "".join(
            f'<tr><th class="{"true" if name in true else ""}">{escape(name)}{" ✓" if name in true else ""}</th>'
            f'<td class="bar"><i style="width:{share:.1f}%"></i></td><td class="share">{share:.0f} %</td></tr>'
            for place, (name, share) in enumerate(ranked)
            if place < count or name in true
        )
        parts.append(f'<table class="exmus-bars"><caption>{escape(title)}</caption>{lines}</table>')
    return "".join(parts)


def numbers(table: pd.DataFrame, digits: int = 0, kind: str = "") -> str:
    """A table as HTML: counts (whole numbers) as they are, shares in percent, empty where one is undefined."""
    look = {"classes": f"exmus-numbers {kind}", "na_rep": "", "border": 0}
    return table.rename(columns=METRIC_TITLES).to_html(float_format=lambda share: f"{100 * share:.{digits}f}", **look)


def window(
    start: float, end: float, html: str, muscles: Mapping[str, float], true: Sequence[str] = (), **more: object
) -> dict:
    """What the player shows from `start` to `end` (seconds): HTML, and the probabilities of the muscles, if any."""
    shares = {muscle: round(float(share), 3) for muscle, share in muscles.items()}
    words = body.words(shares, true) if shares else ""
    return {"start": start, "end": end, "html": html, "shares": shares, "words": words, **more}


def thumbnails(clip_set: ClipSet, clips: pd.DataFrame) -> list[str]:
    """The middle frame of each clip as a data URL (JPEG), "" where it cannot be read; kept in the clip set's folder."""
    with ThreadPoolExecutor(cpu_count()) as pool:
        return list(pool.map(lambda clip: _thumbnail(clip_set, clip), clips.itertuples()))


def _thumbnail(clip_set: ClipSet, clip) -> str:
    file, clip_file = clip_set.folder / "thumbnails" / f"{clip.clip_id}.jpg", clip_set.path(clip)
    if file.exists() and not (clip_file.exists() and clip_file.stat().st_mtime > file.stat().st_mtime):
        return data_url(file.read_bytes(), "image/jpeg")
    try:
        frame = read_frames(clip_file, [clip.seconds / 2], side=THUMBNAIL)[0]
    except (VideoError, OSError):  # a clip that is gone stays in the gallery, without a picture
        return ""
    picture = io.BytesIO()
    Image.fromarray(frame).save(picture, "JPEG", quality=80)
    with storage.where_possible(), storage.atomic(file) as part:
        part.write_bytes(picture.getvalue())
    return data_url(picture.getvalue(), "image/jpeg")


def data_url(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
