"""How the networks that come with ExMus were made: `python -m exmus_lib pretrain`. No real person is among what they saw.

Half of each batch are virtual clips (exact joints, an estimator's errors drawn by chance), half rendered people as the real
estimator found them.
"""

import json
from hashlib import sha256
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from joblib import Parallel, cpu_count, delayed
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy
from tqdm.auto import tqdm

from exmus_lib import labels, storage, workspace
from exmus_lib.networks.pose import PoseTCN
from exmus_lib.networks.recognise import FILE
from exmus_lib.poses import features, filmed, virtual
from exmus_lib.poses.features import Joints

BATCH = 64  # clips: half virtual, half filmed
LEARNING_RATE = 3e-3
SURE_ABOVE = 0.3  # see docs/MODEL_CARD.md


def train(
    batches, exercises: list[str], kinds: list[str], steps: int, seed: int = 0, progress: bool = True, watch=None
) -> list[PoseTCN]:
    """A network for each kind of features, trained side by side on the same batches (joints, mask, exercises).

    `watch(step, loss, networks)` is called after each step, from 1 on; the loss is the mean over the networks.
    """
    torch.manual_seed(seed)
    networks = [PoseTCN(len(exercises), features.CHANNELS[kind]).train() for kind in kinds]
    parameters = [p for network in networks for p in network.parameters()]
    optimiser = torch.optim.AdamW(parameters, LEARNING_RATE, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, steps)
    place = {name: i for i, name in enumerate(exercises)}
    bar = tqdm(range(steps), f"training, seed {seed}", unit="batch", disable=not progress)
    for step, (joints, mask, names) in zip(bar, batches, strict=False):
        truth = torch.tensor([place[name] for name in names])
        losses = [
            cross_entropy(network(torch.from_numpy(features.views(joints, mask, kind))), truth, label_smoothing=0.1)
            for network, kind in zip(networks, kinds, strict=True)
        ]
        optimiser.zero_grad()
        sum(losses).backward()
        for network in networks:
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        bar.set_postfix(loss=f"{float(losses[-1].detach()):.2f}", refresh=False)
        if watch:
            watch(step + 1, float(sum(losses).detach()) / len(losses), networks)
    return [network.eval() for network in networks]


def mixed(performances: virtual.Performances, reels: filmed.Reels, seed: int):
    """Batches without end, half virtual and half filmed."""
    rng = np.random.default_rng(seed)
    for batch in zip(virtual.clips(performances, BATCH // 2, rng), filmed.clips(reels, BATCH // 2, rng), strict=True):
        (first, mask, names), (second, others, more) = batch
        joints: Joints = tuple(np.concatenate(pair) for pair in zip(first, second, strict=True))
        yield joints, np.concatenate([mask, others]), np.concatenate([names, more])


def pretrain(file: Path = FILE, seeds: int = 2, steps: int = 4500, each: int = 60, videos: int = 16) -> str:
    """Train and write the networks of the paper's exercises; returns the sha256 of the file.

    `each` virtual performances and `videos` filmed ones of every way (poses.virtual.ways). The same arguments give the same file
    on the same kind of processor. 20 to 60 minutes on two cores: filming, which goes on where it was, then seeds side by side.
    """
    exercises = [*labels.paper().exercises, virtual.IDLE]
    reels = filmed.Reels.of(filmed.film(labels.read(), videos, workspace.home() / "data" / "filmed"))
    performances = virtual.perform(labels.read(), each)
    work = delayed(_train_alone)
    trained = Parallel(min(seeds, cpu_count()))(
        work(performances, reels, exercises, steps, seed) for seed in range(seeds)
    )
    made = {"seeds": seeds, "steps": steps, "each": each, "videos": videos}
    save(list(chain(*trained)), list(features.KINDS) * seeds, file, made)
    return sha256(file.read_bytes()).hexdigest()


def _train_alone(performances, reels, exercises: list[str], steps: int, seed: int) -> list[PoseTCN]:
    torch.set_num_threads(1)  # the processes share the cores, and the numbers stay the same whatever their count
    return train(mixed(performances, reels, seed), exercises, list(features.KINDS), steps, seed)


def save(networks: list[PoseTCN], kinds: list[str], file: Path, made: dict[str, object]) -> None:
    """Write networks in half precision, with what recognise.load needs and how they were made."""
    tensors = {
        f"{number}.{key}": tensor.half() if tensor.is_floating_point() else tensor
        for number, network in enumerate(networks)
        for key, tensor in network.state_dict().items()
    }
    facts = {"labels": labels.paper().to_json(), "kinds": kinds, "sure_above": SURE_ABOVE, "made": made}
    with storage.atomic(file) as part:
        save_file(tensors, part, {key: json.dumps(value) for key, value in facts.items()})
