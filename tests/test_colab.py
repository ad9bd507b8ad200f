"""Colab, rehearsed: its versions and nothing else of ours, in an environment of their own, where notebooks bootstrap themselves.

The first cells really run; the repository's address is a local clone's, /content a temporary folder, and google.colab two lines.
Colab itself was never asked. Takes some minutes and 6 GB; wants Python 3.13 (`uv python install 3.13` fetches one).
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import papermill
import pytest
from test_setup import COLAB

REPOSITORY = Path(__file__).parents[1]
# What else Colab brings, of what we import. Its notebooks talk through ipykernel, and `%pip` wants pip.
BROUGHT = (
    *(
        "pandas==2.2.*",
        "scipy",
        "matplotlib",
        "seaborn",
        "pyarrow",
        "opencv-python-headless",
        "numba",
        "pillow",
        "psutil",
    ),
    *("joblib", "jinja2", "safetensors", "tensorboard", "filelock", "tqdm", "ipykernel"),
)
ENABLED = """
import pathlib
def enable_custom_widget_manager():
    pathlib.Path(__file__).with_name("enabled").touch()
"""


class Colab:
    """The environment, its kernel, and folders that stand for /content and Drive."""

    def __init__(self, root: Path):
        self.root, self.python, self.home = root, root / "env" / "bin" / "python", root / "drive"
        uv = shutil.which("uv") or Path(sys.executable).with_name("uv")
        subprocess.run([uv, "venv", "-q", "--seed", "--python", "3.13", root / "env"], check=True)
        packages = [f"{name}=={version}" for name, version in COLAB.items()]
        subprocess.run([uv, "pip", "install", "-q", "--python", self.python, *packages, *BROUGHT], check=True, cwd=root)
        self.google = root / "site" / "google" / "colab"
        self.write(self.google / "__init__.py", "")
        self.write(self.google / "output.py", ENABLED)
        self.write(root / "ipython" / "profile_default" / "startup" / "00.py", "import google.colab")
        argv = [str(self.python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        spec = {"argv": argv, "display_name": "Colab", "language": "python"}
        self.write(root / "jupyter" / "kernels" / "colab" / "kernel.json", json.dumps(spec))

    @staticmethod
    def write(path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run(self, name: str, **parameters: object) -> None:
        """Run a notebook from the top, at smoke; papermill.PapermillExecutionError where a cell fails."""
        notebook = nbformat.read(REPOSITORY / "notebooks" / f"{name}.ipynb", 4)
        bootstrap = notebook.cells[1]
        first, rest = bootstrap.source.split("\n", 1)
        assert first.startswith("EXMUS_REPO = ") and rest.count("/content") == 3
        bootstrap.source = f'EXMUS_REPO = "file://{REPOSITORY}"\n{rest.replace("/content", str(self.root / "content"))}'
        nbformat.write(notebook, self.root / f"{name}.ipynb")
        papermill.execute_notebook(
            self.root / f"{name}.ipynb", self.root / f"{name}.out.ipynb", {"preset": "smoke", **parameters},
            kernel_name="colab", cwd=self.root, progress_bar=False,
        )  # fmt: skip

    def versions(self) -> dict[str, str]:
        """Those of COLAB's packages that are installed now."""
        script = f"from importlib.metadata import version; print(*map(version, {list(COLAB)}))"
        done = subprocess.run([self.python, "-c", script], capture_output=True, text=True, check=True)
        return dict(zip(COLAB, done.stdout.split(), strict=True))


@pytest.fixture(scope="module")
def colab(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        root = tmp_path_factory.mktemp("colab")
        patch.setenv("JUPYTER_PATH", str(root / "jupyter"))
        patch.setenv("IPYTHONDIR", str(root / "ipython"))
        patch.setenv("PYTHONPATH", str(root / "site"))
        patch.setenv("EXMUS_HOME", str(root / "drive"))
        patch.setenv("PATH", f"{root / 'env' / 'bin'}{os.pathsep}{os.environ['PATH']}")
        patch.setenv("OMP_NUM_THREADS", "1")
        yield Colab(root)


@pytest.mark.slow
def test_01_02_09_and_12_bootstrap_themselves_and_leave_colabs_own_versions_alone(colab):
    colab.run("01_data_prep")
    assert (colab.root / "content" / "exmus" / "exmus_lib").is_dir()
    assert (colab.home / "data" / "clips" / "sample-smoke" / "clips.parquet").exists()
    colab.run("02_x3d", networks="x3d_m")
    assert [*(colab.home / "outputs" / "runs" / "sample-smoke" / "exercise").glob("x3d_m-*/predictions.parquet")]
    colab.run("09_explore")
    assert (colab.google / "enabled").exists()  # else Colab shows no widget that it did not bring
    colab.run("12_real_people")
    assert colab.versions() == COLAB
