"""`python -m exmus_lib predict`: what is printed, as text, CSV and JSON, and what becomes of a video that cannot be read."""

import io
import json
import wave

import pandas as pd
import pytest
from tracks import Told, filmed, nobody, times_there_and_back

from exmus_lib.__main__ import main
from exmus_lib.networks import recognise
from exmus_lib.poses import estimate as poses
from exmus_lib.videos.faults import VideoError


@pytest.fixture
def videos(tmp_path, monkeypatch):
    """Three files: squats, nobody, and one that cannot be read; only their names count."""
    tracks = {"squats.mp4": filmed("squat", times_there_and_back(6)), "nobody.mp4": nobody()}

    def estimate(video, report):
        report(0.5)
        if video.name not in tracks:
            raise VideoError(video, "cannot be decoded")
        return tracks[video.name]

    monkeypatch.setattr(recognise, "estimate", estimate)
    monkeypatch.setattr(recognise, "load", lambda: Told(("Squat", 0.9, 0.0)))
    files = [tmp_path / name for name in ("squats.mp4", "broken.mp4", "nobody.mp4")]
    for file in files:
        file.touch()
    return [str(file) for file in files]


def test_text_says_what_how_often_how_fast_and_how_far(videos, capsys):
    assert main(["predict", videos[0]]) == 0
    name, stretch, muscles = capsys.readouterr().out.splitlines()
    assert name == videos[0]
    assert stretch.startswith("    0.0 to  13.9 s  Squat (90%)  6 repetitions, ") and stretch.endswith(" degrees")
    assert muscles.startswith("  muscles: ") and "quads" in muscles and "biceps" not in muscles


def test_what_is_not_sure_stands_between_what_is_and_several_exercises_have_an_answer_for_all(
    capsys, monkeypatch, videos
):
    likely = [("Squat", 0.9, 0.0)] * 2 + [("Squat", 0.2, 0.0)] * 4 + [("Deadlift", 0.8, 0.0)] * 3
    monkeypatch.setattr(recognise, "load", lambda: Told(*likely))
    assert main(["predict", videos[0]]) == 0
    _, overall, *parts, muscles = capsys.readouterr().out.splitlines()
    assert overall.startswith("  over the whole video: ") and muscles.startswith("  muscles: ")
    assert [part.split(" s  ")[1].split(" (")[0] for part in parts] == ["Squat", "not sure", "Deadlift"]
    assert parts[1].startswith("    4.5 to   9.0 s") and parts[2].startswith("    9.0 to")


def test_a_gap_is_named_by_why_nothing_is_sure_in_it_and_left_out_where_it_is_short(videos, monkeypatch):
    def gaps(*between: tuple[str, float, float]) -> list[tuple[float, float, str]]:
        told = Told(*[("Squat", 0.9, 0.0)] * 3, *between, *[("Squat", 0.9, 0.0)] * (6 - len(between)))
        monkeypatch.setattr(recognise, "load", lambda: told)
        return recognise.recognise(videos[0]).gaps()

    assert gaps(("Squat", 0.2, 0.0)) == []
    assert [why for _, _, why in gaps(*[("Squat", 0.9, 0.9)] * 4)] == ["no exercise"]
    assert [why for _, _, why in gaps(*[("Squat", 0.2, 0.1)] * 4)] == ["not sure"]


def test_nobody_is_said_and_no_guess_is_made(videos, capsys):
    assert main(["predict", videos[2]]) == 0
    _, note = capsys.readouterr().out.splitlines()
    assert note == "  note: nobody was found in the picture: show the whole person, upright and in good light"


def test_who_is_not_sure_says_what_to_film(videos, capsys, monkeypatch):
    monkeypatch.setattr(recognise, "load", lambda: Told(("Squat", 0.2, 0.0)))
    assert main(["predict", videos[0]]) == 0
    _, answer, advice = capsys.readouterr().out.splitlines()
    assert answer.startswith("  not sure; the likeliest: Squat 20%") and "two repetitions" in advice


def test_a_broken_video_is_named_and_the_others_are_answered(videos, capsys):
    assert main(["predict", *videos]) == 1
    printed = capsys.readouterr()
    assert printed.err == f"{videos[1]}: cannot be decoded\n"
    assert "Squat (90%)" in printed.out and "nobody was found" in printed.out and videos[1] not in printed.out


def test_what_is_no_video_is_named_with_the_reason(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(poses, "files", lambda: ())
    monkeypatch.setattr(poses, "loaded", lambda: None)
    text, empty, sound, folder = (tmp_path / f"{name}.mp4" for name in ("text", "empty", "sound", "folder"))
    text.write_text("no video")
    empty.touch()
    with wave.open(str(sound), "wb") as file:
        file.setparams((1, 2, 8000, 8000, "NONE", ""))
        file.writeframes(bytes(16000))
    folder.mkdir()
    assert main(["predict", *map(str, (text, empty, sound, folder))]) == 1
    printed = capsys.readouterr()
    reasons = printed.err.splitlines()
    assert printed.out == "" and len(reasons) == 4
    for reason, file in zip(reasons, (text, empty, sound, folder), strict=True):
        assert str(file) in reason
    assert reasons[0].endswith("text, not a video") and reasons[1].endswith("empty file")
    assert reasons[2].endswith("no video stream") and "is a folder" in reasons[3]


def test_csv_has_a_row_for_each_stretch_and_one_where_there_is_none(videos, capsys):
    assert main(["predict", "--csv", *videos]) == 1
    printed = capsys.readouterr().out
    rows = pd.read_csv(io.StringIO(printed))
    assert ",6," in printed.splitlines()[1]  # a whole number, though another row has none
    assert list(rows) == ["video", *recognise.SUMMARY] and rows["video"].tolist() == [videos[0], videos[2]]
    assert rows["exercise"].tolist() == ["Squat", "nobody was found"]
    assert rows["repetitions"].tolist()[0] == 6 and rows["end"].tolist() == [13.9, 6.0]


def test_json_holds_windows_stretches_and_repetitions(videos, capsys):
    def fail(constant):
        raise AssertionError(f"{constant} is no JSON")

    assert main(["predict", "--json", *videos]) == 1
    squats, nobody = json.loads(capsys.readouterr().out, parse_constant=fail)
    assert squats["video"] == videos[0] and len(squats["windows"]) == 9 and squats["notes"] == []
    (stretch,) = squats["stretches"]
    assert stretch["exercise"] == "Squat" and len(stretch["each"]) == stretch["repetitions"] == 6
    assert squats["exercises"]["Squat"] == 0.9 and squats["windows"][0]["answer"] == "Squat"
    assert nobody["stretches"] == [] and nobody["notes"]


@pytest.mark.parametrize("arguments, code", [(["--help"], 0), (["predict", "--help"], 0), (["predict"], 2), ([], 2)])
def test_help_and_wrong_calls(arguments, code, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    printed = capsys.readouterr()
    assert ended.value.code == code and "predict" in (printed.out if code == 0 else printed.err)
