"""Batches do not depend on who reads them, and how long training waits for them is measured."""

import itertools
import multiprocessing
import time

import helpers
import numpy as np
import pandas as pd
import pytest
import runs
import torch
from torch.utils.data import DataLoader, Dataset
from tqdm.auto import tqdm

from exmus_lib import labels, predictions, tasks
from exmus_lib.networks import fit, loading, predict
from exmus_lib.networks.build import build
from exmus_lib.networks.training import Training
from exmus_lib.recipes import Recipe
from exmus_lib.videos import dataset
from exmus_lib.videos.prepare import prepare

EXERCISE, MUSCLES = (tasks.task(name, labels.read()) for name in tasks.TASKS)
HOW = Recipe(frames=4, side=32, seconds=1.0, augment=True)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Five clips of numbered frames, and the folder that they lie in."""
    folder = tmp_path_factory.mktemp("clips")
    names = [f"c{k}" for k in range(5)]
    for name in names:
        helpers.write_video(folder / f"{name}.mp4", 60, 24, size=(96, 64))
    table = pd.DataFrame({"clip_id": names, "exercise": "Squat", "seconds": 2.5, "fps": 24.0})
    return table.assign(path=table["clip_id"] + ".mp4"), folder


def batches(clips, epoch: int, workers: int, start: str | None = None, seed: int = 0) -> list[list[torch.Tensor]]:
    """The batches of an epoch, read by so many processes."""
    views = dataset.ClipDataset(*clips, HOW, EXERCISE, train=True, cache=None, seed=seed)
    order = loading.Shuffled(len(views), seed)
    loader = loading.TrainingLoader(
        views, 2, sampler=order, num_workers=workers, multiprocessing_context=start, collate_fn=loading.collate
    )
    abandoned = iter(loader)  # as Lightning makes one before it says which epoch it is
    order.set_epoch(epoch)
    made = list(loader)
    del abandoned
    return made


@pytest.mark.parametrize(("workers", "start"), [(1, "fork"), (2, "fork"), (1, "spawn")])
def test_batches_are_the_same_whoever_reads_them(clips, workers, start):
    for epoch in (0, 3) if start == "fork" else (3,):
        alone, others = batches(clips, epoch, 0), batches(clips, epoch, workers, start)
        assert len(alone) == len(others) == 3
        for one, other in zip(alone, others, strict=True):
            assert len(one) == 3 and all(map(torch.equal, one, other))


def test_seed_and_epoch_change_order_windows_and_colours(clips):
    usual, again, later = (batches(clips, epoch, 0) for epoch in (0, 0, 1))
    assert all(torch.equal(one, two) for a, b in zip(usual, again, strict=True) for one, two in zip(a, b, strict=True))
    other = batches(clips, 0, 0, seed=1)
    assert not torch.equal(usual[0][2], later[0][2]) and not torch.equal(usual[0][2], other[0][2])


def test_each_epoch_has_every_item_once_in_another_order():
    order = loading.Shuffled(50, seed=4)
    seen = []
    for epoch in range(3):
        order.set_epoch(epoch)
        seen.append([i for _, i in order])
        assert sorted(seen[-1]) == list(range(50)) and {e for e, _ in order} == {epoch}
    assert all(one != other for one, other in itertools.combinations([*seen, list(range(50))], 2))


@pytest.mark.parametrize("task", [EXERCISE, MUSCLES], ids=str)
def test_a_batch_is_channels_last_and_loader_processes_can_be_spawned(clips, task):
    # defect 2: macOS and Windows spawn them, and rows of pandas do not pickle
    data = dataset.ClipDataset(*clips, HOW, task, train=False, cache=None)
    spawned = DataLoader(data, 5, num_workers=1, multiprocessing_context="spawn", collate_fn=loading.collate)
    ((views, targets),) = spawned
    assert views.shape == (5, 3, 4, 32, 32) and views.dtype == torch.uint8
    assert views.is_contiguous(memory_format=torch.channels_last_3d)
    assert targets.dtype == (torch.float32 if task.multilabel else torch.int64) and len(targets) == 5


class Slow(Dataset):
    """Ten items, each of which takes 20 ms to read."""

    def __len__(self):
        return 10

    def __getitem__(self, item):
        time.sleep(0.02)
        return torch.zeros(1, 1, 1, 1), 0


def test_waiting_is_what_training_spends_between_its_steps_behind_the_first_batch():
    loader = loading.training_loader(Slow(), 2, seed=0, light=True)
    assert loading.waiting_share(loader) == 0
    for _ in loader:
        time.sleep(0.04)
    # four batches of 40 ms behind the first, four steps of 40 ms before the last
    assert loading.waiting_share(loader) == pytest.approx(0.5, abs=0.1)
    assert len(list(loader)) == 5 and loading.waiting_share(loader) > 0.95  # each epoch is measured anew


def test_a_gpu_has_all_cores_read_and_a_cpu_a_quarter_of_them(monkeypatch):
    monkeypatch.setattr(loading, "cpu_count", lambda: 6)
    assert [loading._how(light, True)["num_workers"] for light in (True, False)] == [0, 1]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    how = loading._how(True, True)
    assert how["num_workers"] == 6 and how["pin_memory"] and how["persistent_workers"]


def test_loader_processes_end_with_the_last_batch_of_an_evaluation(clips, monkeypatch):
    views, bars = dataset.ClipDataset(*clips, HOW, EXERCISE, train=False, cache=None), []
    before, begun = set(multiprocessing.active_children()), set()

    def kept(*arguments, **options) -> tqdm:
        bars.append(tqdm(*arguments, **options))  # what it holds lives on, as in a notebook
        begun.update(set(multiprocessing.active_children()) - before)
        return bars[-1]

    monkeypatch.setattr(predict, "tqdm", kept)
    logits, _ = predict.forward_all(build("x3d_s", 16, HOW), views, "x3d_s")
    assert len(logits) == 5 and begun
    assert not begun & set(multiprocessing.active_children())


def test_a_training_on_joints_has_a_thread_less_for_each_loader_process(monkeypatch):
    monkeypatch.setattr(loading, "cpu_count", lambda: 8)
    threads = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        with loading.leaving_cores_to_loaders():
            assert torch.get_num_threads() == 2
        assert torch.get_num_threads() == 4
    finally:
        torch.set_num_threads(threads)


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """A function: the logits of a training read by so many processes and computed by so many threads, begun anew or interrupted
    at the start of an epoch."""
    monkeypatch.setenv("EXMUS_HOME", str(tmp_path))
    helpers.gym(tmp_path / "gym")
    clip_set, how = prepare(str(tmp_path / "gym")), loading._how
    options = dict(network="x3d_s", task="exercise", preset="smoke", epochs=3, seconds=1.0, dropout=0.5)
    begin, usual = Training.on_train_epoch_start, torch.get_num_threads()

    def train(workers: int, stop_in: int | None = None, threads: int = 1) -> np.ndarray:
        torch.set_num_threads(threads)
        monkeypatch.setattr(loading, "_how", lambda light, collated: how(light, collated) | {
            "num_workers": workers, "persistent_workers": workers > 0
        })  # fmt: skip

        def begin_or_stop(self) -> None:
            if self.current_epoch == stop_in:
                raise KeyboardInterrupt
            begin(self)

        if stop_in is not None:
            with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
                patch.setattr(Training, "on_train_epoch_start", begin_or_stop)
                fit.train(clip_set, **options, overwrite=True)
        run = fit.train(clip_set, **options, overwrite=stop_in is None)
        assert run.facts()["threads"] == threads and 0 <= run.facts()["data_wait_share"] < 1
        assert list(run.history()["epoch"]) == [0, 1, 2]
        return predictions.logits(predictions.read(run))

    yield train
    torch.set_num_threads(usual)


@pytest.mark.hard
def test_the_number_of_loader_processes_and_an_interruption_change_no_bit(trained):
    alone = trained(0)
    for workers, stop_in in ((1, None), (2, None), (4, None), (0, 2), (2, 1), (4, 1)):
        assert np.array_equal(trained(workers, stop_in), alone), (workers, stop_in)


@pytest.mark.slow
def test_two_threads_compute_the_same_bits_each_time_and_nearly_those_of_one(trained):
    one, two, interrupted = trained(0, threads=1), trained(0, threads=2), trained(4, stop_in=1, threads=2)
    assert np.array_equal(two, interrupted)
    # 2.4e-4 in float32, 4.4e-4 where bfloat16 predicts: sums of other parts have other last bits, which Adam makes grow.
    np.testing.assert_allclose(two, one, rtol=0, atol=1e-2)


@pytest.mark.hard
def test_in_double_one_thread_and_two_are_equal_within_a_hundred_thousandth(trained, monkeypatch):
    runs.compute_in_double(monkeypatch.setattr)
    np.testing.assert_allclose(trained(0, threads=2), trained(0, threads=1), rtol=0, atol=1e-5)
