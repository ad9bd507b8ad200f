"""What the explorer shows are the numbers of scores/; filters, windows and uploads, without a browser."""

import numpy as np
import pandas as pd
import pytest
import runs

from exmus_lib import predictions
from exmus_lib.pictures import timeline
from exmus_lib.pictures.explorer import analysis, own
from exmus_lib.pictures.explorer.browse import Browser
from exmus_lib.pictures.explorer.state import State
from exmus_lib.scores import calibration, ensembles, metrics
from exmus_lib.vocabulary import EXERCISES, MUSCLES


@pytest.fixture
def pair(monkeypatch, tmp_path):
    """Two runs of each task on the sample: X3D-M is wrong on 8 test clips, SlowFast on 4."""
    monkeypatch.setenv("EXMUS_HOME", str(tmp_path))
    clip_set = runs.sample()
    made = {
        task: [runs.write_run(clip_set, network=n, task=task, wrong=w) for n, w in (("x3d_m", 8), ("slowfast_r50", 4))]
        for task in ("exercise", "mgap")
    }
    random = np.random.default_rng(0)
    for own_runs in made.values():  # softer, so that weights matter
        for run, scale in zip(own_runs, (0.1, 0.05), strict=True):
            table = predictions.read(run)
            logits = predictions.logits(table)
            softer = predictions.with_logits(table, scale * logits + 0.01 * random.normal(size=logits.shape))  # no ties
            predictions.write(predictions.path(run), softer, run.task)
    return clip_set, made


@pytest.mark.parametrize("task", ["exercise", "mgap"])
@pytest.mark.parametrize("x", [0.0, 0.2, 0.7, 1.0])
def test_scores_are_those_of_the_ensemble(pair, task, x):
    clip_set, made = pair
    state = State(clip_set, task, made[task])
    state.x = x
    mixed = ensembles.combine([predictions.read(run) for run in made[task]], x)
    expected = metrics.score(mixed, clip_set.table(), task)
    assert state.scores().to_dict() == pytest.approx(expected[list(metrics.METRICS[task])].to_dict())


def test_cells_count_the_clips_that_they_show(pair):
    clip_set, made = pair
    for task, own_runs in made.items():
        state = State(clip_set, task, own_runs[:1])
        counts = state.counts().to_numpy()
        for (i, j), count in np.ndenumerate(counts):
            assert len(state.chosen(cell=(i, j))) == count
    squats = EXERCISES.index("Squat")
    state = State(clip_set, "exercise", made["exercise"][:1])
    assert (state.chosen(cell=(0, squats))["said"] == "Squat").all() and len(state.chosen(cell=(0, squats))) == 2


def test_filters_keep_what_they_say_and_the_worst_comes_first(pair):
    clip_set, made = pair
    state = State(clip_set, "exercise", made["exercise"][:1])
    wrong = state.chosen(right=False)
    assert len(wrong) == 8 and not wrong["right"].any()
    everything = state.chosen()
    assert everything["loss"].is_monotonic_decreasing and set(everything["clip_id"].iloc[:8]) == set(wrong["clip_id"])
    assert (state.chosen(exercise="Deadlift")["exercise"] == "Deadlift").all() and len(
        state.chosen(exercise="Deadlift")
    ) == 2
    sure = everything["confidence"].max()
    assert state.chosen(confidence=(sure + 0.01, 1)).empty


def test_a_threshold_changes_what_is_named(pair):
    clip_set, made = pair
    state = State(clip_set, "mgap", made["mgap"][:1])
    state.thresholds[:] = 0.0
    assert (state.per_label()["predicted"] == 32).all()
    state.thresholds[MUSCLES.index("quads")] = 1.0
    assert state.per_label().loc["quads", "predicted"] == 0


def test_the_browser_follows_its_sliders_filters_and_marks(pair):
    clip_set, made = pair

    clips = clip_set.clips
    clips.assign(path="gone.mp4").to_parquet(clip_set.folder / "clips.parquet")
    browser = Browser("sample")
    assert browser.gallery.total == 32 and len(browser.gallery.items) == 24
    browser.gallery.page = 1
    assert len(browser.gallery.items) == 8
    browser.x.value = 1.0
    assert f"<td>{100 * 24 / 32:.1f}</td>" in browser.scores.value
    browser.x.value = 0.0
    assert f"<td>{100 * 28 / 32:.1f}</td>" in browser.scores.value
    cell = [clips["exercise"].map(EXERCISES.index)[32], EXERCISES.index("Squat")]
    browser.matrix.cell = cell
    assert browser.gallery.total == 2
    browser.matrix.cell = []
    browser.right.value = "wrong"
    assert browser.gallery.total == 4
    chosen = browser.gallery.items[0]["id"]
    browser.gallery.chosen = chosen
    assert "gone.mp4 is gone" in browser.message.value
    browser._mark("unusable")
    assert browser.gallery.total == 3 and browser.marked.value == chosen
    assert "<td>90.3</td>" in browser.scores.value  # 28 of 31
    browser._unmark()
    assert browser.gallery.total == 4 and browser.marked.value is None
    browser.task.value = "mgap"
    assert browser.state.task == "mgap" and len(browser.matrix.columns) == 4
    browser.runs.value = ()
    assert "No run is chosen" in browser.message.value


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(2.0, [(0, 2)]), (3.0, [(0, 3)]), (4.0, [(0, 3), (1, 4)]), (6.2, [(0, 3), (1.5, 4.5), (3, 6), (3.2, 6.2)])],
)
def test_windows_overlap_and_end_where_the_video_does(seconds, expected):
    assert analysis.spans(seconds) == [pytest.approx(span) for span in expected]


@pytest.mark.parametrize(
    "value",
    [
        {"a.mp4": {"metadata": {"name": "a.mp4"}, "content": b"film"}},  # ipywidgets 7
        ({"name": "a.mp4", "type": "video/mp4", "size": 4, "content": memoryview(b"film")},),  # ipywidgets 8
    ],
)
def test_uploads_of_both_ipywidgets_are_read(value):
    assert own.uploaded(value) == ("a.mp4", b"film")
    assert own.uploaded(type(value)()) is None


def test_what_no_exercise_is_sure_of_is_not_forced_into_one():
    likely = np.full((2, 16), 0.01)
    likely[0, 3], likely[1, 5] = 0.85, 0.3
    table = pd.DataFrame(likely, columns=[f"exercise/{e}" for e in EXERCISES]).assign(start=[0, 1.5], end=[3, 4.5])
    answered = own.with_answer(table, 0.5)
    assert answered["answer"].tolist() == [EXERCISES[3], timeline.UNSURE] and answered["sure"].tolist() == [True, False]
    assert timeline.colour(timeline.UNSURE) == timeline.GREY != timeline.colour(EXERCISES[3])
    assert not own.with_answer(table, np.inf)["sure"].any()


def test_sure_begins_where_validation_is_mostly_right(pair):
    clip_set, _ = pair
    clips = clip_set.table().assign(split="val")
    truth = np.repeat(np.arange(16).tolist() * 2, 2)
    logits = (
        np.linspace(1, 8, 64)[:, None] * np.eye(16)[(truth + (np.arange(64) < 20)) % 16]
    )  # the 20 least sure are wrong
    table = predictions.table(clips, logits, "exercise")
    found = calibration.sure_above(table, clips)
    confidence = predictions.probabilities(logits, "exercise").max(axis=1)
    assert (confidence >= found - 1e-6).sum() == 55  # 44 right of 55 are 80 %
    assert calibration.sure_above(predictions.table(clips, -logits, "exercise"), clips) == np.inf
