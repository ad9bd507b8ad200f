"""Runs notebooks with papermill, two at a time: `python -m exmus_lib.workbook demo` (or `workbook`), which `make` calls; and
`repeat`s a finished training.

A notebook keeps one core busy while its kernel starts, reads and draws, and all cores while it trains; two of them, each on half
of the cores, leave none idle.
"""

import argparse
import atexit
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Event
from typing import NamedTuple
from uuid import uuid4

import papermill
import psutil
from joblib import cpu_count
from tqdm import tqdm
from traitlets.config import Config

from exmus_lib import workspace
from exmus_lib.tasks import TASKS

CONCURRENT = 2


class Step(NamedTuple):
    """One notebook with the parameters that are not its own defaults."""

    notebook: str
    parameters: dict[str, object] = {}

    @property
    def name(self) -> str:
        """As its executed copy is called: <notebook>[.<task>]."""
        return ".".join(filter(None, (self.notebook, self.parameters.get("task"))))


def both(notebook: str, **parameters: str) -> tuple[Step, Step]:
    """A notebook on each of the two tasks."""
    return tuple(Step(notebook, {"task": task, **parameters}) for task in TASKS)


# Stages run one after the other; the steps of a stage need nothing from one another, but for those of a list, which run in turn.
PLANS = {
    "demo": (
        (Step("01_data_prep"),),
        (*both("03_slowfast", networks="slowfast_r50"), *both("02_x3d", networks="x3d_m")),
        (
            Step("12_real_people", {"steps": 100}),  # on one core as long as all others on the other
            [
                *both("08_tsne", networks="x3d_m,slowfast_r50"),
                *both("05_ensembles"),
                Step("09_explore"),
                Step("10_report"),
            ],
        ),
    ),
    "workbook": (
        (Step("01_data_prep"),),
        (*both("03_slowfast"), *both("02_x3d")),
        (Step("07_beta_ablation"), Step("06_transfer"), *both("04_baselines"), Step("13_expansion")),
        (
            Step("12_real_people"),
            *both("08_tsne"),
            *both("05_ensembles"),
            Step("11_protocol_audit"),
            Step("14_honest_numbers"),
            Step("09_explore"),
        ),
        (Step("10_report"),),
    ),
}


def run(stages: Sequence[Sequence[Step | list[Step]]], preset: str = "quick") -> None:
    """Run the notebooks of all stages of a plan (see PLANS); executed copies are left in outputs/executed.

    Stops with SystemExit that names the notebook when one fails. An interrupt reaches the kernels, whose trainings go on from
    their last epoch the next time.
    """
    folder = workspace.outputs_dir("executed")
    cores, stopped = cpu_count(), Event()

    def in_turn(steps: Sequence[Step]) -> None:
        for step in steps:
            if not stopped.is_set():
                execute(step, folder, preset)

    for stage in stages:
        os.environ["OMP_NUM_THREADS"] = str(max(1, cores // min(CONCURRENT, len(stage))))
        with ThreadPoolExecutor(CONCURRENT) as pool:
            futures = [pool.submit(in_turn, step if isinstance(step, list) else [step]) for step in stage]
            try:
                for future in as_completed(futures):
                    future.result()
            except BaseException:
                stopped.set()
                pool.shutdown(wait=False, cancel_futures=True)
                for kernel in psutil.Process().children():
                    with suppress(psutil.Error, ValueError):  # gone meanwhile; Windows has no such signal
                        kernel.send_signal(signal.SIGINT)
                raise


def execute(step: Step, folder: Path, preset: str) -> None:
    """Run one notebook, with a progress bar of its own. Raises SystemExit that names it when a cell fails."""
    executed = folder / f"{step.name}.ipynb"
    started = time.perf_counter()
    try:
        papermill.execute_notebook(
            workspace.REPOSITORY / "notebooks" / f"{step.notebook}.ipynb",
            executed,
            {"preset": preset, **step.parameters},
            progress_bar={"desc": f"{step.name:20}", "leave": False},
            config=_kernels(),
        )
    except papermill.PapermillExecutionError as error:
        raise SystemExit(
            f"stopped in {step.name}: {error.ename}: {error.evalue}\nwhat it did is in {executed}"
        ) from None
    tqdm.write(f"{step.name:20} {time.perf_counter() - started:4.0f} s")


def _kernels() -> Config:
    """How a kernel is talked to: by TCP on this machine, as Jupyter does, or by sockets of its own in `_folder_of_sockets`."""
    folder = _folder_of_sockets()
    return Config({"KernelManager": {"transport": "ipc", "ip": str(folder / uuid4().hex[:8])}} if folder else {})


@cache
def _folder_of_sockets() -> Path | None:
    """Where sockets lie when even TCP on this machine is cut off (`unshare -n`, some sandboxes); None where it is not."""
    with socket.socket() as server, socket.socket() as client:
        try:
            server.bind(("127.0.0.1", 0))
            server.listen()
            client.connect(server.getsockname())
            return None
        except OSError:
            folder = tempfile.TemporaryDirectory(prefix="exmus-")  # short: a socket's path has 100 letters at most
            atexit.register(folder.cleanup)
            return Path(folder.name)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0; of `repeat` 1 where the run is not equal, 2 where it cannot be repeated. What stops a plan is raised."""
    parser = argparse.ArgumentParser("python -m exmus_lib.workbook", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for plan in PLANS:
        commands.add_parser(plan, help=f"run the notebooks of `make {plan}`")
    again = commands.add_parser(
        "repeat",
        help="train a finished run again from its run.json, and compare bit for bit",
        description="Trains the run of a folder again, from its run.json alone: clips, labels, recipe, seed, parent, threads."
        " Weights, history and predictions are compared bit for bit, which the same kind of processor and the same versions"
        " keep equal on a CPU. Exit code 0: all are equal, and the second run is removed; 1: it stays, with the tag `repeat`.",
    )
    again.add_argument("run", type=Path, metavar="outputs/runs/<dataset>/<task>/<run>")
    options = parser.parse_args(arguments)
    if options.command != "repeat":
        run(PLANS[options.command])
        return 0
    from exmus_lib.networks.repeat import repeat  # torch takes seconds, and the plans need none

    try:
        return int(not repeat(options.run))
    except (ValueError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
