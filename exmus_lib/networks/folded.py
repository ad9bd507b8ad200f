"""Prediction on a CPU by a copy of a network without batch normalisation, which is folded into the convolutions before it."""

from collections import defaultdict
from copy import deepcopy
from functools import lru_cache

import torch
from torch import nn

from exmus_lib.networks import compute
from exmus_lib.networks.build import VideoNetwork, build, channels_of
from exmus_lib.networks.describe import shapes_alone
from exmus_lib.recipes import Recipe

ACTIVATIONS = ("ReLU", "Swish")  # Swish is PyTorchVideo's, and the same as SiLU
# Of all views, frames included. A copy takes 0.2 to 0.5 s to make, and wins 0.05 to 0.1 s on a million (docs/MEASURED.md).
MIN_PIXELS = 4_000_000


def pays(name: str, recipe: Recipe, clips: int) -> bool:
    """Whether so many clips are predicted sooner by a folded copy of a network, the making of it included."""
    many = recipe.input != "joints" and clips * recipe.frames * recipe.side**2 >= MIN_PIXELS
    return many and compute.device().type == "cpu" and bool(_parts(name, recipe)[0])


def folded(network: VideoNetwork, name: str, recipe: Recipe) -> VideoNetwork:
    """A copy that gives the same logits but for rounding, and cannot be trained; `name` is the network's in recipes.NETWORKS."""
    copy = deepcopy(network).eval().requires_grad_(False)
    convolutions, activations = _parts(name, recipe)
    for norm, convolution in convolutions.items():
        _fold(copy.get_submodule(convolution), copy.get_submodule(norm))
        copy.set_submodule(norm, nn.Identity())
    for activation in activations:
        rectified = isinstance(copy.get_submodule(activation), nn.ReLU)
        copy.set_submodule(activation, nn.ReLU(inplace=True) if rectified else nn.SiLU(inplace=True))
    return copy


def _fold(convolution: nn.Conv3d, norm: nn.BatchNorm3d) -> None:
    gain = norm.weight / (norm.running_var + norm.eps).sqrt()
    before = 0.0 if convolution.bias is None else convolution.bias
    convolution.bias = nn.Parameter(norm.bias + (before - norm.running_mean) * gain, requires_grad=False)
    convolution.weight.mul_(gain.view(-1, 1, 1, 1, 1))


@lru_cache
def _parts(name: str, recipe: Recipe) -> tuple[dict[str, str], tuple[str, ...]]:
    """Batch normalisations by name, each with the convolution whose output it takes, and the activations that may work in place,
    where no other layer takes that output or input. Found by a forward pass on the meta device.

    What a functional operation takes (a residual sum, say) is not seen: that folded and plain networks agree is for the contract
    tests of tests/test_networks.py, which every row of NETWORKS goes through.
    """
    with shapes_alone():
        network = build(name, 2, recipe).eval()
        view = torch.zeros(1, channels_of(recipe), recipe.frames, recipe.side, recipe.side)
    made_by, taken_by = {}, defaultdict(list)  # by identity of a tensor
    tensors = []  # all of them stay, so that no two have the same identity

    def note(module: nn.Module, inputs: tuple, output: torch.Tensor) -> None:
        for one in inputs:
            taken_by[id(one)].append(module)
        tensors.extend((*inputs, output))
        made_by[id(output)] = module

    for module in network.modules():
        if not list(module.children()) and not isinstance(module, nn.Identity):
            module.register_forward_hook(note)
    with torch.no_grad():
        network(view)
    names = {module: part for part, module in network.named_modules()}
    shared = {module for takers in taken_by.values() if len(takers) > 1 for module in takers}
    alone = {m: made_by.get(tensor) for tensor, (m, *_) in taken_by.items() if m not in shared}
    convolutions = {
        names[module]: names[maker]
        for module, maker in alone.items()
        if isinstance(module, nn.BatchNorm3d) and isinstance(maker, nn.Conv3d)
    }
    return convolutions, tuple(names[module] for module in alone if type(module).__name__ in ACTIVATIONS)
