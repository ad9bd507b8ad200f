"""run.json: one reader, whose errors name the file, what is wrong in it and the way out."""

import json
import math
from pathlib import Path
from typing import get_type_hints

from exmus_lib.recipes import Recipe
from exmus_lib.storage import plain, reading

WAY_OUT = "Run what made the run again: what is missing is made anew."
EVERY_RUN = ("network", "preset", "split", "seed", "clip_set")  # trained, averaged, pooled or a baseline
WORDS = "network task preset init split clip_set parent tag head seen weights_sha256 parent_weights".split()
LISTS = ("members", "folds")  # of names of runs


class Facts(dict):
    """run.json by its keys: one that is missing is a ValueError that names the file."""

    def __init__(self, facts: dict, path: Path):
        super().__init__(facts)
        self.path = path

    def __missing__(self, key: str) -> None:
        raise ValueError(f'{self.path} has no "{key}": it was changed, or is of another version. {WAY_OUT}')


def read(path: Path) -> Facts:
    """run.json, checked. Raises Damaged where it is no JSON, or not what a run's facts can be; the file is then set aside."""
    with reading(path, WAY_OUT):
        facts = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(facts, dict):
            raise TypeError(f"facts by their names are wanted, not {_short(facts)}")
        if isinstance(facts.get("recipe"), dict) and "least_epochs" in facts["recipe"]:
            facts["recipe"]["min_epochs"] = facts["recipe"].pop("least_epochs")  # as runs called it before 0.2
        if problem := _problem(facts):
            raise TypeError(problem)
    if other := sorted((facts.get("recipe") or {}).keys() - get_type_hints(Recipe)):
        raise ValueError(f'{path}: the recipe has "{other[0]}", which this version does not know. {WAY_OUT}')
    return Facts(facts, path)


def _problem(facts: dict) -> str:
    """What no run's facts can have, in words; "" where there is nothing."""
    for name in WORDS:
        if not isinstance(facts.get(name, ""), str):
            return f'"{name}" is {_short(facts[name])}, a word is wanted'
    for name in LISTS:
        if not (isinstance(value := facts.get(name, ["x"]), list) and value and all(isinstance(v, str) for v in value)):
            return f'"{name}" is {_short(value)}, a list of runs is wanted'
        for run in value:
            plain(run)
    if not _whole(facts.get("seed", 0)):
        return f'"seed" is {_short(facts["seed"])}, a whole number is wanted'
    if facts.get("parent", "a/b/c").count("/") != 2:
        return f'"parent" is {_short(facts["parent"])}, <dataset>/<task>/<run> is wanted'
    for part in facts.get("parent", "a/b/c").split("/"):
        plain(part)
    weights = facts.get("weights", [])
    if not (isinstance(weights, list) and all(isinstance(w, int | float) and math.isfinite(w) for w in weights)):
        return f'"weights" is {_short(weights)}, a list of numbers is wanted'
    if "weights" in facts and len(weights) != len(facts.get("members", [])):
        return f'there are {len(weights)} "weights" for {len(facts.get("members", []))} "members"'
    tags = facts.get("tags", [None] * len(facts.get("members", [])))
    if not (isinstance(tags, list) and len(tags) == len(facts.get("members", []))):
        return f'"tags" is {_short(tags)}, one of each of "members" is wanted'
    kept = facts.get("labels", {})
    if not isinstance(kept, dict) or not all(
        isinstance(muscles, list) and all(isinstance(muscle, str) for muscle in muscles) for muscles in kept.values()
    ):
        return '"labels" is not a list of muscles for each exercise'
    if not isinstance(code := facts.get("code", {}), dict):
        return f'"code" is {_short(code)}, digits for each module are wanted'
    recipe = facts.get("recipe", {})
    return _problem_of_recipe(recipe) if isinstance(recipe, dict) else f'"recipe" is {_short(recipe)}'


def _problem_of_recipe(recipe: dict) -> str:
    kinds = get_type_hints(Recipe)
    for name, value in recipe.items():
        if name not in kinds:
            continue  # of another version: the run is sound, and not ours to touch
        kind = kinds[name]
        right = isinstance(value, kind) or (_whole(value) and kind in (float, float | None))
        if not right or (isinstance(value, bool) and kind is not bool) or not _sensible(value):
            return f"the recipe has {name} = {_short(value)}, {getattr(kind, '__name__', kind)} is wanted"
    return ""


def _sensible(value: object) -> bool:
    return not isinstance(value, int | float) or 0 <= value < 1e9


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _short(value: object) -> str:
    return repr(value)[:80]
