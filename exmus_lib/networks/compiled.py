"""Prediction by OpenVINO, an optional extra (`pip install openvino`), where it was measured to be faster than PyTorch."""

import platform
import sys
from collections.abc import Callable
from importlib.util import find_spec
from types import ModuleType

import numpy as np
import torch
from torch import nn

from exmus_lib.networks import compute
from exmus_lib.networks.build import VideoNetwork, build, channels_of
from exmus_lib.recipes import Recipe

# X3D-M and SlowFast-R50 were measured, in float32 and, where the processor multiplies it, in bfloat16 (docs/MEASURED.md); the
# other two have their layers.
FASTER = ("x3d_s", "x3d_m", "slowfast_r50", "slowfast_r101")
# Conversion takes 4 to 6 s of a core. That is won back by so many clips with views of so many pixels, frames included, as the
# paper's are; a view of `quick`, 4 to 8 frames of 64 px, is over in some hundredths of a second either way.
MIN_CLIPS, MIN_PIXELS = 20, 400_000


def package() -> ModuleType:
    """OpenVINO. It would send statistics of its use to its makers wherever a package of theirs is found: here none leave."""
    sys.modules.setdefault("openvino_telemetry", None)
    import openvino

    return openvino


def pays(network: str, recipe: Recipe, clips: int) -> bool:
    """Whether OpenVINO is installed, and predicts so many clips sooner on this processor, its conversion included."""
    return (
        network in FASTER
        and clips >= MIN_CLIPS
        and recipe.frames * recipe.side**2 >= MIN_PIXELS
        and find_spec("openvino") is not None
        and platform.machine() in ("x86_64", "AMD64")  # others were not measured
        and compute.device().type == "cpu"
    )


def plain(network: VideoNetwork, name: str, recipe: Recipe) -> VideoNetwork:
    """A copy on the CPU with PyTorch's own convolutions: converters do not know those of networks.convolutions."""
    copy = build(name, len(network.head.bias), recipe, network.softmax)
    copy.load_state_dict(network.state_dict())
    return copy.eval().requires_grad_(False)


def blank(recipe: Recipe, batch: int) -> torch.Tensor:
    """Views (batch, channels, time, height, width) as a data set gives them for a recipe, of zeros: uint8, or float32 joints."""
    kind = torch.float32 if recipe.input == "joints" else torch.uint8
    return torch.zeros(batch, channels_of(recipe), recipe.frames, recipe.side, recipe.side, dtype=kind)


def converted(network: nn.Module, views: torch.Tensor, batch: int = -1) -> object:
    """A network as OpenVINO's model for views as these, so many at once (-1: any number)."""
    # Left to itself, OpenVINO traces with PyTorch's check, which takes the time of several forward passes more.
    traced = torch.jit.trace(network, views, check_trace=False)
    return package().convert_model(traced, example_input=views, input=[(batch, *views.shape[1:])])


def load(model: object, precision: str = "f32") -> Callable[[np.ndarray], object]:
    """A model of OpenVINO's, or its file, ready to run on the CPU."""
    config = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": torch.get_num_threads()}
    return package().Core().compile_model(model, "CPU", config)


class Compiled:
    """A network in OpenVINO, one clip at a time, in the number format and on as many threads as our own prediction. Called as
    predict.forward, with views as a data set gives them: logits (batch, labels) and embeddings (batch, D), float32."""

    def __init__(self, network: VideoNetwork, name: str, recipe: Recipe):
        model = converted(_Embed(plain(network, name, recipe)), blank(recipe, 1), batch=1)
        hint = "bf16" if compute.precision(name, training=False) == "bf16-mixed" else "f32"
        self.model = load(model, hint)

    def __call__(self, views: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
        answers = [self.model(np.ascontiguousarray(view[None])) for view in views]
        logits, embeddings = ([answer[i] for answer in answers] for i in (0, 1))
        return np.concatenate(logits), np.concatenate(embeddings)


class _Embed(nn.Module):
    def __init__(self, network: VideoNetwork):
        super().__init__()
        self.network = network

    def forward(self, view: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.network.embed(view)
