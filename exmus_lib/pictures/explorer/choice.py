"""Which runs the explorer offers, what it calls them, and which it begins with."""

import shlex
from collections.abc import Collection
from dataclasses import asdict
from types import SimpleNamespace

from exmus_lib import recipes, workspace
from exmus_lib.scores import paper, tables
from exmus_lib.videos.prepare import ClipSet

RENDERED = (
    '<p style="border-left:4px solid #b35900;padding:2px 10px;background:#fdf4ea;color:#1a1a1a">These networks were trained on'
    " the rendered sample. They do not know real people, and what they say of a real video means nothing yet.</p>"
)


def offered(clip_set: ClipSet, task: str, preset: str) -> dict[str, workspace.Run]:
    """The complete runs of a task and preset on the present clips, split by video, by what a reader calls them."""
    named = {}
    for run in tables.runs_of(clip_set, preset):
        if run.task == task:
            name = _name(run)
            named[name if name not in named else run.name] = run
    return named


def check_runs(p: SimpleNamespace, clip_set: ClipSet) -> None:
    """Raise FileNotFoundError with the commands that make runs when none of a notebook's task and preset is finished."""
    if not offered(clip_set, p.task, p.preset):
        options = f"-p dataset {shlex.quote(str(p.dataset))} -p task {p.task} -p preset {p.preset}"
        raise FileNotFoundError(
            f"no finished run of {p.task} for {clip_set.name} at {p.preset}, on the present clips. Make one or both first:"
            f" papermill notebooks/02_x3d.ipynb out.ipynb {options}; papermill notebooks/03_slowfast.ipynb out.ipynb {options}"
        )


def _name(run: workspace.Run) -> str:
    """Such as "SlowFast-R50, scratch, 1/β 4, seed 1, 3 epochs"; a baseline's is that of its folder."""
    facts = run.facts()
    if "weights" in facts:
        members = [recipes.title(network) for network in facts["networks"]]
        return " + ".join(f"{weight:g} {member}" for weight, member in zip(facts["weights"], members, strict=True))
    if "recipe" not in facts:
        return run.name
    how, usual = facts["recipe"], recipes.recipe(facts["network"], facts["preset"])
    parts = [recipes.title(facts["network"]), facts["init"]]
    parts += [f"1/β {how['inverse_beta']}"] if how["inverse_beta"] != usual.inverse_beta else []
    return ", ".join([*parts, f"seed {facts['seed']}", f"{how['epochs']} epochs"])


def hybrid(runs: Collection[workspace.Run], task: str, preset: str) -> tuple[workspace.Run, ...]:
    """Of these runs the two that the paper averages (paper.pair), as 02 and 03 train them, of the lowest seed and the newest."""
    found = []
    for network, epochs in paper.pair(task, preset).items():
        wanted = asdict(recipes.recipe(network, preset, epochs=epochs)), recipes.init_of(preset)
        same = [(run, facts) for run in runs if (facts := run.facts())["network"] == network]
        ranked = sorted(same, key=lambda one: ((one[1]["recipe"], one[1]["init"]) == wanted, -one[1]["seed"]))
        found += [run for run, _ in ranked[-1:]]
    return tuple(found)
