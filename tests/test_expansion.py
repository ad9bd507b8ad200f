"""X3D's expansion: candidates cost twice as much, the best on validation goes on, nothing is trained twice, all is reported."""

from dataclasses import replace

import helpers
import pandas as pd
import pytest
import runs

from exmus_lib import expansion, predictions, workspace
from exmus_lib.networks import describe, fit
from exmus_lib.pictures import architecture, page
from exmus_lib.scores import tables, verdict
from exmus_lib.videos.prepare import prepare

LABELS = 16
CHANGES = {
    "tau": {"frames"}, "t": {"frames", "seconds"}, "s": {"side"}, "w": {"width"}, "b": {"bottleneck"}, "d": {"depth"},
}  # fmt: skip


pytestmark = pytest.mark.usefixtures("own_home")


@pytest.fixture
def clip_set():
    return runs.clip_set_of(runs.LABELS, "sample")


@pytest.fixture
def trained(monkeypatch):
    """Trainings that take no time: `right` says how many of ten clips a recipe gets right. The recipes asked for."""
    asked = []

    def train(clip_set, network, task, preset, init, split, seed, overwrite, **changes):
        run, labels, how, parameters = fit.asked(clip_set, network, task, preset, init, split, seed, **changes)
        asked.append(how)
        clips = clip_set.table(split)
        truth = clips["exercise"].to_numpy().copy()
        truth[clips.index % 20 >= 2 * train.right(how)] = "Squat"
        run.write_facts({**parameters, "labels": clip_set.labels.to_json()})
        table = predictions.table(clips, 20.0 * runs.one_hot(labels, truth), labels.names)
        predictions.write(run.folder / "predictions.parquet", table, labels.names)
        return run

    monkeypatch.setattr(fit, "train", train)
    return asked, lambda right: setattr(train, "right", right)


def test_the_search_starts_at_x2d():
    start = expansion.start("paper")
    assert (start.frames, start.side, start.width, start.depth, start.bottleneck) == (1, 112, 1, 1, 1)
    # 20.67 M multiply-adds: Feichtenhofer 2020, Table 1 (X2D)
    assert expansion.cost(start, 400)[1] * 1e3 == pytest.approx(20.67, abs=0.02)
    assert expansion.start("smoke", epochs=3).side == 32 and expansion.start("smoke", epochs=3).epochs == 3


@pytest.mark.parametrize("factor", expansion.FACTORS)
def test_a_candidate_costs_about_twice_as_much_by_one_factor_alone(factor):
    start = replace(expansion.start("quick"), frames=2)
    grown = expansion.expand(start, factor, LABELS)
    assert expansion.cost(grown, LABELS)[1] / expansion.cost(start, LABELS)[1] == pytest.approx(2, rel=0.1)
    changed = {name for name in vars(start) if getattr(start, name) != getattr(grown, name)}
    assert changed == CHANGES[factor]


def test_time_grows_by_half_of_what_frames_do():
    start = expansion.start("quick")
    assert expansion.FACTORS["t"](start, 4).seconds == 2.0  # four times the frames: twice the time, twice the rate


@pytest.mark.parametrize("ratio", [1.3, 1.6])
def test_a_contraction_keeps_within_its_target_and_uses_it(ratio):
    start = expansion.start("quick")
    target = ratio * expansion.cost(start, LABELS)[1]
    cost = expansion.cost(expansion.contract(start, "b", LABELS, target), LABELS)[1]
    assert 0.9 * target < cost <= target


def test_the_best_on_validation_goes_on_and_is_taken_back_in_part(clip_set, trained, own_home):
    asked, right = trained
    right(lambda how: 8 if how.bottleneck > 1 and how.side > 64 else 6 if how.bottleneck > 1 else 3)
    actual = expansion.search(clip_set, "exercise", "quick")
    chosen = actual[actual["chosen"]]
    assert list(chosen["factor"]) == ["", "b", "s", "s"] and list(chosen["step"]) == [0, 1, 2, 3]
    assert len(actual) == len(asked) == 14 and actual["run"].nunique() == 14
    assert chosen["gflops"].iloc[3] <= 0.75 * chosen["gflops"].iloc[2]
    assert set(actual[actual["step"] == 2]["bottleneck"]) >= {chosen["bottleneck"].iloc[1]}
    kept = pd.read_csv(own_home / "outputs" / "tables" / "sample-quick" / expansion.PATH)
    assert list(kept["run"]) == list(actual["run"])
    figure = architecture.search(actual, describe.expansion(), "Top-1")
    assert (
        len(figure.axes[0].texts) == 14 and len(figure.axes[1].texts) == 2 + 8
    )  # ours; b, d, s, t, tau, then t, s, tau


def test_of_equal_scores_the_cheaper_network_wins_and_no_target_below_is_no_contraction(clip_set, trained):
    trained[1](lambda how: 5)
    actual = expansion.search(clip_set, "exercise", "quick", steps=1, target=1.0)
    first = actual[actual["step"] == 1]
    assert len(actual) == 7 and first["gflops"].idxmin() == first["chosen"].idxmax()


def test_candidates_have_a_section_of_the_report_and_crowd_no_other(clip_set, trained):
    trained[1](lambda how: 4)
    actual = expansion.search(clip_set, "exercise", "quick", steps=1)
    task = clip_set.task("exercise")
    assert tables.ranking(clip_set, "quick", task).empty and not tables.runs_of(clip_set, "quick")

    def report() -> str:
        claims = verdict.claims(clip_set, "quick")
        parts = tables.cells(clip_set, "quick"), tables.beyond(clip_set, "quick")
        rankings = {one.name: tables.ranking(clip_set, "quick", one) for one in tables.tasks_of(clip_set)}
        return page.write(clip_set, "quick", claims, *parts, rankings).read_text(encoding="utf-8")

    text = report()
    assert all(f"<small>{run}</small>" in text for run in actual["run"]) and text.count(">chosen<") == 3
    workspace.Run("sample", "exercise", actual["run"].iloc[2]).remove()
    assert 'id="expansion"' not in report()


def test_names_tell_candidates_apart_and_those_of_other_networks_stay(clip_set):
    name = lambda network, **how: fit.asked(clip_set, network, "exercise", "quick", **how)[0].name  # noqa: E731
    assert name("x2d", width=1.5).startswith("x2d-scratch-1x64w1.5d1b1-s0-")
    assert name("x2d", seconds=1.4) != name("x2d")
    assert name("x3d_m").startswith("x3d_m-scratch-s0-") and name("x3d_m") == name("x3d_m", depth=2.2)


@pytest.mark.hard
def test_a_search_that_was_killed_goes_on_and_trains_nothing_twice(own_home, monkeypatch):
    for i in range(20):
        exercise = ("Squat", "Push-up")[i % 2]
        helpers.write_video(own_home / "gym" / exercise / f"{i}.mp4", 26 + i, 12, size=(64, 48))
    clips, trained, train = prepare(str(own_home / "gym")), [], fit._train

    def killed(run, *rest):
        if len(trained) == 3:
            raise KeyboardInterrupt
        trained.append(run.name)
        train(run, *rest)

    monkeypatch.setattr(fit, "_train", killed)
    options = {"steps": 1, "target": 1.0}
    with pytest.raises(KeyboardInterrupt):
        expansion.search(clips, "exercise", "smoke", **options)
    begun, trained[:] = list(trained), []
    monkeypatch.setattr(fit, "_train", lambda run, *rest: (trained.append(run.name), train(run, *rest)))
    actual = expansion.search(clips, "exercise", "smoke", **options)
    assert len(begun) == 3 and [*begun, *trained] == list(actual["run"])
