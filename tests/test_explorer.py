"""What the explorer shows are the numbers of scores/; filters, windows and uploads, without a browser."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import runs

from exmus_lib import predictions, review
from exmus_lib.pictures import timeline
from exmus_lib.pictures.explorer import choice, own
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
    browser.gallery.chosen = browser.gallery.items[0]["id"]
    assert "gone.mp4 is gone" in browser.message.value and browser.unusable.disabled
    browser.task.value = "mgap"
    assert browser.state.task == "mgap" and len(browser.matrix.columns) == 4


@pytest.fixture
def playing(pair):
    """A browser on muscles in which the worst clip plays."""
    clip_set, made = pair
    (clip_set.folder / "film.mp4").write_bytes(b"film")
    clip_set.clips.assign(path="film.mp4").to_parquet(clip_set.folder / "clips.parquet")
    runs.to_disk("other", clip_set.videos, clip_set.clips)
    browser = Browser("sample", "mgap")
    browser.gallery.chosen = browser.gallery.items[0]["id"]
    assert browser.player.video == b"film" and not browser.unusable.disabled
    return browser


def test_a_mark_is_for_the_clip_that_plays_and_leaves_thresholds_alone(playing):
    clip, label = playing.playing[1], playing.correct.value
    assert playing.relabel.disabled  # it has this label
    playing.correct.value = "Squat" if label != "Squat" else "Deadlift"
    assert not playing.relabel.disabled
    playing.thresholds.slider.value = 0.8
    playing.unusable.click()
    assert review.marks("sample") == {clip: "unusable"} and playing.marked.value == clip
    assert playing.state.thresholds.tolist() == [0.8] * 11 and playing.gallery.total == 31
    playing.unusable.click()
    assert review.marks("sample") == {clip: "unusable"}
    playing.unmark.click()
    assert review.marks("sample") == {} and playing.gallery.total == 32


def test_another_data_set_leaves_nothing_of_the_one_before(playing):
    playing.dataset.value = "other"  # which has no runs
    assert playing.gallery.items == [] and playing.scores.value == "" and playing.player.video == b""
    assert "No run is chosen" in playing.message.value and "02_x3d" in playing.message.value
    playing.unusable.click()
    playing.x.value = 0.3
    playing.gallery.page = 1
    assert review.marks("other") == {}


def test_looking_at_a_threshold_does_not_change_it(playing):
    values = np.linspace(0.4011, 0.6, 11)
    playing.thresholds.set(values)
    playing.thresholds.muscle.value = "quads"
    assert playing.thresholds.slider.value == pytest.approx(values[MUSCLES.index("quads")])
    playing.thresholds.muscle.value = "all muscles"
    assert playing.thresholds.slider.description == "differ, mean"
    assert playing.state.thresholds.tolist() == values.tolist()


def test_what_cannot_be_done_is_said(playing, monkeypatch):
    def full(*_):
        raise PermissionError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(review, "mark", full)
        playing.unusable.click()
    assert "no room" in playing.message.value and playing.playing
    for clip in playing.state.rows["clip_id"]:
        review.mark("sample", clip, "unusable")
    playing._load()
    assert "no clips to show in split &quot;test&quot;" in playing.message.value and playing.gallery.items == []


def test_the_hybrid_is_that_of_02_and_03_whatever_else_was_trained(pair):
    clip_set, made = pair
    runs.write_run(clip_set, network="slowfast_r50", inverse_beta=16)
    runs.write_run(clip_set, network="slowfast_r50", seed=1)
    runs.write_run(clip_set, network="x3d_m", clips_hash="gone00")
    found = choice.offered(clip_set, "exercise", "quick")
    assert len(found) == 4 and "SlowFast-R50, scratch, 1/β 16, seed 0, 3 epochs" in found
    assert choice.hybrid(found.values(), "exercise", "quick") == tuple(made["exercise"])
    with pytest.raises(
        FileNotFoundError,
        match=r"papermill notebooks/02_x3d.ipynb out.ipynb -p dataset sample -p task mgap -p preset smoke",
    ):
        choice.check_runs(SimpleNamespace(task="mgap", preset="smoke", dataset="sample"), clip_set)


@pytest.mark.parametrize(
    ("path", "said"),
    [("", "Choose a video"), (".", "is a folder"), ("<b>gone</b>.mp4", "&lt;b&gt;gone&lt;/b&gt;.mp4 is not there")],
)
def test_a_path_that_is_no_video_is_named(pair, path, said):
    video = own.OwnVideo("sample")
    video.start(path)
    video.wait()
    assert said in video.message.value and video.table is None


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
