"""A data set is made when missing, completed when interrupted, and noticed when changed."""

import os
import sys

import pandas as pd
import pytest
from helpers import write_video

from exmus_lib import workspace
from exmus_lib.videos import prepare as module
from exmus_lib.videos.prepare import dataset_name, prepare


@pytest.fixture
def gym(monkeypatch, tmp_path):
    """A data set of four videos, three of them good, and a home of its own."""
    monkeypatch.setenv("EXMUS_HOME", str(tmp_path / "home"))
    for i, name in enumerate(["Squat/1.mp4", "Squat/2.mp4", "Deadlift/1.mp4"]):
        write_video(tmp_path / "my gym" / name, 62 + i)
    (tmp_path / "my gym/Squat/notes.txt").write_text("3 x 12")
    return tmp_path / "my gym"


def test_names(gym, monkeypatch):
    assert [dataset_name("sample"), dataset_name("sample", "smoke")] == ["sample", "sample-smoke"]
    assert [dataset_name("kaggle"), dataset_name("kaggle", "smoke")] == ["kaggle", "kaggle"]
    assert dataset_name(str(gym)) == f"my gym-{workspace.six_hex(gym.as_posix())}"
    monkeypatch.chdir(gym.parent)
    assert dataset_name("my gym") == dataset_name(str(gym))
    with pytest.raises(ValueError, match='"smaple" is neither sample nor kaggle nor .* Did you mean "sample"?'):
        dataset_name("smaple")


def test_a_folder_is_scanned_cut_and_divided_once(gym, monkeypatch):
    first = prepare(str(gym))
    assert first.videos["status"].tolist() == ["ok", "ok", "ok", "not a video file (.txt)"]
    assert len(first.clips) == 3
    assert all(first.path(clip).exists() for clip in first.clips.itertuples())
    monkeypatch.setattr(module.scan, "scan", None)  # not called again
    monkeypatch.setattr(module, "cut", None)
    again = prepare(str(gym))
    pd.testing.assert_frame_equal(again.clips, first.clips)
    pd.testing.assert_frame_equal(again.videos, first.videos)


def test_what_changed_in_the_folder_is_noticed(gym):
    first = prepare(str(gym))
    write_video(gym / "Squat/3.mp4", 130)
    (gym / "Deadlift/1.mp4").unlink()
    second = prepare(str(gym))
    assert second.clips["clip_id"].tolist() == ["squat-1-00", "squat-2-00", "squat-3-00", "squat-3-01"]
    assert second.hash() != first.hash()
    (gym / "MANIFEST.csv").write_text("path,group\nSquat/1.mp4,me\nSquat/2.mp4,me\n")
    assert (prepare(str(gym)).clips["group"] == "me").sum() == 2
    write_video(gym / "Squat/1.mp4", 62, size=(96, 128))  # another film under an old name
    stat = (gym / "Squat/1.mp4").stat()
    os.utime(gym / "Squat/1.mp4", ns=(stat.st_atime_ns, stat.st_mtime_ns + 10**9))
    assert prepare(str(gym)).hash() != second.hash()


def test_an_interrupted_preparation_goes_on(gym, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(module, "split", lambda *_: sys.exit("interrupted"))
        with pytest.raises(SystemExit):
            prepare(str(gym))
    folder = workspace.clips_dir(dataset_name(str(gym)))
    assert (folder / "videos.parquet").exists() and not (folder / "clips.parquet").exists()
    made = {path: path.stat().st_mtime_ns for path in folder.glob("clips/*.mp4")}
    monkeypatch.setattr(module.scan, "scan", None)  # the scan was complete
    assert len(prepare(str(gym)).clips) == len(made) == 3
    assert {path: path.stat().st_mtime_ns for path in made} == made


def test_a_change_whose_preparation_was_interrupted_is_not_forgotten(gym, monkeypatch):
    prepare(str(gym))
    write_video(gym / "Squat/3.mp4", 65)
    with monkeypatch.context() as patch:
        patch.setattr(module, "cut", lambda *_: sys.exit("interrupted"))
        with pytest.raises(SystemExit):
            prepare(str(gym))
    assert "squat-3-00" in prepare(str(gym)).clips["clip_id"].tolist()


def test_overwrite_makes_everything_anew(gym):
    prepare(str(gym))
    folder = workspace.clips_dir(dataset_name(str(gym)))
    (folder / "stray.txt").touch()
    assert len(prepare(str(gym), overwrite=True).clips) == 3
    assert not (folder / "stray.txt").exists()


def test_the_hash_covers_clips_files_and_sides_but_no_labels(gym):
    clip_set = prepare(str(gym))
    table = clip_set.table()
    assert (table["split"] == table["split_video"]).all()
    assert (clip_set.table("clip")["split"] == table["split_clip"]).all()

    def hash_with(**columns) -> str:
        clips = clip_set.clips.assign(**columns).iloc[::-1]
        return module.ClipSet("x", clip_set.folder, clip_set.videos, clips).hash()

    assert hash_with() == clip_set.hash()
    assert hash_with(exercise="Hip Thrust", path="elsewhere") == clip_set.hash()
    assert hash_with(split_video="train") != clip_set.hash()
    assert hash_with(start_sec=1.0) != clip_set.hash()
    videos = clip_set.videos.assign(sha256="other")
    assert module.ClipSet("x", clip_set.folder, videos, clip_set.clips).hash() != clip_set.hash()
    with pytest.raises(
        ValueError, match='split = "vide" is not one of video, clip, fold1of5, 5folds. Did you mean "video"?'
    ):
        clip_set.table("vide")
