"""Labels to mend: marks of people who looked at clips, kept in data/labels/review.csv and heeded wherever scores are computed.

A mark says that a clip shows another exercise, or that it is of no use. Predictions stay as they are: truth is joined to them by
clip_id, so a mark counts at once, and no network runs again.
"""

from pathlib import Path

import pandas as pd

from exmus_lib import vocabulary, workspace

COLUMNS = ["dataset", "clip_id", "mark"]
UNUSABLE = "unusable"


def path() -> Path:
    """data/labels/review.csv in the workspace's home. Git ignores it unless it is added by hand."""
    return workspace.home() / "data" / "labels" / "review.csv"


def marks(dataset: str) -> dict[str, str]:
    """clip_id -> mark, the right exercise or "unusable", of a data set. ValueError names a mark that is neither."""
    table = _read()
    unknown = sorted(set(table["mark"]) - {*vocabulary.EXERCISES, UNUSABLE})
    if unknown:
        close = vocabulary.nearest(unknown[0], (*vocabulary.EXERCISES, UNUSABLE))
        raise ValueError(f'{path()}: unknown mark "{unknown[0]}".{close}')
    own = table[table["dataset"] == dataset]
    return dict(zip(own["clip_id"], own["mark"], strict=True))


def mark(dataset: str, clip_id: str, what: str | None) -> None:
    """Mark a clip with its right exercise or as "unusable"; None takes its mark away. Raises ValueError for anything else."""
    if what not in (*vocabulary.EXERCISES, UNUSABLE, None):
        raise ValueError(
            f'"{what}" is neither an exercise nor "{UNUSABLE}".{vocabulary.nearest(what, vocabulary.EXERCISES)}'
        )
    with workspace.alone(path()):
        table = _read()
        rest = table[(table["dataset"] != dataset) | (table["clip_id"] != clip_id)]
        own = pd.DataFrame([[dataset, clip_id, what]] if what else [], columns=COLUMNS, dtype=str)
        table = pd.concat([rest, own], ignore_index=True)
        with workspace.atomic(path()) as part:
            table.to_csv(part, index=False)


def applied(clips: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """The clips with the exercises that marks give them, and a column `unusable`."""
    said = clips["clip_id"].map(marks(dataset)).astype(object)
    relabelled = said.isin(vocabulary.EXERCISES)
    return clips.assign(exercise=clips["exercise"].mask(relabelled, said), unusable=said.eq(UNUSABLE))


def usable(clips: pd.DataFrame) -> pd.DataFrame:
    """The clips but for those marked unusable."""
    return clips[~clips["unusable"]] if "unusable" in clips else clips


def _read() -> pd.DataFrame:
    return pd.read_csv(path(), dtype=str) if path().exists() else pd.DataFrame(columns=COLUMNS, dtype=str)
