"""One network under training, as Lightning runs it: the loss of each task, the optimiser, and what is written along the way."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import lightning
import numpy as np
import pandas as pd
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping
from lightning.pytorch.plugins.io import TorchCheckpointIO
from torch import nn
from torch.optim.lr_scheduler import LambdaLR
from torchmetrics import Metric
from torchmetrics.classification import MulticlassAccuracy, MultilabelF1Score
from tqdm.auto import tqdm

from exmus_lib import storage, workspace
from exmus_lib.networks import ranks
from exmus_lib.networks.build import VideoNetwork
from exmus_lib.networks.loading import waiting_share
from exmus_lib.networks.optimisers import ChannelsLastAdam, ChannelsLastAdamW
from exmus_lib.recipes import Recipe
from exmus_lib.tasks import Task
from exmus_lib.videos.dataset import normalise

YOUNG = 300  # seconds of a training that are sooner done again than waited for at every checkpoint


@dataclass(frozen=True)
class Objective:
    """What a task trains for: a loss of logits, given the weights of `label_weights` or None, the activation behind it, and the
    validation metric with its name in history.csv, given the number of labels."""

    loss: Callable[[torch.Tensor | None], nn.Module]
    activation: nn.Module
    metric: Callable[[int], Metric]
    metric_name: str


OBJECTIVES = {
    "exercise": Objective(
        lambda weights: nn.CrossEntropyLoss(weight=weights),
        nn.Softmax(dim=1),
        lambda labels: MulticlassAccuracy(labels, average="micro"),
        "val_top1",
    ),
    "mgap": Objective(
        lambda weights: nn.BCEWithLogitsLoss(pos_weight=weights), nn.Sigmoid(), MultilabelF1Score, "val_f1"
    ),
}


def label_weights(truth: np.ndarray, labels: int) -> torch.Tensor:
    """The weight (L,) of each label in the loss that makes rare ones count as much as common ones (`balance = "classes"`).

    Of classes (N,) N / (present classes * clips of the class), as scikit-learn's "balanced"; of multi-label truth (N, L) the
    negatives of each positive, pos_weight. A label without a clip, or with nothing else, has weight 1.
    """
    if truth.ndim == 1:
        counts = np.bincount(truth, minlength=labels)
        weights = len(truth) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    else:
        counts = truth.sum(axis=0)
        weights = (len(truth) - counts) / np.maximum(counts, 1)
    usable = (counts > 0) & (counts < len(truth))
    return torch.from_numpy(np.where(usable, weights, 1.0).astype(np.float32))


class Training(lightning.LightningModule):
    """A network with the loss and validation metric of its task; `weights` (L,) of the labels, or None.

    `steps` is how many batches the whole training has; what chance an epoch has depends on it and on `seed` alone. Raises
    ValueError at the first loss that is not a number.
    """

    def __init__(
        self, network: VideoNetwork, task: Task, recipe: Recipe, steps: int, seed: int,
        weights: torch.Tensor | None = None,
    ):  # fmt: skip
        super().__init__()
        self.network, self.recipe, self.steps, self.seed = network, recipe, steps, seed
        self.objective = objective = OBJECTIVES[task.name]
        self.loss, self.metric = objective.loss(weights), objective.metric(len(task.names))

    def on_train_epoch_start(self) -> None:
        """Freeze the backbone, or let it go, as the recipe says: its weights and its batch normalisation's statistics."""
        # So that dropout in a resumed run goes on as if nothing had happened.
        chance = [self.seed, self.current_epoch, *[ranks.rank()] * (ranks.rank() > 0)]  # each process drops out others
        torch.manual_seed(int(np.random.SeedSequence(chance).generate_state(1)[0]))
        self.network.freeze(self.current_epoch < self.recipe.frozen_epochs)

    def training_step(self, batch, _) -> torch.Tensor:
        view, target, *colours = batch
        logits, target = ranks.whole(self.network(normalise(view, *colours) if colours else view)), ranks.whole(target)
        loss = self._checked(self.loss(logits, target))
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(target))
        return loss

    def validation_step(self, batch, number: int) -> None:
        view, target = batch
        clips = self.trainer.val_dataloaders.batch_sampler.size(number)
        logits, target = ranks.whole(self.network(view))[:clips], ranks.whole(target)[:clips]
        self.log("val_loss", self._checked(self.loss(logits, target)), batch_size=clips)
        self.metric.update(self.objective.activation(logits), target.long())
        self.log(self.objective.metric_name, self.metric, on_step=False, on_epoch=True)

    def _checked(self, loss: torch.Tensor) -> torch.Tensor:
        if torch.isfinite(loss):
            return loss
        raise NotANumber(
            f"the loss is {loss.item()} in epoch {self.current_epoch + 1}: training diverged."
            f" A learning rate lower than {self.recipe.learning_rate:g} may help (-p learning_rate)."
        )

    def configure_optimizers(self):
        recipe = self.recipe
        if recipe.schedule == "constant":
            return ChannelsLastAdam(self.parameters(), recipe.learning_rate, fused=True)
        decay = recipe.weight_decay
        optimizer = ChannelsLastAdamW(self.parameters(), recipe.learning_rate, weight_decay=decay, fused=True)
        epoch = self.steps / recipe.epochs
        warm, last = max(1, min(epoch, self.steps / 10)), max(epoch, self.steps / 5)
        schedule = LambdaLR(optimizer, lambda step: min(1, (step + 1) / warm, (self.steps - step) / last))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class NotANumber(ValueError):
    """A training whose loss is no longer a number."""


class Patience(EarlyStopping):
    """Lightning's early stopping, which here decides only from `min_epochs` on.

    Lightning's own remembers an early wish to stop, and ends the run at `min_epochs` although the loss has been falling again.
    """

    def __init__(self, monitor: str):
        super().__init__(monitor, min_delta=0.0, patience=10, check_on_train_epoch_end=True)

    def on_train_epoch_end(self, trainer, module) -> None:
        super().on_train_epoch_end(trainer, module)
        if trainer.current_epoch + 1 < trainer.min_epochs:
            trainer.should_stop = False


class History(Callback):
    """Writes history.csv, one row per epoch, and shows the progress bar; after a resume the rows of finished epochs stay."""

    def __init__(self, run: workspace.Run):
        self.run, self.path, self.started, self.bar = run, run.folder / "history.csv", 0.0, None

    def on_train_start(self, trainer, module) -> None:
        total = trainer.max_epochs * trainer.num_training_batches
        self.bar = tqdm(
            total=total, initial=trainer.global_step, desc=self.run.name, unit="batch", mininterval=1,
            disable=not trainer.is_global_zero,
        )  # fmt: skip

    def on_train_epoch_start(self, trainer, module) -> None:
        self.started = time.perf_counter()

    def on_train_batch_end(self, *_) -> None:
        self.bar.update()

    def on_train_epoch_end(self, trainer, module) -> None:
        if not trainer.is_global_zero:
            return
        values = {k: float(v) for k, v in trainer.callback_metrics.items() if k.startswith(("train_", "val_"))}
        self.bar.set_postfix({k: f"{v:.3f}" for k, v in values.items()})
        row = {
            "epoch": trainer.current_epoch,
            **values,
            "learning_rate": trainer.optimizers[0].param_groups[0]["lr"],
            "seconds": time.perf_counter() - self.started,
            "data_wait_share": waiting_share(trainer.train_dataloader),
        }
        rows = pd.DataFrame([row])
        if self.path.exists():
            earlier = pd.read_csv(self.path)
            rows = pd.concat([earlier[earlier["epoch"] < trainer.current_epoch], rows])
        with storage.atomic(self.path) as part:
            rows.to_csv(part, index=False)

    def on_train_end(self, *_) -> None:
        self.bar.close()

    def on_exception(self, *_) -> None:
        if self.bar:  # else it failed before the first batch
            self.bar.close()


class Checkpoints(TorchCheckpointIO):
    """Reads and writes a trainer's checkpoints in `folder`, and in no other.

    Lightning's own writes into the system's temporary folder and moves the file, which between two file systems may stop halfway.
    """

    def __init__(self, folder: Path):
        self.folder, self.resumed, self.started = folder, (folder / "last.ckpt").exists(), time.monotonic()

    def save_checkpoint(self, checkpoint: dict, path: str | Path, storage_options: object = None) -> None:
        # Half a gigabyte an epoch of SlowFast. A machine that loses power may cost a training that has just begun, no other.
        young = not self.resumed and time.monotonic() - self.started < YOUNG
        with storage.atomic(Path(path), synced=not young) as part:
            torch.save(checkpoint, part)

    def load_checkpoint(self, path: str | Path, map_location: object = "cpu", weights_only: bool | None = True) -> dict:
        return torch.load(path, map_location="cpu", weights_only=True)

    def remove_checkpoint(self, path: str | Path) -> None:
        # The path may come out of a checkpoint, which somebody else may have written.
        if Path(path).resolve().parent == self.folder.resolve():
            Path(path).unlink(missing_ok=True)
