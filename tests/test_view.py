"""Views: ours against PyTorchVideo's own functions on the same frames, the cache against the file, windows in time."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import pytorchvideo
import torch

from exmus_lib import labels, tasks
from exmus_lib.recipes import Recipe
from exmus_lib.videos import dataset, windows

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
    torch.testing.assert_close(ours, expected, rtol=0, atol=2e-5)


def test_squash_sees_every_pixel_column_and_pad_keeps_the_shape():
    frames = np.zeros((2, 40, 80, 3), np.uint8)
    frames[:, :, 40:] = 255
    squashed = dataset.view_of(frames, Recipe(frames=2, side=32, fit="squash"))
    assert squashed.shape == (3, 2, 32, 32) and squashed[0, 0, :, :15].max() < 0 < squashed[0, 0, :, 17:].min()
    padded = dataset.view_of(frames, Recipe(frames=2, side=32, fit="pad"))
    assert padded[0, 0, :8].abs().max() < 1e-5 and padded[0, 0, 8:24, 17:].min() > 0  # 8 grey rows above and below


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
    return ((view[0].mean((1, 2)) * dataset.STD + dataset.MEAN) * 255 / 4).round().int().tolist()


def test_evaluation_takes_the_centre_window_and_training_a_random_one(tmp_path):
    clips, how = clip_set(tmp_path), Recipe(frames=4, side=32, seconds=1.0)
    evaluation = dataset.ClipDataset(clips, tmp_path, how, MUSCLES, train=False, cache=None)
    view, target = evaluation[0]
    # 60 frames, 24 in the window, 18 before it; linspace(0, 23, 4) = 0, 7, 15, 23
    assert levels(view) == [18, 25, 33, 41]
    assert target.tolist() == [0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1] and view.shape == (3, 4, 32, 32)
    training = dataset.ClipDataset(clips, tmp_path, how, EXERCISE, train=True, cache=None)
    starts = {levels(training[0][0])[0] for _ in range(12)}
    assert len(starts) > 3 and min(starts) >= 0 and max(starts) <= 36


def test_a_window_begins_where_a_frame_does_and_never_leaves_its_clip():
    how = Recipe(frames=4, side=32, seconds=1.0)
    assert windows.window(2.5, 24, how) == (18 / 24, 1.0)
    assert windows.window(2.5, 24, how, 0.0)[0] == 0 and windows.window(2.5, 24, how, 1.0)[0] == 1.5
    assert windows.window(0.5, 24, how) == (0.0, 0.5) and windows.window(2.5, 24, replace(how, seconds=None)) == (
        0.0,
        2.5,
    )


def test_cached_view_equals_the_decoded_one_within_rounding(tmp_path):
    clips, how = clip_set(tmp_path), Recipe(frames=8, side=32)
    cache = dataset.view_cache(clips[::-1], tmp_path, how, "abc123")
    assert dataset.view_cache(clips, tmp_path, replace(how, seconds=1.3), "abc123") is None  # windows lie anywhere
    plain = dataset.ClipDataset(clips, tmp_path, how, EXERCISE, train=False, cache=None)
    cached = dataset.ClipDataset(clips, tmp_path, how, EXERCISE, train=False, cache=cache)
    for i in range(len(clips)):
        assert (plain[i][0] - cached[i][0]).abs().max() <= 0.5 / 255 / dataset.STD + 1e-5


def test_a_damaged_clip_is_named(tmp_path):
    clips = clip_set(tmp_path, 1)
    (tmp_path / "c0.mp4").write_bytes(b"no video")
    data = dataset.ClipDataset(clips, tmp_path, Recipe(frames=4, side=32), EXERCISE, train=False, cache=None)
    with pytest.raises(ValueError, match="c0.mp4"):
        data[0]


def test_augmented_views_differ_but_stay_in_range():
    view = dataset.normalise(torch.rand(4, 3, 64, 64) * 255)
    torch.manual_seed(0)
    views = [dataset.augmented(view, epoch=30) for _ in range(4)]
    assert all(v.shape == (3, 4, 64, 64) for v in views) and not torch.equal(views[0], views[1])
    low, high = (0 - 0.45) / 0.225, (1 - 0.45) / 0.225
    assert min(v.min() for v in views) >= low - 1e-5 and max(v.max() for v in views) <= high + 1e-5


def test_crops_grow_tighter_from_epoch_to_epoch():
    torch.manual_seed(0)
    framed = torch.full((4, 3, 64, 64), 255.0 * 0.2)
    framed[..., [0, -1], :] = framed[..., [0, -1]] = 255.0

    def sides_seen(epoch: int) -> float:
        """Of the four white sides of the view, how many are still there, on average."""
        views = [dataset.augmented(dataset.normalise(framed), epoch)[0, 0] * 0.225 + 0.45 for _ in range(40)]
        edges = [[v[0, 20:40], v[-1, 20:40], v[20:40, 0], v[20:40, -1]] for v in views]
        return sum(float(edge.mean()) > 0.5 for four in edges for edge in four) / len(views)

    assert sides_seen(epoch=0) == 4 > sides_seen(epoch=5) > sides_seen(epoch=20)


@pytest.mark.parametrize("task", [EXERCISE, MUSCLES], ids=str)
def test_loader_workers_can_be_spawned(tmp_path, task):
    # defect 2: macOS and Windows spawn them, and rows of pandas do not pickle
    data = dataset.ClipDataset(clip_set(tmp_path, 2), tmp_path, Recipe(frames=4, side=32), task, train=True, cache=None)
    loader = torch.utils.data.DataLoader(data, 2, num_workers=1, multiprocessing_context="spawn")
    ((views, targets),) = loader
    assert views.shape == (2, 3, 4, 32, 32)
    assert targets.dtype == (torch.float32 if task.multilabel else torch.int64) and len(targets) == 2
