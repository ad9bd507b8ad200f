"""How networks compute: device, number format, memory format, and convolutions that train faster on a CPU.

Measured on two cores: no one setting wins. bfloat16 pays where the processor multiplies it in hardware, except in training X3D,
whose depthwise convolutions have no fast bfloat16 gradient; channels last pays but where `prepare` says.
"""

import ctypes
import math
import os
import sys
import warnings
from contextlib import AbstractContextManager
from functools import cache
from itertools import product
from types import ModuleType

import torch
from torch import nn
from torch.nn import functional

from exmus_lib.recipes import NETWORKS

FORMAT = torch.channels_last_3d
WIDE = 256  # channels from which a matrix product over neighbours may be faster than a convolution; over time, in float32, it is
FEW = 0.6  # output positions for each channel, below which it is faster elsewhere


def device() -> torch.device:
    """The GPU when there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def amx() -> bool:
    """Whether oneDNN multiplies bfloat16 in the processor's tiles; ONEDNN_MAX_CPU_ISA=AVX2 in the environment forbids it."""
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "DEFAULT").upper()
    supported = torch.cpu._is_amx_tile_supported()  # no public name for it up to torch 2.15
    return supported and (limit == "DEFAULT" or "AMX" in limit)


def precision(network: str, training: bool) -> str:
    """Lightning's name of the number format to compute in: bf16-mixed, 16-mixed or 32-true."""
    if torch.cuda.is_available():
        if not torch.cuda.is_bf16_supported(including_emulation=False):
            return "16-mixed"
        return "32-true" if NETWORKS[network].builder == "x3d" else "bf16-mixed"  # TF32 is faster there (docs/gpu.md)
    return "32-true" if not amx() or (training and NETWORKS[network].float32_training) else "bf16-mixed"


def autocast(network: str) -> AbstractContextManager:
    """The context to predict in: the number format of `precision` for inference on this device."""
    kind = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}.get(precision(network, training=False))
    return torch.autocast(device().type, dtype=kind, enabled=kind is not None)


def describe(network: str) -> str:
    """Device and number formats in words, for banners and run.json."""
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {torch.get_num_threads()} threads"
    return f"{name}, training {precision(network, True)}, prediction {precision(network, False)}"


def prepare(net: nn.Module) -> nn.Module:
    """The network on its device, channels last but for what follows.

    On a CPU its convolutions become the faster ones below (same weights). Some choose their way by the size of what they get,
    which a trace would freeze: trace a network that is not prepared.

    On a GPU cuDNN tries its ways for each new shape, once: PyTorch keeps to a guess once made, so it is asked from the first
    network on. Its depthwise convolutions are slower channels last (docs/gpu.md): networks that have them, and their views, are
    channels first there.
    """
    on_gpu = device().type == "cuda"
    net.channels_first = on_gpu and any(_depthwise(module) for module in net.modules())
    net.to(device(), memory_format=torch.contiguous_format if net.channels_first else FORMAT)
    if on_gpu:
        torch.backends.cudnn.benchmark = True
        return net
    _keep_memory()
    for module in net.modules():
        if type(module) is nn.Conv3d:
            module.__class__ = _faster(module)
    return net


@cache
def _keep_memory() -> None:
    memory(kept=True)


def memory(kept: bool) -> None:
    """Whether the process keeps the memory that tensors leave, up to 1 GB at the top of its heap, or gives it back.

    Linux's glibc would map every large tensor afresh: a fifth of the time of X3D's forward went into clearing pages. Not kept is
    what glibc's own thresholds rise to as tensors are freed (mallopt(3)). Other C libraries are left as they are.
    """
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    mallopt = getattr(library, "mallopt", None)
    if mallopt is None:
        return
    trim_threshold, top_pad, mmap_threshold, mmap_max = -1, -2, -3, -4  # malloc.h
    mallopt(trim_threshold, 1 << 30 if kept else 64 << 20)
    mallopt(top_pad, 64 << 20 if kept else 128 << 10)
    if not mallopt(mmap_threshold, 1 << 30 if kept else 32 << 20):  # older ones take 32 MB at most
        mallopt(mmap_max, 0)
    if not kept:
        library.malloc_trim(0)


def _depthwise(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv3d) and module.groups == module.in_channels == module.out_channels > 1


def _faster(conv: nn.Conv3d) -> type[nn.Conv3d]:
    """The class that computes the same as this convolution; nn.Conv3d where none does, as for an even kernel, which cannot be
    centred on a frame or pixel."""
    centred = all(k % 2 for k in conv.kernel_size) and conv.padding == tuple(k // 2 for k in conv.kernel_size)
    plain = conv.bias is None and conv.dilation == (1, 1, 1) and conv.padding_mode == "zeros"
    depthwise = _depthwise(conv) and conv.groups >= 8
    if not (centred and plain and (depthwise or conv.groups == 1)):
        return nn.Conv3d
    if conv.kernel_size[0] > 1 and conv.kernel_size[1:] == conv.stride[1:] == (1, 1):
        return TemporalConv3d
    if depthwise and conv.kernel_size == (3, 3, 3) and conv.stride[0] == 1 and conv.stride[1] == conv.stride[2]:
        return DepthwiseConv3d
    if conv.groups == 1 and conv.kernel_size == (1, 1, 1) and conv.stride[0] == 1:
        return PointwiseConv3d
    flat = conv.groups == conv.kernel_size[0] == conv.stride[0] == 1
    return SpatialConv3d if flat and conv.in_channels >= WIDE else nn.Conv3d


class PointwiseConv3d(nn.Conv3d):
    """A 1 x 1 x 1 convolution as what it is, a matrix product over channels: its gradient skips oneDNN's reordering."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if torch.is_autocast_enabled(x.device.type) and not torch.is_grad_enabled():
            return super().forward(x)  # without a gradient, in bfloat16, it takes half the time
        x = x[:, :, :, :: self.stride[1], :: self.stride[2]]
        return channels_first(functional.linear(channels_last(x), self.weight.flatten(1)))


class SpatialConv3d(nn.Conv3d):
    """A convolution within each frame, of many channels: where pictures are small, a matrix product."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return _product(self, x) if _has_few_positions(self, x) else super().forward(x)


class TemporalConv3d(nn.Conv3d):
    """A convolution over time alone, of all channels or of each: PyTorch's 3D one is 2 to 15 times as slow in float32.

    From WIDE channels on it is a matrix product, else a 2D convolution over (time, height * width).
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if torch.is_autocast_enabled(x.device.type):  # in bfloat16 PyTorch's is the fastest, but for small pictures
            return _product(self, x) if _has_few_positions(self, x) else super().forward(x)
        batch, channels, time, height, width = x.shape
        if self.groups == self.stride[0] == 1 and channels >= WIDE:
            return _product(self, x)
        frame = height * width
        # Strides written out, so that a batch of one is seen to be channels last too.
        strides = (time * frame * channels, 1, frame * channels, channels)
        flat = channels_last(x).contiguous().as_strided((batch, channels, time, frame), strides)
        y = functional.conv2d(flat, self.weight.flatten(3), None, self.stride[:2], self.padding[:2], 1, self.groups)
        return y.unflatten(3, (height, width))


def _has_few_positions(conv: nn.Conv3d, x: torch.Tensor) -> bool:
    """Whether a convolution has many channels and few output positions: it then takes longer to read the weights, which a matrix
    product does once, than to multiply by them."""
    if conv.groups > 1 or conv.in_channels < WIDE:
        return False
    batch, _, *sizes = x.shape
    positions = batch * math.prod(math.ceil(size / stride) for size, stride in zip(sizes, conv.stride, strict=True))
    return positions < FEW * conv.in_channels


def _product(conv: nn.Conv3d, x: torch.Tensor) -> torch.Tensor:
    """A dense convolution as one matrix product: a row for each output position, all its neighbours' channels side by side."""
    around = [side for padding in reversed(conv.padding) for side in (padding, padding)]
    padded = functional.pad(channels_last(x), (0, 0, *around))
    taps = [
        [slice(tap, tap + (length - 1) // stride * stride + 1, stride) for tap in range(kernel)]
        for kernel, stride, length in zip(conv.kernel_size, conv.stride, x.shape[2:], strict=True)
    ]
    neighbours = torch.cat([padded[:, t, h, w] for t, h, w in product(*taps)], dim=-1)
    return channels_first(functional.linear(neighbours, channels_last(conv.weight).flatten(1)))


class DepthwiseConv3d(nn.Conv3d):
    """A depthwise 3 x 3 x 3 convolution with faster gradients: kernels' own, and a forward convolution for a stride of 1."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return _Depthwise.apply(*_autocast(x, self.weight), self.stride)


def _autocast(*tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Tensors in autocast's format where it is on, as it does for its own convolutions."""
    device = tensors[0].device.type
    if torch.is_autocast_enabled(device) and tensors[0].dtype != torch.float64:
        return tuple(tensor.to(torch.get_autocast_dtype(device)) for tensor in tensors)
    return tensors


@cache
def _kernels() -> ModuleType | None:
    """The compiled kernels, or None, with a warning, where numba is missing or finds no way to compile or keep them."""
    try:
        from exmus_lib.networks import kernels

        kernels.weight_gradient(torch.zeros(1, 8, 1, 1, 1), torch.zeros(1, 8, 1, 1, 1), 1)
        kernels.input_gradient(torch.zeros(1, 8, 1, 1, 1), torch.zeros(8, 1, 3, 3, 3), torch.Size([1, 8, 1, 2, 2]), 2)
    except Exception as error:  # numba raises whatever its parts do; training goes on without
        warnings.warn(f"Training X3D is slower here: numba cannot compile its gradients ({error!r}).", stacklevel=2)
        return None
    return kernels


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, stride):
        ctx.save_for_backward(x, weight)
        ctx.stride = stride
        return functional.conv3d(x, weight, None, stride, 1, 1, len(weight))

    @staticmethod
    def backward(ctx, grad):
        x, weight = ctx.saved_tensors
        stride, need_x = ctx.stride[1], ctx.needs_input_grad[0]
        grad = grad.contiguous(memory_format=FORMAT)
        if x.dtype not in (torch.float32, torch.float64) or _kernels() is None:
            ones, mask = [1, 1, 1], [need_x, True, False]
            options = (ctx.stride, ones, ones, False, [0, 0, 0], len(weight), mask)
            return *torch.ops.aten.convolution_backward(grad, x, weight, None, *options)[:2], None
        grad_x = None
        if need_x and stride == 1:
            grad_x = functional.conv3d(grad, weight.flip(2, 3, 4), None, 1, 1, 1, len(weight))
        elif need_x:
            grad_x = _kernels().input_gradient(grad, weight, x.shape, stride)
        return grad_x, _kernels().weight_gradient(x, grad, stride), None


def channels_last(x: torch.Tensor) -> torch.Tensor:
    """A view of (batch, channels, time, height, width) as (batch, time, height, width, channels)."""
    return x.permute(0, 2, 3, 4, 1)


def channels_first(x: torch.Tensor) -> torch.Tensor:
    """A view of (batch, time, height, width, channels) as (batch, channels, time, height, width)."""
    return x.permute(0, 4, 1, 2, 3)
