"""Your own video and runs of a data set: what is recognised, how sure, what is written, and uploads; the networks are made up."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import runs
from matplotlib import pyplot as plt

from exmus_lib import labels, predictions, workspace
from exmus_lib.pictures import timeline
from exmus_lib.pictures.explorer import choice, own, pixels
from exmus_lib.scores import calibration
from exmus_lib.videos import cut, encode, prepare
from exmus_lib.videos.container import VideoInfo

PAPER = labels.paper()
EXERCISES = PAPER.exercises
OWN = labels.Labels({"kettlebell swing": ("glutes", "forearms"), "burpee": ("chest",), "squat": ("quads", "glutes")})


@pytest.fixture
def gym(monkeypatch, tmp_path):
    """A data set with labels of its own and a run of each task: nothing says that its people are rendered."""
    monkeypatch.setenv("EXMUS_HOME", str(tmp_path))
    clip_set = runs.clip_set_of(OWN)
    monkeypatch.setattr(prepare, "load", lambda name: clip_set)
    for task in ("exercise", "mgap"):
        runs.write_run(clip_set, "gym", task=task)
    return clip_set


@pytest.fixture
def made_up(monkeypatch):
    """Videos of 6 s of which every network says the second exercise with 90 %; sure begins at 50 %."""

    def small_copy(video, copy, report, side=encode.SIDE, shortest=2.0):
        copy.write_bytes(video.read_bytes())
        return VideoInfo(**dict.fromkeys(VideoInfo.__dataclass_fields__, 0))

    def analyse(copy, facts, hybrids, report):
        rows = pd.DataFrame({"start": [0.0, 1.5, 3.0], "end": [3.0, 4.5, 6.0]})
        for hybrid in hybrids:
            for i, name in enumerate(hybrid.task.names):
                rows[f"{hybrid.task.name}/{name}"] = 0.9 if i == 1 else 0.01
        return rows

    monkeypatch.setattr(cut, "small_copy", small_copy)
    monkeypatch.setattr("exmus_lib.networks.predict.window_table", analyse)
    monkeypatch.setattr(calibration, "sure_above", lambda *_: 0.5)


def recognise(clip_set, file, content=b"film", **options) -> own.OwnVideo:
    for task in ("exercise", "mgap"):
        for run in workspace.find_runs(clip_set.name, task):
            run.weights.touch()
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    video = own.OwnVideo(clip_set.name)
    video.networks.value = own.RUNS
    video.start(file, **options)
    video.wait()
    return video


@pytest.fixture
def rendered(monkeypatch, tmp_path):
    """The rendered sample, with validation clips, and a run of each task."""
    monkeypatch.setenv("EXMUS_HOME", str(tmp_path))
    clip_set = runs.clip_set_of(labels.read(), "sample")
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
    assert {window["colour"] for window in video.player.windows} == {timeline.look(EXERCISES[1], EXERCISES)[1]}


def test_networks_of_real_people_may_be_sure(gym, made_up, tmp_path):
    video = recognise(gym, tmp_path / "me.mp4")
    assert video.table["sure"].all() and set(video.table["answer"]) == {"burpee"}
    assert 'data-muscle="forearms"' in video.player.figure


def test_two_videos_of_one_name_keep_their_files(gym, made_up, tmp_path):
    for folder, content in (("a", b"one"), ("b", b"another")):
        recognise(gym, tmp_path / folder / "squat.mp4", content)
    recognise(gym, tmp_path / "b" / "squat.mp4", b"another")  # the same again: the same files
    files = sorted(path.name for path in workspace.outputs_dir("own").iterdir())
    assert len(files) == 4 and all(name.startswith("squat-") for name in files)


def test_the_timeline_is_drawn_without_pyplot_in_any_thread(gym, made_up, tmp_path, monkeypatch):
    def forbidden(*_, **__):
        raise AssertionError("pyplot is not for threads")

    before = dict(mpl.rcParams)
    for name in ("figure", "subplots"):
        monkeypatch.setattr(plt, name, forbidden)
    video = recognise(gym, tmp_path / "a $x.mp4")
    assert "a $x.mp4: 3 windows" in video.message.value and dict(mpl.rcParams) == before
    (picture,) = workspace.outputs_dir("own").glob("a $x-*.png")
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_weight_that_validation_cannot_choose_is_one_half_and_said(monkeypatch, tmp_path):
    monkeypatch.setenv("EXMUS_HOME", str(tmp_path))
    one = labels.Labels({"squat": ("quads", "glutes")})  # every clip has both muscles: AUC is undefined
    clip_set = runs.clip_set_of(one)
    two = tuple(runs.write_run(clip_set, "gym", network=n, task="mgap") for n in ("x3d_m", "slowfast_r50"))
    hybrid, limit, why = pixels.weigh(clip_set, "mgap", two)
    assert hybrid.weights == (0.5, 0.5) and limit == np.inf and "The weight of mgap is 0.5" in why[0]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("", "Choose a video"),
        (".", "is a folder"),
        ("<b>gone</b>.mp4", "&lt;b&gt;gone&lt;/b&gt;.mp4 is not there"),
        ("~no-such-user/a.mp4", "~no-such-user/a.mp4 is not there"),
    ],
)
def test_a_path_that_is_no_video_is_named(rendered, path, message):
    video = own.OwnVideo("sample")
    video.start(path)
    video.wait()
    assert message in video.message.value and video.table is None


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
    answered = pixels.answered(table, 0.5)
    assert answered["answer"].tolist() == [EXERCISES[3], timeline.UNSURE] and answered["sure"].tolist() == [True, False]
    assert timeline.look(timeline.UNSURE, EXERCISES) == ("", timeline.GREY)
    assert timeline.look(EXERCISES[3], EXERCISES)[0] == "3" and timeline.GREY not in timeline.look(
        EXERCISES[3], EXERCISES
    )
    assert not pixels.answered(table, np.inf)["sure"].any()


def test_sure_begins_where_validation_is_mostly_right(monkeypatch, tmp_path):
    monkeypatch.setenv("EXMUS_HOME", str(tmp_path))
    clip_set = runs.sample()
    clips, task = clip_set.table().assign(split="val"), clip_set.task("exercise")
    truth = np.repeat(np.arange(16).tolist() * 2, 2)
    logits = (
        np.linspace(1, 8, 64)[:, None] * np.eye(16)[(truth + (np.arange(64) < 20)) % 16]
    )  # the 20 least sure are wrong
    table = predictions.table(clips, logits, EXERCISES)
    limit = calibration.sure_above(table, clips, task)
    confidence = task.probabilities(logits).max(axis=1)
    assert (confidence >= limit - 1e-6).sum() == 55  # 44 right of 55 are 80 %
    assert calibration.sure_above(predictions.table(clips, -logits, EXERCISES), clips, task) == np.inf
