"""The networks of recipes.NETWORKS, from PyTorchVideo's and torchvision's own builders: logits, never a Softmax in the head."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from exmus_lib.networks.pose import PoseTCN
from exmus_lib.poses import features
from exmus_lib.recipes import FACEBOOK, NETWORKS, Network, Recipe
from exmus_lib.videos.dataset import MEAN, STD, normalise


def build(network: str, labels: int, recipe: Recipe, softmax: bool = False) -> "VideoNetwork":
    """A network of recipes.NETWORKS with fresh weights and so many labels, for the views of a recipe."""
    row = NETWORKS[network]
    return VideoNetwork(BUILDERS[row.builder](labels, recipe, **row.options), row, recipe, softmax)


def channels_of(recipe: Recipe) -> int:
    """The channels of a recipe's views: red, green and blue, or those of joints as numbers."""
    return features.CHANNELS["deep"] if recipe.input == "joints" else 3


class VideoNetwork(nn.Module):
    """A network that takes one view and returns logits in float32, with its penultimate embedding at hand.

    forward: view (batch, channels, time, height, width) -> logits (batch, labels); a view of uint8 pixels is normalised on the
    way. SlowFast's Slow pathway gets every `slow_every`-th frame, picked as PyTorchVideo's PackPathway does. With `softmax`,
    which no run has but those that show what it does, the logits are those whose sigmoids are the Softmax over all labels:
    probabilities that add up to one.
    """

    def __init__(self, net: nn.Module, row: Network, recipe: Recipe, softmax: bool = False):
        super().__init__()
        self.net, self.head_name, self.slow_every, self.softmax = net, row.head, recipe.slow_every, softmax
        self.frozen = self.channels_first = False
        for module in net.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0  # the head alone drops out
        head = net.get_submodule(row.head)
        head.__class__ = LinearHead if type(head) is nn.Linear else ConvHead
        head.dropout = recipe.dropout
        mean, std = (torch.tensor(values).view(1, 3, 1, 1, 1) for values in row.normalisation)
        as_views = row.normalisation == FACEBOOK
        self.register_buffer("gain", None if as_views else STD / std, persistent=False)
        self.register_buffer("shift", None if as_views else (MEAN - mean) / std, persistent=False)

    @property
    def head(self) -> nn.Module:
        """The last layer: the linear map from the embedding to the logits."""
        return self.net.get_submodule(self.head_name)

    def backbone(self) -> list[nn.Parameter]:
        """Every parameter but the head's."""
        head = set(self.head.parameters())
        return [parameter for parameter in self.parameters() if parameter not in head]

    def freeze(self, frozen: bool = True) -> "VideoNetwork":
        """Train the head alone: no gradient for the backbone, whose batch-norm statistics stay and which drops nothing out.
        False sets it free again."""
        self.frozen = frozen
        for parameter in self.backbone():
            parameter.requires_grad_(not frozen)
        return self.train(self.training)

    def train(self, mode: bool = True) -> "VideoNetwork":
        super().train(mode)
        if self.frozen:
            self.net.eval()
            self.head.train(mode)
        return self

    def forward(self, view: torch.Tensor) -> torch.Tensor:
        view = view.contiguous() if self.channels_first else view  # cuDNN: see networks.compute.prepare
        if view.dtype == torch.uint8:
            view = normalise(view)
        if self.gain is not None:
            view = view * self.gain + self.shift
        logits = self.net(view if self.slow_every is None else self.pathways(view))
        if not self.softmax:
            return logits
        itself = torch.eye(logits.shape[1], dtype=torch.bool, device=logits.device)
        others = logits[:, None].masked_fill(itself, -torch.inf).logsumexp(dim=2)
        return logits - others  # log p - log (1 - p)

    def pathways(self, view: torch.Tensor) -> list[torch.Tensor]:
        """What SlowFast's Slow and Fast pathway see of a view: every `slow_every`-th frame, and all."""
        frames = int(view.shape[2])  # a number: ONNX's linspace of a single step is undefined
        kept = np.linspace(0, frames - 1, frames // self.slow_every).astype(int)
        return [view[:, :, kept.tolist()], view]

    def embed(self, view: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (batch, labels) and the embedding that the head sees (batch, Network.embedding), its grid averaged."""
        features = []
        hook = self.head.register_forward_pre_hook(lambda _, inputs: features.append(inputs[0]))
        try:
            logits = self(view)
        finally:
            hook.remove()
        grid = features[0] if isinstance(self.head, nn.Linear) else features[0].movedim(1, -1)
        return logits, grid.reshape(len(grid), -1, grid.shape[-1]).mean(1)


class _Head:
    """Dropout and a linear map in its weights' own format: under autocast too, since bfloat16 would round logits to 8 bits."""

    dropout: float

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        device = "cpu" if features.is_meta else features.device.type  # autocast does not know the meta device
        with torch.autocast(device, enabled=False):
            features = features.to(self.weight.dtype)
            return super().forward(functional.dropout(features, self.dropout, self.training))


class LinearHead(_Head, nn.Linear):
    """Features (batch, ..., channel) to logits (batch, ..., labels)."""


class ConvHead(_Head, nn.Conv3d):
    """Features (batch, channel, time, height, width) to logits (batch, labels, time, height, width)."""


def x3d(labels: int, recipe: Recipe) -> nn.Module:
    """An X3D for the views of a recipe, with its expansion factors: width, depth and bottleneck.

    X3D-S and X3D-M share the default factors; all three at 1 with a single frame is X2D, the net that they grew from
    (paper, IV.C; Feichtenhofer 2020, Table 1). PyTorchVideo counts width from 12 channels, X3D's authors from 24.
    """
    from pytorchvideo.models.x3d import create_x3d

    return create_x3d(
        input_clip_length=recipe.frames,
        input_crop_size=_pooled_side(recipe),
        model_num_class=labels,
        width_factor=2.0 * recipe.width,
        depth_factor=recipe.depth,
        bottleneck_factor=recipe.bottleneck,
        head_activation=None,
    )


def slowfast(labels: int, recipe: Recipe, depth: int, lateral: int) -> nn.Module:
    """A SlowFast whose Fast pathway has 1/`inverse_beta` of the Slow one's channels (paper, IV.D and Table 12).

    Its lateral connections see `lateral` frames: 7 in the model zoo's R50, 5 in its R101. PyTorchVideo's own put out
    2 * (channels // inverse_beta), its stages expect 2 * channels // inverse_beta; the two differ for 10, so the connections
    are built here.
    """
    from pytorchvideo.models.slowfast import FuseFastToSlow, create_slowfast

    inverse_beta, grid = recipe.inverse_beta, _grid(recipe)

    def fusion(fusion_dim_in: int, stage_idx: int) -> nn.Module:
        if stage_idx > 3:
            return nn.Identity()
        channels = 2 * fusion_dim_in // inverse_beta
        kernel, padding = (lateral, 1, 1), (lateral // 2, 0, 0)
        conv = nn.Conv3d(fusion_dim_in // inverse_beta, channels, kernel, (4, 1, 1), padding, bias=False)
        return FuseFastToSlow(conv_fast_to_slow=conv, norm=nn.BatchNorm3d(channels), activation=nn.ReLU())

    return create_slowfast(
        model_depth=depth,
        slowfast_channel_reduction_ratio=inverse_beta,
        stem_dim_outs=(64, 64 // inverse_beta),
        fusion_builder=fusion,
        model_num_class=labels,
        head_pool_kernel_sizes=((recipe.frames // recipe.slow_every, *grid), (recipe.frames, *grid)),
    )


def slow(labels: int, recipe: Recipe) -> nn.Module:
    """SlowFast's Slow pathway alone."""
    from pytorchvideo.models.resnet import create_resnet

    pool = (recipe.frames, *_grid(recipe))
    return create_resnet(model_num_class=labels, stem_conv_kernel_size=(1, 7, 7), head_pool_kernel_size=pool)


def i3d(labels: int, recipe: Recipe) -> nn.Module:
    """I3D with a ResNet, as the model zoo builds it; its first pooling halves the number of frames."""
    from pytorchvideo.models.resnet import create_resnet

    every_second = [(3, 1, 1), (1, 1, 1)]
    return create_resnet(
        model_num_class=labels,
        stem_conv_kernel_size=(5, 7, 7),
        stage1_pool=nn.MaxPool3d,
        stage_conv_a_kernel_size=((3, 1, 1), every_second, every_second, every_second[::-1]),
        head_pool_kernel_size=(-(-recipe.frames // 2), *_grid(recipe)),
    )


def r2plus1d(labels: int, recipe: Recipe) -> nn.Module:
    """R(2+1)D with a ResNet; a quarter of the frames reaches its head."""
    from pytorchvideo.models.r2plus1d import create_r2plus1d

    pool = (-(-recipe.frames // 4), *_grid(recipe))
    return create_r2plus1d(model_num_class=labels, head_activation=None, head_pool_kernel_size=pool)


def torchvision(labels: int, recipe: Recipe, function: str) -> nn.Module:
    """A network of torchvision.models.video by its function's name, made fit for views of any size."""
    from torchvision.models import video

    net = getattr(video, function)(num_classes=labels)
    # MViTv2's relative positions are interpolated, so weights of one view serve at another.
    if isinstance(net, video.MViT):
        net.pos_encoding.temporal_size = -(-recipe.frames // 2)
        net.pos_encoding.spatial_size = (-(-recipe.side // 4),) * 2
    if isinstance(net, video.S3D):
        net.features[13].ceil_mode = True  # its last pooling would leave nothing of a view of a few frames
        sizes = (-(-recipe.frames // 8), *_grid(recipe))
        net.avgpool.kernel_size = tuple(map(min, net.avgpool.kernel_size, sizes))
        for module in net.modules():  # a momentum of 0.001, as it has, takes thousands of steps
            if isinstance(module, nn.BatchNorm3d):
                module.momentum = 0.1
    return net


def pose_tcn(labels: int, recipe: Recipe) -> nn.Module:
    """A temporal convolutional network on joints, in the picture and in the world."""
    return PoseTCN(labels, channels_of(recipe))


BUILDERS: dict[str, Callable[..., nn.Module]] = {
    builder.__name__: builder for builder in (x3d, slowfast, slow, i3d, r2plus1d, pose_tcn, torchvision)
}
# The model zoo pools 160 and 224 px feature maps and is evaluated on larger views, whose 2 x 2 grid of logits it averages.
POOLED_SIDE = {182: 160, 256: 224}


def _pooled_side(recipe: Recipe) -> int:
    return POOLED_SIDE.get(recipe.side, recipe.side)


def _grid(recipe: Recipe) -> tuple[int, int]:
    """Height and width of the last stage's feature map, which the head pools."""
    return (-(-_pooled_side(recipe) // 32),) * 2
