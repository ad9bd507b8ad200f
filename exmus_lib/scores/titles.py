"""What readers call a run: one title for tables, curves, menus and the report; and whether it is outdated."""

from exmus_lib import recipes, workspace
from exmus_lib.recipes import Recipe
from exmus_lib.videos.prepare import ClipSet

TUNED = "exercise"  # the init of a run that started from a run on exercises
BASELINES = {
    "prevalence": "Label frequencies of training",
    "probe": "Linear probe on",
    "lookup": "Muscles looked up from",
}


def network_title(name: str) -> str:
    """A network's title in the paper's tables; of what is no network, its own name."""
    row = recipes.NETWORKS.get(name, name)
    return row if isinstance(row, str) else row.title  # TODO `.title` alone once every row is a Network


def run_title(facts: dict) -> str:
    """The title of a run, given its run.json: "SlowFast-R50, scratch, 1/β 4, 3 epochs, seed 0", "0.25 X3D-M + 0.75 ..."."""
    return f"{setup_title(facts)}, seed {facts['seed']}"


def setup_title(facts: dict) -> str:
    """The title of runs that differ in their seed alone. Of an ensemble without weights (None), the networks alone."""
    network, parts = facts["network"], []
    if network == "ensemble":
        weights = [f"{weight:.2f} " for weight in facts["weights"] or []] or [""] * len(facts["networks"])
        parts.append(" + ".join(w + network_title(n) for w, n in zip(weights, facts["networks"], strict=True)))
        parts += ["fine-tuned"] if TUNED in facts["inits"] else []
        parts += ["weight chosen on validation"] if facts["chosen_on_validation"] else []
    elif network in BASELINES:
        parent = facts.get("parent", "//").split("/")[2].partition("-")[0]
        parts.append(f"{BASELINES[network]} {network_title(parent)}".strip())
    else:
        recipe = facts["recipe"]
        parts += [network_title(network), facts["init"]]
        parts += [f"1/β {recipe['inverse_beta']}"] if recipe["inverse_beta"] != Recipe.inverse_beta else []
        parts += [f"{facts['head']} head"] if facts.get("head") else []
        parts.append(f"{recipe['epochs']} epoch{'s' * (recipe['epochs'] != 1)}")
        parts += [facts["tag"]] if facts.get("tag") else []
    return ", ".join([*parts, *([f"{facts['split']} over all clips"] if is_folds(facts["split"]) else [])])


def is_folds(split: str) -> bool:
    """Whether a run's split is "5 folds" or the like: cross-validation, each clip predicted by a network that never saw it."""
    return split.endswith(" folds")


def outdated(run: workspace.Run, clip_set: ClipSet) -> str:
    """Why a run is outdated, in a few words: trained on other labels or marks, or by other code. Empty when it is not."""
    return ""
