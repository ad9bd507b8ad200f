"""A run's network for other programs: files that answer as the run does, the command line, and what cannot be exported."""

import os
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from exmus_lib import __main__ as cli
from exmus_lib import export, review
from exmus_lib.networks import compiled, fit, folded, predict
from exmus_lib.networks.build import build
from exmus_lib.recipes import NETWORKS, recipe
from exmus_lib.scores import ensembles
from exmus_lib.videos.prepare import prepare

ORDINARY = ("x3d_s", "slowfast_r50")  # one pathway and two; the other rows take over a minute together
ROWS = [row if row in ORDINARY else pytest.param(row, marks=pytest.mark.slow) for row in NETWORKS]
FORMS = {"onnx": "network.onnx", "openvino": "network.xml"}


def need(*packages: str) -> None:
    for package in packages:
        if find_spec(package) is None:  # importing OpenVINO here would be before compiled.package, which keeps it quiet
            pytest.skip(f"{package} is not installed: an optional extra")


def fresh(name: str) -> tuple[nn.Module, torch.Tensor]:
    """A network at a small view whose every layer counts, and three views of noise."""
    view = recipe(name, "smoke", frames=8 if name == "s3d" else None)
    torch.manual_seed(0)
    network = build(name, 5, view).eval().requires_grad_(False)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm3d):
            module.weight.data.uniform_(0.5, 1.0)  # a block's last gain starts at zero
        elif isinstance(module, nn.Conv3d) and name == "s3d":
            nn.init.kaiming_normal_(module.weight)  # its own start is so small that nothing reaches the head
    shape, kind = compiled.blank(view, 3).shape, compiled.blank(view, 1).dtype
    views = torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(1)).to(kind)
    logits = network(views)
    assert (logits.std(0) > 1e-3 * logits.abs().max()).any()  # what is shown counts
    return network, views


@pytest.fixture(scope="module")
def run(home):
    """A run of x3d_s at smoke, on ten videos of two exercises."""
    return fit.train(prepare(str(home / "gym")), "x3d_s", "exercise", "smoke")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ROWS)
def test_a_file_answers_as_the_network_for_any_number_of_views(name, form):
    need(*export.PACKAGES[form])
    network, views = fresh(name)
    view = recipe(name, "smoke", frames=views.shape[2])
    with tempfile.TemporaryDirectory() as folder:  # not tmp_path: pytest keeps that, and these are up to 250 MB each
        infer = export.WRITERS[form](network, view, Path(folder) / "network", None)
        for batch in (views, views[:1]):
            ours = network(batch).numpy()
            assert np.abs(infer(batch.numpy()) - ours).max() < 1e-4 * np.ptp(ours)


@pytest.mark.parametrize("name", [row for row in ROWS if row in ORDINARY or row.values[0] in compiled.FASTER])
def test_openvino_gives_logits_and_embeddings_of_the_network(name, monkeypatch):
    need("openvino")
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)  # float32
    network, views = fresh(name)
    fast = compiled.Compiled(network, name, recipe(name, "smoke"))
    for ours, theirs in zip(network.embed(views), fast(views), strict=True):
        assert theirs.dtype == np.float32
        assert np.abs(theirs - ours.numpy()).max() < 1e-4 * np.ptp(ours.numpy())


@pytest.mark.parametrize("form", FORMS)
def test_the_command_writes_a_file_that_others_can_load(run, form, tmp_path, capsys):
    need(*export.PACKAGES[form])
    assert cli.main(["export", str(run.folder), f"--{form}", "--to", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert (
        str(tmp_path / FORMS[form]) in printed and "100.0% have the same highest one" in printed and "top1" in printed
    )
    extra = {"network.bin"} if form == "openvino" else set()
    assert {file.name for file in tmp_path.iterdir()} == {FORMS[form]} | extra  # and nothing hidden


@pytest.mark.hard
def test_eight_bits_make_a_smaller_file(run, tmp_path):
    need("openvino", "nncf")
    small = export.export(run, "openvino", int8=True, to=tmp_path)
    large = run.weights.stat().st_size  # in float32
    assert small.path.name == "network-int8.xml" and small.size < large / 2 and small.same >= 0.5


def test_a_file_that_does_not_agree_is_not_written(run, tmp_path, monkeypatch, capsys):
    wrong = lambda *_: lambda views: np.zeros((len(views), 16), np.float32)  # noqa: E731
    monkeypatch.setattr(export, "WRITERS", {"onnx": wrong})
    monkeypatch.setattr(export, "PACKAGES", {"onnx": ()})
    assert cli.main(["export", str(run.folder), "--onnx", "--to", str(tmp_path)]) == 1
    assert "does not agree with the run (0.0001 is allowed)" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_eight_bits_whose_metric_is_undefined_are_not_written(run, tmp_path, monkeypatch, capsys):
    perfect = lambda network, *_: lambda views: network(torch.from_numpy(views)).numpy()  # noqa: E731
    monkeypatch.setattr(export, "WRITERS", {"onnx": perfect})
    monkeypatch.setattr(export, "_check_installed", lambda packages: None)
    monkeypatch.setattr(export.metrics, "measure", lambda *_: pd.DataFrame({"top1": [np.nan]}))
    assert cli.main(["export", str(run.folder), "--onnx", "--int8", "--to", str(tmp_path)]) == 1
    assert "does not agree with the run (0.01 of top1 may be lost)" in capsys.readouterr().err


def test_a_run_whose_test_clips_are_unusable_is_not_exported(run, monkeypatch, capsys):
    clip_set = prepare(os.environ["EXMUS_HOME"] + "/gym")
    for clip in clip_set.table().query("split == 'test'").itertuples():
        review.mark(clip_set.name, clip.clip_id, review.UNUSABLE, clip_set.labels)
    monkeypatch.setattr(export, "_check_installed", lambda packages: None)
    try:
        assert cli.main(["export", str(run.folder), "--onnx"]) == 1
    finally:
        review.path().unlink()
    assert "has no usable test clip; take marks away" in capsys.readouterr().err


def test_what_cannot_be_exported_says_why(run, tmp_path, monkeypatch, capsys):
    def error(folder, *options) -> str:
        assert cli.main(["export", str(folder), "--onnx", *options]) == 1
        return capsys.readouterr().err

    monkeypatch.setattr(export, "find_spec", lambda package: None if package == "onnx" else True)
    assert f"onnx must be installed for this: {sys.executable} -m pip install onnx\n" == error(run.folder)
    monkeypatch.setattr(export, "find_spec", lambda package: True)
    assert f"{tmp_path} is not the folder of a run" in error(tmp_path)

    def fail(*_):
        raise RuntimeError("Check failed:\nKernel has size 2")

    monkeypatch.setattr(compiled, "package", lambda: None)
    monkeypatch.setattr(compiled, "converted", fail)
    assert cli.main(["export", str(run.folder), "--openvino"]) == 1
    assert "cannot convert this network for its views; export --onnx. It says: Kernel has" in capsys.readouterr().err
    other = fit.train(prepare(str(os.environ["EXMUS_HOME"] + "/gym")), "x3d_s", "exercise", "smoke", seed=1)
    both = ensembles.store([run, other], 0.5)
    assert f"{both.name} has no network of its own: predict with" in error(both.folder)
    facts = run.facts()
    run.write_facts(facts | {"recipe": facts["recipe"] | {"input": "pose"}})
    try:
        predict._restored.cache_clear()
        assert "reads joints: an exported network takes pictures" in error(run.folder)
    finally:
        run.write_facts(facts)
        predict._restored.cache_clear()


@pytest.mark.parametrize(
    "changed",
    [
        {"clips": 19},
        {"network": "pose_tcn"},
        {"preset": "quick"},
        {"installed": False},
        {"machine": "arm64"},
    ],
)
def test_openvino_predicts_many_large_views_on_processors_where_it_was_faster(changed, monkeypatch):
    def asked(network="x3d_m", preset="paper", clips=20, installed=True, machine="x86_64") -> bool:
        monkeypatch.setattr(compiled, "find_spec", lambda _: installed or None)
        monkeypatch.setattr(compiled.platform, "machine", lambda: machine)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        return compiled.pays(network, recipe(network, preset), clips)

    assert asked() and not asked(**changed)


def test_prediction_is_openvinos_where_that_pays_and_each_network_is_loaded_and_converted_once(run, monkeypatch):
    made, loaded = [], []
    monkeypatch.setattr(compiled, "pays", lambda name, recipe, clips: clips > 1)  # the second video's
    monkeypatch.setattr(
        compiled,
        "Compiled",
        lambda *_: made.append(1) or (lambda views: (np.tile([3.0, 1.0] + [0.0] * 14, (len(views), 1)), 0)),
    )
    monkeypatch.setattr(predict, "build", lambda *args, **how: loaded.append(1) or build(*args, **how))
    predict._restored.cache_clear()
    clip_set = prepare(os.environ["EXMUS_HOME"] + "/gym")
    videos = [clip_set.path(clip) for clip in clip_set.clips.head(3).itertuples()]
    predict.predict(videos[0], run)
    assert not made
    for video in videos[1:]:
        answer = predict.predict(video, run)
        assert np.log(answer.iloc[0] / answer.iloc[1]) == pytest.approx(2)
    predict.restore(run)
    assert len(made) == len(loaded) == 1


def test_what_is_made_of_a_network_is_made_anew_where_that_may_be_trained_further(run, monkeypatch):
    network, how = predict.restore(run)
    monkeypatch.setattr(compiled, "pays", lambda *_: True)
    monkeypatch.setattr(compiled, "Compiled", lambda *_: object())
    one, other = (predict.predictor_of(network, "x3d_s", how, 2) for _ in range(2))
    kept = [predict.predictor_of(network, "x3d_s", how, 2, kept=True) for _ in range(2)]
    assert one is not other and kept[0] is kept[1] and kept[0] not in (one, other)


def test_many_pixels_are_predicted_by_a_folded_copy_that_is_kept_for_videos_alone(run, monkeypatch):
    network, how = predict.restore(run)
    name = run.facts()["network"]
    views = torch.randint(0, 256, (2, 3, how.frames, how.side, how.side), dtype=torch.uint8)
    few = predict.predictor_of(network, name, how, 2)
    monkeypatch.setattr(folded, "MIN_PIXELS", views[:, 0].numel())
    many = [predict.predictor_of(network, name, how, 2) for _ in range(2)]
    of_videos = [predict.predictor_of_video(network, name, how, 2) for _ in range(2)]
    # Training may go on after `many`, so that each has a copy of its own.
    assert len({id(predictor.args[0]) for predictor in (few, *many, *of_videos)}) == 4
    ours, theirs = of_videos[0](views)[0], few(views)[0]
    assert np.abs(theirs[0] - theirs[1]).max() > 0.01 * np.ptp(theirs)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=0.01 * np.ptp(theirs))  # bfloat16 here or there


def test_openvino_is_never_asked_for_statistics():
    need("openvino")
    compiled.package()
    with pytest.raises(ImportError):
        import openvino_telemetry  # noqa: F401
