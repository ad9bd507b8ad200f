"""Checkpoints of a training that is under way: whole or absent, and read without running code."""

import pickle
import zipfile
from contextlib import suppress
from pathlib import Path

import torch
from torch import nn

from exmus_lib import storage


def last(folder: Path, module: nn.Module) -> Path | None:
    """The checkpoint that a training of `module` goes on from; None where it begins anew.

    Where last.ckpt or best.ckpt is damaged, would run code, or is of another network, a printed line names it, it is set aside
    (storage.set_aside), and the training begins anew.
    """
    newest = folder / "last.ckpt"
    for path in (newest, folder / "best.ckpt") if newest.exists() else ():
        if problem := _problem(path, module):
            aside = storage.set_aside(path) if path.exists() else ""
            print(f"{path} {problem}: the training begins anew. {aside}".rstrip())
            remove(folder)
            return None
    if not newest.exists():
        return None
    done = torch.load(newest, map_location="meta", weights_only=True)["epoch"] + 1
    print(f"{folder.parent.name}: it was interrupted, and goes on after epoch {done}")
    return newest


def remove(folder: Path) -> None:
    """Remove checkpoints, up to 400 MB of optimiser state that a finished run needs no more; those set aside stay."""
    for path in folder.glob("*.ckpt"):
        path.unlink()
    with suppress(OSError):  # there is none, or something was set aside there
        folder.rmdir()


def _problem(path: Path, module: nn.Module) -> str:
    """Why a checkpoint cannot be used, in words; "" where it can."""
    try:
        with zipfile.ZipFile(path) as file:
            damaged = file.testzip()  # torch.load takes a changed byte of a tensor as it is
        state = None if damaged else torch.load(path, map_location="meta", weights_only=True)["state_dict"]
        given = state and {name: tensor.shape for name, tensor in state.items()}
    except FileNotFoundError:
        return "is gone"
    except pickle.UnpicklingError:
        return "holds more than tensors and numbers, and could run code"
    except Exception as error:  # readers of damaged files fail in every way there is
        return f"is damaged ({type(error).__name__})"
    if damaged:
        return f"is damaged (in {damaged})"
    return "" if given == {k: v.shape for k, v in module.state_dict().items()} else "is of another network"
