"""Gradients of depthwise 3 x 3 x 3 convolutions on a CPU, compiled by numba: oneDNN takes 4 to 30 times as long for them.

Tensors are (batch, channel, time, height, width) with channels last, in float32 or float64, padded by one on all sides; strides
are in height and width. Each number is summed in one order, whatever the number of threads.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import torch
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

LANES, TAPS = 8, 27
SLICES = 8  # of the rows, each summed alone whatever the number of threads, of which no more can help


def weight_gradient(x: torch.Tensor, grad: torch.Tensor, stride: int) -> torch.Tensor:
    """The gradient (channel, 1, 3, 3, 3) of the weight, of 8 channels or more, from input and gradient of the output."""
    batch, channels, time, height, width = x.shape
    rows = batch * time * height
    lanes = _lanes(channels)
    total = torch.zeros(SLICES, len(lanes), TAPS, LANES, dtype=x.dtype)
    arrays, shape = (_flat(x), _flat(grad)), (time, height, width, channels)

    def part(k: int) -> None:
        _weight_gradient(*arrays, _flat(total[k]), shape, stride, k * rows // SLICES, (k + 1) * rows // SLICES)

    _share(part)
    weight = torch.empty(channels, TAPS, dtype=x.dtype)
    weight[lanes.flatten()] = total.sum(0).transpose(1, 2).reshape(-1, TAPS)
    return weight.view(channels, 1, 3, 3, 3)


def input_gradient(grad: torch.Tensor, weight: torch.Tensor, shape: torch.Size, stride: int) -> torch.Tensor:
    """The gradient of an input of that shape from that of the output, for a stride of 2 or more."""
    batch, channels, time, height, width = shape
    rows = batch * time * height
    out = (torch.empty if stride == 2 else torch.zeros)(batch, time, height, width, channels, dtype=grad.dtype)
    packed = weight.reshape(channels, TAPS)[_lanes(channels)].transpose(1, 2).contiguous()
    arrays, size = (_flat(grad), packed.view(-1).numpy(), out.view(-1).numpy()), (time, height, width, channels)

    def part(k: int) -> None:
        _input_gradient(*arrays, size, stride, k * rows // SLICES, (k + 1) * rows // SLICES)

    _share(part)
    return out.permute(0, 4, 1, 2, 3)


def _flat(x: torch.Tensor) -> np.ndarray:
    """A tensor as the numbers that it has in memory, channels last; a channels-first one is copied."""
    return (x.permute(0, 2, 3, 4, 1) if x.dim() == 5 else x).reshape(-1).detach().numpy()


@cache
def _lanes(channels: int) -> torch.Tensor:
    """The channels (block, lane) that are computed together; the last block overlaps the one before where they do not divide."""
    return torch.tensor(
        [[min(first, channels - LANES) + lane for lane in range(LANES)] for first in range(0, channels, LANES)]
    )


def _share(part: Callable[[int], None]) -> None:
    """Run all slices on as many threads as torch uses, this one among them."""
    threads = min(torch.get_num_threads(), SLICES)

    def every(first: int) -> None:
        for k in range(first, SLICES, threads):
            part(k)

    others = [_pool().submit(every, first) for first in range(1, threads)]
    every(0)
    for other in others:
        other.result()


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(SLICES - 1, "depthwise")


class Lanes(types.Type):
    """Eight numbers in vector registers: numba's own loops are not vectorised where so many arrays might overlap."""

    def __init__(self, dtype):
        self.dtype = dtype
        super().__init__(name=f"Lanes({dtype})")


@register_model(Lanes)
class LanesModel(models.PrimitiveModel):
    def __init__(self, manager, kind):
        super().__init__(manager, kind, ir.VectorType(manager.lookup(kind.dtype).get_value_type(), LANES))


def _pointer(context, builder, signature, args):
    array, index = signature.args[0], args[1]
    data = cgutils.create_struct_proxy(array)(context, builder, args[0]).data
    vector = ir.VectorType(context.get_value_type(array.dtype), LANES)
    return builder.bitcast(builder.gep(data, [index]), vector.as_pointer()), array.dtype.bitwidth // 8


@intrinsic
def load(typing, array, index):
    def build(context, builder, signature, args):
        pointer, align = _pointer(context, builder, signature, args)
        return builder.load(pointer, align=align)

    return Lanes(array.dtype)(array, types.intp), build


@intrinsic
def store(typing, array, index, lanes):
    def build(context, builder, signature, args):
        pointer, align = _pointer(context, builder, signature, args)
        builder.store(args[2], pointer, align=align)
        return context.get_dummy_value()

    return types.void(array, types.intp, lanes), build


@intrinsic
def zeros(typing, array):
    def build(context, builder, signature, args):
        return ir.Constant(context.get_value_type(signature.return_type), None)

    return Lanes(array.dtype)(array), build


@intrinsic
def fma(typing, a, b, c):
    def build(context, builder, signature, args):
        product = builder.fmul(args[0], args[1], flags=["contract"])
        return builder.fadd(product, args[2], flags=["contract"])

    return a(a, b, c), build


@intrinsic
def add(typing, a, b):
    def build(context, builder, signature, args):
        return builder.fadd(*args)

    return a(a, b), build


@njit(nogil=True, cache=True)
def _seen_by(row, shape, stride, at, taps):
    """How many rows of grad see a row of x; where each begins goes to `at`, and the place of its taps in a block to `taps`."""
    time, height, width, channels = shape
    rows, columns = (height + stride - 1) // stride, (width + stride - 1) // stride
    count = 0
    for dt in range(3):
        for di in range(3):
            t, i = row // height % time + 1 - dt, row % height + 1 - di
            if 0 <= t < time and i % stride == 0 and 0 <= i < rows * stride:
                frame = row // height // time * time + t
                at[count] = (frame * rows + i // stride) * columns * channels
                taps[count] = (dt * 3 + di) * 3 * LANES
                count += 1
    return count


@njit(nogil=True, cache=True)
def _weight_gradient(x, grad, total, shape, stride, start, stop):
    """Add to total (block, tap, lane) what rows start to stop of x, of its batch * time * height, have in it.

    shape: time, height, width, channels of x. stride: in height and width.
    """
    time, height, width, channels = shape
    columns = (width + stride - 1) // stride
    step = stride * channels
    line = np.zeros((width + 2) * channels, x.dtype)  # a row of x between pixels of zero
    at, taps = np.empty(9, np.intp), np.empty(9, np.intp)
    for row in range(start, stop):
        line[channels:-channels] = x[row * width * channels : (row + 1) * width * channels]
        count = _seen_by(row, shape, stride, at, taps)
        for j in range(0, columns - columns % 4, 4):
            for b in range((channels + LANES - 1) // LANES):
                c = min(b * LANES, channels - LANES)
                p = j * step + c
                x00, x01, x02 = load(line, p), load(line, p + channels), load(line, p + 2 * channels)
                p += step
                x10, x11, x12 = load(line, p), load(line, p + channels), load(line, p + 2 * channels)
                p += step
                x20, x21, x22 = load(line, p), load(line, p + channels), load(line, p + 2 * channels)
                p += step
                x30, x31, x32 = load(line, p), load(line, p + channels), load(line, p + 2 * channels)
                for k in range(count):
                    g = at[k] + j * channels + c
                    g0, g1 = load(grad, g), load(grad, g + channels)
                    g2, g3 = load(grad, g + 2 * channels), load(grad, g + 3 * channels)
                    o = b * TAPS * LANES + taps[k]
                    w0, w1, w2 = load(total, o), load(total, o + LANES), load(total, o + 2 * LANES)
                    store(total, o, fma(x30, g3, fma(x20, g2, fma(x10, g1, fma(x00, g0, w0)))))
                    store(total, o + LANES, fma(x31, g3, fma(x21, g2, fma(x11, g1, fma(x01, g0, w1)))))
                    store(total, o + 2 * LANES, fma(x32, g3, fma(x22, g2, fma(x12, g1, fma(x02, g0, w2)))))
        for j in range(columns - columns % 4, columns):
            for b in range((channels + LANES - 1) // LANES):
                c = min(b * LANES, channels - LANES)
                p = j * step + c
                x0, x1, x2 = load(line, p), load(line, p + channels), load(line, p + 2 * channels)
                for k in range(count):
                    g = load(grad, at[k] + j * channels + c)
                    o = b * TAPS * LANES + taps[k]
                    store(total, o, fma(x0, g, load(total, o)))
                    store(total, o + LANES, fma(x1, g, load(total, o + LANES)))
                    store(total, o + 2 * LANES, fma(x2, g, load(total, o + 2 * LANES)))


@njit(nogil=True, cache=True)
def _input_gradient(grad, weight, out, shape, stride, start, stop):
    """Rows start to stop of out, the gradient of x, of its batch * time * height; what no output sees stays as it is.

    shape: time, height, width, channels of x. stride: in height and width, 2 or more.
    """
    time, height, width, channels = shape
    columns = (width + stride - 1) // stride
    at, taps = np.empty(9, np.intp), np.empty(9, np.intp)
    for row in range(start, stop):
        count = _seen_by(row, shape, stride, at, taps)
        if count == 0:
            continue
        for j in range(columns):
            beside = j + 1 < columns
            for b in range((channels + LANES - 1) // LANES):
                c = min(b * LANES, channels - LANES)
                centre = right = left = zeros(grad)
                for k in range(count):
                    g, w = at[k] + j * channels + c, b * TAPS * LANES + taps[k]
                    here = load(grad, g)
                    centre = fma(here, load(weight, w + LANES), centre)
                    right = fma(here, load(weight, w + 2 * LANES), right)
                    if beside:
                        left = fma(load(grad, g + channels), load(weight, w), left)
                o = (row * width + j * stride) * channels + c
                store(out, o, centre)
                if stride == 2:
                    if j * 2 + 1 < width:
                        store(out, o + channels, add(right, left))
                else:
                    if j * stride + 1 < width:
                        store(out, o + channels, right)
                    if beside:
                        store(out, o + (stride - 1) * channels, left)
