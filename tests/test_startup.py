"""What starts quickly stays so: neither the library nor the first cell of a notebook imports a package that takes seconds."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
from test_floors import REPOSITORY, modules

# Each takes from half a second to seconds, and all are imported where they are used.
SLOW = (
    *("lightning", "torchmetrics", "torchvision", "pytorchvideo", "torch._dynamo"),
    *("sklearn", "seaborn", "numba", "scipy.stats", "scipy.signal", "scipy.optimize", "scipy.sparse"),
)
# Only imported by those who train, render, compare all videos or split them.
COMPILED = ("exmus_lib.networks.kernels", "exmus_lib.videos.hashes", "exmus_lib.videos.dealing")
MAY_BE_SLOW = (*COMPILED, "exmus_lib.networks.training", "exmus_lib.sample.")


def slow_after(script: str) -> set[str]:
    """The packages of SLOW that a fresh process has loaded after running a script."""
    script = f"{script}\nimport sys\nprint('LOADED', *(set({SLOW}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True)
    return set(done.stdout.rpartition("LOADED")[2].split())


def imports_of(notebook: Path) -> str:
    """Every import at the top level of a notebook's cells, up to the one that checks the parameters."""
    lines = []
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] != "code" or "google.colab" in source:
            continue
        lines += [ast.unparse(n) for n in ast.parse(source).body if isinstance(n, ast.Import | ast.ImportFrom)]
        if "parameters.check" in source:
            return "\n".join(lines)
    raise ValueError(f"{notebook.name}: no cell calls parameters.check")


def test_library_imports_nothing_slow():
    names = [name for name in modules(REPOSITORY) if not name.startswith(MAY_BE_SLOW)]
    assert slow_after("\n".join(f"import {name}" for name in names)) == set()


@pytest.mark.parametrize("package", ["sklearn", "scipy.stats"])
def test_slow_imports_are_seen(package):
    assert slow_after(f"import {package}") >= {package}


def test_notebooks_import_nothing_slow():
    notebooks = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
    assert notebooks
    assert slow_after("\n".join(map(imports_of, notebooks))) == set()
