"""Pieces of HTML and pictures that the explorer shows of one clip, or one window of a video."""

import base64
import io
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from exmus_lib import workspace
from exmus_lib.pictures import body
from exmus_lib.scores.paper import HEADINGS
from exmus_lib.videos.prepare import ClipSet
from exmus_lib.videos.read import VideoError, read_frames
from exmus_lib.vocabulary import EXERCISES, MUSCLES, truth

THUMBNAIL = 96  # pixels of the shorter side
MOST = 5  # labels with bars


def bars(likely: Mapping[str, np.ndarray], labels: Sequence[str], true: Sequence[str] = (), most: int = MOST) -> str:
    """A table of bars for each entry of `likely` (name -> probabilities (labels,)): the likeliest labels, and what is true."""
    parts = []
    for name, values in likely.items():
        ranked = [labels[i] for i in np.argsort(-values)]
        shown = [label for i, label in enumerate(ranked) if i < most or label in true]
        share = dict(zip(labels, values, strict=True))
        lines = "".join(
            f'<tr><th class="{"true" if label in true else ""}">{escape(label)}{" ✓" if label in true else ""}</th>'
            f'<td class="bar"><i style="width:{100 * share[label]:.1f}%"></i></td>'
            f'<td class="share">{100 * share[label]:.0f} %</td></tr>'
            for label in shown
        )
        parts.append(f'<table class="exmus-bars"><caption>{escape(name)}</caption>{lines}</table>')
    return "".join(parts)


def by_label(table: pd.DataFrame) -> str:
    """State.per_label as a table: counts, and shares in percent; empty where one is undefined."""
    heads = "".join(f"<th>{HEADINGS.get(name, name)}</th>" for name in table)
    lines = "".join(
        f"<tr><th>{escape(label)}</th>"
        + "".join(
            f"<td>{'' if np.isnan(v) else f'{v:.0f}'}</td>" for v in [*row[:2], *(100 * np.array(row[2:], float))]
        )
        + "</tr>"
        for label, *row in table.itertuples()
    )
    return f'<table class="exmus-numbers"><tr><th></th>{heads}</tr>{lines}</table>'


def muscles_of(likely: np.ndarray) -> np.ndarray:
    """Probabilities (11,) of muscles out of those (16,) of exercises: the sum over the exercises that work each."""
    return likely @ truth(EXERCISES, "mgap")


def figure(true: Sequence[str] = ()) -> str:
    """The body as the player is given it, once; it shades the muscles itself, by the `shares` of each window."""
    return body.svg(dict.fromkeys(MUSCLES, 0.0), true)


def window(
    start: float, end: float, said: str, muscles: np.ndarray | None = None, true: Sequence[str] = (), **more: str
) -> dict:
    """What the player shows from `start` to `end` (seconds): HTML, and the probabilities (11,) of the muscles, if any."""
    shares = {} if muscles is None else dict(zip(MUSCLES, muscles.astype(float).round(3).tolist(), strict=True))
    words = body.words(shares, true) if shares else ""
    return {"start": start, "end": end, "said": said, "shares": shares, "words": words, **more}


def thumbnails(clip_set: ClipSet, clips: pd.DataFrame) -> list[str]:
    """The middle frame of each clip as a data URL (JPEG), "" where it cannot be read; kept in the clip set's folder."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda clip: _thumbnail(clip_set.folder, clip), clips.itertuples()))


def _thumbnail(folder: Path, clip) -> str:
    file = folder / "thumbnails" / f"{clip.clip_id}.jpg"
    clip_file = folder / clip.path
    if not file.exists() or (clip_file.exists() and clip_file.stat().st_mtime > file.stat().st_mtime):
        try:
            frame = read_frames(clip_file, [clip.seconds / 2], side=THUMBNAIL)[0]
            with workspace.atomic(file) as part:
                Image.fromarray(frame).save(part, "JPEG", quality=80)
        except (VideoError, OSError):  # a clip that is gone stays in the gallery, without a picture
            return ""
    return "data:image/jpeg;base64," + base64.b64encode(file.read_bytes()).decode()


def picture(data_url: str) -> np.ndarray:
    """The pixels (height, width, 3) of a thumbnail; one grey pixel for none."""
    if not data_url:
        return np.full((1, 1, 3), 200, np.uint8)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data_url.partition(",")[2]))))
