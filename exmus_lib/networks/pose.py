"""Networks on joints: a small temporal convolutional network."""

import torch
from torch import nn
from torch.nn.functional import relu


class PoseTCN(nn.Module):
    """Four dilated residual convolutions over time (Bai et al. 2018), then mean, maximum and deviation of what is not masked.

    forward: view (batch, channels, time, 1, 1) of poses.features.views, whose last channel is the mask -> logits (batch, labels).
    """

    def __init__(self, labels: int, channels: int, width: int = 96, dilations: tuple[int, ...] = (1, 2, 4, 8)):
        super().__init__()
        self.norm = nn.BatchNorm1d(channels - 1)
        self.stem = nn.Conv1d(channels - 1, width, 1)
        self.blocks = nn.ModuleList(Block(width, dilation) for dilation in dilations)
        self.head = nn.Linear(3 * width, labels)

    def forward(self, view: torch.Tensor) -> torch.Tensor:
        return self.head(self.embed(view))

    def embed(self, view: torch.Tensor) -> torch.Tensor:
        """What the head sees: (batch, 3 * width)."""
        view = view.flatten(2)
        mask = view[:, -1:]
        x = relu(self.stem(self.norm(view[:, :-1]))) * mask
        for block in self.blocks:
            x = block(x) * mask
        count = mask.sum(-1).clamp(min=1)
        mean = x.sum(-1) / count
        spread = (((x - mean[..., None]) * mask).pow(2).sum(-1) / count + 1e-5).sqrt()
        most = x.masked_fill(mask == 0, -1e4).amax(-1) * mask.amax(-1)  # nothing where nobody was found
        return torch.cat([mean, most, spread], dim=1)


class Block(nn.Module):
    """A residual convolution over time, normalised by groups of channels."""

    def __init__(self, width: int, dilation: int):
        super().__init__()
        self.norm = nn.GroupNorm(8, width)
        self.conv = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.dropout = nn.Dropout(0.1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.dropout(self.conv(relu(self.norm(x))))
