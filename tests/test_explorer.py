"""What the explorer shows are the numbers of scores/; filters, windows and uploads, without a browser."""

from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import runs
from matplotlib import pyplot as plt

from exmus_lib import labels, predictions, review, workspace
from exmus_lib.pictures import timeline
from exmus_lib.pictures.explorer import analysis, choice, own, still, widgets
from exmus_lib.pictures.explorer.browse import Browser
from exmus_lib.pictures.explorer.state import State
from exmus_lib.pictures.explorer.widgets import Quiet
from exmus_lib.scores import calibration, ensembles, metrics
from exmus_lib.videos import prepare
from exmus_lib.videos.read import VideoInfo

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
    assert (state.chosen(exercise="Deadlift")["exercise"] == "Deadlift").all() and len(
        state.chosen(exercise="Deadlift")
    ) == 2
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
    playing._load()
    assert "no clips to show in split &quot;test&quot;" in playing.message.value and playing.gallery.items == []


def test_the_hybrid_is_that_of_02_and_03_whatever_else_was_trained(pair):
    clip_set, made = pair
    runs.write_run(clip_set, network="slowfast_r50", inverse_beta=16)
    runs.write_run(clip_set, network="slowfast_r50", seed=1)
    runs.write_run(clip_set, network="x3d_m", clips_hash="gone00")
    found = choice.offered(clip_set, clip_set.task("exercise"), "quick")
    assert len(found) == 4 and "SlowFast-R50, scratch, 1/β 16, 3 epochs, seed 0" in found
    assert choice.hybrid(found.values(), clip_set.task("exercise"), "quick") == tuple(made["exercise"])
    with pytest.raises(
        FileNotFoundError,
        match=r"papermill notebooks/02_x3d.ipynb out.ipynb -p dataset sample -p task mgap -p preset smoke",
    ):
        choice.check_runs(SimpleNamespace(task="mgap", preset="smoke", dataset="sample"), clip_set)


# Labels: a data set's own, and runs of others than today's.


def write_clip_set(own_labels: labels.Labels, dataset: str = "gym", split: str = "val"):
    """A data set on disk, four test clips and four of another split of each exercise, with labels of its own."""
    exercises = np.repeat(own_labels.exercises, 8)
    clips = pd.DataFrame({"exercise": exercises, "clip_id": [f"c{i}" for i in range(len(exercises))]})
    clips = clips.assign(video_id=clips["clip_id"], group=clips["clip_id"], path="", start_sec=0.0, seconds=2.0)
    clips["split_video"] = ["test" if i % 2 else split for i in clips.index]
    videos = pd.DataFrame({"video_id": clips["video_id"], "folder": exercises, "sha256": clips["video_id"]})
    clip_set = runs.to_disk(dataset, videos, clips.assign(split_clip="test"))
    return prepare.ClipSet(dataset, clip_set.folder, clip_set.videos, clip_set.clips, own_labels)


OWN = labels.Labels({"kettlebell swing": ("glutes", "forearms"), "burpee": ("chest",), "squat": ("quads", "glutes")})


@pytest.fixture
def gym(monkeypatch, tmp_path):
    """Three exercises and a muscle of one's own, with a run of each task."""
    monkeypatch.setenv("EXMUS_HOME", str(tmp_path))
    clip_set = write_clip_set(OWN)
    monkeypatch.setattr(prepare, "load", lambda name: clip_set)
    made = {
        task: [runs.write_run(clip_set, "gym", network=n, task=task) for n in ("x3d_m", "slowfast_r50")]
        for task in ("exercise", "mgap")
    }
    return clip_set, made


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


def test_a_muscle_of_ones_own_stands_beside_the_body_of_the_clip_that_plays(gym):
    clip_set, _ = gym
    (clip_set.folder / "film.mp4").write_bytes(b"film")
    clip_set.clips["path"] = "film.mp4"
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
    figure = still.gallery(today, browser.state)
    assert "No run can be shown" in figure.texts[0].get_text()
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
    assert browser.state.task.name == "exercise" and browser.gallery.total > 0 and not browser._quiet


def test_quiet_ends_with_an_error():
    quiet = Quiet()
    with pytest.raises(KeyError), quiet:
        assert quiet
        raise KeyError
    assert not quiet


# Your own video, with the network's part made up.


@pytest.fixture
def made_up(monkeypatch):
    """Videos of 6 s of which every network says the second exercise with 90 %; sure begins at 50 %."""

    def small_copy(video, copy, report, stopped):
        copy.write_bytes(video.read_bytes())
        return VideoInfo(**dict.fromkeys(VideoInfo.__dataclass_fields__, 0))

    def analyse(copy, facts, hybrids, report, stopped):
        rows = pd.DataFrame({"start": [0.0, 1.5, 3.0], "end": [3.0, 4.5, 6.0]})
        for hybrid in hybrids:
            for i, name in enumerate(hybrid.task.names):
                rows[f"{hybrid.task.name}/{name}"] = 0.9 if i == 1 else 0.01
        return rows

    monkeypatch.setattr(analysis, "small_copy", small_copy)
    monkeypatch.setattr(analysis, "analyse", analyse)
    monkeypatch.setattr(calibration, "sure_above", lambda *_: 0.5)


def recognise(clip_set, file, content=b"film", **how) -> own.OwnVideo:
    for task in ("exercise", "mgap"):
        for run in workspace.find_runs(clip_set.name, task):
            (run.folder / "weights.safetensors").touch()
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    video = own.OwnVideo(clip_set.name)
    video.start(file, **how)
    video.wait()
    return video


@pytest.fixture
def rendered(monkeypatch, tmp_path):
    """The rendered sample, with validation clips, and a run of each task."""
    monkeypatch.setenv("EXMUS_HOME", str(tmp_path))
    clip_set = write_clip_set(labels.read(), "sample")
    for task in ("exercise", "mgap"):
        runs.write_run(clip_set, task=task)
    return clip_set


def test_networks_of_rendered_people_are_never_sure_of_a_video_from_elsewhere(rendered, made_up, tmp_path):
    video = recognise(rendered, tmp_path / "me.mp4")
    assert set(video.table["answer"]) == {timeline.UNSURE} and not video.table["sure"].any()
    assert {window["colour"] for window in video.player.windows} == {timeline.GREY}
    assert all(choice.RENDERED in window["html"] for window in video.player.windows)
    assert choice.RENDERED in video.message.value
    (file,) = workspace.outputs_dir("own").glob("me-*.csv")
    assert set(pd.read_csv(file)["warning"]) == {choice.RENDERED}
    strip, muscles, *_ = video.picture().axes
    assert strip.get_title("left").split() == f"me.mp4 {choice.RENDERED}".split()
    assert {mpl.colors.to_hex(bar.get_facecolor()) for bar in strip.patches} == {timeline.GREY}
    assert muscles.collections[0].get_cmap().name == "Greys"


def test_a_reel_of_the_data_sets_own_clips_keeps_its_colours(rendered, made_up, tmp_path):
    video = recognise(rendered, tmp_path / "reel.mp4", from_dataset=True)
    assert set(video.table["answer"]) == {EXERCISES[1]} and not video.table["warning"].any()
    assert {window["colour"] for window in video.player.windows} == {timeline.colour(EXERCISES[1], EXERCISES)}


def test_networks_of_real_people_may_be_sure(gym, made_up, tmp_path):
    video = recognise(gym[0], tmp_path / "me.mp4")
    assert video.table["sure"].all() and set(video.table["answer"]) == {"burpee"}
    assert 'data-muscle="forearms"' in video.player.figure


def test_two_videos_of_one_name_keep_their_files(gym, made_up, tmp_path):
    for folder, content in (("a", b"one"), ("b", b"another")):
        recognise(gym[0], tmp_path / folder / "squat.mp4", content)
    recognise(gym[0], tmp_path / "b" / "squat.mp4", b"another")  # the same again: the same files
    files = sorted(path.name for path in workspace.outputs_dir("own").iterdir())
    assert len(files) == 4 and all(name.startswith("squat-") for name in files)


def test_the_timeline_is_drawn_without_pyplot_in_any_thread(gym, made_up, tmp_path, monkeypatch):
    def forbidden(*_, **__):
        raise AssertionError("pyplot is not for threads")

    before = dict(mpl.rcParams)
    for name in ("figure", "subplots"):
        monkeypatch.setattr(plt, name, forbidden)
    video = recognise(gym[0], tmp_path / "a $x.mp4")
    assert "a $x.mp4: 3 windows" in video.message.value and dict(mpl.rcParams) == before
    (picture,) = workspace.outputs_dir("own").glob("a $x-*.png")
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_weight_that_validation_cannot_choose_is_one_half_and_said(monkeypatch, tmp_path):
    monkeypatch.setenv("EXMUS_HOME", str(tmp_path))
    one = labels.Labels({"squat": ("quads", "glutes")})  # every clip has both muscles: AUC is undefined
    clip_set = write_clip_set(one)
    two = tuple(runs.write_run(clip_set, "gym", network=n, task="mgap") for n in ("x3d_m", "slowfast_r50"))
    hybrid, limit, why = own.weigh(clip_set, "mgap", two)
    assert hybrid.x == 0.5 and limit == np.inf and "The weight of mgap is 0.5" in why[0]


def test_a_picture_stands_in_for_a_widget_and_goes_where_the_widget_lives(pair):
    clip_set, made = pair
    figure = still.gallery(clip_set, State(clip_set, clip_set.task("exercise"), made["exercise"]))
    html = still.instead(figure, "the worst clips").data
    assert 'class="exmus-still"' in html and "data:image/png;base64," in html and 'alt="the worst clips"' in html
    assert not plt.fignum_exists(figure.number)  # or it would be shown twice
    assert ".exmus-still { display: none; }" in widgets.STYLE
    assert still.instead(None, "no <video>").data == '<p class="exmus-still">no &lt;video&gt;</p>'


@pytest.mark.parametrize(
    ("path", "message"),
    [("", "Choose a video"), (".", "is a folder"), ("<b>gone</b>.mp4", "&lt;b&gt;gone&lt;/b&gt;.mp4 is not there")],
)
def test_a_path_that_is_no_video_is_named(pair, path, message):
    video = own.OwnVideo("sample")
    video.start(path)
    video.wait()
    assert message in video.message.value and video.table is None


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
    answered = own.answered(table, 0.5)
    assert answered["answer"].tolist() == [EXERCISES[3], timeline.UNSURE] and answered["sure"].tolist() == [True, False]
    assert timeline.colour(timeline.UNSURE, EXERCISES) == timeline.GREY != timeline.colour(EXERCISES[3], EXERCISES)
    assert not own.answered(table, np.inf)["sure"].any()


def test_sure_begins_where_validation_is_mostly_right(pair):
    clip_set, _ = pair
    clips, task = clip_set.table().assign(split="val"), clip_set.task("exercise")
    truth = np.repeat(np.arange(16).tolist() * 2, 2)
    logits = (
        np.linspace(1, 8, 64)[:, None] * np.eye(16)[(truth + (np.arange(64) < 20)) % 16]
    )  # the 20 least sure are wrong
    table = predictions.table(clips, logits, EXERCISES)
    found = calibration.sure_above(table, clips, task)
    confidence = task.probabilities(logits).max(axis=1)
    assert (confidence >= found - 1e-6).sum() == 55  # 44 right of 55 are 80 %
    assert calibration.sure_above(predictions.table(clips, -logits, EXERCISES), clips, task) == np.inf
