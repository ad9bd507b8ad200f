"""Several processes: two that train one network as one would, a killed one, jobs that share out trainings and videos."""

import atexit
import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import helpers
import numpy as np
import pandas as pd
import psutil
import pytest
import runs
import torch
from torch import nn
from torch.utils.data import SequentialSampler

from exmus_lib import cluster, predictions, workspace
from exmus_lib.__main__ import main
from exmus_lib.networks import fit, loading, ranks
from exmus_lib.videos.prepare import prepare

LOSSES = ["train_loss", "val_loss", "val_top1"]


@pytest.fixture(scope="module")
def gym(tmp_path_factory):
    """A folder of class folders: two exercises of ten videos each."""
    return helpers.gym(tmp_path_factory.mktemp("videos") / "gym", 20)


def as_rank(monkeypatch, rank: int) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", str(rank))


def test_shares_of_a_batch_are_together_what_one_process_sees(monkeypatch):
    shares = []
    for rank in (0, 1):
        as_rank(monkeypatch, rank)
        order = loading.Shares(SequentialSampler(range(7)), 4, drop_last=False)
        shares.append(list(order))
    # the last batch, of three, is filled up with its last clip
    assert shares == [[[0, 1], [4, 5]], [[2, 3], [6, 6]]] and (order.size(0), order.size(1)) == (4, 3)
    with pytest.raises(ValueError, match="a batch of 3 clips cannot be shared out evenly among 2 processes"):
        loading.training_loader(range(7), 3, seed=0, light=True)


def test_batches_that_are_made_whole_are_shared_out_too(monkeypatch):
    as_rank(monkeypatch, 1)
    batches = {(0, 0): (torch.arange(4), torch.arange(4) + 10)}  # by epoch and number
    (batch,) = loading.training_loader(batches, None, seed=0, light=True)
    assert [part.tolist() for part in batch] == [[2, 3], [12, 13]]


def weighed(normalised: torch.Tensor) -> torch.Tensor:
    return (normalised**3 * torch.arange(normalised.numel()).view(normalised.shape)).sum()


def one_of_two(rank: int, port: int, folder: str) -> None:
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_RANK": str(rank), "LOCAL_WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    atexit.register(lambda: Path(f"{folder}/{rank}.in_group").write_text(str(torch.distributed.is_initialized())))
    ranks.join()
    norm = ranks.synchronised(nn.Sequential(nn.BatchNorm3d(3)).double())
    share = torch.load(f"{folder}/batch.pt").tensor_split(2)[rank].requires_grad_()
    out = ranks.whole(norm(share))
    weighed(out).backward()
    with ranks.first():
        there = os.path.exists(f"{folder}/1.pt")
    made = {"out": out, "share": share.grad, "weight": norm[0].weight.grad, "bias": norm[0].bias.grad}
    torch.save(made | {"state": norm.state_dict(), "agreed": ranks.agreed(rank), "there": there}, f"{folder}/{rank}.pt")


def test_synchronised_batch_norm_is_that_of_the_whole_batch(tmp_path):
    batch = torch.randn(6, 3, 2, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + 5
    torch.save(batch, tmp_path / "batch.pt")
    port = helpers.free_port()
    torch.multiprocessing.spawn(one_of_two, (port, str(tmp_path)), nprocs=2)
    made = [torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1)]
    assert [(tmp_path / f"{rank}.in_group").read_text() for rank in (0, 1)] == [
        "False"
    ] * 2  # else SIGABRT, now and then
    norm, batch = nn.Sequential(nn.BatchNorm3d(3)).double(), batch.requires_grad_()
    out = norm(batch)
    weighed(out).backward()
    close = {"rtol": 1e-9, "atol": 1e-9}
    for rank in (0, 1):
        torch.testing.assert_close(made[rank]["out"], out, **close)
        assert made[rank]["agreed"] == 0
        for name, value in norm.state_dict().items():
            torch.testing.assert_close(made[rank]["state"][name], value, **close)
        # Two equal losses are differentiated; DDP takes the mean of what comes of them.
        torch.testing.assert_close(made[rank]["share"] / 2, batch.grad.tensor_split(2)[rank], **close)
    for name in ("weight", "bias"):
        torch.testing.assert_close((made[0][name] + made[1][name]) / 2, getattr(norm[0], name).grad, **close)


def in_double(keywords: dict, patch=setattr) -> workspace.Run:
    """fit.train in double precision."""
    from exmus_lib.networks import fit

    runs.compute_in_double(patch)
    return fit.train(**keywords)


@pytest.mark.hard
def test_two_processes_one_of_them_killed_midway_end_where_one_process_does(gym, tmp_path, monkeypatch):
    monkeypatch.setenv("EXMUS_HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]))
    keywords = dict(clip_set=prepare(str(gym)), network="x3d_s", task="exercise", preset="smoke", epochs=4, batch=4)
    run = in_double(keywords, monkeypatch.setattr)
    assert (run.facts()["processes"], run.facts()["batch_norm"]) == (1, "of one process")
    history, table = run.history(), predictions.read(run)
    run.remove()

    with ThreadPoolExecutor() as pool:
        jobs = pool.submit(cluster.array, in_double, [keywords], devices=2)
        while not jobs.done() and not (run.folder / "checkpoints" / "last.ckpt").exists():
            time.sleep(0.02)
        for child in psutil.Process().children(recursive=True):
            if child.environ().get("SUBMITIT_LOCAL_LOCALID") == "1":
                child.send_signal(signal.SIGKILL)
        with pytest.raises(RuntimeError, match="1 of 1 jobs failed; their logs are in"):
            jobs.result()
    assert not run.complete and 0 < len(run.history()) < 4

    assert cluster.array(in_double, [keywords], devices=2) == [run]
    assert (run.facts()["processes"], run.facts()["batch_norm"]) == (2, "of all processes")
    assert list(run.history()["epoch"]) == [0, 1, 2, 3]
    np.testing.assert_allclose(run.history()[LOSSES], history[LOSSES], atol=1e-6)
    again = predictions.read(run)  # every clip once, in the same order
    pd.testing.assert_frame_equal(again[predictions.KEYS], table[predictions.KEYS])
    np.testing.assert_allclose(predictions.logits(again), predictions.logits(table), atol=1e-6)
    assert not list(tmp_path.glob("outputs/runs/*/*/*/checkpoints"))


@pytest.mark.hard
def test_a_grid_by_two_workers_equals_one_after_the_other(gym, tmp_path, monkeypatch):
    monkeypatch.setenv("EXMUS_HOME", str(tmp_path / "one after the other"))
    clip_set = prepare(str(gym))
    expected = {}
    for task in ("exercise", "mgap"):
        for seed in (0, 1):
            run = fit.train(clip_set, "x3d_s", task, "smoke", seed=seed)
            expected[task, run.name] = predictions.read(run)
    monkeypatch.setenv("EXMUS_HOME", str(tmp_path / "by two"))
    grid = ["grid", "--dataset", str(gym), "--networks", "x3d_s", "--seeds", "0,1", "--preset", "smoke"]
    assert main([*grid, "--workers", "2"]) == 0
    pd.testing.assert_frame_equal(prepare(str(gym)).clips, clip_set.clips)  # cut in two shards
    made = {(task, run.name): run for task in ("exercise", "mgap") for run in workspace.find_runs(clip_set.name, task)}
    assert made.keys() == expected.keys()
    for key, run in made.items():
        # up to rounding, which differs from process to process, and Adam's steps make more of
        pd.testing.assert_frame_equal(predictions.read(run), expected[key], atol=1e-3)
    assert not list((tmp_path / "by two" / "outputs" / "jobs").iterdir())
    monkeypatch.setattr(cluster, "_submitit", None)  # finished ones are loaded, without a job
    assert main([*grid, "--workers", "2"]) == 0


@pytest.mark.hard
def test_a_job_that_its_cluster_interrupts_begins_again(tmp_path, monkeypatch):
    monkeypatch.setenv("EXMUS_HOME", str(tmp_path))

    def work(item: int) -> int:
        marker = tmp_path / str(item)
        if not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGUSR2)  # as before a time limit, or when somebody goes first
        return item

    assert cluster.array(work, [7, 8, 9], workers=2) == [7, 8, 9]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--dataset 2024_05", 'dataset = "2024_05" is neither'),
        ("--networks x3dm", 'Did you mean "x3d_m"?'),
        ("--workers 0", "workers = 0: a whole number of at least 1 is wanted"),
        ("--on slurm", "there is no srun on this machine"),
    ],
)
def test_a_wrong_grid_is_refused_in_one_line_before_anything_is_made(own_home, options, message, capsys):
    assert main(["grid", *options.split()]) == 1
    printed = capsys.readouterr().err
    assert message in printed and printed.count("\n") == 1 and not any(own_home.iterdir())


def test_leaving_for_later_is_no_interrupt_by_hand():
    for code, meant in ((144, SystemExit), (1, KeyboardInterrupt)):

        def leave(*_, code=code, **__):
            raise SystemExit(code)

        with pytest.raises(meant):
            fit._fit(SimpleNamespace(fit=leave, current_epoch=0), None, None, None, None)


def test_jobs_say_what_they_lack(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    with pytest.raises(ValueError, match="6 GPUs are wanted .workers x devices., and this machine has 4"):
        cluster.array(print, [1, 2, 3], workers=3, devices=2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3,5,7")
    assert cluster._gpus(4) == ["2", "3", "5", "7"]
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(ImportError, match="pip install submitit"):
        cluster.array(print, [1])
