"""Ours against the stock PyTorchVideo recipe on this machine: `python benchmarks/speed.py`. Prints milliseconds and ratios.

Stock reads with EncodedVideo and its functional transforms, and trains create_x3d and create_slowfast as they come (contiguous,
float32). Both sides read the sample's clips from disk, on all cores, one after the other, each in turn; medians.
"""

import importlib.util
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pytorchvideo
import torch
from pytorchvideo.data.encoded_video import EncodedVideo

from exmus_lib.networks import compute
from exmus_lib.networks.build import build
from exmus_lib.recipes import Recipe, recipe
from exmus_lib.videos import dataset, prepare, windows

CLIPS, STEPS = 24, 8


def transforms():
    """pytorchvideo.transforms.functional by its path: the package around it no longer imports."""
    path = Path(pytorchvideo.__file__).parent / "transforms" / "functional.py"
    spec = importlib.util.spec_from_file_location("pytorchvideo_functional", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def stock_view(functional, path: Path, how: Recipe) -> torch.Tensor:
    """A centre view (3, time, side, side) of a whole clip in PyTorchVideo's way."""
    video = EncodedVideo.from_path(str(path), decode_audio=False)
    frames = functional.uniform_temporal_subsample(video.get_clip(0, video.duration)["video"], how.frames)
    video.close()
    view = (functional.short_side_scale(frames, how.side) / 255 - dataset.MEAN) / dataset.STD
    return dataset.centre_crop(view, how.side)


def our_view(path: Path, how: Recipe, seconds: float, fps: float) -> torch.Tensor:
    return dataset.normalise(dataset.read_view(path, windows.view_times(0.0, seconds, how.frames, fps), how)[None])


def milliseconds(calls: list[Callable[[], object]]) -> list[float]:
    """Median time of each call over as many rounds as STEPS, the first left out; in turn, so that a busy machine slows all."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(STEPS + 1):
        for call, spent in zip(calls, times, strict=True):
            started = time.perf_counter()
            call()
            spent.append(1000 * (time.perf_counter() - started))
    return [statistics.median(spent[1:]) for spent in times]


def training_step(network: str, how: Recipe, ours: bool) -> Callable[[], None]:
    """One step of AdamW on a batch of noise; stock: PyTorchVideo's network as built, contiguous."""
    net = build(network, 16, how).train()
    net = compute.prepare(net) if ours else net.to(compute.device())
    optimizer = torch.optim.AdamW(net.parameters(), 1e-4, fused=ours)
    view, target = torch.randn(how.batch, 3, how.frames, how.side, how.side), torch.arange(how.batch)
    view, target = view.to(compute.device()), target.to(compute.device())
    view = view.to(memory_format=compute.FORMAT) if ours else view

    def step() -> None:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(view), target).backward()
        optimizer.step()

    return step


def report(what: str, stock: float, ours: float, per: int) -> None:
    print(f"{what:52} {stock / per:9.1f} {ours / per:9.1f} {stock / ours:7.1f}", flush=True)


def main() -> None:
    clips = prepare.prepare("sample")
    some = clips.clips.sample(CLIPS, random_state=0)
    functional = transforms()
    print(f"{compute.describe('x3d_m')}\n{'ms a clip':52} {'stock':>9} {'ours':>9} {'times':>7}")
    for frames, side in ((4, 64), (32, 256)):
        how = Recipe(frames=frames, side=side)
        stock, ours = milliseconds([
            lambda how=how: [stock_view(functional, clips.path(clip), how) for clip in some.itertuples()],
            lambda how=how: [our_view(clips.path(clip), how, clip.seconds, clip.fps) for clip in some.itertuples()],
        ])  # fmt: skip
        report(f"read a view of {frames} x {side} px from a clip", stock, ours, CLIPS)
    for network in ("x3d_m", "slowfast_r50"):
        how = recipe(network, "quick")
        stock, ours = milliseconds([training_step(network, how, ours) for ours in (False, True)])
        report(f"train {network}, {how.frames} x {how.side} px, batch {how.batch}", stock, ours, how.batch)


if __name__ == "__main__":
    main()
