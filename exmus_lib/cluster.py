"""Work as an array of jobs, by submitit: processes of this machine, or a SLURM cluster. The cutting of videos; networks.sweep
hands it trainings.

Jobs and those who wait for them share EXMUS_HOME and this code by the file system. What was interrupted goes on where it was, and
what is finished is loaded, so that the same call again is the way to go on after anything that went wrong.
"""

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import pandas as pd

from exmus_lib import workspace
from exmus_lib.videos import cut, prepare

DAYS = 7  # that a job may take, unless `timeout_min` says otherwise


def prepared(dataset: str, preset: str, **how: object) -> prepare.ClipSet:
    """videos.prepare.prepare, whose videos are cut by jobs (`array` takes `how`)."""
    return prepare.prepare(dataset, preset, cutter=partial(_cut, how=how))


def _cut(videos: pd.DataFrame, raw: Path, out: Path, how: dict[str, object]) -> pd.DataFrame:
    shards = [videos.iloc[k :: how["workers"]].copy() for k in range(min(how["workers"], len(videos)))]
    array(partial(_cut_shard, raw=raw, out=out), shards, gpus=False, **how)
    return cut.cut(videos, raw, out)  # which finds the clips cut, and notes what was damaged


def _cut_shard(videos: pd.DataFrame, raw: Path, out: Path) -> None:
    cut.cut(videos, raw, out, progress=False)


def array(
    function: Callable[[object], object],
    items: Sequence[object],
    workers: int = 1,
    devices: int = 1,
    nodes: int = 1,
    on: str = "local",
    gpus: bool = True,
    **settings: object,
) -> list[object]:
    """function(item) of each item, in their order, by so many jobs at once; job k takes every `workers`-th item from the k-th on.

    Each job has `devices` processes, one a GPU (without GPUs one a share of the cores), on each of `nodes` machines: what they
    train, they train together; work that needs none says `gpus=False`. `on` is "local" or "slurm"; `settings` go to submitit's
    update_parameters (slurm_partition, timeout_min, cpus_per_task, mem_gb). Raises RuntimeError with the logs' folder where a job
    failed, when the others have ended, ImportError without submitit, ValueError for more GPUs than this machine has.
    """
    if not items:
        return []
    submitit = _submitit()
    processes, workers = devices * nodes, min(workers, len(items))
    here = _gpus(workers * devices) if gpus and on == "local" else []
    folder = workspace.outputs_dir("jobs") / f"{datetime.now():%Y%m%d-%H%M%S}-{os.getpid()}"
    executor = submitit.AutoExecutor(folder, cluster=on)
    wanted = {"nodes": nodes, "tasks_per_node": devices, "timeout_min": DAYS * 24 * 60}
    per_node = len(here) if on == "local" else devices * gpus
    executor.update_parameters(**wanted | {"gpus_per_node": per_node} | settings)
    gpus_of, beside = [here[k * devices : (k + 1) * devices] for k in range(workers)], workers * (on == "local")
    shares = [Share(function, items[k::workers], processes, gpus_of[k], beside) for k in range(workers)]
    with submitit.helpers.clean_env(), executor.batch():
        jobs = [executor.submit(share) for share in shares]
    print(f"{len(items)} pieces of work, {workers} jobs of {processes} processes each; what they print is in {folder}")
    results: list[object] = [None] * len(items)
    failed = {}
    try:
        for k, job in enumerate(jobs):
            try:
                results[k::workers] = job.results()[0]  # of its first process
            except submitit.core.utils.UncompletedJobError as error:  # or FailedJobError, which is one
                failed[job.job_id] = error
    except BaseException:
        for job in jobs:
            job.cancel()
        raise
    if failed:
        ends = "\n".join(f"job {number}: {str(error).strip()}" for number, error in failed.items())
        raise RuntimeError(f"{len(failed)} of {len(jobs)} jobs failed; their logs are in {folder}\n{ends}")
    shutil.rmtree(folder)
    return results


@dataclass
class Share:
    """What one job does: function of each of its items. A job that its cluster interrupts is queued again, and begins anew."""

    function: Callable[[object], object]
    items: Sequence[object]
    processes: int
    gpus: Sequence[str]
    share_cores_with: int  # so many jobs of this machine; 0 where the cluster shares them out

    def __call__(self) -> list[object]:
        import torch

        if self.gpus:  # before CUDA looks for them
            os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(self.gpus)
        elif self.share_cores_with:
            torch.set_num_threads(max(1, torch.get_num_threads() // (self.share_cores_with * self.processes)))
        if self.processes > 1:
            _submitit().helpers.TorchDistributedEnvironment().export(set_cuda_visible_devices=False, overwrite=True)
            if self.share_cores_with:
                os.environ["MASTER_ADDR"] = "127.0.0.1"  # a laptop's own name may lead nowhere
        return [self.function(item) for item in self.items]

    def checkpoint(self):
        return _submitit().helpers.DelayedSubmission(self)


def _submitit():
    try:
        import submitit
        import submitit.helpers
    except ImportError:
        raise ImportError(
            "jobs need submitit, which is not installed: pip install submitit (or exmus[cluster])"
        ) from None
    return submitit


def _gpus(wanted: int) -> list[str]:
    """The GPUs of this machine to share out, as CUDA_VISIBLE_DEVICES names them; none where there is none."""
    import torch

    present = [str(number) for number in range(torch.cuda.device_count())]
    if os.environ.get("CUDA_VISIBLE_DEVICES"):
        present = os.environ["CUDA_VISIBLE_DEVICES"].split(",")[: len(present)]
    if present and wanted > len(present):
        raise ValueError(f"{wanted} GPUs are wanted (workers x devices), and this machine has {len(present)}")
    return present
