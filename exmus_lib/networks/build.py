"""The networks, from PyTorchVideo's own builders, with 16 or 11 logits and never a Softmax in the head."""

import torch
from pytorchvideo.models.r2plus1d import create_r2plus1d
from pytorchvideo.models.resnet import create_resnet
from pytorchvideo.models.slowfast import FuseFastToSlow, create_slowfast
from pytorchvideo.models.x3d import create_x3d
from torch import nn

from exmus_lib.recipes import Recipe
from exmus_lib.vocabulary import LABELS

# The model zoo pools 160 and 224 px feature maps and is evaluated on larger views, whose 2 x 2 grid of logits it averages.
POOLED_SIDE = {182: 160, 256: 224}


class VideoNetwork(nn.Module):
    """A PyTorchVideo network that takes one view and returns logits, with its penultimate embedding at hand.

    forward: view (batch, 3, time, height, width) -> logits (batch, labels). SlowFast's Slow pathway gets every
    `slow_every`-th frame, picked as PyTorchVideo's PackPathway does. With `softmax`, which no run has but those that show what
    it does, the logits are those whose sigmoids are the Softmax over all labels: probabilities that add up to one.
    """

    def __init__(self, net: nn.Module, slow_every: int | None = None, softmax: bool = False):
        super().__init__()
        self.net, self.slow_every, self.softmax = net, slow_every, softmax

    @property
    def head(self) -> nn.Linear:
        """The last layer: the linear map from the embedding to the logits."""
        return self.net.blocks[-1].proj

    def forward(self, view: torch.Tensor) -> torch.Tensor:
        if self.slow_every is None:
            logits = self.net(view)
        else:
            frames = view.shape[2]
            kept = torch.linspace(0, frames - 1, frames // self.slow_every, device=view.device).long()
            logits = self.net([view.index_select(2, kept), view])
        if not self.softmax:
            return logits
        own = torch.eye(logits.shape[1], dtype=torch.bool, device=logits.device)
        others = logits[:, None].masked_fill(own, -torch.inf).logsumexp(dim=2)
        return logits - others  # log p - log (1 - p)

    def embed(self, view: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (batch, labels) and the embedding that the head sees (batch, 2048 or 2304), its grid averaged."""
        seen = []
        hook = self.head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        try:
            logits = self(view)
        finally:
            hook.remove()
        return logits, seen[0].flatten(1, -2).mean(1)  # the head works channels last: (batch, t, h, w, channel)


def build(network: str, task: str, recipe: Recipe, softmax: bool = False) -> VideoNetwork:
    """A network of recipes.NETWORKS with fresh weights, for the views of a recipe and the labels of a task."""
    side = POOLED_SIDE.get(recipe.side, recipe.side)
    if network.startswith("x3d"):
        net = x3d(recipe.frames, side, labels=len(LABELS[task]), dropout=recipe.dropout)
        return VideoNetwork(net, softmax=softmax)
    grid = -(-side // 32)  # the last stage's feature map
    shared = {"model_num_class": len(LABELS[task]), "dropout_rate": recipe.dropout, "head_activation": None}
    if network.startswith("slowfast"):
        slow = recipe.frames // recipe.slow_every
        pools = ((slow, grid, grid), (recipe.frames, grid, grid))
        depth = {"slowfast_r50": 50, "slowfast_r101": 101}[network]
        net = slowfast(recipe.inverse_beta, model_depth=depth, head_pool_kernel_sizes=pools, **shared)
        return VideoNetwork(net, recipe.slow_every, softmax)
    create, shrinks, options = OTHERS[network]
    net = create(head_pool_kernel_size=(-(-recipe.frames // shrinks), grid, grid), **options, **shared)
    return VideoNetwork(net, softmax=softmax)


# The baselines as PyTorchVideo's model zoo builds them: builder, how many frames become one on the way to the head, options.
OTHERS = {
    "slow_r50": (create_resnet, 1, {"stem_conv_kernel_size": (1, 7, 7)}),
    "i3d_r50": (
        create_resnet,
        2,
        {
            "stem_conv_kernel_size": (5, 7, 7),
            "stage1_pool": nn.MaxPool3d,
            "stage_conv_a_kernel_size": (
                (3, 1, 1),
                [(3, 1, 1), (1, 1, 1)],
                [(3, 1, 1), (1, 1, 1)],
                [(1, 1, 1), (3, 1, 1)],
            ),
        },
    ),
    "r2plus1d_r50": (create_r2plus1d, 4, {}),
}


def slowfast(inverse_beta: int, **options: object) -> nn.Module:
    """A SlowFast whose Fast pathway has 1/`inverse_beta` of the Slow one's channels (paper, IV.D and Table 12).

    PyTorchVideo's own lateral connections put out 2 * (channels // inverse_beta), its stages expect 2 * channels //
    inverse_beta; the two differ for 10, so the connections are built here.
    """

    def lateral(fusion_dim_in: int, stage_idx: int) -> nn.Module:
        if stage_idx > 3:
            return nn.Identity()
        channels = 2 * fusion_dim_in // inverse_beta
        conv = nn.Conv3d(
            fusion_dim_in // inverse_beta,
            channels,
            kernel_size=(7, 1, 1),
            stride=(4, 1, 1),
            padding=(3, 0, 0),
            bias=False,
        )
        return FuseFastToSlow(conv_fast_to_slow=conv, norm=nn.BatchNorm3d(channels), activation=nn.ReLU())

    return create_slowfast(
        slowfast_channel_reduction_ratio=inverse_beta,
        stem_dim_outs=(64, 64 // inverse_beta),
        fusion_builder=lateral,
        **options,
    )


def x3d(
    frames: int,
    side: int,
    width: float = 1.0,
    depth: float = 2.2,
    bottleneck: float = 2.25,
    labels: int = 400,
    dropout: float = 0.5,
) -> nn.Module:
    """An X3D of the paper's expansion factors gamma_w, gamma_d and gamma_b for views of frames x side x side.

    X3D-S and X3D-M share the default factors; all three at 1 with a single frame is X2D, the net that they grew from
    (paper, IV.C; Feichtenhofer 2020, Table 1). PyTorchVideo counts width from 12 channels, X3D's authors from 24.
    """
    return create_x3d(
        input_clip_length=frames,
        input_crop_size=side,
        model_num_class=labels,
        width_factor=2.0 * width,
        depth_factor=depth,
        bottleneck_factor=bottleneck,
        dropout_rate=dropout,
        head_activation=None,
    )
