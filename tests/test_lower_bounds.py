"""The lower bounds of pyproject.toml, installed into a fresh environment, import everything and train at smoke (defect 6)."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
SCRIPT = """
import ai_edge_litert.interpreter
import exmus_lib.pictures.explorer, exmus_lib.poses.estimate, exmus_lib.scores.terminal
from exmus_lib.networks import fit
from exmus_lib.videos.prepare import prepare
run = fit.train(prepare("sample", "smoke"), "x3d_s", "exercise", "smoke")
assert run.complete and run.facts()["epochs_run"] == 1
"""


@pytest.mark.slow
def test_the_lower_bounds_train(tmp_path):
    uv = shutil.which("uv") or Path(sys.executable).with_name("uv")
    python = tmp_path / "env" / "bin" / "python"
    versions = ["--resolution", "lowest-direct", "-r", REPOSITORY / "pyproject.toml"]
    subprocess.run([uv, "venv", "-q", "--python", "3.11", python.parents[1]], check=True)
    subprocess.run([uv, "pip", "install", "-q", "--python", python, *versions], check=True, cwd=tmp_path)
    environment = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(REPOSITORY),
        "EXMUS_HOME": str(tmp_path),
        "HOME": str(tmp_path),
    }
    done = subprocess.run([python, "-c", SCRIPT], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
