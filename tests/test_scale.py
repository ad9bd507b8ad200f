"""The benchmark of growth does its steps on made-up tables, and says how each grows."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import scale  # noqa: E402


@pytest.mark.hard
def test_every_step_is_measured_at_every_size():
    table = scale.measure(sizes=(200, 400))
    assert table["step"].tolist() == [step for step in scale.STEPS for _ in range(2)]
    assert table["clips"].tolist() == [200, 400] * len(scale.STEPS)
    assert (table["seconds"] > 0).all() and table["gigabytes"].between(0.05, 8).all()
    assert table["ratio"].isna().tolist() == [True, False] * len(scale.STEPS)
