"""Checks what papermill injected: an unknown name or value stops the notebook at once, with the valid ones and the nearest."""

import ast
import atexit
import gc
import re
import shlex
import sys
from collections.abc import Callable, MutableMapping
from functools import partial
from pathlib import Path
from types import SimpleNamespace

from exmus_lib import recipes, review, workspace
from exmus_lib.labels import nearest
from exmus_lib.tasks import TASKS

# A kernel ends at once: else Python looks for garbage among all that PyTorch and Lightning leave, for one to three seconds.
atexit.register(gc.freeze)

COMMON = ("dataset", "task", "preset", "split", "seed", "overwrite")
# What replaces values of a network's recipe; None leaves those of the recipe.
RECIPE = ("epochs", "frames", "side", "fit", "learning_rate", "batch", "augment", "freeze", "balance")
TRAINING = (*COMMON, *RECIPE, "seeds", "folds", "tag", "devices")


def check(notebook: MutableMapping[str, object], *names: str, **narrower: tuple) -> SimpleNamespace:
    """The parameters `names` out of a notebook's globals(), checked: lists are split, None stands for "as the recipe says".

    `narrower` says what a parameter may be in this notebook (networks=("x3d_s", "x3d_m")). Raises ValueError naming a bad value,
    or a name that papermill injected and the notebook does not take, the valid ones and the nearest. Variables of one's own do no
    harm. For trainings the result also has `changes` (to the recipe), `seeds` (a list, of `seed` alone where none are given),
    `folds` (their number, 0 for none), `splits` (one to train on, or one of each fold) and `scored` (the split to score on).
    """
    for name in _injected(notebook):
        if name not in names:
            hint = nearest(name, names)
            raise ValueError(f'unknown parameter "{name}".{hint} This notebook takes: {", ".join(names)}')
    p = SimpleNamespace(**{name: _value(name, notebook[name], narrower) for name in names})
    if "folds" in names:
        if p.folds and p.split != "video":
            raise ValueError(f"folds = 1-{p.folds} keep each source on one side: they go with split = 'video' only")
        p.changes = {n: getattr(p, n) for n in (*RECIPE, "input") if getattr(p, n, None) is not None}
        p.seeds = p.seeds or [p.seed]
        p.splits = [f"fold{n}of{p.folds}" for n in range(1, p.folds + 1)] or [p.split]
        p.scored = f"{p.folds}folds" if p.folds else p.split
    return p


def _injected(notebook: MutableMapping[str, object]) -> list[str]:
    """The names that papermill assigned, in the cell that it puts below the parameters cell and calls "Parameters"."""
    cells = [str(cell) for cell in notebook.get("In", []) if str(cell).startswith("# Parameters\n")]
    statements = [statement for cell in cells for statement in ast.parse(cell).body]
    return [target.id for statement in statements if isinstance(statement, ast.Assign) for target in statement.targets]


def _value(name: str, value: object, narrower: dict[str, tuple]) -> object:
    if value is None and name in OPTIONAL:
        return {"seeds": [], "folds": 0}.get(name)
    return KINDS[name](name, value, **({"valid": narrower[name]} if name in narrower else {}))


def _one_of(name: str, value: object, valid: tuple) -> object:
    if value not in valid:
        words = [str(one) for one in valid]
        raise ValueError(f"{name} = {value!r} is not one of: {', '.join(words)}.{nearest(value, words)}")
    return valid[valid.index(value)]  # True for 1, so that a run's hash is the same


def _some_of(name: str, value: object, valid: tuple) -> list:
    words = _words(name, value) or [""]
    return [type(valid[0])(_one_of(name, word, tuple(map(str, valid)))) for word in words]


def _words(name: str, value: object) -> list[str]:
    return list(dict.fromkeys(word.strip() for word in str(value).split(",") if word.strip()))


def _number(name: str, value: object, kind: type, least: float, wanted: str) -> object:
    """A finite number; papermill hands over int, float and bool, and `kind` float takes whole ones too."""
    if isinstance(value, bool) or not isinstance(value, int | kind) or not least <= value < float("inf"):
        raise ValueError(f"{name} = {value!r}: {wanted} is wanted")
    return kind(value)


def _text(name: str, value: object, pattern: str, wanted: str, kind: Callable[[str], object] = str) -> object:
    if not re.fullmatch(pattern, str(value)):
        raise ValueError(f"{name} = {value!r}: {wanted} is wanted")
    return kind(str(value))


def _existing(name: str, value: object, there: Callable[[Path], bool], wanted: str) -> str:
    if value and not there(Path(str(value)).expanduser()):
        raise ValueError(f'{name} = "{value}" is not an existing {wanted} (looked in {Path.cwd()})')
    return str(value)


def _choice(*valid: object) -> Callable[..., object]:
    return partial(_one_of, valid=valid)


def _whole(least: int) -> Callable[..., object]:
    return partial(_number, kind=int, least=least, wanted=f"a whole number of at least {least}")


KINDS: dict[str, Callable[..., object]] = {
    "dataset": lambda name, value: workspace.check_dataset(str(value)), "task": _choice(*TASKS),
    "preset": _choice(*recipes.PRESETS), "split": _choice("video", "clip"), "seed": _whole(0),
    "overwrite": _choice(True, False), "unknown": _choice("stop", "skip"),
    "networks": partial(_some_of, valid=recipes.ON_PICTURES), "betas": _some_of,
    "init": _choice(*recipes.INITS), "epochs": _whole(1), "frames": _whole(1), "side": _whole(32),
    "fit": _choice(*recipes.FITS), "input": _choice("pixels", "pose"), "batch": _whole(1), "augment": _choice(True, False),
    "balance": _choice("none", "classes"),
    "learning_rate": partial(_number, kind=float, least=sys.float_info.min, wanted="a number above 0, as 3e-4,"),
    "freeze": partial(_text, pattern=r"nothing|backbone(:\d+)?",
                      wanted="one of nothing, backbone, backbone:3 (for the first 3 epochs)"),
    "seeds": partial(_text, pattern=r"\d+(\s*,\s*\d+)*", wanted="a list of whole numbers, as in 0,1,2,",
                     kind=lambda text: list(dict.fromkeys(int(word) for word in text.split(",")))),
    "folds": partial(_text, pattern=r"1-([3-9]|[1-9]\d+)",
                     wanted="1-5 for five folds (three at least: for training, validation and test)",
                     kind=lambda text: int(text.removeprefix("1-"))),
    "tag": partial(_text, pattern=r"[A-Za-z0-9_]{1,40}",
                   wanted="a word of letters, digits and underscores, 40 at most, as in focal_loss,"),
    "tasks": partial(_some_of, valid=tuple(TASKS)), "devices": _whole(1), "nodes": _whole(1), "workers": _whole(1),
    "runs": _words, "views": _whole(1), "perplexity": _whole(2), "steps": _whole(1),
    "video": partial(_existing, there=Path.is_file, wanted="file"),
    "real": partial(_existing, there=Path.is_dir, wanted="folder of class folders"),
    "target": partial(_number, kind=float, least=sys.float_info.min, wanted="a number of GFLOPs above 0, as 0.02,"),
}  # fmt: skip
OPTIONAL = ("init", *RECIPE, "input", "seeds", "folds", "tag", "runs", "steps", "target", "workers")


def figures_folder(p: SimpleNamespace, dataset: str) -> str:
    """Where a notebook's figures go below outputs/figures: runs of another preset, split or seed have theirs elsewhere."""
    tag = getattr(p, "tag", None)
    return f"{dataset}/{p.preset}-{getattr(p, 'scored', p.split)}-s{p.seed}" + (f"-{tag}" if tag else "")


def finished_run(
    p: SimpleNamespace, clip_set, network: str, epochs: int | None = None, task: str | None = None
) -> workspace.Run:
    """The run of a network that 02 or 03 makes with a notebook's own parameters, of `p.epochs`, `epochs` or the recipe's.

    Of several the newest that is not outdated (review.outdated), else the newest, and a printed line says so. Raises
    FileNotFoundError with the command that makes it when there is none.
    """
    task, epochs = task or p.task, getattr(p, "epochs", None) or epochs
    recipe, usual = recipes.recipe(network, p.preset, epochs=epochs), recipes.recipe(network, p.preset)
    shared = {"preset": p.preset, "split": p.split, "seed": p.seed}
    facts = {"network": network, "init": recipes.init_of(p.preset, network), **shared}
    wanted = {**facts, "recipe": recipes.kept(recipe), "clip_set": clip_set.hash(p.split), "head": None, "tag": None}
    kept = {run: run.facts() for run in workspace.find_runs(clip_set.name, task)}
    runs = [run for run in kept if all(kept[run].get(name) == value for name, value in wanted.items())]
    reasons = {run: review.outdated(run, clip_set) for run in runs}
    present = [run for run in runs if not reasons[run]]
    if present:
        return present[-1]
    if runs:
        print(f"{runs[-1].name} is {reasons[runs[-1]]}")
        return runs[-1]
    options = {"dataset": p.dataset, "task": task, "networks": network, **shared}
    options |= {"epochs": recipe.epochs} if recipe != usual else {}
    raise FileNotFoundError(
        f"no finished run of {network} for {clip_set.name}/{task} with {', '.join(f'{k} {v}' for k, v in facts.items())},"
        f" {recipe.epochs} epochs, on the present clips. Make it first: papermill"
        f" notebooks/{recipes.NETWORKS[network].notebook}.ipynb out.ipynb"
        f" {' '.join(f'-p {name} {shlex.quote(str(value))}' for name, value in options.items())}."
        " Or name other runs: -p epochs, and where the notebook takes it -p runs (folder names, comma-separated)."
    )


def banner(clip_set=None, **facts: object) -> None:
    """Print what this notebook runs on: versions, commit, facts given by the caller, where results go, and what of the data set
    is left out."""
    made = workspace.provenance()
    versions = "  ".join(f"{k} {v}" for k, v in made["versions"].items())
    print(f"ExMus at {made['commit']}  |  Python {made['python']}  |  {versions}")
    for name, value in {"home": workspace.home(), **facts}.items():
        print(f"{name:>8}: {value}")
    for note in clip_set.notes if clip_set else ():
        print(f"    note: {note}")
