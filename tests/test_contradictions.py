"""The paper against its own tables: every claim is computed, and none is said of tables that agree."""

import pandas as pd
import pytest

from exmus_lib.scores import contradictions


def test_no_claim_is_borne_out_by_the_tables():
    actual = contradictions.contradictions()
    assert len(actual) == 16 and actual["not_shown"].all() and actual["shows"].str.len().min() > 0


# Of each claim, what would have to stand in the tables for the text to be right: table, rows, metric, value.
AGREEING = {
    "SlowFast-R101: top-1 and F1": [(4, "model == 'SlowFast-R101'", "f1", 99.0)],
    "50 epochs in Tables": [(None, "table in (7, 8)", "auc", 50.0)],
    "Table 10 sets the ensembles": [(None, "table == 10 and model == 'X3D-m'", "epochs", 50)],
    'all categories" (VI, VII; Table 9)': [(9, "weights_x3d == 0.25", "top5", 100.0)],
    'always" best (VI, VII; Table 9)': [(9, "weights_x3d == 0.25", "auc", 100.0)],
    'all categories" (VI, VII; Table 10)': [(10, "weights_x3d == 0.25", "auc", 100.0)],
    'always" best (VI, VII; Table 10)': [(10, "weights_x3d == 0.25", "recall", 100.0)],
    "the best in MGAP overall": [(11, "weights_x3d == 0.25", m, 99.0) for m in ("recall", "f1")],
    "most optimal": [(12, "inverse_beta == 10", "top1", 99.0)],
    "SlowFast-R101 is higher than R50": [
        (4, "model == 'SlowFast-R101'", m, 100.5) for m in ("top5", "precision", "recall", "f1")
    ]
    + [(4, "model == 'SlowFast-R101'", "top1", 90.0)],
    "SlowFast from scratch has more precision": [(8, "variant == 'scratch'", "precision", 99.0)],
    "Table 9 sets SlowFast-R101": [
        (9, "model == 'SlowFast-R101'", m, v) for m, v in (("top1", 98.58), ("top5", 99.72))
    ],
    "Table 12 sets 1/β = 10": [(12, "inverse_beta == 10", m, v) for m, v in (("top1", 51.52), ("top5", 73.96))],
    "25/75 has the best top-1": [(9, "weights_x3d != 0.25", "top1", 90.0)],
}


@pytest.mark.parametrize("claim", AGREEING)
def test_tables_that_agree_with_the_text_contradict_nothing(claim, monkeypatch):
    real = contradictions.paper_rows

    def agreeing(table=None):
        rows = real(table)
        for number, query, metric, value in AGREEING[claim]:
            if number in (table, None) and metric in rows:
                rows.loc[rows.query(query).index, metric] = value
        return rows

    monkeypatch.setattr(contradictions, "paper_rows", agreeing)
    actual = contradictions.contradictions()
    assert actual[actual["says"].str.contains(claim, regex=False)]["not_shown"].tolist() == [False]


def test_the_clips_add_up_where_the_counts_say_so(monkeypatch):
    counts = pd.DataFrame({"train_clips": [1228], "val_clips": [443], "test_clips": [442]})
    monkeypatch.setattr(contradictions.pd, "read_csv", lambda path: counts)
    assert contradictions._counts() == ("1227 + 443 + 442 = 2112; the notebooks list 1228 + 443 + 442 = 2113", False)
