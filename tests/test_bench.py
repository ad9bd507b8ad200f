"""The page that benchmarks/bench.py keeps: one section for each kind of machine, the latest."""

import sys
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import bench  # noqa: E402
import speed  # noqa: E402


def test_a_machine_measured_again_replaces_its_own_section_and_no_other(tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "PAGE", tmp_path / "PERFORMANCE.md")
    bench.PAGE.write_text("# Performance\n\nWhat it is.\n")
    for machine, stock, ours in (("Laptop", 30, 10), ("Server", 8, 2), ("Laptop", 50, 10)):
        rows = [{"part": "train", "what": "X3D", "setting": "", "unit": "ms", "stock": stock, "ours": ours}]
        rows += [{"part": "scale", "what": "split", "setting": "", "unit": "s", "stock": None, "ours": 3}]
        bench.kept(machine, bench.page(pd.DataFrame(rows), {"commit": "abc"}))
    text = bench.PAGE.read_text()
    assert text.startswith("# Performance\n\nWhat it is.\n\n## Server\n")
    assert text.count("## Laptop") == text.count("## Server") == 1
    assert "| train | X3D |  | ms | 50 | 10 | 5.00 |" in text and "| 3.00 |" not in text
    assert "| scale | split |  | s |  | 3 |  |" in text


def test_every_part_has_its_generator():
    for part, module in bench.PARTS.items():
        assert callable(getattr(__import__(module), part)), part


def test_stock_and_ours_are_called_in_turn_and_as_often_before_they_are_timed(monkeypatch):
    order = []
    monkeypatch.setattr(speed.compute, "memory", lambda kept: order.append(f"kept {kept}"))
    monkeypatch.setattr(speed, "SHORT", 0)
    calls = [lambda name=name: order.append(name) for name in ("stock", "ours")]
    clock = iter(range(100))
    times = speed.medians(calls, 2, lambda: (order.append("clock"), next(clock))[1])
    timed = ["clock", "stock", "clock"] * 2
    turn = ["kept False", "stock", *timed, "kept True", "ours", *[word.replace("stock", "ours") for word in timed]]
    assert order == [*turn, *turn, "kept True"] and times == [1000, 1000]
