"""3D convolutions that are faster on a CPU than PyTorch's: the same weights and numbers, but for rounding.

`faster` says which of them can take the place of one. With a gradient they are made for training, without one for prediction:
then they may have a bias, which folded batch normalisation leaves (networks.folded). Some choose their way by their input's size.
"""

import math
import warnings
from functools import cache
from itertools import accumulate, product
from operator import mul
from types import ModuleType

import torch
from torch import nn
from torch.nn import functional

WIDE = 256  # channels from which a matrix product over neighbours may be faster than a convolution; over time, in float32, it is
FEW = 0.6  # output positions for each channel, below which it is faster elsewhere


def depthwise(module: nn.Module) -> bool:
    """Whether a module is a 3D convolution of each channel alone."""
    return isinstance(module, nn.Conv3d) and module.groups == module.in_channels == module.out_channels > 1


def faster(conv: nn.Conv3d) -> type[nn.Conv3d]:
    """The class that computes the same as this convolution; nn.Conv3d where none does, as for an even kernel, which cannot be
    centred on a frame or pixel."""
    centred = all(k % 2 for k in conv.kernel_size) and conv.padding == tuple(k // 2 for k in conv.kernel_size)
    plain = conv.bias is None and conv.dilation == (1, 1, 1) and conv.padding_mode == "zeros"
    each_alone = depthwise(conv) and conv.groups >= 8
    if not (centred and plain and (each_alone or conv.groups == 1)):
        return nn.Conv3d
    if conv.kernel_size[0] > 1 and conv.kernel_size[1:] == conv.stride[1:] == (1, 1):
        return TemporalConv3d
    if each_alone and conv.kernel_size == (3, 3, 3) and conv.stride[0] == 1 and conv.stride[1] == conv.stride[2]:
        return DepthwiseConv3d
    if conv.groups == 1 and conv.kernel_size == (1, 1, 1) and conv.stride[0] == 1:
        return PointwiseConv3d
    flat = conv.groups == conv.kernel_size[0] == conv.stride[0] == 1
    return SpatialConv3d if flat else nn.Conv3d


class PointwiseConv3d(nn.Conv3d):
    """A 1 x 1 x 1 convolution: for its gradient a matrix product over channels, which skips oneDNN's reordering."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not torch.is_grad_enabled():
            return _of_each_position(self, x) if self.stride == (1, 1, 1) else _in_frames(self, x)
        x = x[:, :, :, :: self.stride[1], :: self.stride[2]]
        return channels_first(functional.linear(channels_last(x), self.weight.flatten(1), self.bias))


class SpatialConv3d(nn.Conv3d):
    """A convolution within each frame: of many channels and small pictures a matrix product, without a gradient a 2D one."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if _has_few_positions(self, x):
            return _product(self, x)
        return super().forward(x) if torch.is_grad_enabled() else _in_frames(self, x)


class TemporalConv3d(nn.Conv3d):
    """A convolution over time alone, of all channels or of each: PyTorch's 3D one is 2 to 15 times as slow in float32.

    From WIDE channels on it is a matrix product, else a 2D convolution over (time, height * width).
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if torch.is_autocast_enabled(x.device.type):  # in bfloat16 PyTorch's is the fastest, but for small pictures
            return _product(self, x) if _has_few_positions(self, x) else super().forward(x)
        batch, channels, time, height, width = x.shape
        if self.groups == self.stride[0] == 1 and channels >= WIDE:
            return _product(self, x) if torch.is_grad_enabled() else _sum_over_time(self, x)
        shape = batch, channels, time, height * width
        flat = channels_last(x).contiguous().as_strided(shape, _dense(shape))
        y = functional.conv2d(
            flat, self.weight.flatten(3), self.bias, self.stride[:2], self.padding[:2], 1, self.groups
        )
        if torch.is_grad_enabled():
            return y.unflatten(3, (height, width))
        # oneDNN's is channels last; others' may not be.
        y = y.contiguous(memory_format=torch.channels_last).unflatten(3, (height, width))
        return y.as_strided(y.shape, _dense(y.shape))


def _dense(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Strides of (batch, channels, ...) that PyTorch takes for channels last. Those that a batch of one has by itself it does
    not, and copies it where the next layer begins."""
    _, channels, *sizes = shape
    steps = list(accumulate(reversed(sizes), mul, initial=channels))
    return (steps[-1], 1, *reversed(steps[:-1]))


def _in_frames(conv: nn.Conv3d, x: torch.Tensor) -> torch.Tensor:
    """A convolution within each frame as a 2D one: PyTorch takes oneDNN's for those, for 3D ones in large batches alone."""
    frames = channels_last(x).contiguous().flatten(0, 1).permute(0, 3, 1, 2)
    y = functional.conv2d(frames, conv.weight.squeeze(2), conv.bias, conv.stride[1:], conv.padding[1:])
    return channels_first(y.permute(0, 2, 3, 1).unflatten(0, (len(x), -1)))


def _of_each_position(conv: nn.Conv3d, x: torch.Tensor) -> torch.Tensor:
    """A 1 x 1 x 1 convolution as a 2D one of 16 pictures: for so many PyTorch takes oneDNN's, which adds a bias on the way."""
    x = channels_last(x).contiguous()
    pictures = x.view(16 if x[..., 0].numel() % 16 == 0 else 1, 1, -1, x.shape[-1]).permute(0, 3, 1, 2)
    y = functional.conv2d(pictures, conv.weight.squeeze(2), conv.bias)
    return channels_first(y.permute(0, 2, 3, 1).reshape(*x.shape[:-1], -1))


def _sum_over_time(conv: nn.Conv3d, x: torch.Tensor) -> torch.Tensor:
    """A dense convolution over time as a sum of matrix products, one for each frame that it sees. Without a gradient."""
    batch, _, time, height, width = x.shape
    x, weight = channels_last(x).flatten(2, 3), conv.weight.flatten(2)
    middle = weight.shape[2] // 2
    y = functional.linear(x, weight[:, :, middle], conv.bias)
    for later in range(max(-middle, 1 - time), min(middle, time - 1) + 1):
        if later:  # positions that see a frame so many frames later, and what these frames hold
            here, seen = (part[:, max(0, start) : time + min(0, start)] for part, start in ((y, -later), (x, later)))
            tap = weight[:, :, middle + later].T.expand(batch, -1, -1)
            here.flatten(1, 2).baddbmm_(seen.flatten(1, 2), tap)
    return channels_first(y.unflatten(2, (height, width)))


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
    return channels_first(functional.linear(neighbours, channels_last(conv.weight).flatten(1), conv.bias))


class DepthwiseConv3d(nn.Conv3d):
    """A depthwise 3 x 3 x 3 convolution with faster gradients: kernels' own, and a forward convolution for a stride of 1."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.bias is not None or not torch.is_grad_enabled():
            return super().forward(x)
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
        grad = grad.contiguous(memory_format=torch.channels_last_3d)
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
