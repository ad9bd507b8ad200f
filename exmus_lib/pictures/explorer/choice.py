"""Which runs the explorer offers, what it calls them, and which it begins with."""

from collections.abc import Collection

from exmus_lib import predictions, recipes, workspace
from exmus_lib.scores import paper, tables, titles
from exmus_lib.tasks import Task
from exmus_lib.videos.prepare import ClipSet

RENDERED = "trained on rendered people only, no guide to real ones"
DEMO = '"make demo" makes the sample, and trains networks on it.'


def makes(dataset: str) -> str:
    """What makes runs of a data set, in words."""
    if dataset == "sample":
        return '"make demo", 02_x3d and 03_slowfast make some'
    return "02_x3d and 03_slowfast make some, with the parameter dataset as 01_data_prep had it"


def some(clip_set: ClipSet, task: Task, preset: str) -> tuple[str, dict[str, workspace.Run]]:
    """The preset, or, where nothing of it can be shown, that of the newest run that can; and the runs `offered` of it."""
    presets = [preset, *(run.facts()["preset"] for run in reversed(workspace.find_runs(clip_set.name, task.name)))]
    for one in dict.fromkeys(presets):
        if runs := offered(clip_set, task, one):
            return one, runs
    return preset, {}


def offered(clip_set: ClipSet, task: Task, preset: str) -> dict[str, workspace.Run]:
    """The complete runs of a task and preset on the present clips, split by video, by what a reader calls them.

    Those that were trained with other labels than the clip set has today are called so.
    """
    named = {}
    for run in tables.runs_of(clip_set, preset):
        if run.task == task.name:
            other = "" if predictions.task_of(run).names == task.names else ", other labels"
            title = titles.run_title(run.facts()) + other
            named[title if title not in named else run.name + other] = run
    return named


def left_out(clip_set: ClipSet, task: Task, preset: str) -> str:
    """A sentence on runs that cannot be shown on the present clips, and why; "" where there are none."""
    reasons = [reason for run, reason in tables.left_out(clip_set, preset) if run.task == task.name]
    return f"Runs that are left out: {len(reasons)} ({'; '.join(dict.fromkeys(reasons))})." if reasons else ""


def hybrid(runs: Collection[workspace.Run], task: Task, preset: str) -> tuple[workspace.Run, ...]:
    """Of these runs the two that the paper averages (paper.pair), as 02 and 03 train them, of the lowest seed and the newest."""
    chosen = []
    for network, epochs in paper.pair(task.name, preset).items():
        wanted = recipes.kept(recipes.recipe(network, preset, epochs=epochs)), recipes.init_of(preset, network)
        facts = {run: run.facts() for run in runs if run.facts()["network"] == network}
        ranked = sorted(facts, key=lambda r: ((facts[r]["recipe"], facts[r]["init"]) == wanted, -facts[r]["seed"]))
        chosen += ranked[-1:]
    return tuple(chosen)
