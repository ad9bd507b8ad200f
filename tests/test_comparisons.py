"""Figures of several runs hold the numbers they were given, in percent, and tell them apart without colour."""

import matplotlib as mpl
import numpy as np
import pandas as pd

from exmus_lib import labels
from exmus_lib.pictures import comparisons

mpl.use("Agg")
EXERCISES = labels.paper().exercises


def texts(ax) -> list[str]:
    return [text.get_text() for text in ax.texts if text.get_text()]


def test_weight_curves_are_in_percent_and_show_the_chosen_weight():
    curve = pd.DataFrame({"top1": [0.2, 0.4], "auc": [0.6, 0.7]}, index=[0.0, 1.0])
    axes = comparisons.weight_curves({"val": curve, "test": curve}, 0.3, "A", "B").axes
    assert [ax.get_title(loc="left") for ax in axes] == ["val", "test"] and "0.30" in texts(axes[1])
    assert axes[1].get_lines()[0].get_ydata().tolist() == [20, 40] and axes[1].get_lines()[-1].get_xdata() == [0.3, 0.3]


def test_weight_curves_draw_three_metrics_and_name_each_where_it_ends():
    ends = {"top1": 0.5, "top5": 0.9, "auc": 0.505, "precision": 0.1, "recall": 0.2, "f1": 0.4}
    curve = pd.DataFrame({name: [0.3, end] for name, end in ends.items()}, index=[0.0, 1.0])
    (ax,) = comparisons.weight_curves({"test": curve}, None, "A", "B").axes
    assert [line.get_label() for line in ax.get_lines()] == ["top1", "auc", "f1"]
    assert len({(line.get_color(), line.get_linestyle()) for line in ax.get_lines()}) == 3
    named = {text.get_text(): text for text in ax.texts}
    assert {name: text.get_color() for name, text in named.items()} == {
        title: line.get_color() for title, line in zip(("top-1", "AUC", "F1"), ax.get_lines(), strict=True)
    }
    heights = [named[name].xy[1] for name in ("F1", "top-1", "AUC")]  # from low to high, none upon another
    assert (np.diff(heights) > 0.0599).all()


def test_bars_name_every_row_and_give_percent():
    scores = pd.DataFrame({"f1": [0.5, 0.25], "map": [1.0, 0.0]}, index=["x3d_m-scratch-s0", "prevalence"])
    first, second = comparisons.bars(scores).axes
    assert [label.get_text() for label in first.get_yticklabels()] == list(scores.index)
    assert [bar.get_width() for bar in first.patches] == [50, 25] and texts(second) == ["100.0", "0.0"]


def test_spreads_are_in_percent_with_their_mean_and_few_values_are_points():
    (ax,) = comparisons.protocol({"many": np.linspace(0.5, 0.7, 41), "few": [0.1, 0.2]}, "title", "F1 (%)", 0.65).axes
    assert "mean 60.0" in texts(ax) and "65.0" in texts(ax)
    points = [line for line in ax.get_lines() if line.get_marker() == "o"]
    assert [line.get_xdata().tolist() for line in points] == [[10, 20]] and points[0].get_ydata().tolist() == [1, 1]


def test_estimates_stand_in_their_intervals_in_percent():
    table = pd.DataFrame({"value": [0.5, 0.75], "low": [0.25, 0.5], "high": [0.625, 1.0]}, index=["a", "b"])
    (ax,) = comparisons.estimates(table, "title").axes
    (bars,) = ax.containers
    assert bars.lines[0].get_xdata().tolist() == [50, 75]
    assert [segment[:, 0].tolist() for segment in bars.lines[2][0].get_segments()] == [[25, 62.5], [50, 100]]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]


def test_reliability_shows_confidence_against_what_came_true():
    before, after = (
        pd.DataFrame({"confidence": [confidence], "share": [0.6], "count": [10]}, index=[8])
        for confidence in (0.9, 0.65)
    )
    (ax,) = comparisons.reliability({"net": before}, {"net": after}).axes
    assert [marks.get_offsets().tolist() for marks in ax.collections] == [[[90, 60]], [[65, 60]]]


def test_sixteen_exercises_have_sixteen_marks_without_colour():
    points = np.random.default_rng(0).normal(size=(16, 2))
    (ax,) = comparisons.embeddings({"X3D-M": points}, {"X3D-M": EXERCISES}, EXERCISES).axes
    shapes = {
        (tuple(map(tuple, marks.get_paths()[0].vertices)), np.allclose(marks.get_facecolor()[0][:3], 1))
        for marks in ax.collections
    }
    assert len(shapes) == 16


def test_more_exercises_than_marks_are_drawn_all():
    names = [f"exercise {i}" for i in range(20)]
    figure = comparisons.embeddings({"X3D-M": np.zeros((20, 2))}, {"X3D-M": names}, names)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        f"{i}  {name}" for i, name in enumerate(names)
    ]
    assert len({tuple(marks.get_edgecolor()[0]) for marks in figure.axes[0].collections}) == 20


def test_coverage_has_a_row_for_each_metric_and_a_mark_for_each_way():
    rows = pd.MultiIndex.from_tuples([("exercise", "top1"), ("mgap", "auc")])
    shares = pd.DataFrame({"over sources": [0.95, 0.94], "over clips": [0.86, 0.8]}, index=rows)
    (ax,) = comparisons.coverage(shares, 100).axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["top-1 (exercise)", "AUC (mgap)"]
    assert [line.get_xdata().tolist() for line in ax.get_lines()] == [[95, 94], [86, 80]]
    faces = {line.get_label(): line.get_markerfacecolor() for line in ax.get_lines()}
    assert faces["over sources"] != faces["over clips"] == "white"


def test_without_validation_no_weight_is_marked():
    curve = pd.DataFrame({"top1": np.linspace(0, 1, 101)}, index=np.linspace(0, 1, 101))
    (ax,) = comparisons.weight_curves({"test": curve}, None, "a", "b").axes
    assert len(ax.get_lines()) == 1 and texts(ax) == ["top-1"]


def test_a_claim_is_drawn_with_its_interval_the_papers_difference_and_its_outcome():
    rows = [["a", "exercise", 3, 10, 5, 20, "holds", True], ["b", "mgap", 1, -4, -8, -2, "fails", False]]
    rows += [["c", "mgap", 2, *[np.nan] * 3, "not run", False], ["d", "", *[np.nan] * 4, "no score decides it", False]]
    columns = ["claim", "task", "paper", "ahead", "ahead_low", "ahead_high", "outcome", "counts"]
    (ax,) = comparisons.claims(pd.DataFrame(rows, columns=columns)).axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b", "c"]
    assert texts(ax) == ["holds", "fails †", "not run"]
    assert [list(line.get_xdata()) for line in ax.get_lines()] == [[0, 0], [3], [5, 20], [10], [1], [-8, -2], [-4], [2]]
