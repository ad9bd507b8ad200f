"""Views: ours against PyTorchVideo's own functions on the same frames, the cache against the file, windows in time."""

import importlib.util
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import pytorchvideo
import torch

from exmus_lib import labels, tasks
from exmus_lib.recipes import Recipe
from exmus_lib.videos import cache, dataset, windows

EXERCISE, MUSCLES = (tasks.task(name, labels.read()) for name in tasks.TASKS)


@pytest.fixture(scope="module")
def theirs():
    """pytorchvideo.transforms.functional by its path: the package around it no longer imports."""
    path = Path(pytorchvideo.__file__).parent / "transforms" / "functional.py"
    spec = importlib.util.spec_from_file_location("pytorchvideo_functional", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("height", "width"), [(90, 160), (160, 90), (97, 131), (64, 64)])
def test_view_equals_pytorchvideos_transforms(theirs, height, width):
    frames = np.random.default_rng(0).integers(0, 256, (61, height, width, 3), dtype=np.uint8)
    how = Recipe(frames=13, side=64)
    whole = torch.from_numpy(frames).permute(3, 0, 1, 2).float()
    scaled = theirs.short_side_scale((theirs.uniform_temporal_subsample(whole, 13) / 255 - 0.45) / 0.225, 64)
    top, left = (int(round((n - 64) / 2.0)) for n in scaled.shape[2:])
    expected = scaled[:, :, top : top + 64, left : left + 64]
    times = windows.view_times(0.0, 61 / 24, 13, 24.0)
    ours = dataset.view_of(frames[(times * 24).astype(int)], how)
    assert ours.dtype == torch.uint8 and ours.stride()[0] == 1  # colours innermost, as decoded
    atol = (
        2e-5 if min(height, width) == 64 else 1.01 / 255 / 0.225
    )  # scaled, pixels are rounded, by libtorch's whole numbers
    torch.testing.assert_close(dataset.normalise(ours[None])[0], expected, rtol=0, atol=atol)


def test_squash_sees_every_pixel_column_and_pad_keeps_the_shape():
    frames = np.zeros((2, 40, 80, 3), np.uint8)
    frames[:, :, 40:] = 255
    squashed = dataset.view_of(frames, Recipe(frames=2, side=32, fit="squash"))
    assert (
        squashed.shape == (3, 2, 32, 32) and squashed[0, 0, :, :15].max() == 0 and squashed[0, 0, :, 17:].min() == 255
    )
    padded = dataset.view_of(frames, Recipe(frames=2, side=32, fit="pad"))
    assert (padded[0, 0, :8] == 115).all() and padded[0, 0, 8:24, 17:].min() == 255  # 8 rows of the mean, 0.45 * 255


def clip_set(tmp_path, number=3):
    """Clips of grey frames whose level is their index, written as the workbook's clips are."""
    import av

    rows = []
    for k in range(number):
        path = tmp_path / f"c{k}.mp4"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", 24, options={"crf": "1", "g": "8", "bf": "0"})
            stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
            for i in range(60):
                frame = av.VideoFrame.from_ndarray(np.full((64, 96, 3), 4 * i, np.uint8), format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        rows.append(dict(clip_id=f"c{k}", exercise="Squat", path=path.name, seconds=2.5, fps=24.0, split="train"))
    return pd.DataFrame(rows)


def levels(view):
    """The frame indices that a view was made of."""
    return (view[0].float().mean((1, 2)) / 4).round().int().tolist()


def test_evaluation_takes_the_centre_window_and_training_a_random_one(tmp_path):
    clips, how = clip_set(tmp_path), Recipe(frames=4, side=32, seconds=1.0)
    evaluation = dataset.ClipDataset(clips, tmp_path, how, MUSCLES, train=False, cache=None)
    view, target = evaluation[0]
    # 60 frames, 24 in the window, 18 before it; linspace(0, 23, 4) = 0, 7, 15, 23
    assert levels(view) == [18, 25, 33, 41]
    assert target.tolist() == [0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1] and view.shape == (3, 4, 32, 32)
    training = dataset.ClipDataset(clips, tmp_path, how, EXERCISE, train=True, cache=None)
    starts = {levels(training[epoch, 0][0])[0] for epoch in range(12)}
    assert len(starts) > 3 and min(starts) >= 0 and max(starts) <= 36


def test_a_window_begins_where_a_frame_does_and_never_leaves_its_clip():
    how = Recipe(frames=4, side=32, seconds=1.0)
    assert windows.window(2.5, 24, how) == (18 / 24, 1.0)
    assert windows.window(2.5, 24, how, 0.0)[0] == 0 and windows.window(2.5, 24, how, 1.0)[0] == 1.5
    assert windows.window(0.5, 24, how) == (0.0, 0.5) and windows.window(2.5, 24, replace(how, seconds=None)) == (
        0.0,
        2.5,
    )


@pytest.mark.parametrize("seconds", [None, 1.3], ids=["whole clips", "windows"])
@pytest.mark.parametrize("side", [32, 48])  # scaled as it is decoded, and behind that
def test_cached_views_equal_the_decoded_ones(tmp_path, seconds, side):
    clips, how = clip_set(tmp_path), Recipe(frames=8, side=side, seconds=seconds)
    cache = dataset.view_cache(clips[::-1], tmp_path, how, "abc123")
    assert len(cache.frames) == (3 * 8 if seconds is None else 3 * 60)
    plain, cached = (dataset.ClipDataset(clips, tmp_path, how, EXERCISE, True, c) for c in (None, cache))
    for item in [*range(len(clips)), (1, 0), (2, 0)]:
        assert torch.equal(plain[item][0], cached[item][0])
    sent = pickle.dumps(cached)  # as to a spawned loader process, which maps the frames itself
    assert len(sent) < cache.frames.size and torch.equal(pickle.loads(sent)[0][0], plain[0][0])


def test_a_cache_is_whole_or_absent_and_goes_with_its_clip_set(tmp_path, monkeypatch, capsys):
    clips, how = clip_set(tmp_path), Recipe(frames=4, side=32)
    (tmp_path / "views").mkdir()
    (tmp_path / "views" / "4x32-crop-0ld0ld.npy").touch()  # as they were kept before 0.3
    content = (tmp_path / "c2.mp4").read_bytes()
    (tmp_path / "c2.mp4").write_bytes(b"no video")
    with pytest.raises(ValueError, match="c2.mp4"):
        dataset.view_cache(clips, tmp_path, how, "abc123")
    left = [path for path in (tmp_path / "views").iterdir() if path.suffix != ".lock"]
    assert left == []
    (tmp_path / "c2.mp4").write_bytes(content)
    first = dataset.view_cache(clips, tmp_path, how, "abc123")
    (tmp_path / "c2.mp4").write_bytes(b"no video")
    again = dataset.view_cache(clips, tmp_path, how, "abc123")  # read, not made
    assert np.array_equal(first.frames, again.frames)
    (tmp_path / "c2.mp4").write_bytes(content)
    other = dataset.view_cache(clips, tmp_path, replace(how, seconds=1.0), "abc123")
    assert first.folder.exists() and other.folder.exists()
    monkeypatch.setattr(cache, "MAX_DISK", 0.0)
    assert dataset.view_cache(clips, tmp_path, how, "def456") is None
    assert "decoded in each epoch" in capsys.readouterr().out
    assert not first.folder.exists() and not other.folder.exists()


def test_a_damaged_clip_is_named(tmp_path):
    clips = clip_set(tmp_path, 1)
    (tmp_path / "c0.mp4").write_bytes(b"no video")
    data = dataset.ClipDataset(clips, tmp_path, Recipe(frames=4, side=32), EXERCISE, train=False, cache=None)
    with pytest.raises(ValueError, match="c0.mp4"):
        data[0]


def test_augmented_views_differ_but_stay_in_range():
    view = torch.randint(0, 256, (4, 64, 64, 3), dtype=torch.uint8).movedim(-1, 0)
    rng = np.random.default_rng(0)
    views = [dataset.augmented(view, 30, rng) for _ in range(4)]
    assert all(v.shape == (3, 4, 64, 64) and v.dtype == torch.uint8 for v in views)
    assert not torch.equal(views[0], views[1])
    floats = dataset.normalise(torch.stack(views), torch.stack([dataset.colours(rng) for _ in range(4)]))
    low, high = (0 - 0.45) / 0.225, (1 - 0.45) / 0.225
    assert low - 1e-5 <= floats.min() < low + 0.2 and high - 0.2 < floats.max() <= high + 1e-5


def test_colours_and_normalisation_are_one_step_equal_to_theirs_by_hand():
    views = torch.randint(0, 256, (2, 5, 8, 8, 3), dtype=torch.uint8).movedim(-1, 1)
    torch.testing.assert_close(dataset.normalise(views), (views / 255 - 0.45) / 0.225)
    shifts = torch.tensor([[1.2, 1.0, 0.8, 0.1], [0.9, 1.1, 1.0, -0.1]])
    by_hand = views / 255 * shifts[:, :3, None, None, None] + shifts[:, 3:, None, None, None]
    torch.testing.assert_close(dataset.normalise(views, shifts), (by_hand.clamp(0, 1) - 0.45) / 0.225)


def test_crops_grow_tighter_from_epoch_to_epoch():
    framed, rng = torch.full((3, 4, 64, 64), 51, dtype=torch.uint8), np.random.default_rng(0)
    framed[..., [0, -1], :] = framed[..., [0, -1]] = 255

    def sides_seen(epoch: int) -> float:
        """Of the four white sides of the view, how many are still there, on average."""
        views = [dataset.augmented(framed, epoch, rng)[0, 0].float() / 255 for _ in range(40)]
        edges = [[v[0, 20:40], v[-1, 20:40], v[20:40, 0], v[20:40, -1]] for v in views]
        return sum(float(edge.mean()) > 0.5 for four in edges for edge in four) / len(views)

    assert sides_seen(epoch=0) == 4 > sides_seen(epoch=5) > sides_seen(epoch=20)
