"""The lower bounds of pyproject.toml, in a fresh environment, run the notebooks and what libraries differ in (defect 6)."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
# Every notebook at smoke; then decoders, people in pictures, networks on all devices, tables, downloads.
FILES = ("notebooks", "corpus", "read", "poses", "networks", "convolutions", "expansion", "paper", "kaggle")
TOOLS = ("pytest>=8.3", "pytest-xdist>=3.6", "hypothesis>=6.100", "beautifulsoup4>=4.12")


@pytest.mark.slow
def test_the_lower_bounds_run_the_notebooks(tmp_path):
    uv = shutil.which("uv") or Path(sys.executable).with_name("uv")
    python = tmp_path / "env" / "bin" / "python"
    versions = ["--resolution", "lowest-direct", "-r", REPOSITORY / "pyproject.toml"]
    subprocess.run([uv, "venv", "-q", "--python", "3.11", python.parents[1]], check=True)
    subprocess.run([uv, "pip", "install", "-q", "--python", python, *versions, *TOOLS], check=True, cwd=tmp_path)
    environment = {
        "PATH": f"{python.parent}:/usr/bin:/bin",
        "PYTHONPATH": str(REPOSITORY),
        "HOME": str(tmp_path),
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }
    command = [python, "-m", "pytest", "-n", "auto", "--dist", "loadfile", "-p", "no:cacheprovider"]
    command += [REPOSITORY / "tests" / f"test_{name}.py" for name in FILES]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:]
