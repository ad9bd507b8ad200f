"""What a GPU does otherwise: `pytest tests/test_gpu.py` where there is one. `make test` hides it, and tests what CPUs do."""

import copy

import numpy as np
import pytest
import torch
from test_networks import fresh, noise

from exmus_lib import predictions
from exmus_lib.networks import compute, fit, predict
from exmus_lib.recipes import NETWORKS
from exmus_lib.videos.prepare import prepare

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")


@pytest.mark.parametrize("name", NETWORKS)
def test_logits_and_gradients_are_those_of_the_cpu(name, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    ours, view = fresh(name), noise(name)
    stock, ours = copy.deepcopy(ours), compute.prepare(ours)
    there = view.to(compute.device(), memory_format=compute.FORMAT if view.dim() == 5 else torch.preserve_format)
    expected, got = stock(view), ours(there)
    torch.testing.assert_close(got.cpu(), expected, rtol=1e-3, atol=1e-4)
    expected.logsumexp(1).sum().backward()
    got.logsumexp(1).sum().backward()
    pairs = [(mine.grad.cpu(), theirs.grad) for mine, theirs in zip(ours.parameters(), stock.parameters(), strict=True)
             if theirs.grad is not None]  # fmt: skip
    largest = max(theirs.norm() for _, theirs in pairs)  # some are zero but for rounding
    assert max((mine - theirs).norm() / largest for mine, theirs in pairs) < 1e-2


@pytest.mark.parametrize("network", ["x3d_s", "slowfast_r50", "mvit_v2_s"])
def test_a_training_is_predicted_where_it_was_trained_and_again_after_it_was_loaded(network, home):
    clip_set = prepare(str(home / "gym"))
    run = fit.train(clip_set, network, "exercise", "smoke")
    loaded, recipe = predict.restore(run)
    assert next(loaded.parameters()).is_cuda
    table = predictions.read(run)
    clips = clip_set.table("video").set_index("clip_id").loc[table["clip_id"]].reset_index()
    views = predict.clip_views(clip_set, clips, recipe, clip_set.task("exercise"))
    logits, _ = predict.forward_all(loaded, views, network)
    first = table[[c for c in table.columns if c.startswith("logit")]].to_numpy()
    np.testing.assert_allclose(logits, first, atol=0.02 * np.ptp(first) + 1e-3)
    assert len(predict.several_views(run, clip_set, 2)) == len(table)
