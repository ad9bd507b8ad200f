"""The labels of a data set and its class folders: which lead to no exercise, what to do about them, what to know of them."""

from pathlib import Path

import pandas as pd

from exmus_lib import labels, sheets, storage
from exmus_lib.labels import FILE_NAME, Labels, nearest
from exmus_lib.videos import scan

COPY = "exercises.copy.csv"  # in the clip set's folder, for when the raw videos are gone


def labels_file(raw: Path, folder: Path) -> Path:
    """Today's labels of a data set: its own exercises.csv (in the clip set's folder where its own cannot be written to), the
    copy of it when the raw folder is gone, else the default ones."""
    files = [raw / FILE_NAME, folder / FILE_NAME, *([] if raw.is_dir() else [folder / COPY])]
    return next((file for file in files if file.is_file()), labels.DEFAULT_FILE)


def check(raw: Path, folder: Path, known: Labels) -> None:
    """ValueError where folders with videos lead to no exercise, with a table of them and an exercises.csv to fill in.

    It is written into the data set's folder or, where that is not possible, into the clip set's; never over another one.
    """
    videos = {name: count for name, count in scan.class_folders(raw).items() if count}
    unknown = known.unknown(videos)
    if not unknown:
        return
    hints = [nearest(name, (*known.folders, *known.exercises)).strip() for name in unknown]
    table = pd.DataFrame({"folder": unknown, "files": [videos[name] for name in unknown], "": hints})
    file, rows = labels_file(raw, folder), [(name, name, "") for name in unknown]
    if file != labels.DEFAULT_FILE:
        delimiter = sheets.delimiter(sheets.text(file))
        lines = pd.DataFrame(rows).to_csv(None, sep=delimiter, header=False, index=False)
        way = f"Add to {file} a line for each, with the muscles that it works at the end, separated by semicolons:\n{lines}"
    else:
        rest = {name: known.exercise_of(name) or "" for name in videos if name not in unknown}
        rows += [(name, exercise, ";".join(known.muscles_of.get(exercise, ()))) for name, exercise in rest.items()]
        ready = pd.DataFrame(sorted(rows), columns=labels.COLUMNS)
        try:
            _write(ready, file := raw / FILE_NAME)
        except OSError:
            _write(ready, file := folder / FILE_NAME)
        way = f"A ready {FILE_NAME} is in {file.parent}: fill in the muscles, separated by semicolons, and run this again.\n"
    raise ValueError(
        f"{raw}: class folders that lead to no exercise:\n\n{table.to_string(index=False)}\n\n{way}"
        'To go on without these folders: unknown = "skip" (papermill: -p unknown skip).'
    )


def _write(table: pd.DataFrame, file: Path) -> None:
    with storage.atomic(file) as part:
        table.to_csv(part, index=False, encoding="utf-8-sig")  # the byte order mark tells Excel that it is UTF-8


def notes(videos: pd.DataFrame, known: Labels, folders: dict[str, int], from_data_set: bool) -> list[str]:
    """A sentence for each class folder that is left out or holds no video (`folders`: videos in each), and where the labels come
    from the data set, for each that lacks a folder or muscles."""
    files = videos.groupby("folder").size().drop("", errors="ignore").to_dict()
    sentences = [
        f"left out: class folder {name} ({files[name]} file{'s' if files[name] > 1 else ''}), no exercise of that name"
        for name in known.unknown(files)
    ]
    sentences += [f"class folder {name} holds no video" for name, count in folders.items() if not count]
    if from_data_set:
        absent = sorted(set(known.folders) - {labels.same(name) for name in folders})
        bare = [name for name, muscles in known.muscles_of.items() if not muscles]
        sentences += [f"{FILE_NAME}: there is no class folder {name}" for name in absent]
        sentences += [f"{FILE_NAME}: no muscle is given for {name}" for name in bare]
    return sentences
