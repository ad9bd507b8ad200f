"""BlazePose's two networks as files: kept where torch.hub keeps weights, fetched once out of the package that brings them."""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from exmus_lib import storage

PACKAGE = "mediapipe==0.10.21"  # the last that brings the files; its wheel for one Python and system serves all
DOWNLOAD = f"download {PACKAGE} --no-deps --only-binary=:all: --python-version 3.11 --platform manylinux_2_28_x86_64"
# Where each stands in the package, and its SHA-256.
FILES = {
    "mediapipe/modules/pose_detection/pose_detection.tflite": (
        "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c"
    ),
    "mediapipe/modules/pose_landmark/pose_landmark_full.tflite": (
        "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f"
    ),
}


def files() -> tuple[Path, Path]:
    """BlazePose's detector and landmark network (.tflite), fetched through pip when they are missing or damaged.

    Raises RuntimeError saying what belongs where when they cannot be fetched. A damaged file is renamed, never deleted.
    """
    folder = cache()
    paths = {folder / name.rsplit("/", 1)[-1]: sha256 for name, sha256 in FILES.items()}
    if not all(_is_whole(path, sha256) for path, sha256 in paths.items()):
        with storage.alone(folder / "blazepose"):  # another process may have fetched them meanwhile
            _fetch({path: sha256 for path, sha256 in paths.items() if not _is_whole(path, sha256)})
    detector, landmarks = paths
    return detector, landmarks


def cache() -> Path:
    """The folder of torch.hub's checkpoints, by its own rules and without importing torch."""
    home = os.environ.get("TORCH_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "torch")
    return Path(home).expanduser() / "hub" / "checkpoints"


def present() -> bool:
    """Whether both files are there, whole or not."""
    return all((cache() / name.rsplit("/", 1)[-1]).exists() for name in FILES)


def _is_whole(path: Path, sha256: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def _fetch(missing: dict[Path, str]) -> None:
    """Take the missing files (path to SHA-256) out of the package; damaged ones in their places are set aside."""
    for path in missing:
        if path.exists():
            print(f"{path} is damaged. {storage.set_aside(path)}")
    if missing:
        print(f"fetching BlazePose (licence Apache-2.0) out of {PACKAGE}, 36 MB, into {next(iter(missing)).parent}")
        with storage.scratch() as folder:
            try:
                _take_out(_wheel(folder), missing)
            except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
                raise RuntimeError(_by_hand(missing, str(error))) from error


def _wheel(folder: Path) -> Path:
    """The package, downloaded into a folder by pip, or by uv's where an environment has no pip. OSError when it cannot be."""
    uv = shutil.which("uv")
    has_pip = importlib.util.find_spec("pip") is not None
    pip = [uv, "tool", "run", "pip"] if uv and not has_pip else [sys.executable, "-m", "pip"]
    done = subprocess.run(
        [*pip, *DOWNLOAD.split(), "-q", "--disable-pip-version-check", "--dest", str(folder)],
        capture_output=True,
        text=True,
    )
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        raise OSError((done.stderr.strip().splitlines() or ["pip gave no wheel"])[-1])
    return wheels[0]


def _take_out(wheel: Path, missing: dict[Path, str]) -> None:
    with zipfile.ZipFile(wheel) as package:
        contents = {name.rsplit("/", 1)[-1]: package.read(name) for name in FILES}
    for path, sha256 in missing.items():
        if hashlib.sha256(contents[path.name]).hexdigest() != sha256:
            raise ValueError(f"{path.name} in {wheel.name} is not the file that was expected")
        with storage.atomic(path) as part:
            part.write_bytes(contents[path.name])


def _by_hand(missing: dict[Path, str], reason: str) -> str:
    wanted = "\n".join(f"  {path}  (SHA-256 {sha256})" for path, sha256 in missing.items())
    inside = " and ".join(FILES)
    return (
        f"BlazePose could not be fetched: {reason}\nWanted are\n{wanted}\n"
        f"On a machine with internet run\n  python -m pip {DOWNLOAD}\n"
        f"and unpack from that wheel, which is a zip archive, {inside}."
    )
