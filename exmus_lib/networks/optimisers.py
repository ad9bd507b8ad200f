"""PyTorch's fused Adam and AdamW, for weights that are channels last on a CPU, each of which they would copy twice a step."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.optim import Adam, AdamW, Optimizer

CHANNELS_LAST, CHANNELS_SECOND = (0, 2, 3, 4, 1), (0, 4, 1, 2, 3)  # orders of the axes of a 3D convolution's weight


class _Dense(Optimizer):
    """Shows the fused kernel such a weight, its gradient and its moments as what they are in memory: dense, channels on the last
    axis. Between steps, and in checkpoints, all of them have their usual shapes."""

    def step(self, closure: Callable[[], torch.Tensor] | None = None) -> torch.Tensor | None:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        weights = [weight for group in self.param_groups for weight in group["params"] if _is_channels_last(weight)]
        with self._dense(weights):
            super().step()
        return loss

    @contextmanager
    def _dense(self, weights: list[nn.Parameter]) -> Iterator[None]:
        gradients = [weight.grad for weight in weights]
        self._permute(weights, CHANNELS_LAST)
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.grad = gradient.permute(CHANNELS_LAST).contiguous()
        try:
            yield
        finally:
            self._permute(weights, CHANNELS_SECOND)
            for weight, gradient in zip(weights, gradients, strict=True):
                weight.grad = gradient

    def _permute(self, weights: list[nn.Parameter], axes: tuple[int, ...]) -> None:
        for weight in weights:
            weight.grad = None
            weight.data = weight.data.permute(axes)
            moments = {name: value for name, value in self.state[weight].items() if value.dim() == 5}
            self.state[weight] |= {name: value.permute(axes) for name, value in moments.items()}


def _is_channels_last(weight: nn.Parameter) -> bool:
    if weight.dim() != 5 or weight.grad is None or weight.device.type != "cpu":
        return False
    return weight.is_contiguous(memory_format=torch.channels_last_3d) and not weight.is_contiguous()


class DenseAdam(_Dense, Adam):
    """Adam."""


class DenseAdamW(_Dense, AdamW):
    """AdamW."""
