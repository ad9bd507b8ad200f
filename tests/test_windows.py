"""One windowing, whoever asks: the spans of a video, the frames a view shows of them, and the same answer everywhere."""

import numpy as np
import pandas as pd
import pytest
import runs
import torch
from helpers import number_of, write_video
from scipy.special import expit, logit, softmax

from exmus_lib.networks import predict
from exmus_lib.recipes import Recipe
from exmus_lib.videos import limits, windows
from exmus_lib.videos.container import VideoInfo, info
from exmus_lib.videos.cut import small_copy
from exmus_lib.videos.faults import VideoError
from exmus_lib.videos.read import read_frames


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(2.0, [(0, 2)]), (3.0, [(0, 3)]), (4.0, [(0, 3), (1, 4)]), (6.2, [(0, 3), (1.5, 4.5), (3, 6), (3.2, 6.2)])],
)
def test_windows_overlap_and_end_where_the_video_does(seconds, expected):
    assert windows.spans(seconds) == [pytest.approx(span) for span in expected]


def test_frames_beyond_thirty_a_second_are_thinned_out():
    steps = [limits.frame_step(fps) for fps in (15, 24, 29.97, 30, 33, 50, 59.94, 60, 120)]
    assert steps == [1, 1, 1, 1, 1, 2, 2, 2, 4]


def test_times_lie_inside_the_video_and_begin_at_a_frame():
    video = VideoInfo(seconds=4.0, fps=25.0, width=0, height=0, rotation=0, codec="", has_audio=False, frames=100)
    whole, short = Recipe(frames=4, side=32), Recipe(frames=4, side=32, seconds=1.0)
    # 3 s are 75 frames: 0, 24, 49 and 74 of them, from frame 25 on; 1 s in the middle is 25 frames from 25 + 25 on
    assert (windows.span_times((1.0, 4.0), video, whole) * 25 - 0.5).round(6).tolist() == [25, 49, 74, 99]
    assert (windows.span_times((1.0, 4.0), video, short) * 25 - 0.5).round(6).tolist() == [50, 58, 66, 74]
    assert (
        windows.span_times((1.01, 4.01), video, whole).max() <= 4.0
    )  # a container's end may lie behind the last frame


def test_too_short_and_too_damaged_videos_are_refused_with_the_figure():
    limits.check_length("v.mp4", 2.0)
    limits.check_decoded("v.mp4", 80, 100)
    with pytest.raises(VideoError, match=r"v.mp4: shorter than 2 s \(1.99 s\)"):
        limits.check_length("v.mp4", 1.99)
    with pytest.raises(VideoError, match="v.mp4: damaged: only 79 of 100 frames can be decoded"):
        limits.check_decoded("v.mp4", 79, 100)


def test_a_small_copy_holds_the_whole_video_as_clips_are_cut(tmp_path):
    video, shares = write_video(tmp_path / "v.mp4", 150, fps=60, size=(640, 360), turned=90), []
    facts = small_copy(video, tmp_path / "copy.mp4", shares.append)
    assert (facts.width, facts.height, facts.rotation, facts.fps, facts.frames) == (256, 456, 0, 30, 75)
    assert number_of(read_frames(tmp_path / "copy.mp4", [1.0])[0]) == 60
    assert shares == sorted(shares) and len(shares) == 75 and 0.95 < shares[-1] <= 1


class Means(torch.nn.Module):
    """A network whose logits follow what it is shown: the mean of each frame of the view, spread over the labels."""

    def __init__(self, labels: int):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(4, labels, generator=torch.Generator().manual_seed(0)))

    def embed(self, view):
        means = view.float().mean(dim=(1, 3, 4))
        return means @ self.weight, means


@pytest.mark.parametrize("task, inverse, to_probabilities", [("exercise", np.log, softmax), ("mgap", logit, expit)])
def test_a_program_and_the_explorer_give_one_answer(tmp_path, monkeypatch, task, inverse, to_probabilities):
    # defect 12: a phone video of 4.7 s at 60 frames a second, whose length is no whole number of windows
    monkeypatch.setenv("EXMUS_HOME", str(tmp_path))
    run = runs.write_run(runs.sample(), task=task)
    network, recipe = Means(16 if task == "exercise" else 11), Recipe(frames=4, side=32, seconds=1.0)
    monkeypatch.setattr(predict, "restore", lambda run: (network, recipe))
    video = write_video(tmp_path / "v.mp4", 282, fps=60, turned=90)
    answer = predict.predict(video, run)
    copy = tmp_path / "copy.mp4"
    facts = small_copy(video, copy)
    table = predict.window_table(copy, facts, [predict.Mixture.of(run)])
    assert table["start"].tolist() == [0.0, 1.5, pytest.approx(info(copy).seconds - 3, abs=1e-3)]
    likely = table.filter(regex=f"^{task}/").rename(columns=lambda name: name.partition("/")[2])
    mean = pd.Series(to_probabilities(inverse(likely.to_numpy()).mean(axis=0)), likely.columns)
    pd.testing.assert_series_equal(answer, mean[answer.index], atol=1e-3, rtol=0, check_dtype=False, check_names=False)
    assert (
        answer.is_monotonic_decreasing and likely.std().max() > 0.01
    )  # the windows differ, so which ones they are matters
