"""Labels to mend: marks of people who looked at clips, kept in data/labels/review.csv and heeded wherever scores are computed.

A mark says that a clip shows another exercise, or that it is of no use. Predictions stay as they are: truth is joined to them by
clip_id, so a mark counts at once, and no network runs again.
"""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from exmus_lib import sheets, storage, workspace
from exmus_lib.labels import Labels, nearest
from exmus_lib.tasks import Task

COLUMNS = ["dataset", "clip_id", "mark"]
UNUSABLE = "unusable"


def path() -> Path:
    """data/labels/review.csv in the workspace's home. Git ignores it unless it is added by hand."""
    return workspace.home() / "data" / "labels" / "review.csv"


def marks(dataset: str) -> dict[str, str]:
    """clip_id -> mark, the right exercise or "unusable", of a data set."""
    return _read().query("dataset == @dataset").set_index("clip_id")["mark"].to_dict()


def mark(dataset: str, clip_id: str, value: str | None, labels: Labels) -> None:
    """Mark a clip with its right exercise or as "unusable"; None takes its mark away. Raises ValueError for anything else."""
    if value is not None:
        _check([value], labels)
    with storage.alone(path()):
        table = _read()
        rest = table[(table["dataset"] != dataset) | (table["clip_id"] != clip_id)]
        added = pd.DataFrame([[dataset, clip_id, value]] if value else [], columns=COLUMNS, dtype=str)
        with storage.atomic(path()) as part:
            pd.concat([rest, added]).to_csv(part, index=False)


def applied(clips: pd.DataFrame, dataset: str, labels: Labels) -> pd.DataFrame:
    """The clips with the exercises that marks give them, and a column `unusable`. ValueError names a mark that is neither."""
    given = marks(dataset)
    _check(given.values(), labels)
    marked = clips["clip_id"].map(given).astype(object)
    relabelled = marked.isin(labels.exercises)
    return clips.assign(exercise=clips.exercise.mask(relabelled, marked), unusable=marked.eq(UNUSABLE))


def usable(clips: pd.DataFrame) -> pd.DataFrame:
    """The clips but for those marked unusable."""
    return clips[~clips["unusable"]] if "unusable" in clips else clips


def seen(clips: pd.DataFrame, task: Task) -> str:
    """Six hexadecimal digits over what a training sees of labels and marks: the truth of the usable clips of train and val."""
    shown = usable(clips).query("split != 'test'").sort_values("clip_id")
    return workspace.six_hex(shown["clip_id"].tolist(), task.truth(shown.exercise).tolist(), task.names)


def outdated(run: workspace.Run, clip_set) -> str:
    """Why a run is not what would be made of it today, in words; "" where it is.

    Labels or marks of the clips that its training saw have changed, its parent was trained anew, or the code has changed; of an
    ensemble, pooled folds or a baseline, a run that it was made from is outdated.
    """
    facts, parent = run.facts(), run.parent()
    if "seen" not in facts:
        sources = [one for one in (*run.members(), parent) if one not in (run, None)]
        return next((note for one in sources if one.complete and (note := outdated(one, clip_set))), "")
    if facts["seen"] != seen(clip_set.table(facts["split"]), clip_set.task(run.task)):
        return "outdated: labels or marks changed since"
    if parent and parent.complete and parent.facts().get("weights_sha256") != facts["parent_weights"]:
        return f"outdated: {parent.name} was trained anew since"
    return run.changed_code()


def _read() -> pd.DataFrame:
    if not path().exists():
        return pd.DataFrame(columns=COLUMNS, dtype=str)
    return sheets.once(path(), sheets.table(path(), *COLUMNS), ["dataset", "clip_id"], "mark")[COLUMNS]


def _check(marks: Iterable[str], labels: Labels) -> None:
    known = (*labels.exercises, UNUSABLE)
    for unknown in sorted(set(marks) - set(known)):
        hint = nearest(unknown, known)
        raise ValueError(f'{path()}: mark "{unknown}" is neither an exercise nor "{UNUSABLE}".{hint}')
