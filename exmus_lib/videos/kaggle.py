"""The paper's data set, downloaded from Kaggle to the user's own cache; this project never redistributes it."""

import os
from pathlib import Path

from exmus_lib.labels import Labels

HANDLE = "hasyimabdillah/workoutfitness-video"
PAGE = f"https://www.kaggle.com/datasets/{HANDLE}"
LICENCE = f'"Workout/Exercises Video" by Hasyim Abdillah, CC BY-NC-SA 4.0: not for commercial use; see {PAGE}'


def download(labels: Labels) -> Path:
    """The folder that holds the class folders of the Kaggle set, downloaded by kagglehub unless its cache has it.

    No account is needed. Raises RuntimeError, saying how to go on, when the download fails.
    """
    import kagglehub  # takes a second, and only this data set needs it
    from kagglehub.exceptions import BackendError, DataCorruptionError

    print(LICENCE)
    try:
        unpacked = Path(kagglehub.dataset_download(HANDLE))
    except (OSError, BackendError, DataCorruptionError) as error:
        raise RuntimeError(
            f"The Kaggle data set {HANDLE} could not be downloaded: {error}\n"
            "With a connection, run this again: kagglehub goes on where it stopped. Without one, download the archive"
            f" elsewhere from {PAGE}, unpack it, and give the unpacked folder as `dataset`."
            ' Or go on with dataset = "sample", which needs no download.'
        ) from error
    return class_folders(unpacked, labels)


def class_folders(unpacked: Path, labels: Labels) -> Path:
    """The folder at or below `unpacked` with the most class folders that the labels know. Raises ValueError without any."""
    known = {folder: len(below) - len(labels.unknown(below)) for folder, below, _ in sorted(os.walk(unpacked))}
    best = max(known, key=known.get)
    if not known[best]:
        held = sorted(path.name for path in unpacked.iterdir())
        raise ValueError(f"{unpacked} holds no class folder such as {', '.join([*labels.folders][:3])}, but {held[:8]}")
    return Path(best)
