"""Files as people have them: made by real encoders, damaged as accidents damage them, each with what should become of it."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from exmus_lib import labels
from exmus_lib.videos.container import info
from exmus_lib.videos.cut import cut
from exmus_lib.videos.scan import on_disk, scan

SLOWEST = 20.0  # seconds that a case may take


@dataclass(frozen=True)
class Case:
    """One file: its path in the data set, what makes it there, and what should become of it: kept with so many `clips`, or
    refused with words that match `reason`. Where both are given either will do, as for bits that flip anywhere."""

    path: str
    make: Callable[[Path], object]
    clips: int | tuple[int, ...] | None = None
    reason: str | None = None


def outcomes(cases: Sequence[Case], folder: Path) -> dict[str, str]:
    """Make the files in folder/raw, scan and cut them at one go; what is wrong with each case, "" where it is as expected."""
    for case in cases:
        path = folder / "raw" / case.path
        path.parent.mkdir(parents=True, exist_ok=True)
        case.make(path)
    start = time.monotonic()
    videos = scan(folder / "raw", labels.read(), progress=False)
    clips = cut(videos, folder / "raw", folder, progress=False)
    rows = {on_disk(folder / "raw", row.path): row for row in videos.itertuples()}
    actual = {case.path: _wrong(case, rows.get(folder / "raw" / case.path), clips, folder) for case in cases}
    left = [path.name for path in (folder / "clips").iterdir() if path.name.startswith(".") or path.suffix != ".mp4"]
    astray = set(path.name for path in (folder / "clips").iterdir()) - {Path(path).name for path in clips["path"]}
    actual["(nothing is left over)"] = f"{left or ''} {astray or ''}".strip()
    most = SLOWEST * len(cases) / 8
    actual["(time)"] = "" if time.monotonic() - start < most else f"over {most:.0f} s for {len(cases)} files"
    return actual


def _wrong(case: Case, row, clips: pd.DataFrame, folder: Path) -> str:
    if row is None:
        return "not listed"
    made = clips[clips["video_id"] == row.video_id]
    if row.status != "ok":
        if len(made):
            return f"refused ({row.status}) and yet cut"
        return "" if case.reason is not None and re.search(case.reason, row.status) else f"refused: {row.status}"
    if case.clips is None or len(made) not in np.atleast_1d(case.clips):
        return f"kept with {len(made)} clips"
    for clip in made.itertuples():
        facts = info(folder / clip.path)
        longest = max(0.6, 1.6 / clip.fps)
        if abs(facts.seconds - clip.seconds) > longest:
            return f"{clip.path} lasts {facts.seconds} s and not {clip.seconds} s"
    return ""
