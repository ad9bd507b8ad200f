"""The networks: logits, gradients, embeddings, the faster convolutions, and the tables that describe them."""

import copy

import pytest
import torch

from exmus_lib.networks import compute, describe
from exmus_lib.networks.build import build, x3d
from exmus_lib.recipes import NETWORKS, recipe

WIDTH = {name: 2304 if name.startswith("slowfast") else 2048 for name in NETWORKS}


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(("task", "labels"), [("exercise", 16), ("mgap", 11)])
def test_rows_are_logits_and_every_parameter_learns(network, task, labels):
    how = recipe(network, "smoke")
    torch.manual_seed(0)
    net = compute.prepare(build(network, task, how)).train()
    for module in net.modules():  # a block's last gain starts at zero: nothing before it would have a gradient yet
        if isinstance(module, torch.nn.BatchNorm3d):
            module.weight.data.uniform_(0.5, 1.0)
    logits, embedding = net.embed(torch.randn(2, 3, how.frames, how.side, how.side))
    assert logits.shape == (2, labels) and embedding.shape == (2, WIDTH[network])
    # A Softmax in the head would make rows of small positive numbers that sum to one.
    net.head.weight.data.mul_(1000)
    rows = net.eval()(torch.randn(2, 3, how.frames, how.side, how.side))
    assert (rows < 0).any() and (rows.abs().sum(1) > 2).all()
    logits.square().sum().backward()
    without = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


@pytest.mark.parametrize("network", ["x3d_m", "slowfast_r50"])
def test_faster_convolutions_compute_the_same_numbers_and_gradients(network):
    how = recipe(network, "quick", side=32)
    torch.manual_seed(0)
    stock = build(network, "exercise", how).eval()
    for module in stock.modules():  # zero gains would hide most of the gradients
        if isinstance(module, torch.nn.BatchNorm3d):
            module.weight.data.uniform_(0.5, 1.0)
    fast = compute.prepare(copy.deepcopy(stock))
    replaced = {type(m) for m in fast.modules()} & {
        compute.PointwiseConv3d,
        compute.TemporalConv3d,
        compute.DepthwiseConv3d,
    }
    assert len(replaced) == 2
    view = torch.randn(2, 3, how.frames, 32, 32, requires_grad=True)
    other = view.detach().clone().requires_grad_()
    stock(view).logsumexp(1).sum().backward()
    fast(other).logsumexp(1).sum().backward()
    torch.testing.assert_close(other.grad, view.grad, rtol=1e-3, atol=1e-6)
    for (name, a), b in zip(stock.named_parameters(), fast.parameters(), strict=True):
        assert (a.grad - b.grad).abs().max() <= 1e-3 * a.grad.abs().max() + 1e-7, name


def test_a_softmax_head_gives_logits_whose_sigmoids_add_up_to_one():
    network = build("x3d_s", "mgap", recipe("x3d_s", "smoke")).eval()
    view = torch.randn(2, 3, 4, 32, 32)
    plain = network(view)
    network.softmax = True
    torch.testing.assert_close(network(view).sigmoid(), plain.softmax(dim=1))


def test_the_slow_pathway_sees_the_frames_that_pytorchvideo_packs():
    seen = []
    net = build("slowfast_r50", "exercise", recipe("slowfast_r50", "smoke", frames=8))
    net.net.forward = lambda pathways: seen.extend(pathways) or torch.zeros(1, 16)
    net(torch.arange(8.0).reshape(1, 1, 8, 1, 1).expand(1, 3, 8, 32, 32))
    # linspace(0, 7, 8 // 4) = 0, 7
    assert [s[0, 0, :, 0, 0].tolist() for s in seen] == [[0, 7], [0, 1, 2, 3, 4, 5, 6, 7]]


def test_stages_add_up_to_the_whole_network():
    how = recipe("slowfast_r50", "paper")
    stages = describe.stages("slowfast_r50", how)
    assert list(stages[stages.pathway == "lateral"]["stage"]) == ["stem", "res2", "res3", "res4"]
    last = stages[stages.stage == "res5"].set_index("pathway")
    assert tuple(last.loc["slow", ["channels", "time", "height"]]) == (2048, 8, 8)
    assert tuple(last.loc["fast", ["channels", "time", "height"]]) == (256, 32, 8)
    with torch.device("meta"):
        parameters, gflops = describe.complexity(build("slowfast_r50", "exercise", how), (32, 256, 256))
    assert stages["parameters"].sum() / 1e6 == pytest.approx(parameters)
    assert stages["gflops"].sum() == pytest.approx(gflops) == pytest.approx(65.7, abs=0.1)  # the model zoo's figure


def test_x2d_costs_what_its_authors_say():
    with torch.device("meta"):
        net = x3d(1, 112, depth=1.0, bottleneck=1.0)
    # 20.67 M multiply-adds: Feichtenhofer 2020, Table 1 (X2D)
    assert describe.complexity(net, (1, 112, 112))[1] * 1e3 == pytest.approx(20.67, abs=0.02)


@pytest.mark.parametrize("inverse_beta", [2, 4, 8, 10, 16])
def test_slowfast_learns_with_every_beta(inverse_beta):
    how = recipe("slowfast_r50", "smoke", inverse_beta=inverse_beta)
    torch.manual_seed(0)
    net = compute.prepare(build("slowfast_r50", "exercise", how)).train()
    view, target = torch.randn(2, 3, how.frames, how.side, how.side), torch.arange(2)
    optimizer = torch.optim.AdamW(net.parameters(), 1e-3, fused=True)
    losses = []
    for _ in range(20):
        loss = torch.nn.functional.cross_entropy(net(view), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-3:]) < 0.7 * sum(losses[:3])


def test_fewer_channels_in_the_fast_pathway_cost_less():
    hows = {b: recipe("slowfast_r50", "smoke", inverse_beta=b) for b in (2, 4, 8, 10, 16)}
    fast = [
        describe.stages("slowfast_r50", how).query("pathway == 'fast'")["channels"].tolist() for how in hows.values()
    ]
    # stem 64, then 256, 512, 1024, 2048 channels of the Slow pathway, divided and rounded down
    assert fast[0] == [32, 128, 256, 512, 1024] and fast[3] == [6, 25, 51, 102, 204] and fast[4] == [4, 16, 32, 64, 128]
    millions = [describe.costs({"slowfast_r50": how}, "exercise")["parameters (M)"].item() for how in hows.values()]
    assert millions == sorted(millions, reverse=True)


@pytest.mark.parametrize(("network", "gflops"), [("slow_r50", 54.5), ("i3d_r50", 37.5), ("r2plus1d_r50", 76.5)])
def test_baselines_cost_what_the_model_zoo_says(network, gflops):
    found = describe.costs({network: recipe(network, "paper")}, "exercise")["GFLOPs a view"].item()
    assert found == pytest.approx(gflops, rel=0.02)
