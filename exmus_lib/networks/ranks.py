"""The processes that train one network together, one for each GPU: who is which, what each one sees, and what they agree on.

They know each other by the environment that torchrun and exmus_lib.cluster set: RANK, LOCAL_RANK, WORLD_SIZE, LOCAL_WORLD_SIZE,
MASTER_ADDR, MASTER_PORT. Without it there is one process, and nothing here changes what it does.
"""

import atexit
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache

import torch
from torch import distributed, nn

WAIT = timedelta(days=7)  # for rank 0, which alone waits for locks, prepares views and predicts


def rank() -> int:
    """The number of this process; the first is 0."""
    return int(os.environ.get("RANK", 0))


def count() -> int:
    """How many processes train together."""
    return int(os.environ.get("WORLD_SIZE", 1))


def join() -> None:
    """Wait for the other processes of the training, and take this one's GPU."""
    if count() == 1 or distributed.is_initialized():
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    atexit.register(_leave)


def _leave() -> None:
    """Else gloo's threads now and then outlive the interpreter, which ends with SIGABRT. A process that ends by an error must
    not leave: it would wait for what it has under way with the others, and they for it."""
    if distributed.is_initialized() and not hasattr(sys, "last_value"):
        _patient.cache_clear()
        distributed.destroy_process_group()


def agreed(value: object) -> object:
    """Rank 0's value, in every process."""
    if count() == 1:
        return value
    values = [value]
    distributed.broadcast_object_list(values, group=_patient(), device=torch.device("cpu"))
    return values[0]


@contextmanager
def first() -> Iterator[None]:
    """Rank 0 goes ahead of the others, which then find made what it made."""
    if rank():
        agreed(None)
    yield
    if not rank():
        agreed(None)


@cache
def _patient() -> distributed.ProcessGroup:
    return distributed.new_group(timeout=WAIT, backend="gloo")


def mine(batch: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    """This process's share of a batch that each of them has made."""
    return tuple(tensor.tensor_split(count())[rank()] for tensor in batch)


def whole(share: torch.Tensor) -> torch.Tensor:
    """All shares of a batch, in the order of the ranks; gradients find their way back. A loss of it is that of the whole batch in
    every process, and so are, after DDP's mean, its gradients."""
    if count() == 1:
        return share
    from fvcore.nn.distributed import differentiable_all_gather

    return torch.cat(differentiable_all_gather(share))


def lightning_options(plugin: object, unused: bool) -> dict[str, object]:
    """Trainer's keywords for these processes, and a plugin; `unused`: some weights may go without a gradient."""
    from lightning.pytorch.plugins.environments import LightningEnvironment, TorchElasticEnvironment
    from lightning.pytorch.strategies import DDPStrategy

    if count() == 1:  # said, as inside a SLURM job Lightning would look for others
        return {"devices": 1, "plugins": [LightningEnvironment(), plugin]}
    devices = int(os.environ["LOCAL_WORLD_SIZE"])
    # Statistics of batch normalisation are equal already, and need no broadcast.
    strategy = DDPStrategy(find_unused_parameters=unused, broadcast_buffers=False)
    return {
        "devices": devices, "num_nodes": count() // devices, "strategy": strategy,
        "plugins": [TorchElasticEnvironment(), plugin], "use_distributed_sampler": False,
    }  # fmt: skip


class SynchronisedBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch normalisation over the shares, all equally large, of all processes. torch's own does the same on GPUs alone.

    Mean and variance are averaged one after the other: a mean of squares less a square would lose digits.
    """

    def _check_input_dim(self, x: torch.Tensor) -> None:
        pass  # any number of axes will do

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return super().forward(x)
        from fvcore.nn.distributed import differentiable_all_reduce

        axes, shape = [0, *range(2, x.dim())], (1, -1, *[1] * (x.dim() - 2))
        exact = x.to(torch.promote_types(x.dtype, torch.float32))
        mean = differentiable_all_reduce(exact.mean(axes)) / count()
        centred = exact - mean.view(shape)
        variance = differentiable_all_reduce(centred.square().mean(axes)) / count()
        with torch.no_grad():
            values = x.numel() // x.shape[1] * count()
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * values / (values - 1), self.momentum)
        scaled = centred * torch.rsqrt(variance + self.eps).view(shape)
        return (scaled * self.weight.view(shape) + self.bias.view(shape)).to(x.dtype)


def synchronised(network: nn.Module) -> nn.Module:
    """The network with batch normalisation over all processes, where there are several; its weights keep their names."""
    if count() > 1 and torch.cuda.is_available():
        return nn.SyncBatchNorm.convert_sync_batchnorm(network)
    for module in network.modules() if count() > 1 else ():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.__class__ = SynchronisedBatchNorm
    return network
