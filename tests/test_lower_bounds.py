"""The lower bounds of pyproject.toml, in a fresh environment: a training, what libraries differ in, the notebooks (defect 6)."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
REPOSITORY = Path(__file__).parents[1]
TOOLS = ("pytest>=8.3", "pytest-xdist>=3.6", "hypothesis>=6.100", "beautifulsoup4>=4.12")
TRAINING = """
import exmus_lib.pictures.explorer, exmus_lib.scores.terminal
from exmus_lib.networks import fit
from exmus_lib.videos.prepare import prepare
run = fit.train(prepare("sample", "smoke"), "x3d_s", "exercise", "smoke")
assert run.complete and run.facts()["epochs_run"] == 1
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> Path:
    """The Python of an environment that has the lower bounds, and what tests want."""
    folder = tmp_path_factory.mktemp("lowest")
    uv, python = shutil.which("uv") or Path(sys.executable).with_name("uv"), folder / "bin" / "python"
    versions = ["--resolution", "lowest-direct", "-r", REPOSITORY / "pyproject.toml"]
    subprocess.run([uv, "venv", "-q", "--python", "3.11", folder], check=True)
    subprocess.run([uv, "pip", "install", "-q", "--python", python, *versions, *TOOLS], check=True, cwd=folder)
    return python


def succeeds(home: Path, *command: str | Path) -> None:
    """Run a command of the environment in a folder that is its EXMUS_HOME, too."""
    environment = {
        "PATH": f"{Path(command[0]).parent}:/usr/bin:/bin",
        "PYTHONPATH": str(REPOSITORY),
        "EXMUS_HOME": str(home),
        "HOME": os.environ["HOME"],  # BlazePose is kept there
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }
    done = subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]


def pytest_of(python: Path, *names: str) -> list[str | Path]:
    files = [REPOSITORY / "tests" / f"test_{name}.py" for name in names]
    return [python, "-m", "pytest", "-n", "auto", "--dist", "loadfile", "-p", "no:cacheprovider", *files]


def test_the_lower_bounds_train(python, tmp_path):
    succeeds(tmp_path, python, "-c", TRAINING)


def test_the_lower_bounds_decode_find_people_and_compute_the_same(python, tmp_path):
    names = ("corpus", "read", "poses", "networks", "convolutions", "expansion", "paper", "kaggle")
    succeeds(tmp_path, *pytest_of(python, *names))


def test_the_lower_bounds_run_the_notebooks(python, tmp_path):  # takes minutes: not in .ci/run
    succeeds(tmp_path, *pytest_of(python, "notebooks"))
