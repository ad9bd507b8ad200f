"""A video by the networks that come with ExMus: joints first, then what they tell."""

from collections.abc import Callable
from pathlib import Path

from exmus_lib.pictures.explorer.result import Result
from exmus_lib.poses import features
from exmus_lib.poses.track import RATE

TITLE = "people, by their joints: come with ExMus, know real people"
KNOWN = (
    "The networks that come with ExMus <b>know real people</b>: they look at the joints, not at the picture. They learned from"
    " the joints of rendered people, so no training is needed here; docs/MODEL_CARD.md says how well they do and what they"
    " cannot."
)
SHORTEST = (features.SHORTEST - 1) / RATE  # seconds, from the first sample to the last; recognise looks closer
SIDE = 480  # pixels of the shorter side of the copy that is played: limbs are drawn into it


def recognised(video: Path, report: Callable[[float], None]) -> Result:
    """What people do in a video. `report` is called with the share done; what it raises ends the work."""
    from exmus_lib.networks.recognise import recognise  # here, since PyTorch would keep the page waiting for seconds

    recognition = recognise(video, report)
    table = recognition.table.assign(warning="")
    sure = int(table["sure"].sum())
    why = f"{sure} {'is' if sure == 1 else 'are'} sure of an exercise; grey is what is not sure, or no exercise."
    return Result(table, why, recognition)
