"""Where a network's weights come from: Kinetics-400 through its library's own table, scratch, or an earlier run."""

import pickle
from importlib import import_module
from itertools import count
from pathlib import Path
from urllib.error import URLError

import torch
from safetensors.torch import load_file, save_file

from exmus_lib import workspace
from exmus_lib.networks.build import VideoNetwork
from exmus_lib.recipes import NETWORKS


def kinetics_url(network: str) -> str:
    """The address of the network's Kinetics-400 checkpoint, from the table of the library that publishes it."""
    module, _, name = NETWORKS[network].weights.rpartition(".")
    table = getattr(import_module(module), name)
    return table[network] if isinstance(table, dict) else table.KINETICS400_V1.url


def load_kinetics(network: VideoNetwork, name: str) -> None:
    """Load Kinetics-400 weights into every layer but the head, from torch.hub's cache, downloading them once.

    The file holds a state dict, or one under "model_state". Raises RuntimeError saying where it belongs when it cannot be
    downloaded, and when it is of another network or damaged (a damaged one is renamed, so that the next try downloads it anew).
    """
    url = kinetics_url(name)
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]
    if not path.exists():
        _download(name, url, path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        state = state.get("model_state", state)
        if not (state and all(isinstance(value, torch.Tensor) for value in state.values())):
            raise TypeError("no state dict")
    except (RuntimeError, EOFError, AttributeError, TypeError, ValueError, KeyError, pickle.UnpicklingError) as error:
        names = (path.with_name(f"{path.name}.damaged{i or ''}") for i in count())
        aside = path.rename(next(name for name in names if not name.exists()))
        raise RuntimeError(
            f"{path} is damaged or is not a checkpoint ({type(error).__name__}); it was renamed to {aside.name}."
            f" Run again to download it from {url}, or put a whole one there, or go on with init=scratch."
        ) from error
    load_all_but_head(network, {f"net.{key}": value for key, value in state.items()}, str(path))


def _download(name: str, url: str, path: Path) -> None:
    row = NETWORKS[name]
    print(f"{row.title}: Kinetics-400 weights ({row.top1:.1f} % top-1 there, licence {row.licence}) from {url}")
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
    head = f"net.{network.head_name}."
    wanted, given = ({k: v for k, v in s.items() if not k.startswith(head)} for s in (network.state_dict(), state))
    problems = [f"{k} is missing" for k in wanted.keys() - given.keys()]
    problems += [f"{k} is unknown" for k in given.keys() - wanted.keys()]
    problems += [
        f"{k} has shape {tuple(given[k].shape)}, {tuple(wanted[k].shape)} is wanted"
        for k in wanted.keys() & given.keys()
        if given[k].shape != wanted[k].shape
    ]
    if problems:
        first = "; ".join(sorted(problems)[:3])
        raise RuntimeError(f"{source} holds another network's weights: {first} ({len(problems)} in all)")
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
