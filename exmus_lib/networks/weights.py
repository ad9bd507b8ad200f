"""Where a network's weights come from: Kinetics-400 through its library's own table, scratch, or an earlier run."""

import hashlib
import pickle
import re
from importlib import import_module
from pathlib import Path
from urllib.error import URLError

import torch
from safetensors.torch import load_file, save_file

from exmus_lib import storage, workspace
from exmus_lib.networks.build import VideoNetwork
from exmus_lib.recipes import NETWORKS

WAY_OUT = "Train the run again, with overwrite=True."
DIGITS = re.compile(r"-([0-9a-f]{8,})$")  # how the name of a file ends that tells the first of its SHA-256


def kinetics_url(network: str) -> str:
    """The address of the network's Kinetics-400 checkpoint, from the table of the library that publishes it.

    Raises ValueError for a network that has none.
    """
    if not NETWORKS[network].weights:
        raise ValueError(f"init = kinetics400: there are no Kinetics-400 weights of {network}; go on with init=scratch")
    module, _, name = NETWORKS[network].weights.rpartition(".")
    table = getattr(import_module(module), name)
    return table[network] if isinstance(table, dict) else table.KINETICS400_V1.url


def load_kinetics(network: VideoNetwork, name: str) -> None:
    """Load Kinetics-400 weights into every layer but the head, from torch.hub's cache, downloading them once.

    The file holds a state dict, or one under "model_state". Raises RuntimeError saying where it belongs when it cannot be
    downloaded, and when it is of another network; Damaged where it is not what was published, holds no tensors or would run code
    (it is renamed, so that the next try downloads it anew).
    """
    url = kinetics_url(name)
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]
    if not path.exists():
        _download(name, url, path)
    way_out = f"Run again to download it from {url}, or put a whole one there, or go on with init=scratch."
    with storage.reading(path, way_out):
        _check_digits(path)
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError:  # whose own words tell how to run it nonetheless
            raise ValueError("it is not a checkpoint, or holds more than tensors and could run code") from None
        state = state.get("model_state", state)
        if not (state and all(isinstance(value, torch.Tensor) for value in state.values())):
            raise TypeError("no state dict")
    load_all_but_head(network, {f"net.{key}": value for key, value in state.items()}, str(path))


def _download(name: str, url: str, path: Path) -> None:
    row = NETWORKS[name]
    print(f"{row.title}: Kinetics-400 weights ({row.top1:.1f} % top-1 there, licence {row.licence}) from {url}")
    try:
        with storage.atomic(path) as part:
            torch.hub.download_url_to_file(url, str(part))
    except (URLError, OSError) as error:
        raise RuntimeError(
            f"Kinetics-400 weights could not be downloaded ({error}).\n  from: {url}\n  to:   {path}\n"
            "Put the file there by hand and run again, or go on without it: init=scratch."
        ) from error


def _check_digits(path: Path) -> None:
    """ValueError unless the file is the published one, where its name tells: torchvision's end in the first 8 digits of their
    SHA-256, as torch.hub has it. PyTorchVideo publishes no digits; of its files only what is in them can be looked at.
    """
    digits = DIGITS.search(path.stem)
    if digits and not (present := sha256(path)).startswith(digits[1]):
        raise ValueError(f"SHA-256 {present[:8]}..., where its name says {digits[1]}")


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
    with storage.atomic(path) as part:
        save_file({k: v.contiguous().cpu() for k, v in network.state_dict().items()}, part)


def load_parent(network: VideoNetwork, parent: workspace.Run) -> None:
    """Load the weights of an earlier run, of whatever task, into every layer but the head."""
    path = parent.weights
    load_all_but_head(network, _read(path, parent.facts().get("weights_sha256")), str(path))


def load(network: VideoNetwork, path: Path, written: str | None = None) -> None:
    """Load every weight of an earlier run, head included; `written` is their SHA-256 as run.json has it.

    Raises Damaged where they are not those, or not numbers, and ValueError where they are another network's.
    """
    state = _read(path, written)
    wanted, given = ({k: v.shape for k, v in s.items()} for s in (network.state_dict(), state))
    if wanted != given:
        other = min(name for name in wanted.keys() | given.keys() if wanted.get(name) != given.get(name))
        raise ValueError(f"{path} holds another network's weights, the first is {other}. {WAY_OUT}")
    network.load_state_dict(state)


def _read(path: Path, written: str | None) -> dict[str, torch.Tensor]:
    with storage.reading(path, WAY_OUT):
        if written and sha256(path) != written:
            raise ValueError("other weights than the training wrote: SHA-256 is not run.json's weights_sha256")
        state = load_file(path)
        if broken := [name for name, values in state.items() if not values.isfinite().all()]:
            raise ValueError(f"{broken[0]} holds values that are no numbers")
    return state


def sha256(path: Path) -> str:
    """The hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
