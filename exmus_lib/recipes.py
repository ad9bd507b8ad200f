"""One table of networks, and how each is trained under a preset. A knob's comment says how to choose it.

A network of your own is one more row of NETWORKS; docs/GUIDE.md says how.
"""

from dataclasses import asdict, dataclass, field, replace

from exmus_lib.labels import nearest

PRESETS = ("smoke", "quick", "paper", "prose")
INITS = ("kinetics400", "scratch")
FITS = ("crop", "squash", "pad")
INPUTS = ("pixels", "pose", "joints")


@dataclass(frozen=True)
class Recipe:
    """What a network takes (a view of a clip) and how it is trained."""

    frames: int  # frames of a view, spread evenly over the window; the Fast pathway's for SlowFast
    side: int  # height and width of a view in pixels; a multiple of 32 loses nothing at the networks' last stage
    seconds: float | None = None  # length of the window; None or longer than the clip: the whole clip
    fit: str = "crop"  # crop: scale and centre crop; squash: distort to a square; pad: keep the whole frame on grey
    slow_every: int | None = None  # SlowFast's alpha: the Slow pathway sees every 4th frame of the Fast one
    inverse_beta: int = 8  # SlowFast's 1/beta: so many times fewer channels in the Fast pathway than in the Slow one
    # X3D's expansion factors gamma_w, gamma_d and gamma_b: channels of all layers, blocks of a stage, channels inside a block.
    # These are those of X3D-S and X3D-M; 13_expansion searches for others.
    width: float = 1.0
    depth: float = 2.2
    bottleneck: float = 2.25
    epochs: int = 50
    batch: int = 8  # batch normalisation suffers below 8
    learning_rate: float = 1e-4  # the plateau of `schedule`
    weight_decay: float = 0.0
    dropout: float = 0.5  # before the last layer; none in short runs, which end before they overfit
    # constant: Adam, as the paper. trapezoid: AdamW that warms up over the first tenth (an epoch at most) and anneals over the
    # last fifth (an epoch at least); in runs of a few epochs its long plateau generalises better than a cosine (43 against
    # 30 % on validation after 7).
    schedule: str = "constant"
    # Early stopping: 10 epochs without a better validation loss end a run that has had this many.
    min_epochs: int = 30
    # nothing, backbone (only the head learns), or backbone:3, for the first 3 epochs: for few clips on pretrained weights.
    freeze: str = "nothing"
    # none, or classes: rare exercises count as much as common ones (by frequency), a muscle's yes as much as its no.
    balance: str = "none"
    augment: bool = False  # crops, mirror, colours and brightness (videos.dataset); the authors had none
    # pixels; pose: the person's limbs, drawn in fixed colours on black (Duan et al. 2022, PoseC3D); joints: their places, as
    # numbers. The last two know real people though trained on rendered ones (networks.joints).
    input: str = "pixels"

    @property
    def frozen_epochs(self) -> int:
        """For how many epochs only the head learns."""
        kind, _, epochs = self.freeze.partition(":")
        return int(epochs or self.epochs) if kind == "backbone" else 0


LATER = ("input", "width", "depth", "bottleneck")  # fields that a release has added


def kept(recipe: Recipe) -> dict[str, object]:
    """A recipe as run.json keeps it and a run's name counts it: LATER fields only where they are not the default, so that runs
    of before they were there stay equal to those of today."""
    default = {name: getattr(Recipe, name) for name in LATER}
    return {name: value for name, value in asdict(recipe).items() if name not in LATER or value != default[name]}


# Mean and standard deviation of the red, green and blue that weights were trained with, of 0 to 1.
Normalisation = tuple[tuple[float, float, float], tuple[float, float, float]]
FACEBOOK: Normalisation = ((0.45, 0.45, 0.45), (0.225, 0.225, 0.225))  # as our views are
IMAGENET: Normalisation = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
TORCHVISION: Normalisation = ((0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989))


@dataclass(frozen=True)
class Network:
    """One network: how it is built, what its Kinetics-400 weights are, and the view they were made for."""

    title: str  # its name in tables, the paper's where the paper has it
    builder: str  # a function of networks/build.py; "torchvision" serves all of torchvision.models.video
    head: str  # the last layer, inside what the builder returns; everything else is the backbone
    embedding: int  # the width of what the head sees
    view: Recipe  # the view that the weights were trained for; how it is trained is the paper's way, as in Recipe
    # The table that lists the Kinetics-400 checkpoint: checkpoint_paths of a PyTorchVideo hub, or a torchvision enum. "": there
    # is none, and training starts from scratch at every preset.
    weights: str = ""
    top1: float | None = None  # of these weights on Kinetics-400, in percent, as published
    # Of the library that publishes the weights, which have none of their own; Kinetics' terms are for you to judge.
    licence: str | None = None
    normalisation: Normalisation = FACEBOOK  # that the weights expect; views are converted where it is not ours
    options: dict[str, object] = field(default_factory=dict)  # of the builder
    quick: dict[str, object] = field(default_factory=dict)  # what differs from QUICK
    notebook: str = "04_baselines"  # that trains it
    float32_training: bool = False  # on CPUs, whose depthwise convolutions have no fast bfloat16 gradient


HUB, VIDEO = "pytorchvideo.models.hub", "torchvision.models.video"
# The views of PyTorchVideo's networks are frames x stride at 30 fps as its model zoo lists them, so are their top-1 figures;
# those of torchvision's stand in the documentation of their weights.
NETWORKS = {
    "x3d_s": Network(
        "X3D-S", "x3d", "blocks.5.proj", 2048, Recipe(frames=13, side=182, seconds=13 * 6 / 30),
        weights=f"{HUB}.x3d.checkpoint_paths", top1=73.33, licence="Apache-2.0",
        quick={"epochs": 8, "learning_rate": 2e-3}, notebook="02_x3d", float32_training=True,
    ),
    "x3d_m": Network(
        "X3D-M", "x3d", "blocks.5.proj", 2048, Recipe(frames=16, side=256, seconds=16 * 5 / 30),
        weights=f"{HUB}.x3d.checkpoint_paths", top1=75.94, licence="Apache-2.0",
        quick={"side": 64, "epochs": 14, "learning_rate": 2e-3}, notebook="02_x3d", float32_training=True,
    ),
    # Where X3D's expansion starts (Feichtenhofer 2020, Table 1): one frame, every factor at 1.
    "x2d": Network(
        "X2D", "x3d", "blocks.5.proj", 2048, Recipe(1, 112, 1.0, width=1.0, depth=1.0, bottleneck=1.0),
        quick={"frames": 1, "side": 64, "seconds": 1.0, "epochs": 6, "learning_rate": 2e-3}, notebook="13_expansion",
        float32_training=True,
    ),
    "slowfast_r50": Network(
        "SlowFast-R50", "slowfast", "blocks.6.proj", 2304, Recipe(frames=32, side=256, seconds=32 * 2 / 30, slow_every=4),
        weights=f"{HUB}.slowfast.checkpoint_paths", top1=76.94, licence="Apache-2.0",
        options={"depth": 50, "lateral": 7}, quick={"frames": 8, "epochs": 7}, notebook="03_slowfast",
    ),
    "slowfast_r101": Network(
        "SlowFast-R101", "slowfast", "blocks.6.proj", 2304, Recipe(frames=32, side=256, seconds=32 * 2 / 30, slow_every=4),
        weights=f"{HUB}.slowfast.checkpoint_paths", top1=77.90, licence="Apache-2.0",
        options={"depth": 101, "lateral": 5}, quick={"frames": 8}, notebook="03_slowfast",
    ),
    "slow_r50": Network(
        "Slow-R50", "slow", "blocks.5.proj", 2048, Recipe(frames=8, side=256, seconds=8 * 8 / 30),
        weights=f"{HUB}.resnet.checkpoint_paths", top1=74.58, licence="Apache-2.0",
    ),
    "i3d_r50": Network(
        "I3D-R50", "i3d", "blocks.6.proj", 2048, Recipe(frames=8, side=256, seconds=8 * 8 / 30),
        weights=f"{HUB}.resnet.checkpoint_paths", top1=73.27, licence="Apache-2.0",
    ),
    "r2plus1d_r50": Network(
        "R(2+1)D-R50", "r2plus1d", "blocks.5.proj", 2048, Recipe(frames=16, side=256, seconds=16 * 4 / 30),
        weights=f"{HUB}.r2plus1d.checkpoint_paths", top1=76.01, licence="Apache-2.0",
    ),
    "mvit_v2_s": Network(
        "MViTv2-S", "torchvision", "head.1", 768, Recipe(frames=16, side=224, seconds=16 / 7.5),
        weights=f"{VIDEO}.MViT_V2_S_Weights", top1=80.757, licence="BSD-3-Clause",
        options={"function": "mvit_v2_s"}, quick={"frames": 8, "learning_rate": 3e-4}, float32_training=True,
    ),
    "swin3d_t": Network(
        "Video Swin-T", "torchvision", "head", 768, Recipe(frames=32, side=224, seconds=32 / 15),
        weights=f"{VIDEO}.Swin3D_T_Weights", top1=77.715, licence="BSD-3-Clause", normalisation=IMAGENET,
        options={"function": "swin3d_t"}, quick={"frames": 8, "learning_rate": 3e-4},
    ),
    # Its weights were scored on 128 frames, over 8 s; clips of 2 to 4 s hold half of that.
    "s3d": Network(
        "S3D", "torchvision", "classifier.1", 1024, Recipe(frames=64, side=224, seconds=64 / 15),
        weights=f"{VIDEO}.S3D_Weights", top1=68.368, licence="BSD-3-Clause", normalisation=TORCHVISION,
        options={"function": "s3d"}, quick={"frames": 8},
    ),
    # Joints 10 a second (poses.features.SAMPLES), with neither height nor width.
    "pose_tcn": Network(
        "Pose TCN", "pose_tcn", "head", 288,
        Recipe(48, 1, input="joints", batch=32, learning_rate=1e-3, weight_decay=0.02, dropout=0.1, augment=True),
        quick={"epochs": 10, "learning_rate": 3e-3, "weight_decay": 0.02, "dropout": 0.1}, notebook="12_real_people",
        float32_training=True,
    ),
}  # fmt: skip
ON_PICTURES = tuple(name for name, row in NETWORKS.items() if row.view.input != "joints")
# What the paper compares with.
BASELINES = ("slow_r50", "i3d_r50", "r2plus1d_r50")
SEARCHED = ("x2d",)  # whose runs are candidates of a search, and stand in a table of their own
HYBRID = ("x3d_s", "x3d_m", "slowfast_r50", "slowfast_r101")  # what it averages

# Tables 7, 8 and 12 and all fine-tuning of the paper are 30 epochs long; below its presets a recipe's own epochs serve there too.
SHORTER = {"paper": 30, "prose": 30}
# The setting that the paper's text describes for all networks alike (IV.B: 2 s, 32 frames, 256 x 256, "resized").
PROSE = {"frames": 32, "side": 256, "seconds": 2.0, "fit": "squash"}
# Minutes on two CPU cores: small views of the whole clip, AdamW. The epochs are what a ten-minute demo can
# pay, and a network learns little in them; ask for more with `-p epochs`.
QUICK = {
    "frames": 4, "side": 48, "seconds": None, "epochs": 3, "learning_rate": 1e-3, "weight_decay": 0.05, "dropout": 0.0,
    "schedule": "trapezoid", "augment": True,
}  # fmt: skip
# Seconds, to see every part work; its numbers mean nothing.
SMOKE = {"frames": 4, "side": 32, "epochs": 1}


def title(network: str) -> str:
    """The title of a network; that of a run whose row is gone from the table is its name."""
    return NETWORKS[network].title if network in NETWORKS else network


def init_of(preset: str, network: str) -> str:
    """Where weights come from unless asked otherwise: Kinetics-400 at the paper's presets, from scratch below them, and where the
    network has none."""
    return "kinetics400" if preset in SHORTER and NETWORKS[network].weights else "scratch"


def recipe(network: str, preset: str, **changes: object) -> Recipe:
    """The recipe of a network under a preset; changes that are not None (epochs, frames, side, fit, ...) replace its values.

    A network of joints has one view, at every preset. Raises ValueError naming the valid networks or presets and the nearest,
    when a SlowFast view cannot be shared out between the pathways, and for a view that the network does not take.
    """
    for name, value, allowed in (("preset", preset, PRESETS), ("network", network, tuple(NETWORKS))):
        if value not in allowed:
            raise ValueError(f"{name} = {value!r} is not one of: {', '.join(allowed)}.{nearest(value, allowed)}")
    row = NETWORKS[network]
    quick = QUICK | row.quick
    preset_changes = {"paper": {}, "prose": PROSE, "quick": quick, "smoke": quick | SMOKE}[preset]
    changes = {k: v for k, v in changes.items() if v is not None}
    if network not in ON_PICTURES:
        view = {name: getattr(row.view, name) for name in ("frames", "side", "seconds", "fit", "input")}
        preset_changes = preset_changes | view
        if other := [name for name in view if changes.get(name, view[name]) != view[name]]:
            raise ValueError(f"{other[0]} = {changes[other[0]]!r}: {network} takes joints as they are; leave it out")
    elif changes.get("input", "pixels") not in ("pixels", "pose"):
        raise ValueError(f"input = {changes['input']!r}: {network} takes pixels or pose, drawn joints")
    chosen = replace(row.view, **preset_changes | changes)
    if chosen.slow_every and chosen.frames % chosen.slow_every:
        raise ValueError(f"frames = {chosen.frames}: {network} needs a multiple of {chosen.slow_every} (its alpha)")
    return chosen
