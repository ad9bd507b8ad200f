"""Training: a clip set and a recipe go in, a run folder comes out. An equal run is loaded, an interrupted one resumed."""

import logging
import shutil
import signal
import time
import warnings
from dataclasses import asdict
from pathlib import Path

import lightning
import pandas as pd
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from torch import nn
from torch.utils.data import DataLoader
from torchmetrics import Metric
from torchmetrics.classification import MulticlassAccuracy, MultilabelF1Score
from tqdm.auto import tqdm

from exmus_lib import review, workspace
from exmus_lib.networks import compute, predict, weights
from exmus_lib.networks.build import VideoNetwork, build
from exmus_lib.recipes import INITS, Recipe, init_of, recipe
from exmus_lib.videos.dataset import ClipDataset, view_cache
from exmus_lib.videos.prepare import ClipSet
from exmus_lib.vocabulary import LABELS, nearest

# Lightning's notes (no GPU here, a service to try) would stand in every notebook, in red.
logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
warnings.filterwarnings("ignore", message=".*LeafSpec.*", module="lightning")


def train(
    clip_set: ClipSet,
    network: str,
    task: str,
    preset: str = "quick",
    init: str | workspace.Run | None = None,
    split: str = "video",
    seed: int = 0,
    overwrite: bool = False,
    softmax: bool = False,
    **changes: object,
) -> workspace.Run:
    """Train a network, or load the run when an equal one is complete, or resume it when it was interrupted.

    Raises ValueError for an unknown network, preset, init, split or recipe value, and when there is nothing to train on.
    `init` is scratch, kinetics400, or a complete run of the same network, all of whose weights but the head's are taken over
    (the paper's transfer from exercise to mgap); None means kinetics400 at the presets of the paper, scratch below them.
    `softmax` ends the network in a Softmax, as PyTorchVideo ends X3D, to show what that costs (11_protocol_audit).
    `changes` to the recipe: epochs, frames, side, fit, inverse_beta. Everything that changes numbers is in the run's name or
    in the hash at its end.
    """
    how = recipe(network, preset, **changes)
    parameters = {
        "network": network, "task": task, "preset": preset, "init": init, "split": split, "seed": seed,
        "recipe": asdict(how), "clip_set": clip_set.hash(split),
    }  # fmt: skip
    if isinstance(init, workspace.Run):
        _check_parent(init, clip_set.name, parameters)
        parameters |= {"init": init.task, "parent": f"{init.dataset}/{init.task}/{init.name}"}
    elif init is None:
        parameters["init"] = init_of(preset)
    elif init not in INITS:
        raise ValueError(f"init = {init!r} is not one of: {', '.join(INITS)}.{nearest(init, INITS)}")
    if softmax:
        parameters["head"] = "softmax"
    beta = "" if how.inverse_beta == Recipe.inverse_beta else f"-beta{how.inverse_beta}"
    name = (
        f"{network}-{parameters['init']}{beta}{'-softmax' if softmax else ''}-s{seed}-{workspace.six_hex(parameters)}"
    )
    run = workspace.Run(clip_set.name, task, name)
    with workspace.alone(run.folder):
        if overwrite:
            run.remove()
        if not run.complete:
            _train(run, clip_set, how, parameters)
    return run


def _check_parent(parent: workspace.Run, dataset: str, child: dict) -> None:
    """ValueError unless the child's network can start from the parent's weights, and the parent has not seen the child's test."""
    if not parent.complete:
        raise ValueError(f"init: {parent.name} is not a complete run")
    facts = parent.facts()
    if facts["network"] != child["network"]:
        raise ValueError(f"init: {parent.name} is a run of {facts['network']}, not of {child['network']}")
    if parent.dataset == dataset and facts["clip_set"] != child["clip_set"]:
        raise ValueError(
            f"init: {parent.name} was trained on other clips or another split, and may have seen the test clips"
        )


def _train(run: workspace.Run, clip_set: ClipSet, how: Recipe, parameters: dict) -> None:
    task, split, name = parameters["task"], parameters["split"], parameters["network"]
    marks = len(review.marks(clip_set.name))
    facts = {**parameters, **workspace.provenance(), "marks": marks, "device": compute.describe(name)}
    run.write_facts(facts)
    lightning.seed_everything(parameters["seed"], workers=True, verbose=False)
    network = build(name, len(LABELS[task]), how, softmax="head" in parameters)
    if parameters["init"] == "kinetics400":
        weights.load_kinetics(network, name)
    elif "parent" in parameters:
        weights.load_parent(network, workspace.Run(*parameters["parent"].split("/")))
    network = compute.prepare(network)

    clips = clip_set.table(split)
    learned = review.usable(clips)
    cache = view_cache(clips, clip_set.folder, how, clip_set.hash("video"))
    parts = {
        part: ClipDataset(learned[learned["split"] == part], clip_set.folder, how, task, part == "train", cache)
        for part in ("train", "val")
    }
    if not len(parts["train"]):
        raise ValueError(f"{clip_set.name}: no training clips in the {split} split; see 01_data_prep.ipynb")
    workers = 0 if cache else min(4, torch.get_num_threads())
    train_loader = _loader(parts["train"], how.batch, workers, shuffle=True)
    # Without validation clips (a tiny data set) training loss chooses the checkpoint, as nothing else can.
    monitor = "val_loss" if len(parts["val"]) else "train_loss"
    checkpoints = run.folder / "checkpoints"
    best = ModelCheckpoint(checkpoints, "best", monitor, save_weights_only=True, enable_version_counter=False)
    last = ModelCheckpoint(checkpoints, "last", enable_version_counter=False)
    callbacks = [History(run), best, last]
    if how.schedule == "constant":  # a trapezoid is planned to its end: stopping early would skip the annealing
        callbacks.append(EarlyStopping(monitor, min_delta=0.0, patience=10))
    trainer = lightning.Trainer(
        max_epochs=how.epochs,
        min_epochs=min(how.min_epochs, how.epochs),
        accelerator=compute.device().type,
        devices=1,
        precision=compute.precision(name, training=True),
        callbacks=callbacks,
        logger=TensorBoardLogger(run.folder, name="", version="tensorboard"),
        enable_model_summary=False,
        enable_progress_bar=False,  # History shows one bar for the whole run
        log_every_n_steps=1,
        num_sanity_val_steps=0,
    )
    module = Training(network, task, how, steps=how.epochs * len(train_loader))
    val_loader = _loader(parts["val"], how.batch, workers) if len(parts["val"]) else None
    _fit(trainer, module, train_loader, val_loader, checkpoints / "last.ckpt")

    module.load_state_dict(torch.load(best.best_model_path, map_location="cpu", weights_only=True)["state_dict"])
    weights.save(network, run.folder / "weights.safetensors")
    history = run.history()
    if history[monitor].isna().all():
        raise ValueError(f"{run.name}: {monitor} is not a number in any epoch; a lower learning rate may help")
    chosen = history[monitor].idxmin()
    run.write_facts(
        {**facts, "best_epoch": int(history["epoch"][chosen]), "wall_seconds": round(history["seconds"].sum(), 1)}
    )
    predict.predict_clips(run, network, clips, clip_set.folder, how, cache)
    shutil.rmtree(checkpoints)  # up to 400 MB of optimiser state that nothing needs any more


def _fit(trainer: lightning.Trainer, module: "Training", train_loader, val_loader, last: Path) -> None:
    """Fit, from the last checkpoint where there is one. An interrupt stays an interrupt, in a notebook too, where Lightning
    would leave the kernel deaf to the next one and exit."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        trainer.fit(module, train_loader, val_loader, ckpt_path=last if last.exists() else None, weights_only=False)
    except SystemExit:
        signal.signal(signal.SIGINT, handler)
        raise KeyboardInterrupt(f"stopped in epoch {trainer.current_epoch}; run again to go on from there") from None


def _loader(part: ClipDataset, batch: int, workers: int, shuffle: bool = False) -> DataLoader:
    # Batch normalisation cannot learn from a last batch of one clip.
    drop = shuffle and len(part) >= batch
    return DataLoader(part, batch, shuffle=shuffle, drop_last=drop, num_workers=workers, persistent_workers=workers > 0)


class Training(lightning.LightningModule):
    """One network under training: cross-entropy for `exercise`, binary cross-entropy with logits for `mgap`."""

    def __init__(self, network: VideoNetwork, task: str, how: Recipe, steps: int):
        super().__init__()
        self.network, self.how, self.steps = network, how, steps
        exercise = task == "exercise"
        self.loss = nn.CrossEntropyLoss() if exercise else nn.BCEWithLogitsLoss()
        self.to_probabilities = nn.Softmax(dim=1) if exercise else nn.Sigmoid()
        count = len(LABELS[task])
        self.metric: Metric = MulticlassAccuracy(count, average="micro") if exercise else MultilabelF1Score(count)
        self.metric_name = "val_top1" if exercise else "val_f1"

    def training_step(self, batch, _):
        view, target = batch
        loss = self.loss(self.network(view.to(memory_format=compute.FORMAT)), target)
        self.log("train_loss", loss, on_step=False, on_epoch=True, prog_bar=True, batch_size=len(view))
        return loss

    def validation_step(self, batch, _):
        view, target = batch
        logits = self.network(view.to(memory_format=compute.FORMAT))
        self.log("val_loss", self.loss(logits, target), prog_bar=True, batch_size=len(view))
        self.metric.update(self.to_probabilities(logits), target.long())
        self.log(self.metric_name, self.metric, on_step=False, on_epoch=True, prog_bar=True)

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        checkpoint["random"] = torch.get_rng_state()

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        torch.set_rng_state(
            checkpoint["random"].cpu()
        )  # a resumed run shuffles and mirrors on as if nothing had happened

    def configure_optimizers(self):
        if self.how.schedule == "constant":
            return torch.optim.Adam(self.parameters(), self.how.learning_rate)
        optimizer = torch.optim.AdamW(
            self.parameters(), self.how.learning_rate, weight_decay=self.how.weight_decay, fused=True
        )
        epoch = self.steps / self.how.epochs
        warm, last = max(1, min(epoch, self.steps / 10)), max(epoch, self.steps / 5)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: min(1, (step + 1) / warm, (self.steps - step) / last)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class History(Callback):
    """Writes history.csv, one row per epoch, and shows the progress bar; after a resume the rows of finished epochs stay."""

    def __init__(self, run: workspace.Run):
        self.run, self.path, self.started, self.bar = run, run.folder / "history.csv", 0.0, None

    def on_train_start(self, trainer, module) -> None:
        total = trainer.max_epochs * trainer.num_training_batches
        self.bar = tqdm(total=total, initial=trainer.global_step, desc=self.run.name, unit="batch", mininterval=1)

    def on_train_epoch_start(self, trainer, module) -> None:
        trainer.train_dataloader.dataset.epoch.fill_(trainer.current_epoch)
        self.started = time.perf_counter()

    def on_train_batch_end(self, *_) -> None:
        self.bar.update()

    def on_train_epoch_end(self, trainer, module) -> None:
        seen = {k: float(v) for k, v in trainer.callback_metrics.items() if k.startswith(("train_", "val_"))}
        self.bar.set_postfix({k: f"{v:.3f}" for k, v in seen.items()})
        row = {
            "epoch": trainer.current_epoch,
            **seen,
            "learning_rate": trainer.optimizers[0].param_groups[0]["lr"],
            "seconds": time.perf_counter() - self.started,
        }
        rows = pd.DataFrame([row])
        if self.path.exists():
            old = pd.read_csv(self.path)
            rows = pd.concat([old[old["epoch"] < trainer.current_epoch], rows])
        with workspace.atomic(self.path) as part:
            rows.to_csv(part, index=False)

    def on_train_end(self, *_) -> None:
        self.bar.close()

    def on_exception(self, *_) -> None:
        if self.bar:  # else it failed before the first batch
            self.bar.close()
