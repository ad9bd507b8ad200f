"""Claims of the paper's text, each checked against the paper's own tables (data/paper/tables.csv)."""

from functools import cache, partial

import pandas as pd
import scipy

from exmus_lib import labels, recipes, workspace
from exmus_lib.scores import protocol, simulation
from exmus_lib.scores.paper import MEASURED, paper_rows
from exmus_lib.tasks import Exercise

Verdict = tuple[str, bool]  # what the tables show, and whether that fails to bear the text out


def contradictions() -> pd.DataFrame:
    """One row per claim: `says` (the text), `shows` (the numbers) and `not_shown`: whether these fail to bear the text out."""
    return pd.DataFrame([(says, *check()) for says, check in CLAIMS.items()], columns=["says", "shows", "not_shown"])


def _values(table: int, index: str = "model", rows: str = "table > 0") -> pd.DataFrame:
    """The metrics of a table, in percent; `rows` is a query."""
    kept = paper_rows(table).query(rows).set_index(index)
    return kept[[metric for metric in MEASURED if metric in kept]]


def _counts() -> Verdict:
    parts, counts = (1227, 443, 442), pd.read_csv(workspace.PAPER_DIR / "authors_counts.csv")
    listed = counts[["train_clips", "val_clips", "test_clips"]].sum().tolist()
    sums = {" + ".join(map(str, numbers)): sum(numbers) for numbers in (parts, listed)}
    return "; the notebooks list ".join(f"{n} = {total}" for n, total in sums.items()), 2113 not in sums.values()


def _frames() -> Verdict:
    frames = recipes.recipe("slowfast_r50", "paper").frames
    return f"4 x 16 = {4 * 16} frames in the Fast pathway; the network takes {frames}", frames != 4 * 16


@cache
def _lowest_f1(top1: float) -> float:
    classes = Exercise(labels.paper()).truth(protocol.authors_test_clips())
    return min(100 * simulation.classifiers(classes, top1 / 100, w, 100)["f1"].min() for w in protocol.WORKERS)


def _misprint() -> Verdict:
    top1, f1 = _values(4).loc["SlowFast-R101", ["top1", "f1"]]
    lowest = _lowest_f1(top1)
    simulated = f"{100 * len(protocol.WORKERS)} simulated classifiers"
    return f"{top1} and {f1}; at that top-1 the lowest F1 of {simulated} is {lowest:.1f}", f1 < lowest


def _equal_rows() -> Verdict:
    rows = paper_rows().query("variant == 'pretrained'")[["table", "task", "model", *MEASURED]]
    longer, shorter = (rows[rows["table"].isin(numbers)].drop(columns="table") for numbers in ((2, 4, 5, 6), (7, 8)))
    equal = longer.merge(shorter, how="inner")
    names = ", ".join(f"{row.model} ({row.task})" for row in equal.itertuples())
    return f"{len(equal)} of {len(longer)} rows are equal to the last digit: {names}", len(equal) > 0


def _members() -> Verdict:
    epochs = paper_rows(10).query("variant == 'pretrained'").set_index("model")["epochs"]
    return ", ".join(f"{model} of {count:.0f} epochs" for model, count in epochs.items()), epochs.nunique() > 1


def _lower(ours: pd.Series, theirs: pd.Series, of: str = "") -> Verdict:
    """Where values of ours are below theirs, metric by metric."""
    lost = [f"{metric} {ours[metric]} < {theirs[metric]}{of}" for metric in ours.index if ours[metric] < theirs[metric]]
    return "; ".join(lost), bool(lost)


def _beaten(table: int, rivals: str) -> Verdict:
    """Where rows of a table (a query) are better than its 25/75 ensemble."""
    return _lower(_values(table, rows="weights_x3d == 0.25").iloc[0], _values(table, rows=rivals).max())


def _tuned_ensemble() -> Verdict:
    direct, tuned = (_values(table, "weights_x3d").loc[0.25, ["recall", "f1"]] for table in (10, 11))
    return _lower(tuned, direct, " in Table 10")


def _beta() -> Verdict:
    rows = _values(12, "inverse_beta")
    won = rows.columns[rows.idxmax() == 10]
    return f"it wins {len(won)} of {len(rows.columns)}: {', '.join(won)}", 2 * len(won) <= len(rows.columns)


def _depth() -> Verdict:
    rows = _values(4)
    higher = rows.columns[rows.loc["SlowFast-R101"] > rows.loc["SlowFast-R50"]]
    return f"it is higher in {', '.join(higher)} alone", set(higher) != set(rows.columns) - {"top1"}


def _scratch() -> Verdict:
    rows = paper_rows(8).set_index(["model", "variant"])["precision"]
    scratch, x3d = rows["SlowFast-R50", "scratch"], rows["X3D-m", "pretrained"]
    return f"R50 {scratch} < {x3d}", scratch < x3d


def _workers(table: int, one: str, others: str, rivals: str) -> Verdict:
    """Whether rows of a table (queries) were made with other numbers of loader workers than their rivals."""
    possible = paper_rows(table).apply(protocol.possible_workers, axis=1)
    sides = [possible[paper_rows(table).eval(rows)] for rows in (one, others)]
    mine, theirs = (" or ".join(map(str, sorted(set().union(*side)))) for side in sides)
    shown = f"with {mine} loader workers, {rivals} with {theirs}: other batches, other scores"
    return shown, all(set(a).isdisjoint(b) for a in sides[0] for b in sides[1])


def _few_clips() -> Verdict:
    first, second = paper_rows(9)["top1"].nlargest(2)
    apart = round((first - second) / 100 * protocol.TEST_CLIPS)
    # Of McNemar's test, were all clips that differ on one side.
    p = scipy.stats.binomtest(0, apart).pvalue if apart else 1.0
    return f"the next one is {apart} of {protocol.TEST_CLIPS} clips behind: p = {p:.2f} at the very least", p > 0.05


ALONE, MIXED, R101 = "variant != 'ensemble'", "variant == 'ensemble'", "model == 'SlowFast-R101'"
BETA_10, OTHER_BETAS = "inverse_beta == 10", "inverse_beta != 10"
CLAIMS = {
    "2113 clips (III)": _counts,
    "32 frames (IV.B), and T = 16 with α = 4 (IV.D)": _frames,
    "SlowFast-R101: top-1 and F1 (Tables 4, 9)": _misprint,
    "50 epochs in Tables 2 to 6, 30 in Tables 7 and 8": _equal_rows,
    "Table 10 sets the ensembles beside their members": _members,
    'it "improves performance in all categories" (VI, VII; Table 9)': partial(_beaten, 9, ALONE),
    '25/75 is "always" best (VI, VII; Table 9)': partial(_beaten, 9, MIXED),
    'it "improves performance in all categories" (VI, VII; Table 10)': partial(_beaten, 10, ALONE),
    '25/75 is "always" best (VI, VII; Table 10)': partial(_beaten, 10, MIXED),
    '25/75 of the fine-tuned is "the best in MGAP overall" (Table 11)': _tuned_ensemble,
    '1/β = 10 is "most optimal for a majority" of the metrics (Table 12)': _beta,
    'SlowFast-R101 is higher than R50 "in all categories but Top 1" (Table 4)': _depth,
    "SlowFast from scratch has more precision than pretrained X3D-M (Table 8)": _scratch,
    "Table 9 sets SlowFast-R101 beside its rivals": partial(_workers, 9, R101, MIXED, "the ensembles'"),
    "Table 12 sets 1/β = 10 beside its rivals": partial(_workers, 12, BETA_10, OTHER_BETAS, "the other β"),
    "25/75 has the best top-1 (Table 9)": _few_clips,
}
