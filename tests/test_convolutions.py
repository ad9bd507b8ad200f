"""The faster convolutions: the numbers and gradients of PyTorch's own, in every format, and only where they can be."""

import copy

import pytest
import torch
from torch import nn

from exmus_lib.networks import compute, convolutions, kernels
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
    "temporal, stride 2": dict(kernel_size=(3, 1, 1), padding=(1, 0, 0), stride=(2, 1, 1)),
    "temporal, stride 4": dict(kernel_size=(7, 1, 1), padding=(3, 0, 0), stride=(4, 1, 1)),
    "temporal, wide": dict(kernel_size=(3, 1, 1), padding=(1, 0, 0)),
    "temporal, wide, stride 2": dict(kernel_size=(3, 1, 1), padding=(1, 0, 0), stride=(2, 1, 1)),
    "spatial": dict(kernel_size=(1, 3, 3), padding=(0, 1, 1)),
    "spatial, wide": dict(kernel_size=(1, 3, 3), padding=(0, 1, 1)),
    "spatial, wide, stride 2": dict(kernel_size=(1, 5, 3), padding=(0, 2, 1), stride=(1, 2, 2)),
}


def pair(dtype=torch.float32, **options) -> tuple[nn.Conv3d, nn.Conv3d]:
    """PyTorch's convolution of twelve channels, and the one that takes its place, with the same weights."""
    torch.manual_seed(0)
    stock = nn.Conv3d(12, 12, bias=False, **options).to(dtype)
    fast = copy.deepcopy(stock)
    fast.__class__ = convolutions.faster(stock)
    assert type(fast) is not nn.Conv3d
    return stock, fast


def widened(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve channels are as wide as many, and more than there are positions, where the name says so."""
    if "wide" in name:
        monkeypatch.setattr(convolutions, "WIDE", 12)
        monkeypatch.setattr(convolutions, "_has_few_positions", lambda conv, x: True)


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_gradients_are_those_of_finite_differences_in_double(name, monkeypatch):
    widened(name, monkeypatch)
    _, fast = pair(torch.float64, **CONVOLUTIONS[name])
    x = torch.randn(1, 12, 2, 5, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, w: torch.func.functional_call(fast, {"weight": w}, x), (x, fast.weight))


@pytest.mark.parametrize("name", CONVOLUTIONS)
@pytest.mark.parametrize("autocast", [False, True])
def test_outputs_and_gradients_equal_pytorchs_under_autocast_too(name, autocast, monkeypatch):
    widened(name, monkeypatch)
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


@pytest.mark.parametrize("frames", [1, 4])
@pytest.mark.parametrize("kind", ["float32", "bfloat16", "float32 without oneDNN"])
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_without_a_gradient_they_give_pytorchs_numbers_with_a_bias_too(name, kind, frames, monkeypatch):
    widened(name, monkeypatch)
    stock, fast = (conv.to(memory_format=compute.FORMAT) for conv in pair(**CONVOLUTIONS[name]))
    stock.bias = fast.bias = nn.Parameter(torch.randn(12))
    half, plain = kind == "bfloat16", kind == "float32"
    for batch in (1, 16):  # from 16 on PyTorch may take NNPACK, whose output is channels first, in place of oneDNN
        x = torch.randn(batch, 12, frames, 7, 8).to(memory_format=compute.FORMAT)
        onednn = torch.backends.mkldnn.flags(enabled="without" not in kind)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=half), onednn:
            ours, theirs = fast(x).float(), stock(x).float()
            torch.testing.assert_close(
                ours, theirs, **dict(rtol=0.05, atol=0.05) if half else dict(rtol=1e-4, atol=1e-5)
            )
            # What comes next need not copy it.
            assert not plain or torch.cat([ours, ours], 1).is_contiguous(memory_format=compute.FORMAT)


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
    assert convolutions.faster(nn.Conv3d(12, 12, **({"bias": False} | options))) is nn.Conv3d


@pytest.mark.parametrize("option", [dict(bias=True), dict(padding=0), dict(padding="same"), dict(dilation=(2, 1, 1))])
def test_a_temporal_convolution_is_replaced_only_where_it_is_plain(option):
    plain = dict(kernel_size=(3, 1, 1), padding=(1, 0, 0), bias=False)
    assert convolutions.faster(nn.Conv3d(256, 8, **plain)) is convolutions.TemporalConv3d
    assert convolutions.faster(nn.Conv3d(256, 8, **(plain | option))) is nn.Conv3d


def test_every_stride_of_the_networks_is_among_the_checked_ones():
    strides = set()
    for name in NETWORKS:
        with torch.device("meta"):
            modules = build(name, 16, recipe(name, "smoke")).modules()
        strides |= {m.stride for m in modules if type(m) is nn.Conv3d and convolutions.faster(m) is not nn.Conv3d}
    assert strides == {options.get("stride", (1, 1, 1)) for options in CONVOLUTIONS.values()}


@pytest.mark.parametrize("network", ["x3d_m", "slowfast_r50"])
def test_a_whole_network_computes_the_same_numbers_and_gradients(network):
    view = recipe(network, "quick", side=32)
    torch.manual_seed(0)
    stock = build(network, 16, view).eval().double()  # so that only an error tells them apart
    for module in stock.modules():  # zero gains would hide most of the gradients
        if isinstance(module, nn.BatchNorm3d):
            module.weight.data.uniform_(0.5, 1.0)
    fast = compute.prepare(copy.deepcopy(stock))
    kinds = {type(m) for m in fast.modules() if isinstance(m, nn.Conv3d)} - {nn.Conv3d}
    assert len(kinds) >= 2
    frames = torch.randn(2, 3, view.frames, 32, 32, dtype=torch.float64, requires_grad=True)
    other = frames.detach().clone().requires_grad_()
    stock(frames).logsumexp(1).sum().backward()
    fast(other).logsumexp(1).sum().backward()
    assert (other.grad - frames.grad).abs().max() <= 1e-9 * frames.grad.abs().max()
    for (name, a), b in zip(stock.named_parameters(), fast.parameters(), strict=True):
        assert (a.grad - b.grad).abs().max() <= 1e-9 * a.grad.abs().max() + 1e-12, name


@pytest.mark.parametrize(
    ("channels", "side", "options", "few"),
    [
        (256, 2, {}, True),
        (256, 4, {}, False),
        (256, 4, dict(stride=(1, 2, 2)), True),
        (512, 4, {}, True),  # 256 positions of 0.6 * 512
        (255, 1, {}, False),
        (256, 4, dict(kernel_size=(3, 1, 1), padding=(1, 0, 0), stride=(4, 1, 1)), True),
        (256, 2, dict(kernel_size=(3, 1, 1), padding=(1, 0, 0), groups=256), False),
    ],
)
def test_small_pictures_of_many_channels_are_multiplied(channels, side, options, few, monkeypatch):
    shape = dict(kernel_size=(1, 3, 3), padding=(0, 1, 1), bias=False) | options
    conv = nn.Conv3d(channels, channels, **shape)
    conv.__class__ = convolutions.faster(conv)
    products = []

    def product(conv: nn.Conv3d, x: torch.Tensor) -> torch.Tensor:
        products.append(conv)
        return nn.Conv3d.forward(conv, x)

    monkeypatch.setattr(convolutions, "_product", product)
    with torch.autocast("cpu", torch.bfloat16):  # in float32 a temporal one always is
        conv(torch.randn(4, channels, 4, side, side))
    assert bool(products) == few


@pytest.mark.parametrize("channels", [8, 16, 21])  # one block of lanes, two, and three of which the last overlaps
@pytest.mark.parametrize("stride", [1, 2, 4])
@pytest.mark.parametrize("side", [1, 2, 7, 14])  # fewer columns than four at once, and more
def test_depthwise_gradients_are_pytorchs_at_every_size(channels, stride, side):
    torch.manual_seed(0)
    stock = nn.Conv3d(channels, channels, 3, (1, stride, stride), 1, groups=channels, bias=False)
    fast = compute.prepare(copy.deepcopy(stock))
    x = torch.randn(2, channels, 4, side, side + 1).to(memory_format=compute.FORMAT)
    gradients = []
    for conv in (stock, fast):
        view = x.clone().requires_grad_()
        y = conv(view)
        y.backward(torch.linspace(-1, 1, y.numel()).view(y.shape))
        gradients += [view.grad, conv.weight.grad]
    assert type(fast) is convolutions.DepthwiseConv3d
    for a, b in zip(gradients[:2], gradients[2:], strict=True):
        torch.testing.assert_close(b, a, rtol=1e-4, atol=1e-4)


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_gradients_are_the_same_bits_with_one_thread_and_two(threads):
    _, fast = pair(**CONVOLUTIONS["depthwise, stride 2"])
    gradients = []
    for count in (1, 2, 2):
        torch.set_num_threads(count)
        x = torch.randn(2, 12, 5, 14, 14, generator=torch.Generator().manual_seed(1)).requires_grad_()
        fast.zero_grad()
        fast(x).square().sum().backward()
        gradients.append((x.grad, fast.weight.grad.clone()))
    for others in gradients[1:]:
        assert all(torch.equal(a, b) for a, b in zip(gradients[0], others, strict=True))


def test_where_numba_cannot_compile_training_is_slower_and_says_so(monkeypatch):
    monkeypatch.setattr(kernels, "weight_gradient", lambda *_: kernels.no_such_name)
    convolutions._kernels.cache_clear()
    try:
        stock, fast = pair(**CONVOLUTIONS["depthwise, stride 2"])
        x = torch.randn(2, 12, 3, 8, 8)
        with pytest.warns(UserWarning, match="Training X3D is slower here"):
            fast(x).square().sum().backward()
        stock(x).square().sum().backward()
        torch.testing.assert_close(fast.weight.grad, stock.weight.grad, rtol=1e-4, atol=1e-4)
    finally:
        convolutions._kernels.cache_clear()
