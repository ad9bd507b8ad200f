"""One table: what each network eats and how it is trained, per preset. A knob's comment says how to choose it."""

from dataclasses import dataclass, replace

from exmus_lib.vocabulary import nearest

PRESETS = ("smoke", "quick", "paper")
INITS = ("kinetics400", "scratch", "exercise")
FITS = ("crop", "squash", "pad")
# How networks are called in the paper's tables.
NETWORKS = {
    "x3d_s": "X3D-S",
    "x3d_m": "X3D-M",
    "slowfast_r50": "SlowFast-R50",
    "slowfast_r101": "SlowFast-R101",
}


@dataclass(frozen=True)
class Recipe:
    """What a network eats (a view of a clip) and how it is trained."""

    frames: int  # frames of a view, spread evenly over the window; the Fast pathway's for SlowFast
    side: int  # height and width of a view in pixels; a multiple of 32 loses nothing at the networks' last stage
    seconds: float | None = None  # length of the window; None or longer than the clip: the whole clip
    fit: str = "crop"  # crop: scale and centre crop; squash: distort to a square; pad: keep the whole frame on grey
    slow_every: int | None = None  # SlowFast's alpha: the Slow pathway sees every 4th frame of the Fast one
    epochs: int = 50
    batch: int = 8  # batch normalisation suffers below 8
    learning_rate: float = 1e-4  # highest one when `schedule` is onecycle
    weight_decay: float = 0.0
    schedule: str = "constant"  # constant: Adam, as the paper; onecycle: AdamW that warms up and anneals, for short runs
    least_epochs: int = 30  # early stopping (patience 10 on validation loss) acts only after these
    augment: bool = False  # mirror, brightness and contrast, and a crop that wanders; the authors had none
    label_smoothing: float = 0.0  # exercise only


# Views of the pretrained networks, frames x stride at 30 fps, as PyTorchVideo's model zoo lists them.
PAPER = {
    "x3d_s": Recipe(frames=13, side=182, seconds=13 * 6 / 30),
    "x3d_m": Recipe(frames=16, side=256, seconds=16 * 5 / 30),
    "slowfast_r50": Recipe(frames=32, side=256, seconds=32 * 2 / 30, slow_every=4),
    "slowfast_r101": Recipe(frames=32, side=256, seconds=32 * 2 / 30, slow_every=4),
}
