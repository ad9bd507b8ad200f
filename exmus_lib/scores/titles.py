"""What readers call a run: one title for tables, curves, menus and the report."""

from exmus_lib import recipes
from exmus_lib.recipes import Recipe

BASELINES = {
    "prevalence": "Label frequencies of training",
    "probe": "Linear probe on",
    "lookup": "Muscles looked up from",
}


def network_title(name: str) -> str:
    """A network's title in the paper's tables; of what is no network, its own name."""
    return recipes.title(name)


def run_title(facts: dict) -> str:
    """The title of a run, given its run.json: "SlowFast-R50, scratch, 1/β 4, 3 epochs, seed 0", "0.25 X3D-M + 0.75 ..."."""
    network, seed = facts["network"], f"seed {facts['seed']}"
    if "weights" in facts:
        parts = zip(facts["weights"], facts["networks"], strict=True)
        mixed = " + ".join(f"{weight:.2f} {network_title(name)}" for weight, name in parts)
        tuned = ["fine-tuned"] if "exercise" in facts["inits"] else []
        chosen = ["weight chosen on validation"] if facts["chosen_on_validation"] else []
        return ", ".join([mixed, *tuned, *chosen, seed])
    if network in BASELINES:
        parent = facts.get("parent", "//").split("/")[2].partition("-")[0]
        return ", ".join([f"{BASELINES[network]} {network_title(parent)}".strip(), seed])
    recipe = facts["recipe"]
    beta = [f"1/β {recipe['inverse_beta']}"] if recipe["inverse_beta"] != Recipe.inverse_beta else []
    head = [f"{facts['head']} head"] if facts.get("head") else []
    tag = [facts["tag"]] if facts.get("tag") else []
    epochs = f"{recipe['epochs']} epoch{'s' * (recipe['epochs'] != 1)}"
    return ", ".join([network_title(network), facts["init"], *beta, *head, epochs, *tag, seed])
