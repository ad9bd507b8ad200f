"""The built networks as tables: what each stage puts out, holds and costs (paper, IV.C, IV.D, Figures 4 and 5)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import sqrt

import pandas as pd
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from exmus_lib.networks.build import VideoNetwork, build, channels_of, x3d
from exmus_lib.recipes import NETWORKS, Recipe

STAGES = ("stem", "res2", "res3", "res4", "res5")
UNCOUNTED = (nn.BatchNorm3d, nn.ReLU, nn.Sigmoid, nn.Dropout)  # without flops, and they leave the shape as it is


class _Unfilled(TorchFunctionMode):
    """Parameters get no first values: on the meta device to draw them takes half of the time, and leaves nothing."""

    FILLS = (torch.Tensor.normal_, torch.Tensor.uniform_, torch.Tensor.fill_, torch.Tensor.zero_)

    def __torch_function__(self, func: Callable, types: tuple, args: tuple = (), kwargs: dict | None = None) -> object:
        return args[0] if func in self.FILLS else func(*args, **(kwargs or {}))


@contextmanager
def shapes_alone() -> Iterator[None]:
    """What is built here has shapes and no numbers: it is on PyTorch's meta device."""
    with torch.device("meta"), _Unfilled():
        yield


def stages(network: str, labels: int, recipe: Recipe) -> pd.DataFrame:
    """One row per stage and pathway of a network built by PyTorchVideo, in the order of computation, measured on one view.

    Columns: stage, pathway ("slow", "fast", "lateral" or ""), channels, time, height, width (of its output), parameters and
    gflops (multiply-adds / 1e9, as the field counts).
    """
    with shapes_alone():
        net = build(network, labels, recipe)
    shapes, names = {}, {module: name for name, module in net.named_modules()}

    def keep_shape(module: nn.Module, inputs: tuple, output: torch.Tensor | list[torch.Tensor]) -> None:
        # A lateral connection passes both pathways on; its part is what it adds to the Slow one.
        if isinstance(output, list):
            shapes[module] = (output[0].shape[1] - inputs[0][0].shape[1], *output[0].shape[2:])
        else:
            shapes[module] = (*output.shape[1:], 1, 1, 1)[:4]

    modules = _modules(net)
    for module in modules.values():
        module.register_forward_hook(keep_shape)
    counts = _flops(net, (recipe.frames, recipe.side, recipe.side)).get_flop_counts()
    rows = [
        {
            "stage": stage,
            "pathway": pathway,
            **dict(zip(("channels", "time", "height", "width"), shapes[module], strict=True)),
            "parameters": sum(p.numel() for p in module.parameters()),
            "gflops": sum(counts[f"{type(net).__name__}.{names[module]}"].values()) / 2e9,
        }
        for (stage, pathway), module in modules.items()
    ]
    return pd.DataFrame(rows)


# What each convolution of an X3D block is there for (Feichtenhofer 2020, section 3.1), by its name in PyTorchVideo.
PURPOSES = {
    "conv_a": "widen", "conv_b": "look around", "norm_b.1.block.0": "squeeze", "norm_b.1.block.2": "excite",
    "conv_c": "narrow",
}  # fmt: skip


def block(network: str, labels: int, recipe: Recipe) -> pd.DataFrame:
    """The convolutions of the first residual block of an X3D, one row each in the order of computation.

    Columns: purpose, kernel (time x height x width), inputs and outputs (channels), each_channel_alone (depthwise),
    parameters.
    """
    with shapes_alone():
        branch = build(network, labels, recipe).net.blocks[1].res_blocks[0].branch2
    layers = [(PURPOSES[name], branch.get_submodule(name)) for name in PURPOSES]
    rows = [
        {
            "purpose": purpose,
            "kernel": " × ".join(map(str, layer.kernel_size)),
            "inputs": layer.in_channels,
            "outputs": layer.out_channels,
            "each_channel_alone": layer.groups == layer.in_channels,
            "parameters": sum(p.numel() for p in layer.parameters()),
        }
        for purpose, layer in layers
    ]
    return pd.DataFrame(rows)


def _modules(net: VideoNetwork) -> dict[tuple[str, str], nn.Module]:
    """The module of each stage and pathway, in the order of computation."""
    blocks, modules = net.net.blocks, {}
    for stage, block in zip(STAGES, blocks, strict=False):
        if net.slow_every is None:
            modules[stage, ""] = block
            continue
        modules[stage, "slow"], modules[stage, "fast"] = block.multipathway_blocks
        if hasattr(block.multipathway_fusion, "conv_fast_to_slow"):
            modules[stage, "lateral"] = block.multipathway_fusion
    return modules | {("head", ""): blocks[-1]}


def _flops(net: nn.Module, view: tuple[int, int, int], channels: int = 3):
    """PyTorch's FlopCounterMode after one view (time, height, width) went through a network on the meta device, which is of no
    other use afterwards."""
    from torch.utils.flop_counter import FlopCounterMode

    for module in net.modules():
        # PyTorchVideo's Swish by its name, which takes seconds to import. On the meta device they take half of the time.
        if isinstance(module, UNCOUNTED) or type(module).__name__ == "Swish":
            module.forward = nn.Identity().forward
    with torch.device("meta"), torch.inference_mode(), FlopCounterMode(display=False) as flops:
        net.eval()(torch.empty(1, channels, *view))
    return flops


def complexity(net: nn.Module, view: tuple[int, int, int], channels: int = 3) -> tuple[float, float]:
    """Million parameters and GFLOPs (multiply-adds / 1e9) of a network on the meta device for views (time, height, width)."""
    flops = _flops(net, view, channels).get_total_flops()
    return sum(p.numel() for p in net.parameters()) / 1e6, flops / 2e9


def costs(recipes: dict[str, Recipe], labels: int) -> pd.DataFrame:
    """What networks take and cost with these recipes: a row each, with frames, side, epochs, million parameters and
    GFLOPs a view."""
    rows = {}
    for name, recipe in recipes.items():
        with shapes_alone():
            net = build(name, labels, recipe)
        shape = (recipe.frames, recipe.side, recipe.side)
        parameters, gflops = complexity(net, shape, channels_of(recipe))
        view = {"frames": recipe.frames, "side": recipe.side, "epochs": recipe.epochs}
        rows[NETWORKS[name].title] = {**view, "parameters (M)": parameters, "GFLOPs a view": gflops}
    return pd.DataFrame.from_dict(rows, orient="index")


def expansion() -> pd.DataFrame:
    """From X2D to X3D-S and X3D-M, one expansion factor after the other, with the complexity measured at each step.

    Columns: the six factors gamma_tau (frame stride), gamma_t (frames), gamma_s (side / 112 px), gamma_w (width), gamma_b
    (bottleneck), gamma_d (depth), then parameters_m and gflops. The order is this workbook's; the authors of X3D found
    theirs by a search that trains every candidate.
    """
    one = dict(gamma_tau=1, gamma_t=1, gamma_s=1.0, gamma_w=1, gamma_b=1.0, gamma_d=1.0)
    steps = {"X2D": one}
    small = {"bottleneck": ("gamma_b", 2.25), "depth": ("gamma_d", 2.2), "spatial": ("gamma_s", sqrt(2)),
             "temporal": ("gamma_t", 13), "fast (X3D-S)": ("gamma_tau", 6)}  # fmt: skip
    for name, (factor, value) in small.items():
        steps[f"+ {name}"] = one = {**one, factor: value}
    steps["X3D-M"] = {**one, "gamma_tau": 5, "gamma_t": 16, "gamma_s": 2.0}
    rows = []
    for name, f in steps.items():
        side = round(112 * f["gamma_s"] / 2) * 2
        with shapes_alone():
            how = Recipe(f["gamma_t"], side, width=f["gamma_w"], depth=f["gamma_d"], bottleneck=f["gamma_b"])
            net = x3d(400, how)
        parameters, gflops = complexity(net, (f["gamma_t"], side, side))
        rows.append({"network": name, **f, "side": side, "parameters_m": parameters, "gflops": gflops})
    return pd.DataFrame(rows).set_index("network")
