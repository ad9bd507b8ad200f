"""Several trainings: networks, seeds and folds, one after the other here, or as jobs of other processes and machines."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace

import pandas as pd

from exmus_lib import cluster, predictions, workspace
from exmus_lib.networks import fit
from exmus_lib.videos.prepare import ClipSet


def train_all(
    clip_set: ClipSet,
    networks: Sequence[str],
    task: str,
    p: SimpleNamespace,
    parents: Mapping[str, Sequence[workspace.Run]] | None = None,
    **other: object,
) -> dict[str, list[workspace.Run]]:
    """What a training notebook asks for (parameters.check): network -> a run for each of its seeds.

    With `p.folds` each of them stands for the trainings of all folds (`pooled`). `parents` are earlier results of this
    function to start from, seed by seed and fold by fold; `other` are keywords of `fit.train` that replace those of `p`. With
    `p.devices` above 1 processes of their own train what is not there yet, since a notebook's kernel must not be forked.
    """
    wanted = trainings(clip_set, networks, task, p, parents, **other)
    if p.devices > 1:
        by_jobs([one for one in wanted if one["overwrite"] or not run_of(one).complete], devices=p.devices)
        wanted = [one | {"overwrite": False} for one in wanted]
    runs = iter([fit.train(**one) for one in wanted])
    made = {}
    for network in networks:
        each = [[next(runs) for _ in p.splits] for _ in p.seeds]
        made[network] = [pooled(clip_set, folds) if p.folds else folds[0] for folds in each]
    return made


def by_jobs(trainings: Sequence[Mapping[str, object]], **how: object) -> list[workspace.Run]:
    """The runs of trainings, each the keywords of `fit.train`, made by jobs (`cluster.array` takes `how`)."""
    return cluster.array(_train, trainings, **how)


def _train(keywords: Mapping[str, object]) -> workspace.Run:
    return fit.train(**keywords)


def trainings(
    clip_set: ClipSet,
    networks: Sequence[str],
    task: str,
    p: SimpleNamespace,
    parents: Mapping[str, Sequence[workspace.Run]] | None = None,
    **other: object,
) -> list[dict[str, object]]:
    """The keywords of `fit.train` for each training of `train_all`: by network, seed and fold."""
    options = {"preset": p.preset, "init": p.init, "overwrite": p.overwrite, "tag": p.tag, **p.changes, **other}
    wanted = []
    for network in networks:
        for place, seed in enumerate(p.seeds):
            known = parents[network][place].members() if parents else [None] * len(p.splits)
            for split, parent in zip(p.splits, known, strict=True):
                one = {"clip_set": clip_set, "network": network, "task": task, "split": split, "seed": seed}
                wanted.append(one | options | ({"init": parent} if parent else {}))
    return wanted


def run_of(training: Mapping[str, object]) -> workspace.Run:
    """The run of a training of `trainings`, which may not be there yet."""
    return fit.asked(**{name: value for name, value in training.items() if name != "overwrite"})[0]


def plan(trainings: Sequence[Mapping[str, object]]) -> pd.DataFrame:
    """A row for each training: what it is of, the name of its run, and whether that is finished."""
    rows = []
    for one in trainings:
        run = run_of(one)
        rows.append({name: one[name] for name in ("network", "task", "split", "seed")} | {"run": run.name})
        rows[-1]["finished"] = run.complete
    return pd.DataFrame(rows)


def pooled(clip_set: ClipSet, runs: Sequence[workspace.Run]) -> workspace.Run:
    """Trainings of all folds as one run, in which each clip has the logits of the network that did not see it."""
    tables, facts = [predictions.read(run) for run in runs], runs[0].facts()
    table = pd.concat([table[table["split"] == "test"] for table in tables]).sort_values("clip_id")
    split = f"{len(runs)}folds"
    shared = ("network", "preset", "init", "seed", "recipe", "head", "tag")
    made_from = {name: facts[name] for name in shared if name in facts}
    made_from |= {"split": split, "clip_set": clip_set.hash(split), "folds": [run.name for run in runs]}
    name = "-".join([facts["network"], facts["init"], *filter(None, [facts.get("tag")]), split, f"s{facts['seed']}"])
    task = clip_set.task(runs[0].task)
    return predictions.store(clip_set.name, task, name, table.reset_index(drop=True), made_from)
