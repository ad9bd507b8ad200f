"""Your own video by the networks that come with ExMus: nothing prepared, nothing trained; joints made up where time matters."""

import re
from dataclasses import replace

import av
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from helpers import write_video
from test_repetitions import filmed, times_there_and_back

from exmus_lib import labels, workspace
from exmus_lib.networks import recognise
from exmus_lib.networks.recognise import IDLE, UNSURE
from exmus_lib.pictures import timeline
from exmus_lib.pictures.explorer import joints, own
from exmus_lib.pictures.explorer.browse import Browser
from exmus_lib.poses.draw import VERMILION
from exmus_lib.poses.overlay import at, overlay
from exmus_lib.poses.track import BODY, RATE, Track
from exmus_lib.sample import make
from exmus_lib.sample.film import Take
from exmus_lib.videos.read import read_frames

LABELS = labels.read()
SQUAT = LABELS.exercises.index("Squat")
KNEE = BODY.index("left knee")
SECONDS, STILL = 14, 6.0  # of the made-up video, the last of which nobody trains


class Knees:
    """In place of the networks: a squat wherever a knee bends, no exercise elsewhere."""

    labels, sure_above = LABELS, 0.5

    def probabilities(self, joints, mask):
        _, world, _ = joints
        likely = np.full((len(world), len(LABELS.exercises) + 1), 0.001)
        bends = np.ptp(world[:, :, KNEE, 1], axis=1) > 0.1  # how far below the hips it is, in metres
        likely[np.arange(len(world)), np.where(bends, SQUAT, -1)] = 1
        return likely / likely.sum(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def squats() -> Track:
    """Three squats of two seconds each, then somebody who stands."""
    track = filmed("squat", np.pad(times_there_and_back(3), (0, round(STILL * RATE))), jitter=0.0)
    return replace(track, size=(96, 128), image=track.image / 6)


@pytest.fixture
def alone(monkeypatch, tmp_path):
    """A fresh clone: no data set, no run."""
    monkeypatch.setenv("EXMUS_HOME", str(tmp_path / "home"))


@pytest.fixture
def made_up(monkeypatch, alone, squats):
    """Videos all show the squats."""

    def made(track=squats):
        def recognised(video, report):
            report(0.5)
            return recognise.of_track(track, Knees())

        monkeypatch.setattr("exmus_lib.networks.recognise.recognise", recognised)

    made()
    return made


def watched(tmp_path, name="me.mp4") -> own.OwnVideo:
    video = own.OwnVideo("sample")
    video.start(write_video(tmp_path / name, SECONDS * 10, 10))
    video.wait()
    return video


def test_without_data_the_built_in_networks_are_chosen_and_the_others_say_what_makes_them(alone):
    video = own.OwnVideo("sample")
    assert video.networks.value == own.JOINTS and "know real people" in video.banner.value
    video.networks.value = own.RUNS
    assert "know real people" not in video.banner.value
    for text in (video.banner.value, started(video, __file__).message.value):
        assert "no data set &quot;sample&quot;" in text and "make demo" in text


def test_without_any_data_set_one_sentence_says_what_makes_it(alone):
    browser = Browser("sample")
    assert browser.clip_set is None and browser.state is None and browser.children == (browser.message,)
    assert "no data set &quot;sample&quot;" in browser.message.value and "make demo" in browser.message.value


def started(video, path):
    video.start(path)
    video.wait()
    return video


def test_stretches_repetitions_and_grey_are_shown_and_written(made_up, tmp_path):
    video = watched(tmp_path)
    (stretch,) = video.result.recognition.stretches
    sentence = r"Squat, 3 repetitions, one every \d\.\d s, knee \d+ to \d+ degrees"
    assert re.search(sentence, video.stretches.value) and len(stretch.repetitions) == 3
    squat, idle = (video.table.index[video.table["answer"] == answer].tolist() for answer in ("Squat", IDLE))
    assert squat and idle and squat[-1] < idle[0]
    colours = [window["colour"] for window in video.player.windows]
    assert {colours[i] for i in idle} == {timeline.GREY} and timeline.GREY not in {colours[i] for i in squat}
    assert video.player.marks == [round(r.turn, 3) for r in stretch.repetitions]
    assert re.search(sentence.partition(", ")[2], video.player.windows[0]["html"])
    shares = [window["shares"]["quads"] for window in video.player.windows]
    assert shares[squat[0]] > 0.9 and shares[idle[-1]] < 0.1  # nobody trains: no muscle is worked
    files = sorted(workspace.outputs_dir("own").iterdir())
    assert [file.name[len("me-abcdef") :] for file in files] == ["-stretches.csv", ".csv", ".png"]
    row = pd.read_csv(files[0]).iloc[0]
    assert (row["exercise"], row["repetitions"], row["tempo"]) == ("Squat", 3, stretch.tempo)
    assert row["range"] == stretch.motion and pd.read_csv(files[1])["answer"].tolist() == video.table["answer"].tolist()


def test_the_timeline_has_strokes_for_repetitions_and_no_colour_where_nobody_trains(made_up, tmp_path):
    video = watched(tmp_path)
    strip, muscles, *_ = video.picture().axes
    assert "3 repetitions" in strip.get_xlabel()
    (strokes,) = strip.collections
    assert [segment[0, 0] for segment in strokes.get_segments()] == pytest.approx(video.result.turns)
    bars = {mpl.colors.to_hex(bar.get_facecolor()) for bar in strip.patches}
    assert bars == {timeline.GREY, timeline.look("Squat", list(LABELS.exercises))[1]}
    blue, grey = (np.ma.getmaskarray(mesh.get_array())[0] for mesh in muscles.collections)
    assert (blue != grey).all() and (blue == ~video.table["sure"].to_numpy()).all()


def test_the_player_shows_the_skeleton_until_it_is_switched_off(made_up, tmp_path):
    video = watched(tmp_path)
    drawn = video.player.video
    video.skeleton.value = False
    plain = video.player.video
    assert drawn != plain and video.skeleton.layout.display is None
    counts = []
    for content in (drawn, plain):
        (tmp_path / "shown.mp4").write_bytes(content)
        frame = read_frames(tmp_path / "shown.mp4", [1.0])[0].astype(int)
        assert min(frame.shape[:2]) == joints.SIDE
        counts.append(int((np.abs(frame - VERMILION).sum(axis=-1) < 90).sum()))
    assert counts[0] > 100 > counts[1]  # pixels in the colour of the left leg; the video itself is black and white


def test_a_video_is_long_enough_from_what_the_networks_need(made_up, tmp_path):
    video = own.OwnVideo("sample")
    video.path.value = f'"{write_video(tmp_path / "short.mp4", 14, 10)}"'  # as a file manager copies it
    video.start()
    video.wait()
    assert "sure of an exercise" in video.message.value
    video.start(write_video(tmp_path / "shorter.mp4", 10, 10))
    video.wait()
    assert "shorter.mp4: shorter than 1.1 s (1.00 s)" in video.message.value


def test_nobody_in_the_picture_is_grey_and_said(made_up, tmp_path, squats):
    blank = {name: np.full_like(getattr(squats, name), np.nan) for name in ("image", "world")}
    made_up(replace(squats, **blank, visibility=0 * squats.visibility, found=~squats.found))
    video = watched(tmp_path)
    assert "nobody was found" in video.stretches.value and not video.player.marks
    assert {window["colour"] for window in video.player.windows} == {timeline.GREY}
    assert max(share for window in video.player.windows for share in window["shares"].values()) == 0
    (file,) = workspace.outputs_dir("own").glob("*-stretches.csv")
    assert pd.read_csv(file)["exercise"].tolist() == ["nobody was found"]


def test_several_people_and_an_edited_video_are_said(made_up, tmp_path, squats):
    made_up(replace(squats, people=3, shot=(squats.times > 5).astype(int)))
    text = watched(tmp_path).stretches.value
    assert "note: 3 people" in text and "note: the view or the person followed changes: 2 parts" in text


def test_cancel_is_heard_while_joints_are_found(made_up, tmp_path, monkeypatch):
    def cancelled(video, report):
        widget.cancel.click()
        report(0.5)

    monkeypatch.setattr("exmus_lib.networks.recognise.recognise", cancelled)
    widget = own.OwnVideo("sample")
    started(widget, write_video(tmp_path / "me.mp4", 30, 10))
    assert "Cancelled" in widget.message.value and widget.table is None and not widget.player.video


def test_between_two_samples_joints_are_in_between_but_not_across_a_cut(squats):
    first, second = at(squats, 0.5)[0], at(squats, 0.6)[0]
    assert at(squats, 0.55)[0] == pytest.approx((first + second) / 2)
    edited = replace(squats, shot=(np.arange(len(squats)) >= 6).astype(int))
    assert (at(edited, 0.54)[0] == first).all() and (at(edited, 0.56)[0] == second).all()
    assert (at(squats, 1000.0)[0] == squats.image[-1]).all()


def test_a_video_keeps_its_frames_and_their_times_under_the_skeleton(tmp_path, squats):
    uneven = [0.0, 0.04, 0.1, 0.5, 0.54, 1.0, 1.9]
    small, drawn = write_video(tmp_path / "a.mp4", uneven), tmp_path / "b.mp4"
    overlay(small, squats, drawn)
    times = []
    for file in (small, drawn):
        with av.open(str(file)) as container:
            times.append([float(frame.time) for frame in container.decode(video=0)])
    assert times[1] == pytest.approx(times[0], abs=1e-3)


def test_a_rendered_person_is_found_and_recognised_by_the_networks_that_come_along(alone, tmp_path):
    if not recognise.FILE.exists():
        pytest.skip(f"{recognise.FILE} is not there")
    file = tmp_path / "squat.mp4"
    make.encode(file, Take("squat", 24, 6.0, 320, 240), 0, False, np.random.default_rng(0))
    video = started(own.OwnVideo("sample"), file)
    if video.table is None and "mediapipe" in video.message.value:
        pytest.skip("BlazePose's files cannot be fetched here")
    assert video.table is not None, video.message.value
    assert video.result.recognition.track.found.mean() > 0.9
    assert set(video.table["answer"]) <= {*LABELS.exercises, IDLE, UNSURE}
    assert video.result.recognition.exercises().index[0] == "Squat"
