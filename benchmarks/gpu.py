"""What each setting brings on a GPU: `python benchmarks/gpu.py` measures for about five minutes and writes docs/gpu.md.

It begins with the stock recipe (PyTorchVideo's networks as they come, float32, float views from pageable memory, Adam) and adds
one setting after the other; each stays for the rows below it. Training steps and predictions at the paper's views, batch 8.
"""

import argparse
import statistics
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
WARM_UP, SECONDS = 3, 3.0  # steps before measuring, and for how long each measurement goes on
FORMATS = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


@dataclass(frozen=True)
class Settings:
    tf32: bool = False
    channels_last: bool = False
    number_format: torch.dtype | None = None  # of autocast; float16 is trained with scaled gradients
    cudnn_benchmark: bool = False
    fused: bool = False
    uint8: bool = False  # views copied as pinned bytes, without waiting, and normalised on the device
    compiled: bool = False


def ladder() -> dict[str, Settings]:
    """The settings to measure, each with those above it."""
    number_format = compute.precision(NETWORKS[0], training=False)
    steps = {
        "+ TF32": {"tf32": True},
        "+ channels last": {"channels_last": True},
        f"+ {number_format}": {"number_format": FORMATS.get(number_format)},
        "+ cudnn.benchmark": {"cudnn_benchmark": True},
        "+ fused Adam": {"fused": True},
        "+ uint8 views, pinned": {"uint8": True},
        "+ torch.compile": {"compiled": True},
    }
    rows = {"stock": Settings()}
    for name, change in steps.items():
        rows[name] = replace(list(rows.values())[-1], **change)
    return rows


def batch_of(how: Recipe, settings: Settings) -> torch.Tensor:
    """Noise as a loader hands it over: (batch, 3, time, side, side), in the computer's memory."""
    views = torch.randint(0, 256, (how.batch, how.frames, how.side, how.side, 3), dtype=torch.uint8).movedim(-1, 1)
    if settings.uint8:
        return views.pin_memory() if torch.cuda.is_available() else views
    return normalise(views).contiguous()


def step_of(net: nn.Module, how: Recipe, settings: Settings, training: bool) -> Callable[[], object]:
    """One training step, or one prediction, of a batch that begins in the computer's memory."""
    device, kind = compute.device(), settings.number_format
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = settings.tf32
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


def measure(recipes_of: dict[str, Recipe], seconds: float) -> dict[tuple[str, str, bool], float]:
    """(setting, network, training?) -> ms a clip; torch.compile, which takes a minute for each, on a GPU only."""
    found = {}
    for network, how in recipes_of.items():
        net = build(network, LABELS, how).to(compute.device())
        for name, settings in ladder().items():
            if settings.compiled and not torch.cuda.is_available():
                continue
            for training in (True, False):
                step = step_of(net, how, settings, training)
                found[name, network, training] = milliseconds(step, seconds) / how.batch
                print(
                    f"{network:14} {'train' if training else 'predict':8} {name:24} {found[name, network, training]:9.2f}"
                )
                torch._dynamo.reset()
    return found


def table(found: dict[tuple[str, str, bool], float]) -> str:
    """Markdown: a row for each setting, ms a clip and how many times as fast as stock that is."""
    columns = list(dict.fromkeys((network, training) for _, network, training in found))
    titles = [f"{recipes.title(network)} {'training' if training else 'prediction'}" for network, training in columns]
    lines = ["| ms a clip | " + " | ".join(titles) + " |", "|---" * (len(columns) + 1) + "|"]
    for name in dict.fromkeys(name for name, _, _ in found):
        cells = [f"{found[name, *c]:.1f} (x{found['stock', *c] / found[name, *c]:.2f})" for c in columns]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file", type=Path, default=workspace.REPOSITORY / "docs" / "gpu.md", help="to write to")
    parser.add_argument("--preset", default="paper", help="of the views; smoke runs on a CPU")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for each measurement")
    given = parser.parse_args(arguments)
    chosen = {network: recipes.recipe(network, given.preset, batch=given.batch) for network in NETWORKS}
    facts = workspace.provenance()
    head = f"{compute.describe(NETWORKS[0])}, torch {facts['versions']['torch']}, commit {facts['commit']}, batch {given.batch}"
    views = ", ".join(f"{recipes.title(n)} {how.frames} x {how.side}" for n, how in chosen.items())
    rows = table(measure(chosen, given.seconds))
    page = f"# Settings on a GPU\n\n    python benchmarks/gpu.py\n\n{head}, views {views}.\n\n{rows}"
    given.file.write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
