"""Where things lie: data and outputs, run folders, files that are whole or absent, and what made a result."""

import ast
import hashlib
import json
import os
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from itertools import count
from pathlib import Path
from uuid import uuid4

import numpy as np
import pandas as pd
import psutil
from filelock import FileLock, Timeout

from exmus_lib import labels
from exmus_lib.labels import Labels, nearest
from exmus_lib.recipes import NETWORKS

REPOSITORY = Path(__file__).resolve().parents[1]
DATASETS = ("sample", "kaggle")  # built in: rendered here, and the paper's
PAPER_DIR = REPOSITORY / "data" / "paper"


def home() -> Path:
    """The folder that holds data/ and outputs/: EXMUS_HOME when set (on Colab a folder on Drive), else the repository."""
    return Path(os.environ.get("EXMUS_HOME") or REPOSITORY).expanduser().resolve()


def check_dataset(dataset: str) -> str:
    """The name itself; ValueError, with the nearest one, unless it is built in or a folder (of class folders)."""
    if dataset not in DATASETS and not Path(dataset).expanduser().is_dir():
        raise ValueError(
            f'dataset = "{dataset}" is neither {" nor ".join(DATASETS)} nor an existing folder of class folders'
            f" (looked in {Path.cwd()}).{nearest(dataset, DATASETS)}"
        )
    return dataset


def raw_dir(dataset: str) -> Path:
    """The raw videos of a data set that the workbook made or downloaded."""
    return home() / "data" / "raw" / dataset


def is_rendered(dataset: str) -> bool:
    """Whether a data set is the rendered sample, whole or small: its networks know no real people."""
    return dataset in ("sample", "sample-smoke")


def clips_dir(dataset: str) -> Path:
    """videos.parquet, clips.parquet and the clips of a data set."""
    return home() / "data" / "clips" / dataset


def outputs_dir(kind: str) -> Path:
    """outputs/<kind>, made when missing; kind is one of executed, figures, tables, report, own."""
    folder = home() / "outputs" / kind
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary sibling of `path` to write to: renamed onto it on success, removed on error. Whole or absent, never half.

    The first time that a process writes to a folder, what killed processes left there goes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.parent not in _SWEPT:
        sweep(path.parent)
        _SWEPT.add(path.parent)
    part = path.with_name(f"{PART}{_host()}-{os.getpid()}-{uuid4().hex[:8]}{path.suffix}")
    try:
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())  # else a machine that dies may keep the new name and not what is in the file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


PART = ".exmus-"  # how the name of a file that is being written begins; host, process and eight random digits follow
LEFT_BEHIND = 24 * 3600  # seconds after which a part that another machine writes is of a dead one
_SWEPT: set[Path] = set()


@cache
def _host() -> str:
    return hashlib.sha256(platform.node().encode()).hexdigest()[:6]


def sweep(folder: Path) -> None:
    """Remove parts that killed processes left in a folder; those of living ones, and of other machines for a day, stay."""
    for part in folder.glob(f"{PART}*"):
        host, process, _ = part.name.removeprefix(PART).split("-", 2)
        with suppress(OSError):  # another process sweeps too, or it is another user's
            old = time.time() - part.stat().st_mtime > LEFT_BEHIND
            if old if host != _host() else not psutil.pid_exists(int(process)):
                shutil.rmtree(part) if part.is_dir() else part.unlink()


@contextmanager
def scratch() -> Iterator[Path]:
    """A temporary folder, removed at the end; that of a killed process goes when the next one asks for its own."""
    sweep(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=f"{PART}{_host()}-{os.getpid()}-") as folder:
        yield Path(folder)


def set_aside(path: Path) -> str:
    """Rename a damaged file to <name>.damaged (or .damaged1, ...), so that it is made anew; a sentence that says so."""
    names = (path.with_name(f"{path.name}.damaged{i or ''}") for i in count())
    try:
        return f"It was renamed to {path.rename(next(name for name in names if not name.exists())).name}."
    except OSError as error:
        return f"It cannot be renamed ({error.strerror}): remove it by hand."


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """While one process makes `folder`, any other that wants to waits, and then finds it made; a killed one holds nobody up."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.parent / f".{folder.name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(f"waiting for another process that makes {folder}")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def write_parquet(table: pd.DataFrame, path: Path) -> None:
    """Write a table without its index, whole or not at all."""
    with atomic(path) as part:
        table.to_parquet(part, index=False)


def read_csv(path: Path) -> pd.DataFrame:
    """A table of text that people edit, as spreadsheets save it: commas, semicolons or tabs, with or without byte order mark."""
    separator = labels.delimiter(path.read_text(encoding="utf-8-sig"))
    return pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig")


def six_hex(*parts: object) -> str:
    """Six hexadecimal digits of a hash over parts that JSON can hold; the same parts give the same digits anywhere."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:6]


# The modules whose code changes the numbers of a training.
CODE = ("recipes.py", "tasks.py", "videos/container.py", "videos/read.py", "videos/windows.py", "videos/dataset.py", *(
    f"networks/{name}.py" for name in ("build", "compute", "weights", "loading", "ranks", "training", "fit", "predict")
))  # fmt: skip
# And those of a training on joints, drawn or as numbers, besides.
POSE_CODE = ("networks/joints.py", "networks/pose.py", "videos/evenly.py", *(
    f"poses/{name}.py" for name in ("blazepose", "draw", "estimate", "features", "people", "pictures", "project", "virtual")
))  # fmt: skip


@cache
def code_hashes(network: str) -> dict[str, str]:
    """Six hexadecimal digits of each module of CODE and POSE_CODE, as it stands for a network: its lines but for comments, blank
    ones, and what another network of one's own adds: its row, its builder, its imports."""
    kept = {network, NETWORKS[network].builder} if network in NETWORKS else {network}
    hashes = {}
    for name in (*CODE, *POSE_CODE):
        text = (Path(__file__).parent / name).read_text(encoding="utf-8")
        left_out = {i for node in _of_others(ast.parse(text), kept) for i in range(node.lineno, node.end_lineno + 1)}
        lines = [line for i, line in enumerate(text.splitlines(), start=1) if i not in left_out]
        hashes[name] = six_hex([line for line in lines if line.strip() and line.strip()[0] != "#"])
    return hashes


def _of_others(module: ast.Module, kept: set[str]) -> Iterator[ast.AST]:
    """Imports, entries of NETWORKS and functions of BUILDERS that are not among the kept, and BUILDERS itself."""
    values = {}  # name -> what a statement of the module assigns to it
    for node in module.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            values[ast.unparse(target)] = node.value
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield node
    if rows := values.get("NETWORKS"):
        yield from (n for row in zip(rows.keys, rows.values, strict=True) if row[0].value not in kept for n in row)
    if builders := values.get("BUILDERS"):
        yield builders
        names = {node.id for node in ast.walk(builders) if isinstance(node, ast.Name)} - kept
        yield from (node for node in module.body if isinstance(node, ast.FunctionDef) and node.name in names)


def provenance() -> dict[str, object]:
    """What made a result: versions of the libraries that change numbers, the commit, Python and the machine's processor."""
    packages = ["torch", "torchvision", "pytorchvideo", "lightning", "torchmetrics", "av", "numpy", "scikit-learn"]
    describe = "git describe --always --dirty --abbrev=10".split()
    git = subprocess.run(describe, cwd=REPOSITORY, capture_output=True, text=True)
    return {
        "versions": {p: metadata.version(p) for p in packages},
        "commit": git.stdout.strip() or None,
        "python": platform.python_version(),
        "machine": platform.platform(),
        "cores": os.cpu_count(),
    }


@dataclass(frozen=True)
class Run:
    """One training (or baseline, or ensemble): the folder outputs/runs/<dataset>/<task>/<name>. predictions.parquet is written
    last, so its existence means that the run is complete."""

    dataset: str
    task: str
    name: str
    runs: Path | None = None  # where <dataset>/<task>/<name> lies, if not in outputs/runs

    @classmethod
    def at(cls, folder: str | Path) -> "Run":
        """The run whose folder <dataset>/<task>/<name> this is, wherever it was copied; FileNotFoundError if it is none."""
        folder = Path(folder).expanduser().resolve()
        if not (folder / "run.json").exists():
            raise FileNotFoundError(f"{folder} is not the folder of a run, <dataset>/<task>/<run>: it has no run.json")
        return cls(*folder.parts[-3:], folder.parents[2])

    @property
    def folder(self) -> Path:
        return (self.runs or home() / "outputs" / "runs") / self.dataset / self.task / self.name

    @property
    def complete(self) -> bool:
        return (self.folder / "predictions.parquet").exists()

    def facts(self) -> dict[str, object]:
        """run.json: every parameter, the seed, versions, commit, clip-set hash, device and wall time."""
        facts = json.loads((self.folder / "run.json").read_text(encoding="utf-8"))
        if "least_epochs" in facts.get("recipe", {}):  # as runs called min_epochs before 0.2
            facts["recipe"]["min_epochs"] = facts["recipe"].pop("least_epochs")
        return facts

    def labels(self) -> Labels:
        """The labels that the run was made with; the paper's for a run of before they were kept."""
        kept = self.facts().get("labels")
        return Labels.from_json(kept) if kept else labels.paper()

    def parent(self) -> "Run | None":
        """The run that this one started from, or that a baseline reads; None where there was none."""
        path = self.facts().get("parent")
        return Run(*path.split("/"), self.runs) if path else None

    def members(self) -> list["Run"]:
        """The runs that an ensemble averages, or the trainings of pooled folds; of any other run, itself."""
        facts = self.facts()
        names = facts.get("members") or facts.get("folds") or [self.name]
        return [Run(self.dataset, self.task, name, self.runs) for name in names]

    def changed_code(self) -> str:
        """Which modules that change numbers are no longer those that the run was trained with, in words; "" if none."""
        facts = self.facts()
        kept = facts.get("code", {})
        present = code_hashes(facts["network"]) if kept else {}
        changed = [name for name in kept if kept[name] != present.get(name)]
        return f"outdated: {', '.join(changed)} changed since" if changed else ""

    def remove(self) -> None:
        """Delete the run's folder, if there is one."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def write_facts(self, facts: dict[str, object]) -> None:
        with atomic(self.folder / "run.json") as part:
            part.write_text(json.dumps(facts, indent=1, default=str) + "\n", encoding="utf-8")

    def history(self) -> pd.DataFrame:
        """history.csv: one row per epoch (epoch, train_loss, val_loss, val_<metric>, learning_rate, seconds, data_wait_share)."""
        return pd.read_csv(self.folder / "history.csv")

    def embeddings(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """embeddings.npz: clip_id (N,), split (N,), penultimate embedding (N, D) float32."""
        with np.load(self.folder / "embeddings.npz") as file:
            return file["clip_id"], file["split"], file["embedding"]


def find_runs(dataset: str, task: str) -> list[Run]:
    """The complete runs of a data set and task, oldest first."""
    files = (home() / "outputs" / "runs" / dataset / task).glob("*/predictions.parquet")
    return [Run(dataset, task, file.parent.name) for file in sorted(files, key=lambda file: file.stat().st_mtime)]
