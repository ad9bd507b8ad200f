"""Of odd and damaged videos every good one is kept, and every other one refused with words: see corpus and hard.py."""

import os
import sys

import pytest
from corpus import damaged, foreign, intact, outcomes
from helpers import number_of, numbers_of, write_video

from exmus_lib import labels
from exmus_lib.poses.pictures import guarded_pictures, pictures
from exmus_lib.videos.container import info
from exmus_lib.videos.cut import cut, small_copy
from exmus_lib.videos.faults import VideoError
from exmus_lib.videos.read import read_frames
from exmus_lib.videos.scan import class_folders, on_disk, scan

LABELS = labels.read()


def wrong(cases, folder):
    return {case: what for case, what in outcomes(cases, folder).items() if what}


@pytest.mark.parametrize("part", [intact, damaged, foreign], ids=["intact", "damaged", "no videos"])
def test_some_cases_of_the_corpus(part, tmp_path):
    assert not wrong(part.CASES[::9], tmp_path)


def test_there_are_enough_cases():
    assert sum(len(part.CASES) for part in (intact, damaged, foreign)) >= 150
    for part in (intact, damaged, foreign):
        assert len({case.path for case in part.CASES}) == len(part.CASES)


@pytest.mark.parametrize("name", [name for name in intact.MATRICES if name.startswith(("turned", "mirrored"))])
def test_a_mirrored_and_turned_picture_stands_upright(name, tmp_path):
    raw = tmp_path / "raw/Squat/v.mp4"
    raw.parent.mkdir(parents=True)
    intact.stored_for(*intact.MATRICES[name])(raw)
    assert numbers_of(read_frames(raw, [1.0, 2.0])) == [25, 50]
    assert number_of([picture for _, picture in pictures(raw)][10]) == 25
    videos = scan(tmp_path / "raw", LABELS, progress=False)
    clips = cut(videos, tmp_path / "raw", tmp_path, progress=False)
    assert numbers_of(read_frames(tmp_path / clips["path"][0], [1.0])) == [25]


def test_a_clock_that_jumps_leaves_times_and_pictures_in_order(tmp_path):
    video = tmp_path / "v.mkv"
    intact.jump(60, 86400, size=(128, 96))(video)
    assert info(video).seconds == pytest.approx(5.0, abs=0.01) and info(video).fps == pytest.approx(25, abs=0.1)
    assert numbers_of(read_frames(video, [1.0, 2.39, 2.41, 4.0])) == [25, 59, 60, 100]
    shown = [number_of(picture) for _, picture in pictures(video)]
    assert len(shown) == 50 and shown[::10] == [0, 25, 50, 75, 100]


def test_a_picture_that_stands_still_is_in_every_clip(tmp_path):
    raw = tmp_path / "raw/Squat/v.mp4"
    intact.jump(60, 8, size=(128, 96), bf="0")(raw)
    videos = scan(tmp_path / "raw", LABELS, progress=False)
    clips = cut(videos, tmp_path / "raw", tmp_path, progress=False)
    assert len(clips) == 6 and videos["seconds"][0] == pytest.approx(13.0, abs=0.05)
    middle = [numbers_of(read_frames(tmp_path / path, [0.0, 1.0])) for path in clips["path"]]
    assert middle[2:4] == [[59, 59], [59, 59]]


@pytest.mark.skipif(sys.platform == "darwin", reason="its file system refuses such names")
def test_names_that_are_no_utf8_stand_in_the_table_and_lead_to_their_file(tmp_path):
    odd = tmp_path / "Squat" / os.fsdecode(b"caf\xe9.mp4")
    write_video(tmp_path / "Squat" / "v.mp4", 60).rename(odd)
    write_video(tmp_path / "Squat" / "literally \\xe9.mp4", 60)
    videos = scan(tmp_path, LABELS, progress=False)
    assert videos["path"].tolist() == ["Squat/caf\\xe9.mp4", "Squat/literally \\xe9.mp4"]
    assert [on_disk(tmp_path, path) for path in videos["path"]] == [odd, tmp_path / "Squat" / "literally \\xe9.mp4"]
    videos.to_parquet(tmp_path / "videos.parquet")


def test_a_class_folder_that_cannot_be_read_is_listed(tmp_path, monkeypatch):
    write_video(tmp_path / "Squat" / "v.mp4", 60)
    (tmp_path / "Deadlift" / "mine").mkdir(parents=True)
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("mine"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    videos = scan(tmp_path, LABELS, progress=False).set_index("path")
    assert videos.loc["Deadlift/mine", "status"] == "cannot be opened: Permission denied"
    assert videos.loc["Squat/v.mp4", "status"] == "ok" and class_folders(tmp_path) == {"Deadlift": 0, "Squat": 1}


@pytest.mark.parametrize("becomes", ["gone", "a folder", "a pipe", "another"])
def test_what_happens_to_a_file_between_scan_and_cut_costs_no_other(tmp_path, becomes):
    raw = tmp_path / "raw"
    for name in ("a", "b"):
        write_video(raw / f"Squat/{name}.mp4", 66)
    videos = scan(raw, LABELS, progress=False)
    (file := raw / "Squat/a.mp4").unlink()
    if becomes == "a folder":
        file.mkdir()
    elif becomes == "a pipe":
        os.mkfifo(file)
    elif becomes == "another":
        write_video(file, 5)
    clips = cut(videos, raw, tmp_path, progress=False)
    assert clips["video_id"].tolist() == ["squat-b"]
    reason = {
        "gone": "the file is gone", "a folder": "a folder, not a file", "a pipe": "a pipe (FIFO), not a file",
        "another": "damaged: only 5 of 66 frames can be decoded",
    }  # fmt: skip
    assert videos["status"].tolist() == [reason[becomes], "ok"]


def test_one_video_is_read_in_such_a_process_too(tmp_path):
    video = tmp_path / "v.mp4"
    video.write_bytes(damaged.film("index-behind.mp4")[:2000])
    words = r"v.mp4: cut short: the index at its end \(moov\) is missing"
    with pytest.raises(VideoError, match=words):
        list(guarded_pictures(video))
    with pytest.raises(VideoError, match=words):
        small_copy(video, tmp_path / "copy.mp4")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["v.mp4"]
