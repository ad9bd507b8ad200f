"""The built networks as tables: what each stage puts out, holds and costs (paper, IV.C, IV.D, Figures 4 and 5)."""

import warnings
from contextlib import contextmanager
from math import sqrt

import pandas as pd
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from exmus_lib.networks.build import build, x3d
from exmus_lib.recipes import NETWORKS, Recipe

STAGES = ("stem", "res2", "res3", "res4", "res5")


def stages(network: str, how: Recipe, task: str = "exercise") -> pd.DataFrame:
    """One row per stage and pathway of the built network, in the order of computation, measured on one view.

    Columns: stage, pathway ("slow", "fast", "lateral" or ""), channels, time, height, width (of its output), parameters and
    gflops (multiply-adds / 1e9, as the field counts). The network is run on PyTorch's meta device: shapes, no numbers.
    """
    with torch.device("meta"):
        net = build(network, task, how)
    rows = []
    with _measuring(rows) as (flops, watch):
        blocks = net.net.blocks
        for stage, block in zip(STAGES, blocks, strict=False):
            if how.slow_every is None:
                watch(block, stage, "")
                continue
            watch(block.multipathway_blocks[0], stage, "slow")
            watch(block.multipathway_blocks[1], stage, "fast")
            if hasattr(block.multipathway_fusion, "conv_fast_to_slow"):
                watch(block.multipathway_fusion, stage, "lateral")
        watch(blocks[-1], "head", "")
        with flops:
            net.eval()(torch.empty(1, 3, how.frames, how.side, how.side, device="meta"))
    return pd.DataFrame(rows)


def complexity(net: nn.Module, view: tuple[int, int, int]) -> tuple[float, float]:
    """Million parameters and GFLOPs (multiply-adds / 1e9) of a network on the meta device for views (time, height, width)."""
    with FlopCounterMode(display=False) as flops:
        net.eval()(torch.empty(1, 3, *view, device="meta"))
    return sum(p.numel() for p in net.parameters()) / 1e6, flops.get_total_flops() / 2e9


def costs(recipes: dict[str, Recipe], task: str) -> pd.DataFrame:
    """What networks eat and cost with these recipes: a row each, with frames, side, million parameters and GFLOPs a view."""
    rows = {}
    for name, how in recipes.items():
        with torch.device("meta"):
            net = build(name, task, how)
        parameters, gflops = complexity(net, (how.frames, how.side, how.side))
        view = {"frames": how.frames, "side": how.side, "epochs": how.epochs}
        rows[NETWORKS[name]] = {**view, "parameters (M)": parameters, "GFLOPs a view": gflops}
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
        with torch.device("meta"):
            net = x3d(f["gamma_t"], side, f["gamma_w"], f["gamma_d"], f["gamma_b"])
        parameters, gflops = complexity(net, (f["gamma_t"], side, side))
        rows.append({"network": name, **f, "side": side, "parameters_m": parameters, "gflops": gflops})
    return pd.DataFrame(rows).set_index("network")


@contextmanager
def _measuring(rows: list[dict]):
    """A FLOP counter and a function that makes a module add its row to `rows` when it runs."""
    flops, hooks = FlopCounterMode(display=False), []

    def watch(module: nn.Module, stage: str, pathway: str) -> None:
        before = {}

        def enter(*_) -> None:
            before["flops"] = flops.get_total_flops()

        def leave(module, inputs, output) -> None:
            both_pathways = isinstance(output, (list, tuple))  # a lateral connection's own part is what it adds
            if both_pathways:
                channels, *size = output[0].shape[1] - seen_channels(inputs), *output[0].shape[2:]
            else:
                channels, *size = output.shape[1:]
            rows.append({
                "stage": stage, "pathway": pathway, "channels": channels,
                **dict(zip(("time", "height", "width"), size or (1, 1, 1), strict=True)),
                "parameters": sum(p.numel() for p in module.parameters()),
                "gflops": (flops.get_total_flops() - before["flops"]) / 2e9,
            })  # fmt: skip

        hooks.append(module.register_forward_pre_hook(enter))
        hooks.append(module.register_forward_hook(leave))

    def seen_channels(inputs) -> int:
        return inputs[0][0].shape[1]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield flops, watch
        finally:
            for hook in hooks:
                hook.remove()
