"""PyTorch's fused Adam and AdamW, for weights that are channels last on a CPU, each of which they would copy twice a step."""

import torch
from torch.optim import Adam, AdamW, Optimizer

from exmus_lib.networks import compute, convolutions


class _ChannelsLast(Optimizer):
    """Hands the fused kernel such a weight, its gradient and its moments as what they are in memory: dense, with the channels on
    the last axis. The kernel takes for granted that all four lie alike; so do PyTorch's gradients, and moments once loaded."""

    def _init_group(self, group: dict, *lists: list[torch.Tensor] | bool) -> bool:
        """Collect a group's weights, gradients, moments and steps, as PyTorch does: views, through which it updates in place."""
        has_complex = super()._init_group(group, *lists)
        weights = lists[0]
        places = [place for place, weight in enumerate(weights) if _is_channels_last(weight)]
        for tensors in lists:
            if isinstance(tensors, list) and len(tensors) == len(weights):  # no flag, and no list that stays empty
                for place in places:
                    if tensors[place].dim() == 5:
                        tensors[place] = convolutions.channels_last(tensors[place])
        return has_complex

    def load_state_dict(self, state_dict: dict) -> None:
        """Load moments, which come to lie in memory as their weights do, however those lay that they were saved with."""
        super().load_state_dict(state_dict)
        for weight, kept in self.state.items():
            for name, value in kept.items():
                if value.shape == weight.shape:
                    kept[name] = torch.empty_like(weight).copy_(value)


def _is_channels_last(weight: torch.Tensor) -> bool:
    if weight.dim() != 5 or weight.device.type != "cpu":
        return False
    return weight.is_contiguous(memory_format=compute.FORMAT) and not weight.is_contiguous()


class ChannelsLastAdam(_ChannelsLast, Adam):
    """PyTorch's Adam; pass fused=True."""


class ChannelsLastAdamW(_ChannelsLast, AdamW):
    """PyTorch's AdamW; pass fused=True."""
