"""Where the paper's text and its own tables say different things, each checked against data/paper/tables.csv."""

from collections.abc import Callable, Iterator

import pandas as pd
from scipy.stats import binomtest

from exmus_lib import recipes, workspace
from exmus_lib.scores import protocol
from exmus_lib.scores.paper import MEASURED, paper_rows
from exmus_lib.vocabulary import truth

Check = tuple[str, str, bool]  # what the text says, what the tables say, whether that contradicts it


def contradictions() -> pd.DataFrame:
    """One row per claim: `says` (the text), `shows` (the numbers) and `contradicted`, computed and not typed."""
    checks: list[Callable[[], Iterator[Check]]] = [
        _counts,
        _misprint,
        _epochs,
        _ensembles,
        _betas,
        _depths,
        _workers,
        _few_clips,
    ]
    return pd.DataFrame([row for check in checks for row in check()], columns=["says", "shows", "contradicted"])


def _value(table: int, model: str, metric: str, **keys: object) -> float:
    """One cell of a table, in percent; `keys` tell rows of one model apart (variant, weights_x3d, inverse_beta)."""
    rows = paper_rows(table)
    rows = rows[rows["model"] == model]
    for name, wanted in keys.items():
        rows = rows[rows[name] == wanted]
    (value,) = rows[metric]
    return value


def _counts() -> Iterator[Check]:
    parts, counts = (1227, 443, 442), pd.read_csv(workspace.PAPER_DIR / "authors_counts.csv")
    own = counts[["train_clips", "val_clips", "test_clips"]].sum().tolist()
    sums = {" + ".join(map(str, numbers)): sum(numbers) for numbers in (parts, own)}
    shown = "; the notebooks list ".join(f"{numbers} = {total}" for numbers, total in sums.items())
    yield "2113 clips (III)", shown, 2113 not in sums.values()
    frames = recipes.recipe("slowfast_r50", "paper").frames
    shown = f"4 x 16 = {4 * 16} frames in the Fast pathway; the network takes {frames}"
    yield "32 frames (IV.B), and T = 16 with α = 4 (IV.D)", shown, frames != 4 * 16


def _misprint() -> Iterator[Check]:
    top1, f1 = (_value(4, "SlowFast-R101", metric) for metric in ("top1", "f1"))
    classes = truth(protocol.authors_test_clips(), "exercise")
    lowest = min(100 * protocol.simulated(classes, top1 / 100, w, 100)["f1"].min() for w in protocol.WORKERS)
    shown = f"at that top-1 the lowest F1 of {100 * len(protocol.WORKERS)} simulated classifiers is {lowest:.1f}"
    yield f"SlowFast-R101: top-1 {top1}, F1 {f1} (Tables 4, 9)", shown, f1 < lowest


def _epochs() -> Iterator[Check]:
    rows = paper_rows().query("variant == 'pretrained'")
    columns = ["task", "model", *MEASURED]
    longer, shorter = rows[rows["table"].isin([2, 4, 5, 6])][columns], rows[rows["table"].isin([7, 8])][columns]
    equal = longer.merge(shorter, how="inner")
    names = ", ".join(f"{row.model} ({row.task})" for row in equal.itertuples())
    shown = f"{len(equal)} of {len(longer)} rows are equal to the last digit: {names}"
    yield "50 epochs in Tables 2 to 6, 30 in Tables 7 and 8", shown, len(equal) > 0
    members = rows[rows["table"] == 10].set_index("model")["epochs"]
    shown = ", ".join(f"{model} of {epochs:.0f} epochs" for model, epochs in members.items())
    yield "Table 10 sets the ensembles beside their members", shown, members.nunique() > 1


def _ensembles() -> Iterator[Check]:
    for table in (9, 10):
        rows = paper_rows(table)
        metrics = [metric for metric in MEASURED if metric in rows]
        alone = rows[rows["variant"] != "ensemble"][metrics].max()
        mixed = rows[rows["variant"] == "ensemble"].set_index("weights_x3d")[metrics]
        for says, best in (
            ('it "improves performance in all categories"', alone),
            ('25/75 is "always" best', mixed.max()),
        ):
            lost = [
                f"{metric} {mixed.loc[0.25, metric]} < {best[metric]}"
                for metric in metrics
                if mixed.loc[0.25, metric] < best[metric]
            ]
            yield f"{says} (VI, VII; Table {table})", "; ".join(lost), bool(lost)
    models = {10: "X3D-m+SlowFast-R50", 11: "FT X3D-m+FT SlowFast-R50"}
    pairs = {
        metric: [_value(table, model, metric, weights_x3d=0.25) for table, model in models.items()]
        for metric in ("recall", "f1")
    }
    lost = [f"{metric} {tuned} < {direct} in Table 10" for metric, (direct, tuned) in pairs.items() if tuned < direct]
    yield '25/75 of the fine-tuned is "the best in MGAP overall" (Table 11)', "; ".join(lost), bool(lost)


def _betas() -> Iterator[Check]:
    rows = paper_rows(12).set_index("inverse_beta")
    metrics = [metric for metric in MEASURED if metric in rows]
    won = [metric for metric in metrics if rows[metric].idxmax() == 10]
    shown = f"it wins {len(won)} of {len(metrics)}: {', '.join(won)}"
    yield '1/β = 10 is "most optimal for a majority" of the metrics (Table 12)', shown, 2 * len(won) <= len(metrics)


def _depths() -> Iterator[Check]:
    rows = paper_rows(4).set_index("model")
    metrics = [metric for metric in MEASURED if metric in rows]
    higher = [metric for metric in metrics if rows.loc["SlowFast-R101", metric] > rows.loc["SlowFast-R50", metric]]
    says = 'SlowFast-R101 is higher than R50 "in all categories but Top 1" (Table 4)'
    yield (
        says,
        f"it is higher in {', '.join(higher)} alone",
        higher != [metric for metric in metrics if metric != "top1"],
    )
    scratch, x3d = (
        _value(8, "SlowFast-R50", "precision", variant="scratch"),
        _value(8, "X3D-m", "precision", variant="pretrained"),
    )
    yield (
        "SlowFast from scratch has more precision than pretrained X3D-M (Table 8)",
        f"R50 {scratch} < {x3d}",
        scratch < x3d,
    )


def _workers() -> Iterator[Check]:
    for table, one, rest in ((9, "SlowFast-R101", "the ensembles'"), (12, 10, "the other β")):
        rows = paper_rows(table)
        own = rows["inverse_beta" if table == 12 else "model"] == one
        others = ~own if table == 12 else rows["variant"] == "ensemble"
        found, theirs = ({protocol.possible_workers(row) for _, row in rows[kept].iterrows()} for kept in (own, others))
        shown = f"with {_listed(found)} loader workers, {rest} with {_listed(theirs)}: other batches, other scores"
        name = f"1/β = {one}" if table == 12 else one
        yield (
            f"Table {table} sets {name} beside its rivals",
            shown,
            not any(set(a) & set(b) for a in found for b in theirs),
        )


def _listed(workers: set[tuple[int, ...]]) -> str:
    return " or ".join(str(one) for one in sorted(set().union(*workers)))


def _few_clips() -> Iterator[Check]:
    rows = paper_rows(9)["top1"].sort_values(ascending=False)
    apart = round((rows.iloc[0] - rows.iloc[1]) / 100 * protocol.TEST_CLIPS)
    p = (
        binomtest(0, apart).pvalue if apart else 1.0
    )  # of McNemar's test, were every clip that they differ in on one side
    shown = f"the next one is {apart} of {protocol.TEST_CLIPS} clips behind: p = {p:.2f} at the very least"
    yield "25/75 has the best top-1 (Table 9)", shown, p > 0.05
