"""Where a network's weights come from: Kinetics-400 through PyTorchVideo's checkpoint table, scratch, or an earlier run."""

import pickle
from importlib import import_module
from pathlib import Path
from urllib.error import URLError

import torch
from safetensors.torch import load_file, save_file

from exmus_lib import workspace
from exmus_lib.networks.build import VideoNetwork

# network -> the module of pytorchvideo.models.hub that lists its checkpoint, and its key there
CHECKPOINTS = {
    "x3d_s": ("x3d", "x3d_s"),
    "x3d_m": ("x3d", "x3d_m"),
    "slowfast_r50": ("slowfast", "slowfast_r50"),
    "slowfast_r101": ("slowfast", "slowfast_r101"),
    "slow_r50": ("resnet", "slow_r50"),
    "i3d_r50": ("resnet", "i3d_r50"),
    "r2plus1d_r50": ("r2plus1d", "r2plus1d_r50"),
}


def kinetics_url(network: str) -> str:
    """The address of the network's Kinetics-400 checkpoint in PyTorchVideo's table."""
    module, key = CHECKPOINTS[network]
    return import_module(f"pytorchvideo.models.hub.{module}").checkpoint_paths[key]


def load_kinetics(network: VideoNetwork, name: str) -> None:
    """Load Kinetics-400 weights into every layer but the head, from torch.hub's cache, downloading them once.

    Raises RuntimeError saying where the file belongs when it cannot be downloaded, and when the file is damaged or not of
    this network (a damaged one is removed, so that the next try downloads it again).
    """
    url = kinetics_url(name)
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]
    if not path.exists():
        _download(url, path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)["model_state"]
    except (RuntimeError, EOFError, KeyError, OSError, pickle.UnpicklingError) as error:
        path.unlink()
        raise RuntimeError(
            f"{path} is damaged or is not a PyTorchVideo checkpoint ({type(error).__name__}); it was removed."
            f" Run again to download it from {url}, or go on with init=scratch."
        ) from error
    load_all_but_head(network, {f"net.{key}": value for key, value in state.items()}, str(path))


def _download(url: str, path: Path) -> None:
    try:
        with workspace.atomic(path) as part:
            torch.hub.download_url_to_file(url, str(part))
    except (URLError, OSError) as error:
        raise RuntimeError(
            f"Kinetics-400 weights could not be downloaded ({error}).\n  from: {url}\n  to:   {path}\n"
            "Put the file there by hand and run again, or go on without it: init=scratch."
        ) from error


def load_all_but_head(network: VideoNetwork, state: dict[str, torch.Tensor], source: str) -> None:
    """Copy every tensor but the head's; RuntimeError names the first tensors that are missing, unknown or misshapen."""
    head = {id(p) for p in network.head.parameters()}
    own = network.state_dict(keep_vars=True)
    heads = {name for name, tensor in own.items() if id(tensor) in head}
    wanted = {k: v for k, v in own.items() if k not in heads}
    given = {k: v for k, v in state.items() if k not in heads}
    problems = [f"{k} is missing" for k in wanted.keys() - given.keys()]
    problems += [f"{k} is unknown" for k in given.keys() - wanted.keys()]
    problems += [
        f"{k} has shape {tuple(given[k].shape)}, {tuple(v.shape)} is wanted"
        for k, v in wanted.items()
        if k in given and given[k].shape != v.shape
    ]
    if problems:
        raise RuntimeError(
            f"{source} holds another network's weights: {'; '.join(sorted(problems)[:3])} ({len(problems)} in all)"
        )
    network.load_state_dict(given, strict=False)


def save(network: VideoNetwork, path: Path) -> None:
    """Write the weights as safetensors; the file appears whole or not at all."""
    with workspace.atomic(path) as part:
        save_file({k: v.contiguous().cpu() for k, v in network.state_dict().items()}, part)


def load_parent(network: VideoNetwork, parent: workspace.Run) -> None:
    """Load the weights of an earlier run, of whatever task, into every layer but the head."""
    path = parent.folder / "weights.safetensors"
    load_all_but_head(network, load_file(path), str(path))


def load(network: VideoNetwork, path: Path) -> None:
    """Load every weight of an earlier run, head included."""
    network.load_state_dict(load_file(path))
