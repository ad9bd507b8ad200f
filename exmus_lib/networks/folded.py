"""Prediction on a CPU by a copy of a network without batch normalisation, which is folded into the convolutions before it."""

from collections import defaultdict
from copy import deepcopy
from functools import lru_cache
from weakref import WeakKeyDictionary

import torch
from torch import nn

from exmus_lib.networks import compute
from exmus_lib.networks.build import VideoNetwork, build, channels_of
from exmus_lib.networks.describe import shapes_alone
from exmus_lib.recipes import Recipe

ACTIVATIONS = ("ReLU", "Swish")  # Swish is PyTorchVideo's, written for its gradient
MIN_PIXELS = 4_000_000  # of all views, frames included: to make the copy takes as long as it wins on so many


def pays(recipe: Recipe, clips: int) -> bool:
    """Whether so many clips are predicted sooner by a folded copy, the making of it included."""
    pixels = clips * recipe.frames * recipe.side**2 * (recipe.input != "joints")
    return pixels >= MIN_PIXELS and compute.device().type == "cpu"


def folded(network: VideoNetwork, name: str, recipe: Recipe) -> VideoNetwork:
    """A copy that gives the same logits but for rounding, and cannot be trained; `name` is the network's in recipes.NETWORKS."""
    copy = deepcopy(network).eval().requires_grad_(False)
    convolutions, activations = _parts(name, recipe)
    for norm, convolution in convolutions.items():
        _fold(copy.get_submodule(convolution), copy.get_submodule(norm))
        copy.set_submodule(norm, nn.Identity())
    for activation in activations:
        swish = type(copy.get_submodule(activation)).__name__ == "Swish"
        copy.set_submodule(activation, nn.SiLU(inplace=True) if swish else nn.ReLU(inplace=True))
    return copy


_KEPT: WeakKeyDictionary[VideoNetwork, VideoNetwork] = WeakKeyDictionary()


def kept(network: VideoNetwork, name: str, recipe: Recipe) -> VideoNetwork:
    """`folded` of a network that is trained no further; made once, and kept as long as the network is."""
    if network not in _KEPT:
        _KEPT[network] = folded(network, name, recipe)
    return _KEPT[network]


def _fold(convolution: nn.Conv3d, norm: nn.BatchNorm3d) -> None:
    gain = norm.weight / (norm.running_var + norm.eps).sqrt()
    before = 0.0 if convolution.bias is None else convolution.bias
    convolution.bias = nn.Parameter(norm.bias + (before - norm.running_mean) * gain, requires_grad=False)
    convolution.weight.mul_(gain.view(-1, 1, 1, 1, 1))


@lru_cache
def _parts(name: str, recipe: Recipe) -> tuple[dict[str, str], tuple[str, ...]]:
    """The batch normalisations by name, each with the convolution that it alone follows, and the activations that may overwrite
    what they take, as no other layer takes it. Seen on a view without numbers, on the meta device."""
    with shapes_alone():
        network = build(name, 2, recipe).eval()
        view = torch.zeros(1, channels_of(recipe), recipe.frames, recipe.side, recipe.side)
    made_by, taken_by, kept = {}, defaultdict(list), []  # by identity of a tensor; kept, so that no two are the same

    def note(module: nn.Module, inputs: tuple, output: torch.Tensor) -> None:
        for one in inputs:
            taken_by[id(one)].append(module)
        kept.extend((*inputs, output))
        made_by[id(output)] = module

    for module in network.modules():
        if not list(module.children()) and not isinstance(module, nn.Identity):
            module.register_forward_hook(note)
    with torch.no_grad():
        network(view)
    names = {module: part for part, module in network.named_modules()}
    alone = {takers[0]: made_by.get(tensor) for tensor, takers in taken_by.items() if len(takers) == 1}
    convolutions = {
        names[module]: names[maker]
        for module, maker in alone.items()
        if isinstance(module, nn.BatchNorm3d) and isinstance(maker, nn.Conv3d)
    }
    return convolutions, tuple(names[module] for module in alone if type(module).__name__ in ACTIVATIONS)
