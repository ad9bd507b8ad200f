"""Training: a clip set and a recipe go in, a run folder comes out. An equal run is loaded, an interrupted one resumed."""

import logging
import signal
import warnings
from contextlib import nullcontext
from pathlib import Path

import torch

from exmus_lib import predictions, review, storage, workspace
from exmus_lib.labels import nearest
from exmus_lib.networks import checkpoints, compute, joints, predict, ranks, weights
from exmus_lib.networks.build import build
from exmus_lib.networks.loading import AHEAD, leaving_cores_to_loaders, training_loader, validation_loader
from exmus_lib.poses.estimate import estimate_clips
from exmus_lib.recipes import INITS, Recipe, init_of, kept, recipe
from exmus_lib.tasks import Task
from exmus_lib.videos.dataset import ClipDataset, view_cache
from exmus_lib.videos.prepare import ClipSet

warnings.filterwarnings("ignore", message=".*LeafSpec.*", module="lightning")
# An interrupted training goes on from there.
warnings.filterwarnings("ignore", message="Checkpoint directory .* is not empty", module="lightning")


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
    tag: str | None = None,
    **changes: object,
) -> workspace.Run:
    """Train a network, or load the run when an equal one is complete, or resume it when it was interrupted.

    Raises ValueError for an unknown network, task, preset, init, split or recipe value, when there is nothing to train on, and
    when the loss is no longer a number. `init` is scratch, kinetics400, or a complete run of the same network, all of whose
    weights but the head's are taken over (the paper's transfer from exercise to mgap); None means kinetics400 at the presets of
    the paper, scratch below them. `softmax` ends the network in a Softmax, as PyTorchVideo ends X3D, to show what that costs
    (11_protocol_audit). `tag` keeps a variant of the code apart from the run of the same parameters. `changes` to the recipe:
    epochs, frames, side, fit, inverse_beta, learning_rate, batch, augment, freeze, balance, input, and width, depth and
    bottleneck of an X3D.

    Everything that changes numbers is in the run's name or in the hash at its end: parameters, clips, split, the labels and marks
    of the clips that the training sees, a parent's weights. Code is not; a run of other code is loaded and called outdated.
    """
    run, task, how, parameters = asked(clip_set, network, task, preset, init, split, seed, softmax, tag, **changes)
    ranks.join()
    leads = ranks.rank() == 0
    # One process of a training waits for others that make the same run, and decides for all of its own.
    with storage.alone(run.folder) if leads else nullcontext():
        if overwrite and leads:
            run.remove()
        if not ranks.agreed(leads and _whole(run)):
            _train(run, clip_set, task, how, parameters)
        elif leads:
            facts = run.facts()
            checkpoints.remove(run.folder / "checkpoints")  # of a process that was killed just before the end
            print(f"loaded {run.name}, trained at commit {facts.get('commit')}", *filter(None, [run.changed_code()]))
    return run


def asked(
    clip_set: ClipSet, network: str, task: str, preset: str = "quick", init: str | workspace.Run | None = None,
    split: str = "video", seed: int = 0, softmax: bool = False, tag: str | None = None, **changes: object,
) -> tuple[workspace.Run, Task, Recipe, dict[str, object]]:  # fmt: skip
    """The run that `train` makes or loads, which may not be there yet, with its task, recipe and parameters."""
    how, task = recipe(network, preset, **changes), clip_set.task(task)
    clips = clip_set.table(split)
    parameters = {
        "network": network, "task": task.name, "preset": preset, "init": init, "split": split, "seed": seed,
        "recipe": kept(how), "clip_set": clip_set.hash(split), "labels": task.labels.to_json(),
        "seen": review.seen(clips, task),
    }  # fmt: skip
    if isinstance(init, workspace.Run):
        _check_parent(init, clip_set.name, parameters)
        parameters |= {
            "init": init.task, "parent": f"{init.dataset}/{init.task}/{init.name}",
            "parent_weights": init.facts().get("weights_sha256"),
        }  # fmt: skip
    elif init is None:
        parameters["init"] = init_of(preset, network)
    elif init not in INITS:
        raise ValueError(f"init = {init!r} is not one of: {', '.join(INITS)}.{nearest(init, INITS)}")
    elif init == "kinetics400":
        weights.kinetics_url(network)  # raises ValueError where there are none
    if softmax:
        parameters["head"] = "softmax"
    if tag:
        parameters["tag"] = tag
    beta = "" if how.inverse_beta == Recipe.inverse_beta else f"beta{how.inverse_beta}"
    factors = how.width, how.depth, how.bottleneck
    usual = factors == (Recipe.width, Recipe.depth, Recipe.bottleneck)
    x3d = "" if usual else "{}x{}w{:g}d{:g}b{:g}".format(how.frames, how.side, *factors)
    side = "" if split == "video" else split
    # Of labels only the task's own names count, so that a new muscle renews no exercise run.
    digest = workspace.six_hex({**parameters, "labels": task.names})
    parts = [network, parameters["init"], beta, x3d, "softmax" * softmax, tag, side, f"s{seed}", digest]
    run = workspace.Run(clip_set.name, task.name, "-".join(part for part in parts if part))
    return run, task, how, parameters


def _whole(run: workspace.Run) -> bool:
    """Whether a run is complete; where its predictions are damaged a printed line says so, and it is not."""
    try:
        return run.complete and len(predictions.read(run)) > 0
    except storage.Damaged as error:
        print(error)
        return False


def _check_parent(parent: workspace.Run, dataset: str, child: dict) -> None:
    """ValueError unless the child's network can start from the parent's weights, and the parent has not seen the child's test."""
    if not parent.complete:
        raise ValueError(f"init: {parent.name} is not a complete run")
    facts = parent.facts()
    if facts["network"] != child["network"]:
        raise ValueError(f"init: {parent.name} is a run of {facts['network']}, not of {child['network']}")
    if parent.dataset == dataset and facts["clip_set"] != child["clip_set"]:
        other = "trained on other clips or another split, and may have seen the test clips"
        raise ValueError(f"init: {parent.name} was {other}")


def _train(run: workspace.Run, clip_set: ClipSet, task: Task, how: Recipe, parameters: dict[str, object]) -> None:
    import lightning
    from lightning.pytorch.callbacks import ModelCheckpoint
    from lightning.pytorch.loggers import TensorBoardLogger

    from exmus_lib.networks.training import Checkpoints, History, NotANumber, Patience, Training, label_weights

    # Its notes (no GPU here, a service to try) would stand in every notebook, in red; the import sets the level.
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    name, on_joints = parameters["network"], how.input != "pixels"
    code = {file: digits for file, digits in workspace.code_hashes(name).items() if on_joints or file in workspace.CODE}
    facts = {**parameters, **workspace.provenance(), "code": code, "device": compute.describe(name)}
    facts["threads"] = torch.get_num_threads()  # of a CPU: another number changes the last bits
    facts |= {"views_an_epoch": joints.EPOCH[how.input]} if on_joints else {}
    # `batch` of the recipe is that of all processes together.
    facts |= {"processes": ranks.count(), "batch_norm": "of all processes" if ranks.count() > 1 else "of one process"}
    if ranks.rank() == 0:
        run.write_facts(facts)
    lightning.seed_everything(parameters["seed"], workers=True, verbose=False)
    network = build(name, len(task.names), how, softmax="head" in parameters)
    if parameters["init"] == "kinetics400":
        weights.load_kinetics(network, name)
    elif "parent" in parameters:
        weights.load_parent(network, workspace.Run(*parameters["parent"].split("/"), run.runs))
    network = ranks.synchronised(compute.prepare(network))

    clips = clip_set.table(parameters["split"])
    usable = review.usable(clips)
    train, val = (usable[usable["split"] == part] for part in ("train", "val"))
    if not len(train):
        side = f"no training clips in the {parameters['split']} split"
        raise ValueError(f"{clip_set.name}: {side}; see 01_data_prep.ipynb")
    if on_joints:
        with ranks.first():
            known = estimate_clips(clip_set)
        seen = joints.training_views(train, clip_set.name, known, how, task, parameters["seed"])
        ahead = AHEAD if how.input == "joints" else None
        train_loader = training_loader(seen, None, parameters["seed"], light=False, ahead=ahead)
    else:
        # A CPU takes so long for a view of many frames that decoding it anew costs nothing beside, and no disk.
        keep = how.seconds is None or compute.device().type == "cuda"
        with ranks.first():
            known = view_cache(clips, clip_set.folder, how, clip_set.hash("video")) if keep else None
        seen = ClipDataset(train, clip_set.folder, how, task, train=True, cache=known, seed=parameters["seed"])
        train_loader = training_loader(seen, how.batch, parameters["seed"], light=bool(known))
    val_views = predict.clip_views(clip_set, val, how, task, known)
    val_loader = validation_loader(val_views, how.batch, light=bool(known)) if len(val) else None
    # Without validation clips (a tiny data set) training loss chooses the checkpoint, as nothing else can.
    monitor = "val_loss" if val_loader else "train_loss"
    folder = run.folder / "checkpoints"
    best = ModelCheckpoint(folder, "best", monitor, save_weights_only=True, enable_version_counter=False)
    last = ModelCheckpoint(folder, "last", enable_version_counter=False)
    # A trapezoid is planned to its end: stopping early would skip the annealing.
    patience = [Patience(monitor)] if how.schedule == "constant" else []
    trainer = lightning.Trainer(
        max_epochs=how.epochs,
        min_epochs=min(how.min_epochs, how.epochs),
        accelerator=compute.device().type,
        precision=compute.precision(name, training=True),
        callbacks=[History(run), best, last, *patience],
        **ranks.lightning_options(Checkpoints(folder), unused=how.frozen_epochs > 0),
        logger=TensorBoardLogger(run.folder, name="", version="tensorboard"),
        enable_model_summary=False,
        enable_progress_bar=False,  # History shows one bar for the whole run
        log_every_n_steps=1,
        num_sanity_val_steps=0,
    )
    balance = label_weights(seen.targets.numpy(), len(task.names)) if how.balance == "classes" else None
    module = Training(network, task, how, how.epochs * len(train_loader), parameters["seed"], weights=balance)
    try:
        newest = ranks.agreed(None if ranks.rank() else checkpoints.last(folder, module))
        with leaving_cores_to_loaders() if how.input == "joints" else nullcontext():
            _fit(trainer, module, train_loader, val_loader, newest)
    except NotANumber as error:
        run.remove()  # else the next try would resume into it
        raise ValueError(f"{run.name}: {error}") from None
    if ranks.rank():
        return

    module.load_state_dict(torch.load(folder / "best.ckpt", map_location="cpu", weights_only=True)["state_dict"])
    weights.save(network, run.weights)
    network = compute.prepare(network)  # back on the GPU, from which Lightning took it
    history = run.history()
    waiting = history["data_wait_share"].mean()
    print(f"{run.name}: {waiting:.1%} of the time of training steps went into waiting for data")
    run.write_facts({
        **facts,
        "weights_sha256": weights.sha256(run.weights),
        "epochs_run": len(history),
        "best_epoch": int(history["epoch"][history[monitor].idxmin()]),
        "wall_seconds": round(history["seconds"].sum(), 1),
        "data_wait_share": round(waiting, 4),
    })  # fmt: skip
    predict.predict_clips(run, network, clips, predict.clip_views(clip_set, clips, how, task, known))
    checkpoints.remove(folder)


def _fit(trainer, module, train_loader, val_loader, last: Path | None) -> None:
    """Fit, from the last checkpoint where there is one. An interrupt stays an interrupt, in a notebook too, where Lightning
    would leave the kernel deaf to the next one and exit."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        trainer.fit(module, train_loader, val_loader, ckpt_path=last, weights_only=True)
    except SystemExit as stop:
        if stop.code != 1:  # not Lightning's, but that of a job which goes on later (submitit)
            raise
        signal.signal(signal.SIGINT, handler)
        raise KeyboardInterrupt(f"stopped in epoch {trainer.current_epoch}; run again to go on from there") from None
