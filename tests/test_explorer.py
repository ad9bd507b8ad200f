"""What the explorer shows are the numbers of scores/; filters, windows and uploads, without a browser."""

from types import SimpleNamespace

import numpy as np
import pytest
import runs
from matplotlib import pyplot as plt

from exmus_lib import labels, predictions, review
from exmus_lib.pictures.explorer import choice, still, widgets
from exmus_lib.pictures.explorer.browse import Browser
from exmus_lib.pictures.explorer.state import State
from exmus_lib.pictures.explorer.widgets import quiet
from exmus_lib.scores import ensembles, metrics
from exmus_lib.videos import prepare

PAPER = labels.paper()
EXERCISES, MUSCLES = PAPER.exercises, PAPER.muscles


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
            predictions.write(predictions.path(run), softer, predictions.names_of(softer))
    return clip_set, made


@pytest.mark.parametrize("task", ["exercise", "mgap"])
@pytest.mark.parametrize("x", [0.0, 0.2, 0.7, 1.0])
def test_scores_are_those_of_the_ensemble(pair, task, x):
    clip_set, made = pair
    state = State(clip_set, clip_set.task(task), made[task])
    state.x = x
    mixed = ensembles.combine([predictions.read(run) for run in made[task]], x)
    expected = metrics.score(mixed, clip_set.table(), state.task)
    assert state.scores().to_dict() == pytest.approx(expected[list(state.task.metrics)].to_dict())


def test_cells_count_the_clips_that_they_show(pair):
    clip_set, made = pair
    for task, own_runs in made.items():
        state = State(clip_set, clip_set.task(task), own_runs[:1])
        counts = state.counts().to_numpy()
        for (i, j), count in np.ndenumerate(counts):
            assert len(state.chosen(cell=(i, j))) == count
    squats = EXERCISES.index("Squat")
    state = State(clip_set, clip_set.task("exercise"), made["exercise"][:1])
    assert (state.chosen(cell=(0, squats))["predicted"] == "Squat").all() and len(state.chosen(cell=(0, squats))) == 2


def test_filters_keep_what_they_say_and_the_worst_comes_first(pair):
    clip_set, made = pair
    state = State(clip_set, clip_set.task("exercise"), made["exercise"][:1])
    wrong = state.chosen(right=False)
    assert len(wrong) == 8 and not wrong["right"].any()
    everything = state.chosen()
    assert everything["loss"].is_monotonic_decreasing and set(everything["clip_id"].iloc[:8]) == set(wrong["clip_id"])
    assert state.chosen(exercise="Deadlift")["exercise"].tolist() == ["Deadlift"] * 2
    sure = everything["confidence"].max()
    assert state.chosen(confidence=(sure + 0.01, 1)).empty


def test_a_threshold_changes_what_is_named(pair):
    clip_set, made = pair
    state = State(clip_set, clip_set.task("mgap"), made["mgap"][:1])
    state.thresholds[:] = 0.0
    assert (state.per_label()["predicted"] == 32).all()
    state.thresholds[MUSCLES.index("quads")] = 1.0
    assert state.per_label().loc["quads", "predicted"] == 0


def test_the_browser_follows_its_sliders_filters_and_marks(pair):
    clip_set, _ = pair
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
    browser.matrix.cell = [clips["exercise"].map(EXERCISES.index)[32], EXERCISES.index("Squat")]
    assert browser.gallery.total == 2
    browser.matrix.cell = []
    browser.right.value = "wrong"
    assert browser.gallery.total == 4
    browser.gallery.chosen = browser.gallery.items[0]["id"]
    assert "gone.mp4 is gone" in browser.message.value and browser.unusable.disabled
    browser.task.value = "mgap"
    assert browser.state.task.name == "mgap" and len(browser.matrix.columns) == 4


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


def test_where_there_are_runs_but_none_is_chosen_the_list_is_pointed_at(playing):
    playing.runs.value = ()
    assert "choose from the list of runs" in playing.message.value and "02_x3d" not in playing.message.value


def test_another_data_set_leaves_nothing_of_the_one_before(playing):
    playing.dataset.value = "other"  # which has no runs
    assert playing.gallery.items == [] and playing.scores.value == "" and playing.player.video == b""
    assert "No run is chosen" in playing.message.value and "02_x3d" in playing.message.value
    playing.unusable.click()
    playing.x.value = 0.3
    playing.gallery.page = 1
    assert review.marks("other") == {}


def test_a_data_set_without_runs_at_a_preset_shows_those_that_it_has(clip_set):
    small = runs.to_disk("mine-0a1b2c", clip_set.videos, clip_set.clips)
    run = runs.write_run(small, "mine-0a1b2c", preset="smoke")
    runs.write_run(small, "mine-0a1b2c", split="clip")  # which cannot be shown
    browser = Browser("mine-0a1b2c")
    assert list(browser.offered.values()) == [run] and browser.state.runs == [run]
    assert "There is no run at quick: these are at smoke." in browser.message.value
    run.remove()
    browser = Browser("mine-0a1b2c")
    assert "make demo" not in browser.message.value and "02_x3d" in browser.message.value and not browser.matrix.rows


def test_looking_at_a_threshold_does_not_change_it(playing):
    values = np.linspace(0.4011, 0.6, 11)
    playing.thresholds.set(values)
    playing.thresholds.label.value = "quads"
    assert playing.thresholds.slider.value == pytest.approx(values[MUSCLES.index("quads")])
    playing.thresholds.label.value = "all"
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
        review.mark("sample", clip, "unusable", PAPER)
    playing._safely(playing._load)
    assert "no clips to show in split &quot;test&quot;" in playing.message.value and playing.gallery.items == []
    playing.unmark.click()  # the way back, also where nothing is left to show
    assert len(review.marks("sample")) == 31 and playing.gallery.total == 1


def test_the_hybrid_is_that_of_02_and_03_whatever_else_was_trained(pair):
    clip_set, made = pair
    runs.write_run(clip_set, network="slowfast_r50", inverse_beta=16)
    runs.write_run(clip_set, network="slowfast_r50", seed=1)
    runs.write_run(clip_set, network="x3d_m", clips_hash="gone00")
    offered = choice.offered(clip_set, clip_set.task("exercise"), "quick")
    assert len(offered) == 4 and "SlowFast-R50, scratch, 1/β 16, 7 epochs, seed 0" in offered
    assert choice.hybrid(offered.values(), clip_set.task("exercise"), "quick") == tuple(made["exercise"])


# Labels: a data set's own, and runs of others than today's.
OWN = labels.Labels({"kettlebell swing": ("glutes", "forearms"), "burpee": ("chest",), "squat": ("quads", "glutes")})


@pytest.fixture
def gym(monkeypatch, tmp_path):
    """Three exercises and a muscle of one's own, with a run of each task."""
    monkeypatch.setenv("EXMUS_HOME", str(tmp_path))
    clip_set = runs.clip_set_of(OWN)
    monkeypatch.setattr(prepare, "load", lambda name: clip_set)
    for task in ("exercise", "mgap"):
        for network in ("x3d_m", "slowfast_r50"):
            runs.write_run(clip_set, "gym", network=network, task=task)
    return clip_set


def test_a_data_set_with_labels_of_its_own_is_explored(gym):
    browser = Browser("gym", "mgap")
    assert browser.matrix.rows == list(OWN.muscles) == ["quads", "glutes", "chest", "forearms"]
    assert browser.exercise.options == ("all", *OWN.exercises) == ("all", *browser.correct.options)
    assert browser.thresholds.label.options == ("all", *OWN.muscles) and browser.gallery.total == 12
    for task in ("mgap", "exercise"):
        browser.task.value = task
        shares = browser.state.muscles(list(browser.state.rows.exercise).index("kettlebell swing"))
        assert list(shares) == list(OWN.muscles) and shares["forearms"] > 0.9 > 0.1 > shares["chest"]
    assert browser.matrix.columns == list(OWN.exercises) and "accuracy" not in browser.scores.value


def test_only_tasks_that_have_labels_are_offered(monkeypatch, tmp_path):
    monkeypatch.setenv("EXMUS_HOME", str(tmp_path))
    clip_set = runs.clip_set_of(labels.Labels({"burpee": (), "squat": ()}))
    runs.write_run(clip_set, "gym")
    monkeypatch.setattr(prepare, "load", lambda name: clip_set)
    browser = Browser("gym", "mgap")
    assert browser.task.options == ("exercise",) and browser.gallery.total == 8


def test_a_muscle_of_ones_own_stands_beside_the_body_of_the_clip_that_plays(gym):
    (gym.folder / "film.mp4").write_bytes(b"film")
    gym.clips["path"] = "film.mp4"
    browser = Browser("gym", "exercise")
    browser.exercise.value = "kettlebell swing"
    browser.gallery.chosen = browser.gallery.items[0]["id"]
    (window,) = browser.player.windows
    assert 'data-muscle="forearms"' in browser.player.figure and window["shares"]["forearms"] > 0.9
    assert "Worked: glutes, forearms" in window["words"]


def test_runs_of_other_labels_are_called_so_and_shown_as_long_as_they_know_the_clips_labels(pair, monkeypatch):
    clip_set, made = pair
    more = labels.Labels({**clip_set.labels.muscles_of, "burpee": ("chest", "forearms")}, clip_set.labels.folders)
    today = prepare.ClipSet("sample", clip_set.folder, clip_set.videos, clip_set.clips, more)
    before = Browser("sample").state.scores()
    monkeypatch.setattr(prepare, "load", lambda name: today)
    browser = Browser("sample")
    assert all(name.endswith(", other labels") for name in browser.run_names()) and len(browser.state.runs) == 2
    assert browser.state.scores().equals(before) and "burpee" in browser.correct.options
    assert len(browser.state.names) == 16


def test_no_run_left_usable_says_why_and_what_to_run(pair, monkeypatch):
    clip_set, _ = pair
    muscles_of = {e: (*muscles, "forearms") for e, muscles in clip_set.labels.muscles_of.items()}
    today = prepare.ClipSet("sample", clip_set.folder, clip_set.videos, clip_set.clips, labels.Labels(muscles_of))
    monkeypatch.setattr(prepare, "load", lambda name: today)
    browser = Browser("sample", "mgap")
    assert browser.state is None and "forearms" in browser.message.value and "02_x3d" in browser.message.value
    assert "No run can be shown" in still.gallery(today, browser.state).texts[0].get_text()
    browser.task.value = "exercise"
    assert browser.state.task.name == "exercise" and browser.gallery.total == 32


def test_an_error_while_loading_leaves_the_browser_listening(pair, monkeypatch):
    def broken(*_):
        raise ValueError("broken")

    browser = Browser("sample")
    with monkeypatch.context() as patch:
        patch.setattr(choice, "hybrid", broken)
        browser.task.value = "mgap"
    assert "broken" in browser.message.value and browser.state is None
    browser.task.value = "exercise"
    browser.right.value = "wrong"
    assert browser.state.task.name == "exercise" and browser.gallery.total > 0 and not browser.quiet


def test_quiet_ends_with_an_error():
    owner = SimpleNamespace()
    with pytest.raises(KeyError), quiet(owner):
        assert owner.quiet
        raise KeyError
    assert not owner.quiet


def test_a_picture_stands_in_for_a_widget_and_goes_where_the_widget_lives(pair):
    clip_set, made = pair
    figure = still.gallery(clip_set, State(clip_set, clip_set.task("exercise"), made["exercise"]))
    html = still.instead(figure, "the worst clips").data
    assert 'class="exmus-still"' in html and "data:image/png;base64," in html and 'alt="the worst clips"' in html
    assert not plt.fignum_exists(figure.number)  # or it would be shown twice
    assert ".exmus-still { display: none !important; }" in widgets.STYLE
    assert still.instead(None, "no <video>").data == '<p class="exmus-still">no &lt;video&gt;</p>'
