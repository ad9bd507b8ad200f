"""One table: what each network eats and how it is trained, per preset. A knob's comment says how to choose it."""

from dataclasses import dataclass, replace

from exmus_lib.labels import nearest

PRESETS = ("smoke", "quick", "paper", "prose")
INITS = ("kinetics400", "scratch")
FITS = ("crop", "squash", "pad")
# How networks are called in the paper's tables.
NETWORKS = {
    "x3d_s": "X3D-S",
    "x3d_m": "X3D-M",
    "slowfast_r50": "SlowFast-R50",
    "slowfast_r101": "SlowFast-R101",
    "slow_r50": "Slow-R50",
    "i3d_r50": "I3D-R50",
    "r2plus1d_r50": "R(2+1)D-R50",
}
# What the paper compares with.
BASELINES = ("slow_r50", "i3d_r50", "r2plus1d_r50")
HYBRID = ("x3d_s", "x3d_m", "slowfast_r50", "slowfast_r101")  # what it averages


@dataclass(frozen=True)
class Recipe:
    """What a network eats (a view of a clip) and how it is trained."""

    frames: int  # frames of a view, spread evenly over the window; the Fast pathway's for SlowFast
    side: int  # height and width of a view in pixels; a multiple of 32 loses nothing at the networks' last stage
    seconds: float | None = None  # length of the window; None or longer than the clip: the whole clip
    fit: str = "crop"  # crop: scale and centre crop; squash: distort to a square; pad: keep the whole frame on grey
    slow_every: int | None = None  # SlowFast's alpha: the Slow pathway sees every 4th frame of the Fast one
    inverse_beta: int = 8  # SlowFast's 1/beta: so many times fewer channels in the Fast pathway than in the Slow one
    epochs: int = 50
    batch: int = 8  # batch normalisation suffers below 8
    learning_rate: float = 1e-4  # the plateau of `schedule`
    weight_decay: float = 0.0
    dropout: float = 0.5  # before the last layer; none in short runs, which end before they overfit
    # constant: Adam, as the paper. trapezoid: AdamW that warms up over the first tenth (an epoch at most) and anneals over the
    # last fifth (an epoch at least); in runs of a few epochs its long plateau generalises better than a cosine (43 against
    # 30 % on validation after 7).
    schedule: str = "constant"
    # Early stopping as in Lightning: 10 epochs without a better validation loss, early ones too, end a run that has had these.
    least_epochs: int = 30
    # nothing, backbone (only the head learns), or backbone:3, for the first 3 epochs: for few clips on pretrained weights.
    freeze: str = "nothing"
    # none, or classes: rare exercises count as much as common ones (by frequency), a muscle's yes as much as its no.
    balance: str = "none"
    augment: bool = False  # crops, mirror, colours and brightness (videos.dataset.augmented); the authors had none

    @property
    def frozen_epochs(self) -> int:
        """For how many epochs only the head learns."""
        kind, _, epochs = self.freeze.partition(":")
        return int(epochs or self.epochs) if kind == "backbone" else 0


# Views of the pretrained networks, frames x stride at 30 fps, as PyTorchVideo's model zoo lists them.
PAPER = {
    "x3d_s": Recipe(frames=13, side=182, seconds=13 * 6 / 30),
    "x3d_m": Recipe(frames=16, side=256, seconds=16 * 5 / 30),
    "slowfast_r50": Recipe(frames=32, side=256, seconds=32 * 2 / 30, slow_every=4),
    "slowfast_r101": Recipe(frames=32, side=256, seconds=32 * 2 / 30, slow_every=4),
    "slow_r50": Recipe(frames=8, side=256, seconds=8 * 8 / 30),
    "i3d_r50": Recipe(frames=8, side=256, seconds=8 * 8 / 30),
    "r2plus1d_r50": Recipe(frames=16, side=256, seconds=16 * 4 / 30),
}
# Tables 7, 8 and 12 and all fine-tuning of the paper are 30 epochs long; below its presets a recipe's own epochs serve there too.
SHORTER = {"paper": 30, "prose": 30}

# The setting that the paper's text describes for all networks alike (IV.B: 2 s, 32 frames, 256 x 256, "resized").
PROSE = {
    n: replace(r, frames=32, side=256, seconds=2.0, fit="squash", slow_every=4 if r.slow_every else None)
    for n, r in PAPER.items()
}

# Minutes on two CPU cores: small views of the whole clip, AdamW. The epochs are what a ten-minute demo can
# pay, and a network learns little in them; ask for more with `-p epochs`.
_QUICK = dict(seconds=None, weight_decay=0.05, dropout=0.0, schedule="trapezoid", augment=True)
QUICK = {
    "x3d_s": replace(PAPER["x3d_s"], frames=4, side=48, epochs=8, learning_rate=2e-3, **_QUICK),
    "x3d_m": replace(PAPER["x3d_m"], frames=4, side=64, epochs=8, learning_rate=2e-3, **_QUICK),
    "slowfast_r50": replace(PAPER["slowfast_r50"], frames=8, side=48, epochs=3, learning_rate=1e-3, **_QUICK),
    "slowfast_r101": replace(PAPER["slowfast_r101"], frames=8, side=48, epochs=3, learning_rate=1e-3, **_QUICK),
    "slow_r50": replace(PAPER["slow_r50"], frames=4, side=48, epochs=3, learning_rate=1e-3, **_QUICK),
    "i3d_r50": replace(PAPER["i3d_r50"], frames=4, side=48, epochs=3, learning_rate=1e-3, **_QUICK),
    "r2plus1d_r50": replace(PAPER["r2plus1d_r50"], frames=4, side=48, epochs=3, learning_rate=1e-3, **_QUICK),
}

# Seconds, to see every part work; its numbers mean nothing.
SMOKE = {n: replace(r, frames=4, side=32, epochs=1) for n, r in QUICK.items()}

TABLE = {"smoke": SMOKE, "quick": QUICK, "paper": PAPER, "prose": PROSE}


def init_of(preset: str) -> str:
    """Where weights come from unless asked otherwise: Kinetics-400 at the paper's presets, from scratch below them."""
    return "kinetics400" if preset in SHORTER else "scratch"


def recipe(network: str, preset: str, **changes: object) -> Recipe:
    """The recipe of a network under a preset; changes that are not None (epochs, frames, side, fit, ...) replace its values.

    Raises ValueError naming the valid networks or presets and the nearest, and when a SlowFast view cannot be shared out
    between the pathways.
    """
    if preset not in TABLE:
        raise ValueError(f"preset = {preset!r} is not one of: {', '.join(TABLE)}.{nearest(preset, tuple(TABLE))}")
    if network not in TABLE[preset]:
        raise ValueError(
            f"network = {network!r} is not one of: {', '.join(NETWORKS)}.{nearest(network, tuple(NETWORKS))}"
        )
    chosen = replace(TABLE[preset][network], **{k: v for k, v in changes.items() if v is not None})
    if chosen.slow_every and chosen.frames % chosen.slow_every:
        raise ValueError(f"frames = {chosen.frames}: {network} needs a multiple of {chosen.slow_every} (its alpha)")
    return chosen
