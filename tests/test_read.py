"""Frames asked for are the frames read, exactly, whatever the file is like; a damaged file says so."""

import os
import pickle
import sys
from fractions import Fraction

import av
import numpy as np
import pytest
from helpers import FPS, damage, loops, number_of, numbers_of, still_stamps, write_video

from exmus_lib.poses.pictures import pictures
from exmus_lib.videos.container import info
from exmus_lib.videos.faults import VideoError
from exmus_lib.videos.read import _entry_points, read_all, read_frames


@pytest.mark.parametrize("fps", FPS.values(), ids=FPS)
def test_frames_asked_for_are_the_frames_read(tmp_path, fps):
    video = write_video(tmp_path / "v.mp4", 200, fps)
    for numbers in ([0, 1, 2, 3], [7, 7, 199, 0, 60], list(range(0, 200, 13)), [150, 151, 152], [198, 199]):
        assert numbers_of(read_frames(video, [float(n / fps) for n in numbers])) == numbers  # from its first moment on
        assert numbers_of(read_frames(video, [(n + 0.99) / float(fps) for n in numbers])) == numbers  # to its last


def test_before_the_first_frame_is_the_first_and_after_the_end_the_last(tmp_path):
    video = write_video(tmp_path / "v.mp4", 30)
    assert numbers_of(read_frames(video, [-1, 0.99, 1.0, 99])) == [0, 29, 29, 29]


@pytest.mark.parametrize("turned", [0, 90, 180, 270])
def test_rotation_is_obeyed(tmp_path, turned):
    video = write_video(tmp_path / "v.mp4", 40, size=(128, 64), turned=turned)
    frames = read_frames(video, [1.0])
    assert frames.shape == ((1, 128, 64, 3) if turned % 180 else (1, 64, 128, 3))
    assert number_of(frames[0]) == 30
    assert (info(video).rotation, info(video).width, info(video).height) == (turned, 128, 64)


@pytest.mark.parametrize(
    "name, codec, options",
    [
        ("long.mp4", "libx264", {"g": "250"}),
        ("open.mp4", "libx264", {"x264-params": "open-gop=1"}),
        ("v.mkv", "libx264", {}),
        ("v.mov", "libx264", {"bf": "0"}),
        ("v.ts", "libx264", {"x264-params": "open-gop=1"}),
        ("v.avi", "libx264", {}),
        ("old.avi", "mpeg4", {"bf": "2"}),
        ("v.webm", "libvpx-vp9", {"deadline": "realtime", "cpu-used": "8"}),
    ],
)
def test_containers_and_codecs(tmp_path, name, codec, options):
    video = write_video(tmp_path / name, 180, codec=codec, **options)
    for numbers in ([0, 10, 20], [100, 101, 110], [170, 97, 98, 175], [179]):
        assert numbers_of(read_frames(video, [n / 30 for n in numbers])) == numbers


def test_large_pictures_decoded_in_several_threads(tmp_path):
    video = write_video(tmp_path / "v.mp4", 60, size=(960, 540))
    for numbers in ([0, 1, 2, 30, 31], list(range(0, 60, 7)), [59]):
        assert numbers_of(read_frames(video, [n / 30 for n in numbers])) == numbers
    damage(video, 40)
    with pytest.raises(VideoError, match="v.mp4: damaged.*: a frame cannot be decoded"):
        read_frames(video, [40 / 30, 44 / 30])


def test_variable_frame_rate_goes_by_time_stamps(tmp_path):
    times = np.cumsum([0, *np.tile([0.02, 0.05, 0.2], 20)])
    video = write_video(tmp_path / "v.mp4", times.tolist())
    assert numbers_of(read_frames(video, times)) == list(range(61))
    assert numbers_of(read_frames(video, times + 0.019)) == list(range(61))


def test_time_counts_from_the_first_frame(tmp_path):
    video = write_video(tmp_path / "v.mp4", [0.5 + i / 30 for i in range(30)])
    assert numbers_of(read_frames(video, [0, 0.5, 29 / 30])) == [0, 15, 29]


def test_only_what_is_needed_is_decoded(tmp_path):
    video = write_video(tmp_path / "v.mp4", 60, bf="0", g="10")
    damage(video, 25)
    numbers = [*range(0, 25), *range(30, 60)]  # the damage reaches from 25 to the next key frame
    assert numbers_of(read_frames(video, [n / 30 for n in numbers])) == numbers
    with pytest.raises(VideoError, match="v.mp4: damaged.*: a frame cannot be decoded"):
        read_frames(video, [27 / 30])


def test_decoding_begins_where_nothing_later_needs_what_is_earlier():
    # Number 3, a key frame shown at 4, is followed by frames shown at 2 and 3; number 6 is followed by later ones only.
    assert _entry_points([0, 1, 5, 4, 2, 3, 6, 8, 7], [n in (0, 3, 6) for n in range(9)]) == [0, 6]


def test_scaling_and_pixels_that_are_not_square(tmp_path):
    video = write_video(tmp_path / "v.mp4", 3, size=(192, 128), aspect=Fraction(3, 8))  # shown as 72 x 128
    assert read_frames(video, [0]).shape == (1, 128, 72, 3)
    scaled = read_frames(video, [0.05], side=36)
    assert scaled.shape == (1, 64, 36, 3)
    assert number_of(scaled[0]) == 1


def test_info_counts_what_is_there(tmp_path):
    facts = info(write_video(tmp_path / "v.mov", 45, FPS["29.97"], audio=True))
    assert (facts.frames, facts.codec, facts.has_audio) == (45, "h264", True)
    assert facts.seconds == pytest.approx(45 * 1001 / 30000, abs=1e-3)
    assert facts.fps == pytest.approx(29.97, abs=1e-2)
    single = info(write_video(tmp_path / "one.mp4", 1))
    assert (single.frames, single.has_audio) == (1, False)
    assert numbers_of(read_frames(tmp_path / "one.mp4", [0, 5])) == [0, 0]


def test_what_is_no_video_says_so(tmp_path):
    whole = write_video(tmp_path / "whole.mp4", 60).read_bytes()
    half = len(whole) // 2
    contents = {"text.mp4": b"no video" * 99, "empty.mp4": b"", "head.mp4": whole[:half], "tail.mp4": whole[half:]}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(VideoError, match=name) as caught:
            info(tmp_path / name)
        assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    with pytest.raises(ValueError, match="no times"):
        read_frames(tmp_path / "whole.mp4", [])


def test_the_codec_is_called_by_its_name_and_not_by_its_decoders(tmp_path):
    # defect 22: FFmpeg decodes AV1 with libdav1d
    video = write_video(tmp_path / "v.mp4", 5, codec="libsvtav1", preset="12")
    assert info(video).codec == "av1"
    assert sys.platform != "linux" or os.sched_getscheduler(0) == os.SCHED_OTHER  # the encoder changes it


def test_times_rise_where_time_stamps_stand_still_or_fall(tmp_path):
    joined, still = loops(tmp_path / "loops.ts", 75, 2), still_stamps(tmp_path / "still.mp4", 75, 41)
    assert (info(joined).seconds, info(joined).fps) == (5.0, 30.0)
    assert info(still).seconds == pytest.approx(74 / 30, abs=2e-3)
    assert numbers_of(read_frames(joined, [0.01, 2.49, 2.51, 4.99])) == [0, 74, 0, 74]
    assert numbers_of(read_frames(still, [1.32, 1.334, 1.35, 2.4])) == [39, 41, 41, 73]


@pytest.mark.parametrize("name", ["v.mp4", "v.mkv", "v.webm"])
def test_a_file_that_ends_between_two_frames_is_cut_short_for_clips_and_for_joints(tmp_path, name):
    video = write_video(tmp_path / name, 300, codec="libvpx" if name == "v.webm" else "libx264")
    assert info(video).seconds == pytest.approx(10, abs=0.05) and len(list(pictures(video))) == 100
    with av.open(str(video)) as container:
        places = sorted(packet.pos for packet in container.demux(video=0) if packet.size)
    video.write_bytes(video.read_bytes()[: places[120]])
    for read in (info, lambda video: list(pictures(video))):
        with pytest.raises(VideoError, match=f"{name}: cut short: .* of 10.* s are there"):
            read(video)


def test_all_frames_are_those_read_one_by_one_and_a_crop_is_a_part_of_them(tmp_path):
    video = write_video(tmp_path / "v.mp4", 40, size=(128, 96))
    frames, times = read_all(video, crop=lambda picture: picture[:, 16:112])
    assert frames.shape == (40, 96, 96, 3) and times.tolist() == pytest.approx([n / 30 for n in range(40)], abs=1e-4)
    assert np.array_equal(frames, read_frames(video, times)[:, :, 16:112])


def test_scaled_pictures_are_as_bright_as_they_were(tmp_path):
    video = tmp_path / "v.mp4"
    with av.open(str(video), "w") as container:
        stream = container.add_stream("libx264", 24, options={"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for level in range(0, 256, 16):
            grey = av.VideoFrame.from_ndarray(np.full((96, 128, 3), level, np.uint8), "rgb24")
            container.mux(stream.encode(grey))
        container.mux(stream.encode(None))
    whole, small = (read_all(video, side)[0].mean(axis=(1, 2, 3)) for side in (None, 32))
    np.testing.assert_allclose(small, whole, atol=1)
