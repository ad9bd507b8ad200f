"""What each setting brings on a GPU: `python benchmarks/gpu.py` measures for about five minutes and writes outputs/bench/gpu.md;
what was seen so far, and what follows from it, is in docs/gpu.md.

It begins with the stock recipe (PyTorchVideo's networks as they come, float32 with TF32 in convolutions, float views from
pageable memory, Adam); each row adds a setting to the one above. Training steps and predictions at the paper's views, batch 8.
Every row has a process of its own, since PyTorch keeps cuDNN's first choice for a shape as long as the process lives.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from exmus_lib import recipes, workspace
from exmus_lib.networks import compute
from exmus_lib.networks.build import build
from exmus_lib.recipes import Recipe
from exmus_lib.videos.dataset import normalise

NETWORKS = ("x3d_m", "slowfast_r50")
LABELS = 16
WARM_UP, SECONDS = 3, 2.0  # steps before measuring, and for how long each measurement goes on
FORMATS = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


@dataclass(frozen=True)
class Settings:
    fused: bool = False
    uint8: bool = False  # views copied as pinned bytes, without waiting, and normalised on the device
    number_format: torch.dtype | None = None  # of autocast; float16 is trained with scaled gradients
    channels_last: bool = False
    cudnn_benchmark: bool = False
    compiled: bool = False


def ladder(compiled: bool = False) -> dict[str, Settings]:
    """The settings to measure, by the names of their rows; torch.compile takes a minute for each measurement."""
    number_format = compute.precision("slowfast_r50", training=False)
    steps = {
        "+ fused Adam": {"fused": True},
        "+ uint8 views, pinned": {"uint8": True},
        "+ cudnn.benchmark": {"cudnn_benchmark": True},
        f"+ {number_format}": {"number_format": FORMATS.get(number_format)},
        "+ channels last": {"channels_last": True},
        **({"+ torch.compile": {"compiled": True}} if compiled else {}),
    }
    rows = {"stock": Settings()}
    for name, change in steps.items():
        rows[name] = replace(list(rows.values())[-1], **change)
    return rows


def batch_of(how: Recipe, settings: Settings) -> torch.Tensor:
    """Noise as a loader hands it over: (batch, 3, time, side, side), in the computer's memory."""
    views = torch.randint(0, 256, (how.batch, how.frames, how.side, how.side, 3), dtype=torch.uint8).movedim(-1, 1)
    views = views if settings.channels_last else views.contiguous()
    if settings.uint8:
        return views.pin_memory() if torch.cuda.is_available() else views
    return normalise(views).contiguous()


def step_of(net: nn.Module, how: Recipe, settings: Settings, training: bool) -> Callable[[], object]:
    """One training step, or one prediction, of a batch that begins in the computer's memory."""
    device, kind = compute.device(), settings.number_format
    torch.backends.cudnn.benchmark = settings.cudnn_benchmark
    net.train(training).to(memory_format=compute.FORMAT if settings.channels_last else torch.contiguous_format)
    call = torch.compile(net) if settings.compiled else net
    views, target = batch_of(how, settings), (torch.arange(how.batch) % LABELS).to(device)
    optimizer = torch.optim.Adam(net.parameters(), 1e-4, fused=settings.fused)
    scaler = torch.amp.GradScaler(device.type, enabled=kind is torch.float16 and device.type == "cuda")

    def forward() -> torch.Tensor:
        there = views.to(device, non_blocking=settings.uint8)
        if settings.channels_last:
            there = there.to(memory_format=compute.FORMAT)
        with torch.autocast(device.type, dtype=kind, enabled=kind is not None):
            return call(there).float()

    def train() -> None:
        optimizer.zero_grad()
        scaler.scale(nn.functional.cross_entropy(forward(), target)).backward()
        scaler.step(optimizer)
        scaler.update()

    return train if training else torch.inference_mode()(forward)


def milliseconds(step: Callable[[], object], seconds: float) -> float:
    """The median time of a step, in which the device finishes it; at least one is measured."""
    for _ in range(WARM_UP):
        step()
    times, end = [], time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        _finish()
        started = time.perf_counter()
        step()
        _finish()
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times)


def _finish() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def row(name: str, recipes_of: dict[str, Recipe], seconds: float) -> dict[str, float]:
    """ms a clip of one row of the ladder, by columns: network and training or prediction."""
    settings, milliseconds_of = ladder(compiled=True)[name], {}
    for network, how in recipes_of.items():
        net = build(network, LABELS, how).to(compute.device())
        for training in (True, False):
            column = f"{recipes.title(network)} {'training' if training else 'prediction'}"
            milliseconds_of[column] = milliseconds(step_of(net, how, settings, training), seconds) / how.batch
    return milliseconds_of


def table(milliseconds_of: dict[str, dict[str, float]]) -> str:
    """Markdown: a row for each setting, ms a clip and how many times as fast as stock that is."""
    stock = milliseconds_of["stock"]
    lines = ["| ms a clip | " + " | ".join(stock) + " |", "|---" * (len(stock) + 1) + "|"]
    for name, times in milliseconds_of.items():
        cells = [f"{times[c]:.1f} (x{stock[c] / times[c]:.2f})" for c in stock]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file", type=Path, help="to write to; outputs/bench/gpu.md unless given")
    parser.add_argument("--preset", default="paper", help="of the views; smoke runs on a CPU")
    parser.add_argument("--networks", default=",".join(NETWORKS), help="with commas between them")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for each measurement")
    parser.add_argument("--compile", action="store_true", help="torch.compile as well, a minute for each measurement")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    networks = given.networks.split(",")
    chosen = {network: recipes.recipe(network, given.preset, batch=given.batch) for network in networks}
    if given.row:
        print(json.dumps(row(given.row, chosen, given.seconds)))
        return
    milliseconds_of = {}
    same = ["--preset", given.preset, "--networks", given.networks, "--batch", str(given.batch)]
    same += ["--seconds", str(given.seconds)]
    for name in ladder(given.compile):
        command = [sys.executable, __file__, "--row", name, *same]
        milliseconds_of[name] = json.loads(
            subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        )
        print(f"{name:24}", "  ".join(f"{column} {ms:.1f}" for column, ms in milliseconds_of[name].items()), flush=True)
    facts = workspace.provenance()
    head = f"{compute.describe(networks[0])}, torch {facts['versions']['torch']}, commit {facts['commit']}, batch {given.batch}"
    views = ", ".join(f"{recipes.title(n)} {how.frames} x {how.side}" for n, how in chosen.items())
    page = f"# Settings on a GPU\n\n    python benchmarks/gpu.py\n\n{head}, views {views}.\n\n{table(milliseconds_of)}"
    file = given.file or workspace.outputs_dir("bench") / "gpu.md"
    file.write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
