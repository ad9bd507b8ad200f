"""The paper's tables (data/paper/tables.csv), and our runs beside them. `python -m exmus_lib.scores.paper` prints both.

A difference is given only where data, preset and initial weights are the paper's. Every other row of ours carries a
dagger and says what differs.
"""

import sys
from collections.abc import Iterable
from dataclasses import asdict

import numpy as np
import pandas as pd

from exmus_lib import predictions, recipes, workspace
from exmus_lib.recipes import Recipe
from exmus_lib.scores import baselines, intervals, protocol
from exmus_lib.scores.metrics import HEADLINE, METRICS, score
from exmus_lib.videos.prepare import load

DAGGER = "†"
# How the paper calls what we call init.
VARIANTS = {"kinetics400": "pretrained", "scratch": "scratch", "exercise": "finetuned"}
KEYS = ["table", "task", "model", "variant", "epochs", "weights_x3d", "inverse_beta"]
MEASURED = ("top1", "top5", "accuracy", "auc", "precision", "recall", "f1")
HEADINGS = {
    "top1": "top-1",
    "top5": "top-5",
    "auc": "AUC",
    "precision": "prec.",
    "f1": "F1",
    "exact_match": "exact",
    "map": "mAP",
}
ONE = "{:.1f} "  # one decimal, in line with the paper's two
NAME, VALUE = 64, 8  # widths of the columns of the printed table: 64 + 7 * 8 = 120
PROTOCOL = """\
Ours are pooled over the whole test split, AUC the mean over labels. The paper's are means over batches of 8, in which
an exercise that is absent or never named counts as 1 and an absent muscle as 0, so that even a perfect network would
have a muscle F1 of about 65 %; its AUC is over all decisions of a batch at once (micro). "Ours by its protocol" says
what ours would be that way, with as many loader workers as the paper's row was made with. Its own values tell; where
they leave several, as they do for all muscles, the lowest and the highest score are given. Differences are taken there.
No row of ours repeats what else the authors' code did: a cross-entropy over all muscles at once, a Softmax at the end
of X3D and R(2+1)D, random views of test clips, 112 of 442 test clips dropped, checkpoints chosen on what were probably
the test clips. 11_protocol_audit shows it on data."""


def paper_rows(table: int | None = None) -> pd.DataFrame:
    """The paper's rows in its own order, in percent: KEYS, then one column per metric (NaN where it gives none).

    `table` is a number as in the paper; ValueError names those that data/paper/tables.csv has. None: all.
    """
    values = pd.read_csv(workspace.PAPER_DIR / "tables.csv")
    if table is not None and table not in set(values["table"]):
        raise ValueError(f"table {table} is not among those with results: {sorted(set(values['table']))}")
    values = values if table is None else values[values["table"] == table]
    wide = values.pivot(index=KEYS, columns="metric", values="value_percent")
    order = pd.MultiIndex.from_frame(values[KEYS].drop_duplicates())
    metrics = [metric for metric in MEASURED if metric in wide]
    return wide.reindex(order)[metrics].rename_axis(columns=None).reset_index()


def is_of(row: pd.Series, facts: dict) -> bool:
    """Whether a run (its run.json) is of the kind of a paper's row: task, network or ensemble, weights, beta, fine-tuned or not.

    Pretrained and scratch are one kind, and so are the ensembles of X3D-M with either SlowFast: `differs` tells them apart.
    """
    weight, beta = row["weights_x3d"], Recipe.inverse_beta if pd.isna(row["inverse_beta"]) else row["inverse_beta"]
    if facts["task"] != row["task"] or (facts["network"] == "ensemble") != (row["variant"] == "ensemble"):
        return False
    if facts["network"] == "ensemble":
        if len(facts["networks"]) != 2 or facts["chosen_on_validation"]:
            return False
        first, second = facts["networks"]
        inits = {"exercise"} if row["model"].startswith("FT") else {"kinetics400", "scratch"}
        right = first == "x3d_m" and second in ("slowfast_r50", "slowfast_r101") and inits.issuperset(facts["inits"])
        return right and facts["weights"][0] == weight
    if facts["network"] not in recipes.NETWORKS or facts["recipe"]["inverse_beta"] != beta:
        return False
    same = recipes.title(facts["network"]).lower() == row["model"].lower()
    return same and (facts["init"] == "exercise") == (row["variant"] == "finetuned")


def pair(task: str, preset: str) -> dict[str, int | None]:
    """The networks that Tables 9 and 10 average, with their epochs there; below the paper's presets X3D-M and SlowFast-R50."""
    if preset not in recipes.SHORTER:
        return {"x3d_m": None, "slowfast_r50": None}
    rows = paper_rows({"exercise": 9, "mgap": 10}[task]).query("variant != 'ensemble'")
    networks = {row.title.lower(): network for network, row in recipes.NETWORKS.items()}
    return {networks[row.model.lower()]: int(row.epochs) for row in rows.itertuples()}


def paper_rows_of(facts: dict) -> list[pd.Series]:
    """The paper's rows for a run, given its run.json: the one of its task, network and init, and the pretrained one; for an
    ensemble the one of its weights.

    Among rows that differ in epochs alone, that of the run's epochs, else the first. Empty when the paper has none.
    """
    tuned_or_not = (facts, facts | {"init": "kinetics400"})
    rows = pd.DataFrame([row for _, row in paper_rows().iterrows() if any(is_of(row, said) for said in tuned_or_not)])
    if rows.empty or facts["network"] == "ensemble":
        return [row for _, row in rows.iterrows()]
    found = []
    for variant in dict.fromkeys([VARIANTS.get(facts.get("init")), "pretrained"]):
        same = rows[rows["variant"] == variant]
        if len(same):
            found.append(same.loc[(same["epochs"] != facts["recipe"]["epochs"]).idxmin()])
    return found


def differs(run: workspace.Run, facts: dict, row: pd.Series) -> list[str]:
    """What of a run is not as in the paper's row: data, split, init, preset or single values of its recipe."""
    if facts["network"] == "ensemble":
        return _ensemble_differs(run, facts, row)
    found = []
    if run.dataset != "kaggle":
        found.append(f"data {run.dataset}")
    if facts["split"] != "video":
        found.append(f"split by {facts['split']}")
    if VARIANTS.get(facts["init"]) != row["variant"]:
        found.append(f"init {facts['init']}")
    if facts["preset"] != "paper":
        found.append(f"preset {facts['preset']}")
    # Of another preset, what was changed in its own recipe: `-p epochs 40` is told from the run without it.
    changes = {} if pd.isna(row["inverse_beta"]) else {"inverse_beta": int(row["inverse_beta"])}
    changes |= {"epochs": int(row["epochs"])} if facts["preset"] in recipes.SHORTER else {}
    theirs = asdict(recipes.recipe(facts["network"], facts["preset"], **changes))
    found += [f"{name} {facts['recipe'][name]}" for name in theirs if facts["recipe"][name] != theirs[name]]
    return found + [f"exercise run: {what}" for what in _parent_differs(run, facts) if what not in found]


def _parent_differs(run: workspace.Run, facts: dict) -> list[str]:
    """What of the exercise run that a fine-tuned one started from is not as in the paper."""
    if "parent" not in facts:
        return []
    parent = workspace.Run(*facts["parent"].split("/"), run.runs)
    if not parent.complete:
        return ["deleted"]
    said = parent.facts()
    return differs(parent, said, paper_rows_of(said)[-1])  # the pretrained one


def _ensemble_differs(run: workspace.Run, facts: dict, row: pd.Series) -> list[str]:
    """What differs in the members, each against its own row of the same table, and the networks where others are averaged."""
    rows, found = paper_rows(int(row["table"])), []
    for name, theirs in zip(facts["members"], row["model"].replace("FT ", "").split("+"), strict=True):
        member = workspace.Run(run.dataset, run.task, name, run.runs)
        if not member.complete:
            found.append(f"{name} deleted")
            continue
        ours, own = member.facts(), rows[rows["model"] == theirs].iloc[0]
        if recipes.title(ours["network"]).lower() != theirs.lower():
            found.append(f"{recipes.title(ours['network'])} for {theirs}")
        found += differs(member, ours, own)
    return list(dict.fromkeys(found))


def beside_paper(runs: Iterable[workspace.Run], clips: pd.DataFrame, views: int = 1) -> pd.DataFrame:
    """Test scores of runs of one task above the paper's, in percent: a column per metric, `undefined`, `note`.

    Row "ours" has a dagger where anything differs from the paper's row below it, and `note` says what; `undefined` is
    that of scores.metrics. Above each row of the paper, ours by its protocol (scores.protocol), with the loader workers of that
    row. Row "difference", those less the paper's, is there only where nothing differs. Where several numbers of workers are
    possible, both have a lowest and a highest row.
    `views` says which predictions of the runs (predictions.path). ValueError without runs.
    """
    tables = {run.name: _beside(run, clips, views) for run in runs}
    if not tables:
        raise ValueError("no runs to set beside the paper; train one with 02_x3d.ipynb or 03_slowfast.ipynb")
    return pd.concat(tables, names=["run", "row"]).round(2)


def _beside(run: workspace.Run, clips: pd.DataFrame, views: int = 1) -> pd.DataFrame:
    facts, metrics, theirs = run.facts(), list(METRICS[run.task]), paper_rows_of(run.facts())
    other = differs(run, facts, theirs[0]) if theirs else ["not in the paper"]
    other += [f"{views} views of a clip"] if views > 1 else []
    said = predictions.read(run, views)
    scores, batched = score(said, clips, run.task), 100 * protocol.score(said, clips, run.task)
    ours = 100 * scores[metrics]
    rows = {f"ours {DAGGER}" if other else "ours": {**ours, "undefined": scores["undefined"], "note": "; ".join(other)}}
    for row in theirs:
        workers = protocol.possible_workers(row)
        by = f"ours by Table {row['table']}'s protocol, {_or(workers)} workers"
        ends = {"": "min"} if len(workers) == 1 else {", lowest": "min", ", highest": "max"}
        batches = {end: batched.loc[list(workers)].agg(how) for end, how in ends.items()}
        rows |= {by + end: {**found, "note": ""} for end, found in batches.items()}
        values = row.reindex(metrics).astype(float)
        rows[f"paper, {row['variant']} (Table {row['table']})"] = {**values, "note": ""}
        if not other and row is theirs[0]:
            rows |= {f"difference{end}": {**(found - values), "note": ""} for end, found in batches.items()}
    return pd.DataFrame.from_dict(rows, orient="index")


def _or(numbers: tuple[int, ...]) -> str:
    """4, 6 or 8."""
    return " or ".join(", ".join(map(str, part)) for part in (numbers[:-1], numbers[-1:]) if part)


def report(dataset: str) -> str:
    """All finished runs on the present clips of a data set (its name in data/clips), split by video, beside the paper.

    Text for a terminal of 120 columns. Raises FileNotFoundError, naming the data sets there are, when it was never
    prepared.
    """
    clip_set = load(dataset)
    clips = clip_set.table("video")
    test = clips[clips["split"] == "test"]
    rule = "─" * (NAME + 7 * VALUE)
    lines = [
        f'Results on "{dataset}", test split: {len(test)} clips of {test["video_id"].nunique()} videos, in percent'
    ]
    notes = []
    for task, question in {"exercise": "Which of 16 exercises?", "mgap": "Which of 11 muscles?"}.items():
        lines += ["", _line(question, [HEADINGS.get(m, m) for m in METRICS[task]]), rule]
        guess = score(baselines.prevalence(clips, task), clips, task)
        lines.append(
            _line("no network: the training clips' frequencies", _cells(100 * guess[list(METRICS[task])], ONE))
        )
        shown = (*recipes.NETWORKS, "ensemble")
        runs = [run for run in workspace.find_runs(dataset, task) if run.facts()["network"] in shown]
        kept = [run for run in runs if run.facts()["clip_set"] == clip_set.hash("video")]
        for run in sorted(kept, key=_order):
            lines += ["", *_compared(run, clips, notes)]
        if not kept:
            lines += ["", "no finished run"]
        if len(kept) < len(runs):
            notes.append(
                f"Left out for {task}: {len(runs) - len(kept)} of {len(runs)} runs, on other clips or another split."
            )
    if workspace.is_rendered(dataset):
        notes.append("The sample is rendered: what is trained on it knows no real people.")
    return "\n".join([*lines, rule, *dict.fromkeys(notes), PROTOCOL])


def _compared(run: workspace.Run, clips: pd.DataFrame, notes: list[str]) -> list[str]:
    """The lines of one run, ours and the paper's; what there is to say about them is added to `notes`."""
    name, table = _label(run.facts()), _beside(run, clips)
    ours = table.iloc[0]
    if ours["note"]:
        notes.append(f"{DAGGER} not the paper's set-up ({ours['note']}): no difference is given.")
    if ours["undefined"]:
        notes.append(f"{name}: {ours['undefined']:.0f} labels have no value in some metric, and no part in its mean.")
    metrics = list(METRICS[run.task])
    low, high = (100 * intervals.scores(run, clips, run.task).loc[HEADLINE[run.task], ["low", "high"]]).round()
    known = [metric == HEADLINE[run.task] and np.isfinite(low) for metric in metrics]  # of one source nothing is
    sure = [f"{low:.0f}-{high:.0f} " if shown else "" for shown in known]
    lines = [_line(table.index[0].replace("ours", name), _cells(ours[metrics], ONE))]
    lines.append(_line("  95 % interval, over sources", sure))
    for row, values in table.iloc[1:].iterrows():
        form = "{:+.2f}" if row.startswith("difference") else "{:.2f}"
        lines.append(_line(f"  {row}", _cells(values[metrics], form)))
    return lines


def _line(name: str, values: list[str]) -> str:
    return (f"{name:<{NAME}}" + "".join(f"{value:>{VALUE}}" for value in values)).rstrip()


def _cells(percent: pd.Series, form: str) -> list[str]:
    return [form.format(value) if np.isfinite(value) else "-  " for value in percent]


def _label(facts: dict) -> str:
    if facts["network"] == "ensemble":
        parts = zip(facts["weights"], facts["networks"], strict=True)
        tuned = ", tuned" if "exercise" in facts["inits"] else ""
        chosen = ", chosen" if facts["chosen_on_validation"] else ""  # on validation
        mixed = " + ".join(f"{weight:.2f} {recipes.title(name)}" for weight, name in parts)
        return f"{mixed}{tuned}{chosen}, {facts['preset']}, seed {facts['seed']}"
    network, epochs = recipes.title(facts["network"]), facts["recipe"]["epochs"]
    if facts["recipe"]["inverse_beta"] != Recipe.inverse_beta:
        network += f" 1/β {facts['recipe']['inverse_beta']}"
    if "head" in facts:
        network += f", {facts['head']} head"
    duration = f"{epochs} epochs" if epochs > 1 else "1 epoch"
    return f"{network}, {facts['init']}, {facts['preset']}, {duration}, seed {facts['seed']}"


def _order(run: workspace.Run) -> tuple:
    """Networks in the order of recipes.NETWORKS, then ensembles."""
    facts, names = run.facts(), list(recipes.NETWORKS)
    if facts["network"] == "ensemble":
        return len(names), facts["preset"], str(facts["inits"]), facts["chosen_on_validation"], -facts["weights"][0]
    return names.index(facts["network"]), facts["preset"], facts["init"], facts["recipe"]["epochs"], run.name


if __name__ == "__main__":
    try:
        print(report(sys.argv[1] if len(sys.argv) > 1 else "sample"))
    except FileNotFoundError as error:
        sys.exit(str(error))
