"""Where things lie: data and outputs, run folders, and what made a result. How files are written and locked is in storage.py."""

import ast
import hashlib
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd

from exmus_lib import labels, runfile
from exmus_lib.labels import Labels, nearest
from exmus_lib.recipes import NETWORKS
from exmus_lib.storage import atomic, plain, reading, where_possible

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
    return home() / "data" / "raw" / plain(dataset)


def is_rendered(dataset: str) -> bool:
    """Whether a data set is the rendered sample, whole or small: its networks know no real people."""
    return dataset in ("sample", "sample-smoke")


def clips_dir(dataset: str) -> Path:
    """videos.parquet, clips.parquet and the clips of a data set."""
    return home() / "data" / "clips" / plain(dataset)


def outputs_dir(kind: str) -> Path:
    """outputs/<kind>, made when missing, where it can be; kind is one of executed, figures, tables, report, own, jobs."""
    folder = home() / "outputs" / kind
    with where_possible():
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def six_hex(*parts: object) -> str:
    """Six hexadecimal digits of a hash over parts that JSON can hold; the same parts give the same digits anywhere."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:6]


LIBRARY = REPOSITORY / "exmus_lib"
# The modules whose code changes the numbers of a training.
CODE = ("recipes.py", "tasks.py", *(f"videos/{name}.py" for name in ("container", "read", "windows", "dataset", "cache")), *(
    f"networks/{name}.py"
    for name in (
        "build", "compute", "convolutions", "kernels", "weights", "loading", "ranks", "optimisers", "training", "fit", "predict",
        "folded", "compiled",
    )
))  # fmt: skip
# And those of a training on joints, drawn or as numbers, besides: how virtual people move, and how joints are found and seen.
POSE_CODE = ("networks/joints.py", "networks/pose.py", "videos/evenly.py", *(
    f"poses/{name}.py"
    for name in ("blazepose", "draw", "estimate", "features", "people", "pictures", "project", "track", "virtual")
), *(f"sample/{name}.py" for name in ("skeleton", "body", "mesh", "equipment")), *(
    file.relative_to(LIBRARY).as_posix() for file in sorted((LIBRARY / "sample" / "movements").rglob("*.py"))
))  # fmt: skip


@cache
def code_hashes(network: str) -> dict[str, str]:
    """Six hexadecimal digits of each module of CODE and POSE_CODE, as it stands for a network: its lines but for comments, blank
    ones, and what another network of one's own adds: its row, its builder, its imports."""
    kept = {network, NETWORKS[network].builder} if network in NETWORKS else {network}
    hashes = {}
    for name in (*CODE, *POSE_CODE):
        text = (LIBRARY / name).read_text(encoding="utf-8")
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
    try:
        commit = subprocess.run(describe, cwd=REPOSITORY, capture_output=True, text=True).stdout.strip()
    except OSError:  # no git here
        commit = ""
    return {
        "versions": {p: metadata.version(p) for p in packages},
        "commit": commit or None,
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

    def __post_init__(self):
        for name in (self.dataset, self.task, self.name):
            plain(name)

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
    def weights(self) -> Path:
        """What a training leaves of its network; baselines, ensembles and pooled folds have none."""
        return self.folder / "weights.safetensors"

    @property
    def complete(self) -> bool:
        return all((self.folder / file).exists() for file in ("predictions.parquet", "run.json"))

    def facts(self) -> runfile.Facts:
        """run.json: every parameter, the seed, versions, commit, clip-set hash, device and wall time. Raises as runfile.read."""
        return runfile.read(self.folder / "run.json")

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
        path = self.folder / "history.csv"
        with reading(path, runfile.WAY_OUT):
            history = pd.read_csv(path)
            epochs = list(history["epoch"]) == list(range(len(history)))
            if not (epochs and {"train_loss", "seconds"} <= set(history)):
                raise ValueError("a row for each epoch is wanted")
        return history

    def embeddings(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """embeddings.npz: clip_id (N,), split (N,), penultimate embedding (N, D) float32."""
        path = self.folder / "embeddings.npz"
        with reading(path, "Train the run again, with overwrite=True."), np.load(path, allow_pickle=False) as file:
            ids, splits, embedding = file["clip_id"], file["split"], file["embedding"]
            if not (len(ids) == len(splits) == len(embedding) and np.isfinite(embedding).all()):
                raise ValueError(f"{len(ids)} clips, {len(splits)} splits, embeddings {embedding.shape}, or no numbers")
        return ids, splits, embedding


def find_runs(dataset: str, task: str) -> list[Run]:
    """The complete runs of a data set and task, oldest first; one whose run.json cannot be read is named and left out."""
    files = (home() / "outputs" / "runs" / plain(dataset) / plain(task)).glob("*/predictions.parquet")
    runs = [Run(dataset, task, file.parent.name) for file in sorted(files, key=lambda file: file.stat().st_mtime)]
    return [run for run in runs if run.complete and _is_told(run)]


def _is_told(run: Run) -> bool:
    """Whether run.json can be read and has what every run has; a printed line where not."""
    try:
        facts = run.facts()
        return all(facts[name] is not None for name in runfile.EVERY_RUN)
    except ValueError as error:
        print(f"left out: {error}")
        return False
