"""The paper's rows (data/paper/tables.csv), which of our runs stand for them, and what of a run is not as in the paper.

`python -m exmus_lib.scores.paper` prints both.
"""

import sys
from dataclasses import asdict
from functools import cache

import pandas as pd

from exmus_lib import recipes, workspace
from exmus_lib.recipes import Recipe
from exmus_lib.scores.titles import TUNED

DAGGER = "†"
# The paper's words for what we call init.
VARIANTS = {"kinetics400": "pretrained", "scratch": "scratch", TUNED: "finetuned"}
KEYS = ["table", "task", "model", "variant", "epochs", "weights_x3d", "inverse_beta"]
MEASURED = ("top1", "top5", "accuracy", "auc", "precision", "recall", "f1")


def paper_rows(table: int | None = None) -> pd.DataFrame:
    """The paper's rows in its own order, in percent: KEYS, then one column per metric (NaN where it gives none).

    `table` is a number as in the paper; ValueError names those that data/paper/tables.csv has. None: all.
    """
    return _paper_rows(table).copy()


@cache
def _paper_rows(table: int | None) -> pd.DataFrame:
    values = pd.read_csv(workspace.PAPER_DIR / "tables.csv")
    if table is not None and table not in set(values["table"]):
        raise ValueError(f"table {table} is not among those with results: {sorted(set(values['table']))}")
    values = values if table is None else values[values["table"] == table]
    rows = values[KEYS].drop_duplicates(ignore_index=True)
    # pandas 3.0 cannot unstack by a column of which nothing is known, as weights of a table without ensembles.
    numbered = values.assign(row=values.groupby(KEYS, sort=False, dropna=False).ngroup())
    measured = numbered.pivot(index="row", columns="metric", values="value_percent")
    return rows.join(measured[[metric for metric in MEASURED if metric in measured]])


def on_joints(facts: dict) -> bool:
    """Whether a run, or one that it averages, reads joints instead of pixels, given its run.json."""
    recipes_of = facts.get("recipes", [facts.get("recipe")])
    return any((recipe or {}).get("input", Recipe.input) != "pixels" for recipe in recipes_of)


def is_of(row: pd.Series, facts: dict) -> bool:
    """Whether a run (its run.json) is of the kind of a paper's row: task, network or ensemble, weights, β, fine-tuned or not.

    Pretrained and scratch are one kind, and so are the ensembles of X3D-M with either SlowFast: `differs` tells them apart. Runs
    on joints are of no kind: all that the paper's networks see is pixels.
    """
    if on_joints(facts):
        return False
    if facts["task"] != row["task"] or (facts["network"] == "ensemble") != (row["variant"] == "ensemble"):
        return False
    if facts["network"] == "ensemble":
        if len(facts["networks"]) != 2 or facts["chosen_on_validation"]:
            return False
        first, second = facts["networks"]
        inits = {TUNED} if row["model"].startswith("FT") else {"kinetics400", "scratch"}
        pair = first == "x3d_m" and second in ("slowfast_r50", "slowfast_r101") and inits.issuperset(facts["inits"])
        return pair and facts["weights"][0] == row["weights_x3d"]
    if recipes.title(facts["network"]).lower() != row["model"].lower():
        return False
    beta = Recipe.inverse_beta if pd.isna(row["inverse_beta"]) else row["inverse_beta"]
    return facts["recipe"]["inverse_beta"] == beta and (facts["init"] == TUNED) == (row["variant"] == "finetuned")


def pair(task: str, preset: str) -> dict[str, int | None]:
    """The networks whose ensemble the paper gives for a task (its name), with their epochs there (Tables 9 and 10).

    Below the paper's presets X3D-M and SlowFast-R50, None epochs."""
    if preset not in recipes.SHORTER:
        return {"x3d_m": None, "slowfast_r50": None}
    rows = paper_rows().query("table in (9, 10) and task == @task and variant != 'ensemble'")
    networks = {recipes.title(network).lower(): network for network in recipes.NETWORKS}
    return {networks[row.model.lower()]: int(row.epochs) for row in rows.itertuples()}


def paper_rows_of(facts: dict) -> list[pd.Series]:
    """The paper's rows for a run, given its run.json: that of its init and the pretrained one; of an ensemble, of its weights.

    Among rows that differ in epochs alone, that of the run's epochs, else the first. Empty when the paper has none.
    """
    kinds = (facts, facts | {"init": "kinetics400"})
    rows = pd.DataFrame([row for _, row in paper_rows().iterrows() if any(is_of(row, kind) for kind in kinds)])
    if rows.empty or facts["network"] == "ensemble":
        return [row for _, row in rows.iterrows()]
    variants = dict.fromkeys([VARIANTS.get(facts.get("init")), "pretrained"])
    equal = [same for variant in variants if len(same := rows[rows["variant"] == variant])]
    return [same.loc[(same["epochs"] != facts["recipe"]["epochs"]).idxmin()] for same in equal]


def differs(run: workspace.Run, facts: dict, row: pd.Series) -> list[str]:
    """What of a run is not as in the paper's row: data, split, init, preset, tag or single values of its recipe."""
    if facts["network"] == "ensemble":
        return _ensemble_differs(run, row)
    # Of another preset, what was changed in its own recipe: `-p epochs 40` is told from the run without it.
    changes = {} if pd.isna(row["inverse_beta"]) else {"inverse_beta": int(row["inverse_beta"])}
    changes |= {"epochs": int(row["epochs"])} if facts["preset"] in recipes.SHORTER else {}
    theirs = asdict(recipes.recipe(facts["network"], facts["preset"], **changes))
    ours = theirs | facts["recipe"]  # a run of before a setting was there has what everybody had
    checks = {
        f"data {run.dataset}": run.dataset != "kaggle",
        f"split by {facts['split']}": facts["split"] != "video",
        f"init {facts['init']}": VARIANTS.get(facts["init"]) != row["variant"],
        f"preset {facts['preset']}": facts["preset"] != "paper",
        f"tag {facts.get('tag')}": bool(facts.get("tag")),
        f"stopped after {facts.get('epochs_run')} epochs": facts.get("epochs_run", ours["epochs"]) != ours["epochs"],
        **{f"{name} {ours[name]}": ours[name] != theirs[name] for name in theirs},
    }
    different = [what for what, differs in checks.items() if differs]
    if "parent" not in facts:
        return different
    parent = workspace.Run(*facts["parent"].split("/"), run.runs)  # the exercise run that a fine-tuned one started from
    if not parent.complete:
        return [*different, "exercise run: deleted"]
    of_parent = differs(parent, parent.facts(), paper_rows_of(parent.facts())[-1])  # from the pretrained row
    return different + [f"exercise run: {what}" for what in of_parent if what not in different]


def _ensemble_differs(run: workspace.Run, row: pd.Series) -> list[str]:
    """What differs in the members, each against its own row of the same table, and the networks where others are averaged."""
    rows, different = paper_rows(int(row["table"])), []
    for member, theirs in zip(run.members(), row["model"].replace("FT ", "").split("+"), strict=True):
        if not member.complete:
            different.append(f"{member.name} deleted")
            continue
        title = recipes.title(member.facts()["network"])
        different += [f"network {title} for {theirs}"] if title.lower() != theirs.lower() else []
        different += differs(member, member.facts(), rows[rows["model"] == theirs].iloc[0])
    return list(dict.fromkeys(different))


if __name__ == "__main__":
    from exmus_lib.scores import terminal

    try:
        print(terminal.table(sys.argv[1] if len(sys.argv) > 1 else "sample"))
    except FileNotFoundError as error:
        sys.exit(str(error))
