"""Checks what papermill injected: an unknown name or value stops the notebook at once, with the valid ones and the nearest."""

import shlex
from collections.abc import MutableMapping
from dataclasses import asdict
from pathlib import Path
from types import ModuleType, SimpleNamespace

from exmus_lib import recipes, workspace
from exmus_lib.vocabulary import TASKS, nearest

COMMON = ("dataset", "task", "preset", "split", "seed", "overwrite")
VIEW = ("epochs", "frames", "side", "fit")
TRAINING = (*COMMON, "networks", "init", *VIEW)
CHOICES = {
    "networks": tuple(recipes.NETWORKS),
    "task": TASKS,
    "preset": recipes.PRESETS,
    "split": ("video", "clip"),
    "init": recipes.INITS,
    "fit": recipes.FITS,
}
# Whole numbers and the least that makes sense; None leaves the recipe's own value.
NUMBERS = {"seed": 0, "epochs": 1, "frames": 1, "side": 32, "perplexity": 2, "views": 1}
OPTIONAL = ("init", "epochs", "frames", "side", "fit", "runs")
NOT_PARAMETERS = {"In", "Out", "get_ipython", "exit", "quit", "open", "EXMUS_REPO"}


def check(notebook: MutableMapping[str, object], *names: str, **fewer: tuple) -> SimpleNamespace:
    """The parameters `names` out of a notebook's globals(), checked: lists are split, None stands for "as the recipe says".
    `fewer` narrows what a parameter may be in this notebook (networks=("x3d_s", "x3d_m")).

    Call it straight after the parameters cell: every other plain global must then be a name that papermill injected by
    mistake (only in the first call: later ones meet the notebook's own variables). Raises ValueError naming the bad name or
    value, the valid ones and the nearest.
    """
    given = {
        k: v
        for k, v in notebook.items()
        if not (k.startswith("_") or k in NOT_PARAMETERS or isinstance(v, ModuleType) or callable(v))
    }
    for name in given:
        if name not in names and "_checked" not in notebook:
            raise ValueError(
                f'unknown parameter "{name}".{nearest(name, names)} This notebook takes: {", ".join(names)}'
            )
    checked = SimpleNamespace(**{name: _value(name, given[name], CHOICES | fewer) for name in names})
    notebook["_checked"] = True
    return checked


def _value(name: str, value: object, choices: dict[str, tuple]) -> object:
    if value is None and name in OPTIONAL:
        return None
    if name in ("networks", "betas"):
        chosen = [word.strip() for word in str(value).split(",") if word.strip()]
        for word in chosen or [""]:
            _one_of(name, word, tuple(map(str, choices[name])))
        return [type(choices[name][0])(word) for word in chosen]
    if name == "runs":
        return [word.strip() for word in str(value).split(",") if word.strip()]
    if name == "video":
        if value and not Path(str(value)).expanduser().is_file():
            raise ValueError(f'video = "{value}" is not an existing file (looked in {Path.cwd()})')
        return str(value)
    if name == "overwrite":
        return bool(_one_of(name, value, (True, False)))
    if name in NUMBERS:
        least = NUMBERS[name]
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"{name} = {value!r}: a whole number of at least {least} is wanted")
        return value
    if name == "dataset":
        workspace.check_dataset(str(value))
        return str(value)
    return _one_of(name, value, choices[name])


def _one_of(name: str, value: object, valid: tuple) -> object:
    if value not in valid:
        raise ValueError(
            f"{name} = {value!r} is not one of: {', '.join(map(str, valid))}.{nearest(str(value), tuple(map(str, valid)))}"
        )
    return value


def figures_folder(p: SimpleNamespace, dataset: str) -> str:
    """Where a notebook's figures go below outputs/figures: runs of another preset, split or seed have theirs elsewhere."""
    return f"{dataset}/{p.preset}-{p.split}-s{p.seed}"


def finished_run(
    p: SimpleNamespace, dataset: str, clip_set: str, network: str, epochs: int | None = None
) -> workspace.Run:
    """The run of a network that 02 or 03 makes with a notebook's own parameters; `dataset` and `clip_set` are name and hash.

    Raises FileNotFoundError with the command that makes it when there is none.
    """
    how, usual = recipes.recipe(network, p.preset, epochs=epochs), recipes.recipe(network, p.preset)
    facts = {
        "network": network,
        "init": recipes.init_of(p.preset),
        "preset": p.preset,
        "split": p.split,
        "seed": p.seed,
    }
    wanted = {**facts, "recipe": asdict(how), "clip_set": clip_set, "head": None}  # head: a Softmax is another network
    said = [(run, run.facts()) for run in workspace.find_runs(dataset, p.task)]
    found = [run for run, own in said if all(own.get(name) == value for name, value in wanted.items())]
    if found:
        return found[-1]
    notebook = recipes.NETWORKS[network].notebook
    options = {
        "dataset": p.dataset,
        "task": p.task,
        "networks": network,
        "preset": p.preset,
        "split": p.split,
        "seed": p.seed,
    }
    if how != usual:
        options["epochs"] = how.epochs
    raise FileNotFoundError(
        f"no finished run of {network} for {dataset}/{p.task} with {', '.join(f'{k} {v}' for k, v in facts.items())},"
        f" {how.epochs} epochs, on the present clips. Make it first: papermill notebooks/{notebook}.ipynb out.ipynb"
        f" {' '.join(f'-p {name} {shlex.quote(str(value))}' for name, value in options.items())}"
    )


def banner(**facts: object) -> None:
    """Print what this notebook runs on: versions, commit, device facts given by the caller, and where results go."""
    made = workspace.provenance()
    versions = "  ".join(f"{k} {v}" for k, v in made["versions"].items() if v)
    print(f"ExMus at {made['commit']}  |  Python {made['python']}  |  {versions}")
    for name, value in {"home": workspace.home(), **facts}.items():
        print(f"{name:>8}: {value}")
