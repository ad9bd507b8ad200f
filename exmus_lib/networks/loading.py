"""Batches for networks: how many processes read them, in which order, and how long training waits for them."""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

import numpy as np
import torch
from joblib import cpu_count
from torch.utils.data import BatchSampler, DataLoader, Dataset, Sampler, SequentialSampler, default_collate

from exmus_lib.networks import ranks

MAX_WORKERS = 8  # loader processes; each holds a few batches
AHEAD = 8  # batches of joints, of 2 MB each, that a loader process makes ahead


class Shuffled(Sampler):
    """The items (epoch, i) of an epoch in an order that depends on seed and epoch alone."""

    def __init__(self, items: int, seed: int):
        self.items, self.seed, self.epoch = items, seed, 0

    def __len__(self) -> int:
        return self.items

    def __iter__(self) -> Iterator[tuple[int, int]]:
        order = np.random.default_rng([self.seed, self.epoch, self.items]).permutation(self.items)
        return zip([self.epoch] * self.items, order.tolist(), strict=True)

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning when an epoch begins."""
        self.epoch = epoch


class TrainingLoader(DataLoader):
    """A DataLoader of training views whose epoch begins when its first batch is asked for: Lightning makes the iterator of a
    resumed run before it says which epoch that is.

    `waited` and `worked` are the seconds of the present epoch for which training waited for batches behind the first, and
    worked on the others.
    """

    waited = worked = 0.0
    _coming: Future | None = None

    def __iter__(self) -> Iterator[list[torch.Tensor]]:
        if self._coming:
            wait([self._coming])  # of a loop that was broken off, which reads from the same processes
        batches = super().__iter__()
        self.waited = self.worked = 0.0
        given = None
        # Items that are batches, of joints, are made as fast as a step computes, and take a millisecond or two to be handed over:
        # a thread does that meanwhile. Whoever breaks off does not wait for it.
        thread = ThreadPoolExecutor(1) if self.num_workers and self.batch_sampler is None else None
        try:
            while True:
                asked = time.perf_counter()
                batch = self._coming.result() if thread and given else next(batches, None)
                if batch is None:
                    return
                if given is not None:
                    self.worked += asked - given
                    self.waited += time.perf_counter() - asked
                self._coming = thread.submit(next, batches, None) if thread else None
                given = time.perf_counter()
                yield [torch.as_tensor(part) for part in batch]
        finally:
            if thread:
                thread.shutdown(wait=False, cancel_futures=True)


def waiting_share(loader: TrainingLoader) -> float:
    """Of the time of training steps, which part they waited for their batches; 0 where an epoch has but one."""
    return loader.waited / (loader.waited + loader.worked or 1.0)


class Shares(BatchSampler):
    """Of each batch this process's share, equally large in all: together they are what one process would see (networks.ranks).

    A last batch that cannot be shared out evenly is filled up with its last item, which `size` does not count.
    """

    def __iter__(self) -> Iterator[list]:
        for batch in super().__iter__():
            each = -(-len(batch) // ranks.count())
            batch += batch[-1:] * (each * ranks.count() - len(batch))
            yield batch[ranks.rank() * each : (ranks.rank() + 1) * each]

    def size(self, number: int) -> int:
        """How many items a batch of all processes has."""
        return min(self.batch_size, len(self.sampler) - number * self.batch_size)


def training_loader(
    views: Dataset, batch: int | None, seed: int, light: bool, ahead: int | None = None
) -> TrainingLoader:
    """Batches of training views, other ones in each epoch; `batch` is None where an item is a batch. `light`: see `_workers`;
    `ahead`: how many batches each loader process makes ahead, if not PyTorch's two.

    Raises ValueError for a batch that the processes of the training cannot share out evenly.
    """
    order = Shuffled(len(views), seed)
    if batch is None:
        return TrainingLoader(views, None, sampler=order, collate_fn=_mine, **_how(light, collated=False, ahead=ahead))
    if min(batch, len(views)) % ranks.count():
        raise ValueError(
            f"a batch of {min(batch, len(views))} clips cannot be shared out evenly among {ranks.count()} processes: another"
            f" batch (-p batch), a multiple of {ranks.count()}, or other devices"
        )
    # Batch normalisation cannot learn from a last batch of one clip.
    shares = Shares(order, batch, drop_last=len(views) >= batch)
    return TrainingLoader(views, batch_sampler=shares, **_how(light, collated=True))


def validation_loader(views: Dataset, batch: int, light: bool) -> DataLoader:
    """This process's share of batches of views in their order. `light`: see `_workers`."""
    return DataLoader(views, batch_sampler=Shares(SequentialSampler(views), batch, False), **_how(light, collated=True))


def loader(views: Dataset, batch: int, light: bool) -> DataLoader:
    """Batches of views in their order, to evaluate, whose processes end with the last one. `light`: see `_workers`.

    Processes that outlive their batches, as when a loop is broken off, end when Python collects the loader. Where it is part of
    a cycle then, as in a notebook's progress bar, their queues are closed first, and PyTorch waits 5 s for each in vain.
    """
    return DataLoader(views, batch, **_how(light, collated=True) | {"persistent_workers": False})


def _mine(batch: list[torch.Tensor]) -> list[torch.Tensor | np.ndarray]:
    """This process's share of a batch. A tensor comes from a loader process through a file of its own, which takes longer than
    targets are worth; for a GPU it is pinned, too."""
    view, targets = ranks.mine(batch)
    return [view, targets if torch.cuda.is_available() else targets.numpy()]


def collate(items: list[tuple[torch.Tensor, ...]]) -> list[torch.Tensor]:
    """A batch of items as default_collate makes it, but that views keep colours innermost in memory (channels last)."""
    views, *rest = default_collate([(item[0].movedim(0, -1), *item[1:]) for item in items])
    return [views.movedim(-1, 1), *rest]


@contextmanager
def leaving_cores_to_loaders() -> Iterator[None]:
    """A thread less for each loader process, where these have as much to do as the training itself: two threads and a process
    that share two cores get in each other's way."""
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, threads - _workers(light=False)))
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _workers(light: bool) -> int:
    """How many loader processes. A GPU waits for its data: as many as the process has cores. A CPU computes for seconds where one
    of them decodes for a few hundredths, so a quarter of them; and `light` views (cached, or of tracks) are made in the process
    itself, as handing them over would cost more."""
    cores = cpu_count()
    return min(MAX_WORKERS, cores if torch.cuda.is_available() else 0 if light else max(1, cores // 4))


def _how(light: bool, collated: bool, ahead: int | None = None) -> dict[str, object]:
    """The loader processes (see `_workers`) and what they hand over."""
    workers = _workers(light)
    # A generator of its own: else the draw for each new iterator would change what dropout draws.
    return {
        "num_workers": workers, "persistent_workers": workers > 0, "pin_memory": torch.cuda.is_available(),
        "generator": torch.Generator(),
        **({"collate_fn": collate} if collated else {}), **({"prefetch_factor": ahead} if ahead and workers else {}),
    }  # fmt: skip
