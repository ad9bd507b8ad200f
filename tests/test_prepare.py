"""A data set is made when missing, completed when interrupted, and noticed when changed."""

import os
import shutil
import sys

import pandas as pd
import pytest
from helpers import write_video

from exmus_lib import labels, storage, workspace
from exmus_lib.videos import prepare as module
from exmus_lib.videos.prepare import dataset_name, load, prepare


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


def test_a_change_whose_preparation_was_interrupted_is_not_forgotten(gym):
    prepare(str(gym))
    write_video(gym / "Squat/3.mp4", 65)
    with pytest.raises(SystemExit):
        prepare(str(gym), cutter=lambda *_: sys.exit("interrupted"))
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


@pytest.fixture
def mixed(gym):
    """The same data set with classes that the default labels do not know, and folders without a video."""
    write_video(gym / "burpee/1.mp4", 62)
    write_video(gym / "burpee/2.mp4", 63)
    write_video(gym / "Squads/1.mp4", 64)
    (gym / "later").mkdir()
    (gym / "forms").mkdir()
    (gym / "forms/consent.txt").write_text("yes")
    return gym


def test_unknown_class_folders_stop_before_anything_is_scanned_with_a_ready_file(mixed, monkeypatch):
    monkeypatch.setattr(module.scan, "scan", None)
    with pytest.raises(ValueError) as caught:
        prepare(str(mixed))
    message = str(caught.value)
    rows = [line.split(maxsplit=2) for line in message.splitlines()]
    assert ["burpee", "2"] in rows and ["Squads", "1", 'Did you mean "Squat"?'] in rows
    assert f"A ready exercises.csv is in {mixed}" in message and 'unknown = "skip"' in message
    ready = labels.read(mixed / "exercises.csv")
    default = labels.read().muscles_of
    assert ready.muscles_of == {  # of all class folders with videos: known ones with their muscles, unknown ones with none
        "Deadlift": default["Deadlift"], "Squads": (), "Squat": default["Squat"], "burpee": (),
    }  # fmt: skip


def test_an_exercises_csv_that_is_there_is_not_written_over(mixed):
    text = "folder;exercise;muscles\nsquat;Squat;quads\nsquads;Squat;quads\ndeadlift;Deadlift;glutes;forearms\n"
    (mixed / "exercises.csv").write_text(text)
    with pytest.raises(ValueError, match=r"(?s)Add to .*exercises.csv a line for each.*:\nburpee;burpee;\n"):
        prepare(str(mixed))
    assert (mixed / "exercises.csv").read_text() == text


def test_a_folder_that_cannot_be_written_to_gets_its_ready_file_beside_the_clips(mixed, monkeypatch):
    atomic = storage.atomic

    def guarded(path):
        if path.parent == mixed:
            raise PermissionError(f"{path}: read-only")
        return atomic(path)

    monkeypatch.setattr(storage, "atomic", guarded)
    with pytest.raises(ValueError) as caught:
        prepare(str(mixed))
    folder = workspace.clips_dir(dataset_name(str(mixed)))
    assert f"A ready exercises.csv is in {folder}" in str(caught.value) and not (mixed / "exercises.csv").exists()
    assert "burpee" in prepare(str(mixed)).clips["exercise"].tolist()  # and counts from there
    assert "burpee" in prepare(str(mixed), overwrite=True).clips["exercise"].tolist()


def test_skipping_unknown_class_folders_is_noted_for_every_later_notebook(mixed):
    clip_set = prepare(str(mixed), unknown="skip")
    assert len(clip_set.clips) == 3
    assert clip_set.notes[:4] == [
        "left out: class folder Squads (1 file), no exercise of that name",
        "left out: class folder burpee (2 files), no exercise of that name",
        "left out: class folder forms (1 file), no exercise of that name",
        "class folder forms holds no video",
    ]
    assert "class folder later holds no video" in clip_set.notes  # defect 22
    assert load(clip_set.name).notes == clip_set.notes == prepare(str(mixed)).notes
    with pytest.raises(ValueError, match="lead to no exercise"):
        prepare(str(mixed), unknown="stop")
    with pytest.raises(ValueError, match='unknown = "skp" is not one of stop, skip. Did you mean "skip"?'):
        prepare(str(mixed), unknown="skp")


OWN = """folder,exercise,muscles
squat,Goblet/Squat: "heavy",quads;forearms
burpee,Burpee,
squads,Goblet/Squat: "heavy",quads;forearms
deadlift,Deadlift,glutes
rowing,Rowing,lats
"""


def test_a_data_set_brings_its_own_labels(mixed):
    (mixed / "exercises.csv").write_text(OWN, encoding="utf-8-sig")
    clip_set = prepare(str(mixed))
    assert clip_set.labels.exercises == ('Goblet/Squat: "heavy"', "Burpee", "Deadlift", "Rowing")
    assert clip_set.task("mgap").names == ("lats", "quads", "glutes", "forearms")
    assert clip_set.clips["exercise"].value_counts().to_dict() == {
        'Goblet/Squat: "heavy"': 3, "Burpee": 2, "Deadlift": 1,
    }  # fmt: skip
    assert all(clip_set.path(clip).exists() for clip in clip_set.clips.itertuples())
    assert "exercises.csv: there is no class folder rowing" in clip_set.notes
    assert "exercises.csv: no muscle is given for Burpee" in clip_set.notes


def test_a_corrected_label_counts_at_once_and_the_labels_outlive_the_raw_videos(mixed):
    (mixed / "exercises.csv").write_text(OWN)
    first = prepare(str(mixed))
    (mixed / "exercises.csv").write_text(OWN.replace("Burpee,", "Jump,biceps"))
    later = load(first.name)
    assert "Jump" in later.labels.exercises and (later.clips["exercise"] == "Jump").sum() == 2
    assert later.hash() == first.hash() == prepare(str(mixed)).hash()
    shutil.rmtree(mixed)
    assert load(first.name).labels == later.labels


def test_without_a_file_of_its_own_the_default_labels_count_again(mixed):
    (mixed / "exercises.csv").write_text(OWN)
    prepare(str(mixed))
    (mixed / "exercises.csv").unlink()
    assert prepare(str(mixed), unknown="skip").labels == labels.read()


@pytest.mark.parametrize("built_in", [False, True])
def test_a_deleted_clip_is_cut_again_and_no_other(gym, monkeypatch, built_in, capsys):
    if built_in:  # as the paper's data set, whose raw videos were downloaded
        monkeypatch.setattr(module.kaggle, "download", lambda known: gym)
    dataset = "kaggle" if built_in else str(gym)
    clip_set = prepare(dataset)
    first, *others = (clip_set.path(clip) for clip in clip_set.clips.itertuples())
    before = {path: path.stat().st_mtime_ns for path in others}
    first.unlink()
    monkeypatch.setattr(module, "split", None)  # the parts stay
    again = prepare(dataset)
    assert first.exists() and before == {path: path.stat().st_mtime_ns for path in others}
    pd.testing.assert_frame_equal(again.clips, clip_set.clips)
    assert f"clips that are gone are cut again: clips/{first.name}\n" in capsys.readouterr().out


def test_a_video_damaged_since_gives_its_reason_once_its_clips_are_gone(gym):
    clip_set = prepare(str(gym))
    lost = clip_set.clips.iloc[0]
    video = gym / clip_set.videos.set_index("video_id").loc[lost.video_id, "path"]
    before = video.stat()
    video.write_bytes(b"0" * before.st_size)
    os.utime(video, ns=(before.st_atime_ns, before.st_mtime_ns))
    clip_set.path(lost).unlink()
    again = prepare(str(gym))
    assert lost.clip_id not in set(again.clips["clip_id"]) and all(
        again.path(c).exists() for c in again.clips.itertuples()
    )
    assert again.videos.set_index("video_id").loc[lost.video_id, "status"] != "ok"


def test_a_deleted_clip_whose_raw_video_is_gone_is_named(gym, monkeypatch, capsys):
    monkeypatch.setattr(module.kaggle, "download", lambda known: gym)
    clip_set = prepare("kaggle")
    clip_set.path(clip_set.clips.iloc[0]).unlink()

    def offline(known):
        raise RuntimeError("could not be downloaded")

    monkeypatch.setattr(module.kaggle, "download", offline)
    with pytest.raises(RuntimeError, match="could not be downloaded"):
        prepare("kaggle")
    assert clip_set.clips["path"][0] in capsys.readouterr().out
