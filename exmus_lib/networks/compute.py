"""How networks compute: device, number format, memory format, and on a CPU the faster convolutions.

Measured on two cores: no one setting wins. bfloat16 pays where the processor multiplies it in hardware, except in training X3D,
whose depthwise convolutions have no fast bfloat16 gradient; channels last pays but where `prepare` says.
"""

import ctypes
import os
import sys
from contextlib import AbstractContextManager
from functools import cache

import torch
from torch import nn

from exmus_lib.networks import convolutions
from exmus_lib.recipes import NETWORKS

FORMAT = torch.channels_last_3d


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
    """The network on its device, channels last but for what follows. PyTorchVideo's Swish, written out for its gradient, becomes
    PyTorch's SiLU, which is the same in fewer steps.

    On a CPU its convolutions become those of `convolutions` (same weights). Some choose their way by the size of what they get,
    which a trace would freeze: trace a network that is not prepared.

    On a GPU cuDNN tries its ways for each new shape, once: PyTorch keeps to a guess once made, so it is asked from the first
    network on. Its depthwise convolutions are slower channels last (docs/gpu.md): networks that have them, and their views, are
    channels first there.
    """
    on_gpu = device().type == "cuda"
    for name, module in list(net.named_modules()):
        if type(module).__name__ == "Swish":  # by its name, as PyTorchVideo takes seconds to import
            net.set_submodule(name, nn.SiLU())
    net.channels_first = on_gpu and any(convolutions.depthwise(module) for module in net.modules())
    net.to(device(), memory_format=torch.contiguous_format if net.channels_first else FORMAT)
    if on_gpu:
        torch.backends.cudnn.benchmark = True
        return net
    _keep_memory()
    for module in net.modules():
        if type(module) is nn.Conv3d:
            module.__class__ = convolutions.faster(module)
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
