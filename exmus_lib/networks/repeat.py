"""A finished training made again from its run.json alone, and set beside the first, bit for bit."""

from pathlib import Path

import numpy as np
import torch

from exmus_lib import predictions, recipes, review, workspace
from exmus_lib.networks import compute, fit
from exmus_lib.videos import prepare
from exmus_lib.workspace import Run

TAG = "repeat"
TIMES = ["seconds", "data_wait_share"]  # columns of a history that no two trainings share


def repeat(folder: str | Path) -> bool:
    """Train the run of a folder again under the tag `repeat`, print what is equal, and say whether all is.

    The same clips, labels and marks, the parent where there is one, and as many threads; equal bits are promised on the same kind
    of processor, with the same versions, of trainings on a CPU by one process. An equal run is removed again, another one stays
    to be looked at. ValueError says what is no longer there to repeat it with.
    """
    first = Run.at(folder)
    facts, clip_set = first.facts(), prepare.load(first.dataset)
    how, parent = _how(first, clip_set), first.parent()
    for words in filter(None, (first.changed_code(), _elsewhere(facts))):
        print(f"note: {words}")
    threads = torch.get_num_threads()
    torch.set_num_threads(facts.get("threads", threads))
    tag = "_".join(filter(None, (facts.get("tag"), TAG)))
    try:
        again = fit.train(
            clip_set, facts["network"], first.task, facts["preset"], parent or facts["init"], facts["split"], facts["seed"],
            overwrite=True, softmax="head" in facts, tag=tag, **how,
        )  # fmt: skip
    finally:
        torch.set_num_threads(threads)
    equal = _compare(first, again)
    if equal:
        again.remove()
    print(f"{first.name}: {'equal, bit for bit' if equal else f'not equal; the second run is in {again.folder}'}")
    return equal


def _how(run: Run, clip_set: prepare.ClipSet) -> dict[str, object]:
    """The recipe of a run as changes to its preset's. ValueError where the run has none, or cannot be repeated today."""
    facts, parent = run.facts(), run.parent()
    if "recipe" not in facts or not run.complete:
        of = facts.get("members") or facts.get("folds")
        way = f"repeat {', '.join(of)}" if of else "only a finished training can be repeated"
        raise ValueError(f"{run.name} is no finished training of its own: {way}")
    if clip_set.hash(facts["split"]) != facts["clip_set"]:
        raise ValueError(f"{run.name} was trained on other clips than {clip_set.name} has today, or another split")
    if review.seen(clip_set.table(facts["split"]), clip_set.task(run.task)) != facts["seen"]:
        raise ValueError(f"{run.name} was trained with other labels or marks than {clip_set.name} has today")
    if parent and not (parent.complete and parent.facts().get("weights_sha256") == facts["parent_weights"]):
        raise ValueError(f"{run.name} started from {parent.name}, which is gone or was trained anew")
    how = {name: value for name, value in facts["recipe"].items() if value is not None}
    made = recipes.kept(recipes.recipe(facts["network"], facts["preset"], **how))
    if made != facts["recipe"]:
        other = sorted(name for name in made if made[name] != facts["recipe"].get(name))
        raise ValueError(f"{run.name}: this version's recipes have no such {', '.join(other)}")
    return how


def _elsewhere(facts: dict) -> str:
    """What differs between here and where a run was made, and may change its last bits; "" where nothing does."""
    here = workspace.provenance() | {"device": compute.describe(facts["network"])}
    other = [name for name in ("versions", "python", "machine", "cores", "device") if here[name] != facts.get(name)]
    if torch.cuda.is_available():
        return "a GPU adds up in another order each time: the last bits may differ"
    if facts.get("processes", 1) > 1:
        return f"made by {facts['processes']} processes, repeated by one: the last bits may differ"
    return f"made elsewhere ({', '.join(other)} differ): the last bits may differ" if other else ""


def _compare(first: Run, again: Run) -> bool:
    """Print, for weights, history and predictions, whether they are equal; whether all are."""
    tables = [predictions.read(run) for run in (first, again)]
    histories = [run.history().drop(columns=TIMES, errors="ignore") for run in (first, again)]
    apart = np.abs(np.subtract(*map(predictions.logits, tables))).max()
    equal = {
        "weights": first.facts()["weights_sha256"] == again.facts()["weights_sha256"],
        "history": histories[0].equals(histories[1]),
        f"predictions (largest difference of a logit: {apart:.3g})": tables[0].equals(tables[1]),
    }
    for name, same in equal.items():
        print(f"{'equal' if same else 'DIFFERS'}: {name}")
    return all(equal.values())
