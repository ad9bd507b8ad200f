"""What readers call a run: one title for tables, curves, menus and the report."""

from exmus_lib import recipes
from exmus_lib.recipes import Recipe

TUNED = "exercise"  # the init of a run that started from a run on exercises
BASELINES = {
    "prevalence": "Label frequencies of training",
    "probe": "Linear probe on",
    "lookup": "Muscles looked up from",
}


def run_title(facts: dict) -> str:
    """The title of a run, given its run.json: "SlowFast-R50, scratch, 1/β 4, 3 epochs, seed 0", "0.25 X3D-M + 0.75 ..."."""
    return f"{setup_title(facts)}, seed {facts['seed']}"


def setup_title(facts: dict) -> str:
    """The title of runs that differ in their seed alone. Of an ensemble without weights (None), the networks alone."""
    network, parts = facts["network"], []
    if network == "ensemble":
        weights = [f"{weight:.2f} " for weight in facts["weights"] or []] or [""] * len(facts["networks"])
        nothing = [None] * len(facts["networks"])
        networks = map(network_title, facts["networks"], facts.get("recipes") or nothing, facts.get("tags") or nothing)
        parts.append(" + ".join(weight + title for weight, title in zip(weights, networks, strict=True)))
        parts += ["fine-tuned"] if TUNED in facts["inits"] else []
        parts += ["weight chosen on validation"] if facts["chosen_on_validation"] else []
    elif network in BASELINES:
        parent = facts.get("parent", "//").split("/")[2].partition("-")[0]
        parts.append(f"{BASELINES[network]} {recipes.title(parent)}".strip())
    else:
        recipe = facts["recipe"]
        parts += [network_title(network, recipe), facts["init"]]
        parts += [f"1/β {recipe['inverse_beta']}"] if recipe["inverse_beta"] != Recipe.inverse_beta else []
        parts += [f"{facts['head']} head"] if facts.get("head") else []
        parts.append(f"{recipe['epochs']} epoch{'s' * (recipe['epochs'] != 1)}")
        parts += [facts["tag"]] if facts.get("tag") else []
    parts += [f"{facts['split'].removesuffix('folds')} folds over all clips"] if is_folds(facts["split"]) else []
    return ", ".join(parts)


def network_title(network: str, recipe: dict | None, tag: str | None = None) -> str:
    """The title of a network with what it sees, where that may be something else than pixels, and its tag: "X3D-M on poses"."""
    return recipes.title(network) + " on poses" * ((recipe or {}).get("input") == "pose") + (f" ({tag})" if tag else "")


def is_folds(split: str) -> bool:
    """Whether a run's split is "5folds" or the like: cross-validation, each clip predicted by a network that never saw it."""
    return split.endswith("folds")
