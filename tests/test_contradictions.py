"""The paper against its own tables: every claim is computed, and what is said to be there is."""

from exmus_lib.scores import contradictions


def test_every_claim_is_contradicted_by_the_tables():
    found = contradictions.contradictions()
    assert len(found) == 14 and found["contradicted"].all() and found["shows"].str.len().min() > 0


def test_a_table_that_agrees_contradicts_nothing(monkeypatch):
    real = contradictions.paper_rows

    def mended(table=None):
        rows = real(table)
        return rows.assign(top1=rows["top1"].where(rows["inverse_beta"] != 10, 99.0)) if table == 12 else rows

    monkeypatch.setattr(contradictions, "paper_rows", mended)
    betas = contradictions.contradictions().query("says.str.contains('most optimal')")
    assert betas["contradicted"].tolist() == [False]  # with one more metric, 10 has its majority
