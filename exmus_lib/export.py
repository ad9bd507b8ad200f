"""The network of a run as a file for other programs, ONNX or OpenVINO, in float32 or 8 bits, checked against the run.

The file takes `views`, uint8 red, green and blue (batch, 3, time, height, width), any number, frames spread evenly over a clip as
the run's recipe says, and gives `logits` (batch, labels) in the order of run.json's labels. Normalisation and, in SlowFast, the
choice of frames for the Slow pathway are inside.
"""

import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.utils.data import DataLoader
from tqdm.auto import tqdm

from exmus_lib import predictions, review, storage
from exmus_lib.networks import compiled, predict
from exmus_lib.networks.build import VideoNetwork
from exmus_lib.recipes import Recipe
from exmus_lib.scores import metrics
from exmus_lib.videos import prepare
from exmus_lib.workspace import Run

PACKAGES = {"onnx": ("onnx", "onnxruntime"), "openvino": ("openvino",)}
QUANTISATION = "nncf"  # Intel's: one call for both formats, which knows 3D convolutions
MAX_DEVIATION = 1e-4  # of float32 logits, as a share of their range
MAX_LOSS = 0.01  # of the task's headline metric, by 8 bits
CALIBRATION = 128  # training clips that the ranges of 8 bits are measured on

Infer = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Exported:
    """A file, its size in bytes, and how its logits compare with the run's on so many test clips: largest deviation as a share
    of their range, the share of clips with the same highest logit, and the task's headline metric of the run and of the file."""

    path: Path
    size: int
    clips: int
    deviation: float
    same: float
    metric: str
    ours: float
    theirs: float

    def __str__(self) -> str:
        return (
            f"{self.path}: {self.size / 1e6:.1f} MB; on {self.clips} test clips logits deviate by at most {self.deviation:.1e} of"
            f" their range, {self.same:.1%} have the same highest one, {self.metric} {self.theirs:.4f} (ours {self.ours:.4f})"
        )


def export(run: Run, form: str, int8: bool = False, to: Path | None = None) -> Exported:
    """Write network.onnx or network.xml and .bin (network-int8 with 8 bits) to the run's folder, or the folder `to`.

    The file is loaded back and predicts the test clips of the run's data set; it appears only if it agrees: in float32 logits
    within MAX_DEVIATION of their range, in 8 bits, calibrated on training clips, no more than MAX_LOSS of the headline metric
    lost. Raises ValueError for a run without a network of its own, on joints or without a clip to check on, and for a file that
    does not agree; FileNotFoundError for a run that is not complete or whose data set is gone; ModuleNotFoundError naming the
    packages that are missing.
    """
    _check_installed((*PACKAGES[form], QUANTISATION) if int8 else PACKAGES[form])
    network, recipe = predict.restore(run)
    name = run.facts()["network"]
    if recipe.input != "pixels":
        raise ValueError(f"{run.name} reads joints: an exported network takes pictures, and finds none in them")
    clip_set = prepare.load(run.dataset)
    clips, task = review.usable(clip_set.table(run.facts()["split"])), predictions.task_of(run)
    test, training = (clips[clips["split"] == split] for split in ("test", "train"))
    for split, part in {"test": test, "training": training}.items():
        if part.empty and (split == "test" or int8):
            raise ValueError(f"{run.name}: {run.dataset} has no usable {split} clip; take marks away, or add videos")

    def views(chosen: pd.DataFrame) -> list[np.ndarray]:
        batches = DataLoader(predict.clip_views(clip_set, chosen, recipe, task), recipe.batch)
        return [view.numpy() for view, _ in tqdm(iter(batches), "reading", len(batches), leave=False)]

    folder = to or run.folder
    folder.mkdir(parents=True, exist_ok=True)
    storage.sweep(folder)
    with tempfile.TemporaryDirectory(dir=folder, prefix=storage.part_name()) as part:
        few = training.sample(min(CALIBRATION, len(training)), random_state=0) if int8 else None
        file = Path(part) / ("network-int8" if int8 else "network")
        infer = WRITERS[form](compiled.plain(network, name, recipe), recipe, file, views(few) if int8 else None)
        made = _compare(run, network, views(test), infer, test, file)
        agrees = made.ours - made.theirs <= MAX_LOSS if int8 else made.deviation <= MAX_DEVIATION
        if not agrees or np.isnan(made.deviation):
            allowed = f"{MAX_LOSS} of {made.metric} may be lost" if int8 else f"{MAX_DEVIATION} is allowed"
            raise ValueError(f"not written, since it does not agree with the run ({allowed}): {made}")
        for source in sorted(Path(part).iterdir()):  # .bin before .xml: where that is, the other is too
            path = source.replace(folder / source.name)
    return replace(made, path=path)


def _check_installed(packages: tuple[str, ...]) -> None:
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise ModuleNotFoundError(
            f"{' and '.join(missing)} must be installed for this: {sys.executable} -m pip install {' '.join(missing)}"
        )


def _onnx(network: VideoNetwork, recipe: Recipe, file: Path, calibration: list[np.ndarray] | None) -> Infer:
    """Write file.onnx; what the file answers to views."""
    import onnxruntime

    path = file.with_suffix(".onnx")
    with warnings.catch_warnings():
        # The exporter of before torch.export: it takes a third of the time and no further package, and knows every network here.
        warnings.filterwarnings("ignore")
        torch.onnx.export(
            network,
            (compiled.blank(recipe, 2),),
            str(path),
            dynamo=False,
            opset_version=17,
            input_names=["views"],
            output_names=["logits"],
            dynamic_axes={"views": {0: "batch"}, "logits": {0: "batch"}},
        )
    if calibration is not None:
        import onnx

        onnx.save(_quantised(onnx.load(path), calibration, lambda views: {"views": views}), path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda views: session.run(None, {"views": views})[0]


def _openvino(network: VideoNetwork, recipe: Recipe, file: Path, calibration: list[np.ndarray] | None) -> Infer:
    """Write file.xml and file.bin; what they answer to views."""
    openvino, path = compiled.package(), file.with_suffix(".xml")
    try:
        model = compiled.converted(network, compiled.blank(recipe, 2))
    except RuntimeError as error:  # S3D at fewer than 8 frames, whose last pooling is wider than what it pools
        reason = str(error).strip().splitlines()[-1]
        raise ValueError(
            f"OpenVINO cannot convert this network for its views; export --onnx. It says: {reason}"
        ) from error
    model.inputs[0].get_tensor().set_names({"views"})
    model.outputs[0].get_tensor().set_names({"logits"})
    if calibration is not None:
        model = _quantised(model, calibration, lambda views: views)
    openvino.save_model(model, path, compress_to_fp16=False)
    loaded = compiled.load(path)
    return lambda views: loaded(views)[0]


WRITERS = {"onnx": _onnx, "openvino": _openvino}


def _quantised(model: object, calibration: list[np.ndarray], given: Callable[[np.ndarray], object]) -> object:
    """A model of either format with weights and activations in 8 bits, their ranges taken from these views."""
    compiled.package()  # nncf, too, reports its use where it can
    import nncf

    nncf.set_log_level(40)  # errors
    single = [view[None] for batch in calibration for view in batch]
    return nncf.quantize(model, nncf.Dataset(single, given), subset_size=len(single))


@torch.inference_mode()
def _compare(
    run: Run, network: VideoNetwork, batches: list[np.ndarray], infer: Infer, clips: pd.DataFrame, file: Path
) -> Exported:
    """What a file answers beside the run's network in float32, on these views of clips."""
    device = next(network.parameters()).device
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):  # a GPU would round to 10 bits
        ours = np.concatenate([network.eval()(torch.from_numpy(views).to(device)).cpu().numpy() for views in batches])
    theirs = np.concatenate([infer(np.ascontiguousarray(views)) for views in batches])
    task = predictions.task_of(run)
    truth = task.truth(clips.exercise)
    ours_metric, theirs_metric = (
        float(metrics.measure(truth, task.probabilities(logits.astype(float)))[task.headline].iloc[0])
        for logits in (ours, theirs)
    )
    return Exported(
        path=file,
        size=sum(path.stat().st_size for path in file.parent.iterdir()),
        clips=len(ours),
        deviation=float(np.abs(ours - theirs).max() / np.ptp(ours)),
        same=float((ours.argmax(axis=1) == theirs.argmax(axis=1)).mean()),
        metric=task.headline,
        ours=ours_metric,
        theirs=theirs_metric,
    )
