"""The house stands: floors in order, torch only where it belongs, files that can be read in one go."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from exmus_lib.workspace import CODE, POSE_CODE

REPOSITORY = Path(__file__).parents[1]
# Ground floor first: a module imports only from its own floor or from one listed before it.
FLOORS = (
    *("storage", "sheets", "labels", "tasks", "recipes", "runfile", "workspace", "review", "predictions", "parameters"),
    *("sample", "videos", "cluster", "poses", "networks", "scores", "export", "expansion", "pictures"),
    *("workbook", "app", "__main__"),
)
# Only these may import torch, or a package that does.
WITH_TORCH = (
    "exmus_lib.videos.dataset",
    "exmus_lib.networks",
    "exmus_lib.pictures.explorer",
    "exmus_lib.cluster",
    "exmus_lib.export",
    "exmus_lib.expansion",
    "exmus_lib.workbook",
    "exmus_lib.__main__",
)
TORCH = {"torch", "torchvision", "torchmetrics", "pytorchvideo", "lightning", "pytorch_lightning"}
LONGEST = 300
RIDDLES = {"said", "own", "hows", "where", "WORTH", "MOST", "ABREAST"}


def modules(root: Path) -> dict[str, Path]:
    """Dotted name to file of every module of root/exmus_lib; the package's own __init__, its one door, is left out."""
    files = sorted((root / "exmus_lib").rglob("*.py"))
    named = {".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): file for file in files}
    return {name: file for name, file in named.items() if name != "exmus_lib"}


def imports(name: str, file: Path, known: dict[str, Path]) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything that a module imports, inside functions too."""
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: package.count(".") + 2 - node.level] if node.level else []
            source = ".".join(above + ([node.module] if node.module else []))
            for alias in node.names:
                whole = f"{source}.{alias.name}"
                yield node.lineno, whole if whole in known or source == "exmus_lib" else source


def may_have_torch(name: str) -> bool:
    return any(name == allowed or name.startswith(allowed + ".") for allowed in WITH_TORCH)


def complaints(root: Path) -> list[str]:
    """What breaks the rules in root/exmus_lib, one line each, read from the source without running it."""
    known, wrong = modules(root), []
    for name, file in known.items():
        place, floor = file.relative_to(root).as_posix(), name.split(".")[1]
        if floor not in FLOORS:
            wrong.append(f"{place}: {floor} is no floor of FLOORS")
            continue
        for line, imported in imports(name, file, known):
            first, _, rest = imported.partition(".")
            if not may_have_torch(name) and (first in TORCH or may_have_torch(imported)):
                wrong.append(f"{place}:{line}: {imported} brings torch to {name}")
            if first == "exmus_lib" and rest.split(".")[0] not in FLOORS[: FLOORS.index(floor) + 1]:
                wrong.append(f"{place}:{line}: {imported} is above {floor}")
    return wrong


def too_long(root: Path) -> list[str]:
    files = [file for folder in ("exmus_lib", "tests", "benchmarks") for file in (root / folder).rglob("*.py")]
    lengths = {file: len(file.read_text(encoding="utf-8").splitlines()) for file in files}
    return [f"{file.relative_to(root)}: {n} lines" for file, n in sorted(lengths.items()) if n > LONGEST]


def riddles(root: Path) -> list[str]:
    """Names that tell nothing, with the files that bind them."""
    files = [file for folder in ("exmus_lib", "tests", "benchmarks", "tools") for file in (root / folder).rglob("*.py")]
    bound = []
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            stored = isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
            name = node.id if stored else node.arg if isinstance(node, ast.arg) else None
            if name in RIDDLES:
                bound.append(f"{file.relative_to(root)}:{node.lineno}: {name}")
    return bound


def first_that_loads_torch(root: Path) -> str:
    """Imports every torch-free module in one fresh process; the first that loads torch, or nothing."""
    names = [name for name in modules(root) if not may_have_torch(name)]
    script = f"""
import importlib, sys
sys.path.insert(0, {str(root)!r})
for name in {names}:
    importlib.import_module(name)
    if "torch" in sys.modules:
        print(name)
        break
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=root, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


def test_floors_and_torch_as_written():
    assert complaints(REPOSITORY) == []


def test_torch_stays_out_of_a_fresh_process():
    assert first_that_loads_torch(REPOSITORY) == ""


def test_names_say_what_they_stand_for():
    assert riddles(REPOSITORY) == []


def test_no_file_is_too_long():
    assert too_long(REPOSITORY) == []


def test_what_a_training_computes_with_is_compared_before_its_run_is_loaded():
    known, reached, ahead = modules(REPOSITORY), set(), ["exmus_lib.networks.fit"]
    while ahead:
        reached.add(name := ahead.pop())
        ahead += {one for _, one in imports(name, known[name], known) if one in known} - reached
    dotted = (file.removesuffix("/__init__.py").removesuffix(".py").replace("/", ".") for file in (*CODE, *POSE_CODE))
    left = {name.removeprefix("exmus_lib.") for name in reached} - set(dotted)
    # Whose work a run.json tells otherwise (labels, marks, clips and their split), or no training depends on: files, counts,
    # and the pictures of the sample.
    told = {"labels", "review", "runfile", "sheets", "storage", "workspace", "predictions"}
    told |= {f"videos.{name}" for name in ("classes", "cut", "dealing", "encode", "faults", "guard", "kaggle")}
    told |= {f"videos.{name}" for name in ("limits", "prepare", "scan", "split")}
    told |= {f"sample.{name}" for name in ("draw", "film", "make", "room")}
    assert left == told | {"networks.checkpoints", "networks.describe", "poses.files"}


def make_house(root: Path, **files: str) -> Path:
    for name, text in {"exmus_lib/__init__.py": "", **files}.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


def test_checker_finds_what_is_wrong(tmp_path):
    house = {
        "exmus_lib/recipes.py": "from exmus_lib import labels, workspace\n",
        "exmus_lib/cellar.py": "",
        "exmus_lib/sample/make.py": "from ..videos import scan\n",
        "exmus_lib/videos/__init__.py": "",
        "exmus_lib/videos/dataset.py": "import torch\n",
        "exmus_lib/videos/scan.py": "def later():\n    import torchvision.ops\n",
        "exmus_lib/videos/cut.py": "from . import dataset\nfrom .scan import later\n",
        "exmus_lib/networks/fit.py": "import torch\nfrom exmus_lib.scores.metrics import f1\n",
        "exmus_lib/scores/metrics.py": "from exmus_lib.networks import fit\nfrom exmus_lib.sample import make\n",
    }
    assert complaints(make_house(tmp_path, **house)) == [
        "exmus_lib/cellar.py: cellar is no floor of FLOORS",
        "exmus_lib/networks/fit.py:2: exmus_lib.scores.metrics is above networks",
        "exmus_lib/recipes.py:1: exmus_lib.workspace is above recipes",
        "exmus_lib/sample/make.py:1: exmus_lib.videos.scan is above sample",
        "exmus_lib/scores/metrics.py:1: exmus_lib.networks.fit brings torch to exmus_lib.scores.metrics",
        "exmus_lib/videos/cut.py:1: exmus_lib.videos.dataset brings torch to exmus_lib.videos.cut",
        "exmus_lib/videos/scan.py:2: torchvision.ops brings torch to exmus_lib.videos.scan",
    ]


def test_checker_accepts_a_sound_house(tmp_path):
    house = {
        "exmus_lib/labels.py": "import csv\n",
        "exmus_lib/videos/dataset.py": "import torch\nfrom exmus_lib.labels import TASKS\n",
        "exmus_lib/networks/fit.py": "from exmus_lib.videos.dataset import ClipDataset\n",
        "exmus_lib/pictures/explorer.py": "from exmus_lib.networks.predict import predict\n",
    }
    assert complaints(make_house(tmp_path, **house)) == []


def test_checker_finds_torch_that_comes_in_by_a_back_door(tmp_path):
    house = {
        "torch.py": "",
        "exmus_lib/labels.py": "",
        "exmus_lib/workspace.py": "__import__('torch')\n",
        "exmus_lib/videos/dataset.py": "import torch\n",
    }
    assert complaints(make_house(tmp_path, **house)) == []
    assert first_that_loads_torch(tmp_path) == "exmus_lib.workspace"


def test_checker_counts_lines(tmp_path):
    house = {"exmus_lib/labels.py": "\n" * LONGEST, "exmus_lib/workspace.py": "\n" * (LONGEST + 1)}
    assert too_long(make_house(tmp_path, **house)) == ["exmus_lib/workspace.py: 301 lines"]
