"""The faster convolutions: the numbers and gradients of PyTorch's own, in every format, and only where they can be."""

import copy

import pytest
import torch
from torch import nn

from exmus_lib.networks import compute
from exmus_lib.networks.build import build
from exmus_lib.recipes import NETWORKS, recipe

# One of each kind that is replaced, with every stride that the networks have; depthwise kernels of three and of five frames.
CONVOLUTIONS = {
    "depthwise": dict(kernel_size=3, padding=1, groups=12),
    "depthwise, stride 2": dict(kernel_size=3, padding=1, groups=12, stride=(1, 2, 2)),
    "depthwise, stride 4": dict(kernel_size=3, padding=1, groups=12, stride=(1, 4, 4)),
    "depthwise, stride 8": dict(kernel_size=3, padding=1, groups=12, stride=(1, 8, 8)),
    "depthwise in time": dict(kernel_size=(5, 1, 1), padding=(2, 0, 0), groups=12),
    "pointwise": dict(kernel_size=1),
    "pointwise, stride 2": dict(kernel_size=1, stride=(1, 2, 2)),
    "temporal": dict(kernel_size=(3, 1, 1), padding=(1, 0, 0)),
}


def pair(dtype=torch.float32, **options) -> tuple[nn.Conv3d, nn.Conv3d]:
    """PyTorch's convolution of twelve channels, and the one that takes its place, with the same weights."""
    torch.manual_seed(0)
    stock = nn.Conv3d(12, 12, bias=False, **options).to(dtype)
    fast = copy.deepcopy(stock)
    fast.__class__ = compute.TemporalConv3d if options["kernel_size"] == (3, 1, 1) else compute._faster(stock)
    assert type(fast) is not nn.Conv3d
    return stock, fast


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_gradients_are_those_of_finite_differences_in_double(name):
    _, fast = pair(torch.float64, **CONVOLUTIONS[name])
    x = torch.randn(1, 12, 2, 5, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, w: torch.func.functional_call(fast, {"weight": w}, x), (x, fast.weight))


@pytest.mark.parametrize("name", CONVOLUTIONS)
@pytest.mark.parametrize("autocast", [False, True])
def test_outputs_and_gradients_equal_pytorchs_under_autocast_too(name, autocast):
    results = []
    for conv in pair(**CONVOLUTIONS[name]):
        x = torch.randn(2, 12, 3, 8, 8, generator=torch.Generator().manual_seed(1)).requires_grad_()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
            y = conv(x)
        y.float().square().sum().backward()
        results.append((y, x.grad, conv.weight.grad))
    tolerance = dict(rtol=0.05, atol=0.05) if autocast else dict(rtol=1e-4, atol=1e-4)
    for stock, fast in zip(*results, strict=True):
        assert stock.dtype == fast.dtype and stock.shape == fast.shape
        scale = stock.float().abs().max()
        torch.testing.assert_close(fast.float() / scale, stock.float() / scale, **tolerance)


@pytest.mark.parametrize(
    "options",
    [
        dict(kernel_size=(2, 2, 2), padding=1, groups=12),  # even: not centred on a pixel
        dict(kernel_size=3, padding=1, groups=12, dilation=2),
        dict(kernel_size=3, padding=0, groups=12),
        dict(kernel_size=3, padding=1, groups=12, stride=2),  # in time as well
        dict(kernel_size=3, padding=1, groups=12, padding_mode="replicate"),
        dict(kernel_size=1, bias=True),
        dict(kernel_size=3, padding=1, groups=2),
    ],
)
def test_what_they_cannot_do_is_left_to_pytorch(options):
    assert compute._faster(nn.Conv3d(12, 12, **({"bias": False} | options))) is nn.Conv3d


@pytest.mark.parametrize("option", [dict(bias=True), dict(padding=0), dict(padding="same"), dict(dilation=(2, 1, 1))])
def test_a_temporal_convolution_is_replaced_only_where_it_is_plain(option):
    plain = dict(kernel_size=(3, 1, 1), padding=(1, 0, 0), bias=False)
    assert compute._faster(nn.Conv3d(256, 8, **plain)) is compute.TemporalConv3d
    assert compute._faster(nn.Conv3d(256, 8, **(plain | option))) is nn.Conv3d


def test_every_stride_of_the_networks_is_among_the_checked_ones():
    strides = set()
    for name in NETWORKS:
        with torch.device("meta"):
            modules = build(name, 16, recipe(name, "smoke")).modules()
        strides |= {m.stride for m in modules if type(m) is nn.Conv3d and compute._faster(m) is not nn.Conv3d}
    assert strides == {options.get("stride", (1, 1, 1)) for options in CONVOLUTIONS.values()}


@pytest.mark.parametrize("network", ["x3d_m", "slowfast_r50"])
def test_a_whole_network_computes_the_same_numbers_and_gradients(network):
    view = recipe(network, "quick", side=32)
    torch.manual_seed(0)
    stock = build(network, 16, view).eval()
    for module in stock.modules():  # zero gains would hide most of the gradients
        if isinstance(module, nn.BatchNorm3d):
            module.weight.data.uniform_(0.5, 1.0)
    fast = compute.prepare(copy.deepcopy(stock))
    kinds = {type(m) for m in fast.modules() if isinstance(m, nn.Conv3d)} - {nn.Conv3d}
    assert len(kinds) >= 2
    frames = torch.randn(2, 3, view.frames, 32, 32, requires_grad=True)
    other = frames.detach().clone().requires_grad_()
    stock(frames).logsumexp(1).sum().backward()
    fast(other).logsumexp(1).sum().backward()
    torch.testing.assert_close(other.grad, frames.grad, rtol=1e-3, atol=1e-6)
    for (name, a), b in zip(stock.named_parameters(), fast.parameters(), strict=True):
        assert (a.grad - b.grad).abs().max() <= 1e-3 * a.grad.abs().max() + 1e-7, name
