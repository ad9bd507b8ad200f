"""Ours against the stock PyTorchVideo recipe, for bench.py: `data`, `train` and `predict`, generators of rows.

Stock is what the paper's authors ran: EncodedVideo on the original video and its functional transforms, the hub's networks as
they come (contiguous, float32), Adam. Both sides see the same clips and have the same weights, each in turn; medians over rounds.
The smallest shim: transforms.functional is loaded by its path, since the package around it no longer imports.
"""

import importlib.util
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from fractions import Fraction
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import av
import numpy as np
import pytorchvideo
import torch
from pytorchvideo.data.encoded_video import EncodedVideo
from torch import nn

from exmus_lib import predictions, workspace
from exmus_lib.networks import compiled, compute, folded, weights
from exmus_lib.networks import predict as prediction
from exmus_lib.networks.build import build
from exmus_lib.networks.optimisers import ChannelsLastAdam
from exmus_lib.recipes import NETWORKS, Recipe, recipe
from exmus_lib.videos import container, dataset, prepare

PAIR = ("x3d_m", "slowfast_r50")
SHORT = 0.5  # seconds for which a turn of a call goes on at least
LONG = 2.0  # seconds; a call that takes longer has one turn alone


def medians(
    calls: list[Callable[[], object]], rounds: int, clock: Callable[[], float] = time.perf_counter, stock: int = 1
) -> list[float]:
    """The median milliseconds of each call, in two turns of so many rounds, so that a busy machine slows all; short calls have
    more rounds, long ones a single turn.

    The first `stock` calls have their memory as the C library hands it out by itself, the others as ExMus keeps it. A turn begins
    with a call that is not timed, as a step of a training has steps before it.
    """
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(2):
        for number, (call, spent) in enumerate(zip(calls, times, strict=True)):
            if spent and spent[0] > 1000 * LONG:
                continue
            compute.memory(kept=number >= stock)
            call()
            done, end = 0, time.perf_counter() + SHORT
            while done < rounds or time.perf_counter() < end:
                started = clock()
                call()
                spent.append(1000 * (clock() - started))
                done += 1
    compute.memory(kept=True)
    return [statistics.median(spent) for spent in times]


def functional():
    """pytorchvideo.transforms.functional by its path."""
    path = Path(pytorchvideo.__file__).parent / "transforms" / "functional.py"
    spec = importlib.util.spec_from_file_location("pytorchvideo_functional", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def stock_view(path: Path, how: Recipe, transforms) -> torch.Tensor:
    """A centre view (3, time, side, side) of a whole clip in PyTorchVideo's way."""
    video = EncodedVideo.from_path(str(path), decode_audio=False)
    frames = transforms.uniform_temporal_subsample(video.get_clip(0, video.duration)["video"], how.frames)
    video.close()
    view = (transforms.short_side_scale(frames, how.side) / 255 - dataset.MEAN) / dataset.STD
    return dataset.centre_crop(view, how.side)


def stock_network(network: str, how: Recipe) -> nn.Module:
    """PyTorchVideo's own network: of its hub for the paper's views; of its builder for smaller ones, for which the hub's head,
    that pools a fixed grid, is too large."""
    if how.side < NETWORKS[network].view.side:
        return build(network, 16, how).net
    hub = import_module(NETWORKS[network].weights.removesuffix(".checkpoint_paths"))
    options = {"head_activation": None} if network.startswith("x3d") else {}
    return getattr(hub, network)(pretrained=False, model_num_class=16, **options)


def stock_input(view: torch.Tensor, how: Recipe) -> torch.Tensor | list[torch.Tensor]:
    """As PyTorchVideo's PackPathway gives it."""
    if not how.slow_every:
        return view
    kept = torch.linspace(0, how.frames - 1, how.frames // how.slow_every).long()
    return [view.index_select(2, kept), view]


def both(network: str, how: Recipe) -> tuple[nn.Module, nn.Module]:
    """Stock's and our network with the same weights, whose batch norms have seen some views."""
    torch.manual_seed(0)
    stock = stock_network(network, how)
    stock.train()
    with torch.no_grad():
        stock(stock_input(torch.randn(2, 3, how.frames, how.side, how.side), how))
    ours = build(network, 16, how)
    ours.load_state_dict({f"net.{name}": value for name, value in stock.state_dict().items()})
    return stock, compute.prepare(ours)


def native(clips: prepare.ClipSet, folder: Path, count: int = 3) -> list[tuple[Path, object]]:
    """Clips of the sample as phones and cameras film, 640 x 360 to 1920 x 1080 with a key frame a second, each with its row."""
    made = []
    for clip, width in zip(
        clips.clips.sample(count, random_state=0).itertuples(), (640, 1280, 1920) * count, strict=False
    ):
        path = folder / f"{clip.clip_id}.mp4"
        with av.open(str(path), "w") as output, container.opened(clips.path(clip)) as (source, video):
            stream = output.add_stream("libx264", rate=30, options={"preset": "veryfast", "g": "30"})
            stream.width, stream.height, stream.pix_fmt = width, width * 9 // 16, "yuv420p"
            for number, (_, frame) in enumerate(container.timed_frames(source, video)):
                large = frame.reformat(stream.width, stream.height, "yuv420p")
                large.pts, large.time_base, large.pict_type = number, Fraction(1, 30), 0
                output.mux(stream.encode(large))
            output.mux(stream.encode(None))
        made.append((path, clip))
    return made


def data() -> Iterator[dict]:
    """A view of a clip, CPU milliseconds on one thread: stock from the original video and from the clip that we prepared of it;
    ours from that clip and from the cache."""
    clips, transforms = prepare.prepare("sample"), functional()
    with tempfile.TemporaryDirectory() as folder:
        originals = native(clips, Path(folder))
        for network, preset in (("slowfast_r50", "paper"), ("x3d_m", "quick")):
            yield from views(clips, originals, recipe(network, preset), transforms, Path(folder))


def views(clips: prepare.ClipSet, originals: list, how: Recipe, transforms, folder: Path) -> Iterator[dict]:
    folder = folder / f"{how.frames}x{how.side}"  # for the cache
    folder.mkdir()
    (folder / "clips").symlink_to(clips.folder / "clips")
    table = clips.clips[clips.clips["clip_id"].isin([clip.clip_id for _, clip in originals])]
    cache = dataset.view_cache(table, folder, how, "bench")
    anew, cached = (
        dataset.ClipDataset(table, clips.folder, how, clips.task("exercise"), False, c) for c in (None, cache)
    )
    calls = [
        lambda: [stock_view(path, how, transforms) for path, _ in originals],
        lambda: [stock_view(clips.path(clip), how, transforms) for _, clip in originals],
        lambda: [dataset.normalise(anew[i][0][None]) for i in range(len(table))],
        lambda: [dataset.normalise(cached[i][0][None]) for i in range(len(table))],
        lambda: [cached[i] for i in range(len(table))],
    ]
    times = [spent / len(originals) for spent in medians(calls, 1, time.process_time, stock=2)]
    original, prepared, ours, from_cache, in_bytes = times
    for what, stock, mine in (
        ("stock from the original video, ours from the prepared clip", original, ours),
        ("both from the prepared clip", prepared, ours),
        ("stock from the prepared clip, ours from the cache", prepared, from_cache),
        ("the same, ours uint8 as a GPU gets it", prepared, in_bytes),
    ):
        yield {"what": f"{how.frames} x {how.side} px: {what}", "unit": "CPU ms a view", "stock": stock, "ours": mine}


def step(net: nn.Module, network: str, how: Recipe, ours: bool) -> Callable[[], None]:
    """One training step on a batch of noise: the loss, its gradient, Adam."""
    optimizer = (
        ChannelsLastAdam(net.parameters(), 1e-4, fused=True) if ours else torch.optim.Adam(net.parameters(), 1e-4)
    )
    view, target = torch.randn(how.batch, 3, how.frames, how.side, how.side), torch.arange(how.batch)
    view = view.to(memory_format=compute.FORMAT) if ours else view
    amp = torch.autocast("cpu", torch.bfloat16, enabled=ours and compute.precision(network, training=True) != "32-true")
    net.train()

    def one() -> None:
        optimizer.zero_grad()
        with amp:
            logits = net(view if ours else stock_input(view, how))
        nn.functional.cross_entropy(logits, target).backward()
        optimizer.step()

    return one


def train() -> Iterator[dict]:
    """A training step, for each clip of its batch: the quick views at their batch, the paper's one by one."""
    for network in PAIR:
        for preset, batch, rounds in (("quick", None, 3), ("paper", 1, 1)):
            how = recipe(network, preset, batch=batch)
            stock, ours = both(network, how)
            times = medians([step(stock, network, how, False), step(ours, network, how, True)], rounds)
            what = f"{NETWORKS[network].title}, {how.frames} x {how.side} px, batch {how.batch}"
            yield {
                "what": what,
                "unit": "ms a clip",
                **dict(zip(("stock", "ours"), np.divide(times, how.batch), strict=True)),
            }


def predict() -> Iterator[dict]:
    """Logits of a paper view, how far they are apart, and a clip from its file to the hybrid's table. Ours begins with bytes."""
    pairs = {network: both(network, recipe(network, "paper")) for network in PAIR}
    for network, (stock, ours) in pairs.items():
        how, title = recipe(network, "paper"), NETWORKS[network].title
        frames = torch.randint(0, 256, (1, 3, how.frames, how.side, how.side), dtype=torch.uint8)
        view, logits = dataset.normalise(frames), {}

        def theirs(stock=stock, view=view, how=how, logits=logits) -> None:
            with torch.inference_mode():
                logits["stock"] = stock.eval()(stock_input(view, how)).numpy()

        copy = folded.folded(ours, network, how)

        def mine(copy=copy, frames=frames, network=network, logits=logits) -> None:
            logits["ours"] = prediction.forward(copy, frames, network)[0]

        calls = [theirs, mine]
        if find_spec("openvino"):
            through = compiled.Compiled(ours, network, how)
            calls.append(lambda through=through, frames=frames: through(frames))
        theirs_took, *ours_took = medians(calls, 1)
        for way, took in zip(("PyTorch", "OpenVINO"), ours_took, strict=False):
            what = f"{title}, {how.frames} x {how.side} px, batch 1, ours by {way}"
            yield {"what": what, "unit": "ms a clip", "stock": theirs_took, "ours": took}
        apart = np.abs(logits["ours"] - logits["stock"]).max() / np.ptp(logits["stock"])
        yield {"what": f"{title}: logits apart, of their range", "unit": "1e-6", "ours": 1e6 * float(apart)}
    yield from hybrid(pairs)


def hybrid(pairs: dict[str, tuple[nn.Module, nn.Module]]) -> Iterator[dict]:
    """From an original video file to the average of both networks' probabilities for each clip of it."""
    clips, transforms = prepare.prepare("sample"), functional()
    with tempfile.TemporaryDirectory() as folder:
        video, _ = native(clips, Path(folder))[1]  # at 1280 x 720
        runs = [made_up(network, ours, clips, Path(folder)) for network, (_, ours) in pairs.items()]

        def theirs() -> None:
            probabilities = []
            for network, (stock, _) in pairs.items():
                how = recipe(network, "paper")
                view = stock_view(video, how, transforms)[None]
                with torch.inference_mode():
                    probabilities.append(stock(stock_input(view, how)).softmax(dim=1))
            torch.stack(probabilities).mean(dim=0)

        def ours() -> None:
            prediction.predict(video, runs)

        what = "hybrid, one clip of 720p: file to table"
        yield {"what": what, "unit": "ms", **dict(zip(("stock", "ours"), medians([theirs, ours], 1), strict=True))}
        if all(compiled.pays(network, recipe(network, "paper"), compiled.MIN_CLIPS) for network in PAIR):
            for run in runs:
                network, how = prediction.restore(run)
                prediction.predictor_of_video(network, run.facts()["network"], how, compiled.MIN_CLIPS)
            times = medians([theirs, ours], 1)
            what = f"the same after {compiled.MIN_CLIPS} clips, when OpenVINO has the networks"
            yield {"what": what, "unit": "ms", **dict(zip(("stock", "ours"), times, strict=True))}


def made_up(network: str, net: nn.Module, clips: prepare.ClipSet, folder: Path) -> workspace.Run:
    """A complete run of these weights, whose predictions are noise."""
    task, table = clips.task("exercise"), clips.table()
    run = workspace.Run("sample", "exercise", f"{network}-bench", folder)
    facts = {"network": network, "preset": "paper", "init": "scratch", "split": "video", "seed": 0}
    facts |= {"recipe": asdict(recipe(network, "paper")), "labels": task.labels.to_json(), "clip_set": clips.hash()}
    run.write_facts(facts)
    weights.save(net, run.weights)
    noise = np.random.default_rng(0).normal(size=(len(table), len(task.names)))
    predictions.write(predictions.path(run), predictions.table(table, noise, task.names), task.names)
    return run
