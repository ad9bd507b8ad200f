"""The networks: a contract that every row of recipes.NETWORKS keeps, what is special about some, and the tables that describe
them."""

from copy import deepcopy
from importlib import import_module

import pytest
import torch
from torch import nn

from exmus_lib import storage
from exmus_lib.networks import compute, describe, folded, weights
from exmus_lib.networks.build import build, channels_of
from exmus_lib.networks.optimisers import ChannelsLastAdamW
from exmus_lib.recipes import FACEBOOK, NETWORKS, init_of, recipe, title
from exmus_lib.videos import dataset

LABELS = 5
# MViT's head reads the class token alone, and the last block's relative positions and pooled queries are of the other tokens.
WITHOUT_GRADIENT = {"mvit_v2_s": "net.blocks.15.attn."}


def fresh(name: str, seed: int = 0, **changes) -> nn.Module:
    torch.manual_seed(seed)
    net = build(name, LABELS, recipe(name, "smoke", **changes))
    for module in net.modules():  # a block's last gain starts at zero: nothing before it would have a gradient yet
        if isinstance(module, nn.BatchNorm3d):
            module.weight.data.uniform_(0.5, 1.0)
    return net.eval()


def noise(name: str, **changes) -> torch.Tensor:
    view = recipe(name, "smoke", **changes)
    shape = channels_of(view), view.frames, view.side, view.side
    views = torch.randn(2, *shape, generator=torch.Generator().manual_seed(1))
    if view.input == "joints":
        views[:, -1] = 1  # the mask
    return views


@pytest.fixture(scope="module", params=NETWORKS)
def network(request) -> tuple[str, nn.Module]:
    """A row's name, and its network at the smoke view, for tests that leave it as it is."""
    return request.param, compute.prepare(fresh(request.param))


def test_contract_logits_embedding_and_a_gradient_in_every_parameter(network):
    name, net = network[0], deepcopy(network[1])
    view = noise(name)
    logits, embedding = net.embed(view)
    assert logits.shape == (2, LABELS) and embedding.shape == (2, NETWORKS[name].embedding)
    torch.testing.assert_close(net(view), logits)
    # A linear map of the embedding, so no Softmax in the head.
    torch.testing.assert_close(embedding @ net.head.weight.flatten(1).T + net.head.bias, logits, rtol=1e-3, atol=1e-5)
    logits.logsumexp(1).sum().backward()
    without = [n for n, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert [n for n in without if not n.startswith(WITHOUT_GRADIENT.get(name, " "))] == []
    # In memory as its weights are: PyTorch's fused Adam takes for granted that it is, and updates wrong ones where it is not.
    for parameter in net.parameters():
        places = [one.squeeze().stride() for one in (parameter, parameter.grad) if one is not None]
        assert places[0] == places[-1]


def test_contract_logits_are_not_rounded_under_autocast(network):  # defect 9
    name, net = network
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        logits = net(noise(name))
    assert logits.dtype == torch.float32
    assert not torch.equal(logits, logits.bfloat16().float())


def test_contract_a_frozen_backbone_leaves_the_head_alone_to_learn(network):
    name, net = network
    before = {k: v.clone() for k, v in net.state_dict().items()}
    head = [f"net.{NETWORKS[name].head}.{which}" for which in ("weight", "bias")]
    try:
        net.freeze().train()
        net.head.dropout = 0.0
        learning = [p for p in net.parameters() if p.requires_grad]
        assert {id(p) for p in learning} == {id(p) for p in net.head.parameters()}
        assert len(net.backbone()) + len(learning) == len(list(net.parameters()))
        net(noise(name)).logsumexp(1).sum().backward()
        torch.optim.SGD(learning, 1.0).step()
        assert [k for k, v in net.state_dict().items() if not torch.equal(v, before[k])] == head  # no statistic either
        net.freeze(False)
        assert all(p.requires_grad for p in net.parameters()) and all(m.training for m in net.modules())
    finally:
        net.freeze(False).eval().load_state_dict(before)


def test_contract_a_folded_copy_has_no_batch_norm_and_gives_the_same_logits(network):
    name = network[0]
    net, view = deepcopy(network[1]).double(), noise(name).double()  # small views make much of rounding
    for norm in (module for module in net.modules() if isinstance(module, nn.BatchNorm3d)):
        norm.momentum = 1.0
    with torch.inference_mode():
        net.train()(view)  # so that every layer counts
        logits = net.eval()(view)
        copy = folded.folded(net, name, recipe(name, "smoke"))
        assert (logits[0] - logits[1]).abs().max() > 1e-2 * logits.abs().max()
        torch.testing.assert_close(copy(view), logits, rtol=1e-6, atol=1e-9 * float(logits.abs().max()))
        # What is not the copy's stays as it is.
        assert torch.equal(view, noise(name).double()) and torch.equal(net(view), logits)
    # Where gradients are allowed, too.
    torch.testing.assert_close(copy(view), logits, rtol=1e-6, atol=1e-9 * float(logits.abs().max()))
    assert not any(isinstance(module, nn.BatchNorm3d) for module in copy.modules())


def test_contract_saved_weights_give_equal_logits(network, tmp_path):
    name, net = network
    weights.save(net, tmp_path / "weights.safetensors")
    again = deepcopy(net)
    for value in again.state_dict().values():  # of what is not loaded nothing sensible would come
        value.fill_(torch.nan if value.is_floating_point() else 0)
    weights.load(again, tmp_path / "weights.safetensors")
    with torch.inference_mode():
        torch.testing.assert_close(again(noise(name)), net(noise(name)), rtol=1e-3, atol=1e-6)


def test_contract_costs_are_counted_without_computing(network):
    name, net = network
    costs = describe.costs({name: recipe(name, "paper")}, LABELS).loc[title(name)]
    assert costs["parameters (M)"] == pytest.approx(sum(p.numel() for p in net.parameters()) / 1e6, rel=0.01)
    assert costs["GFLOPs a view"] > (0.001 if name in ("x2d", "pose_tcn") else 1)


def test_contract_damaged_kinetics_weights_are_refused_and_kept(network, tmp_path, monkeypatch):
    name, net = network
    if not NETWORKS[name].weights:
        with pytest.raises(ValueError, match=f"no Kinetics-400 weights of {name}"):
            weights.load_kinetics(net, name)
        return
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    path = tmp_path / "hub" / "checkpoints" / weights.kinetics_url(name).rsplit("/", 1)[-1]
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half a checkpoint")
    with pytest.raises(storage.Damaged, match="damaged"):
        weights.load_kinetics(net, name)
    assert [p.read_bytes() for p in path.parent.iterdir()] == [b"half a checkpoint"]


def test_contract_row_says_what_the_library_says_of_its_weights(network):
    row = NETWORKS[network[0]]
    if not row.weights:
        assert row.top1 is None and row.licence is None and init_of("paper", network[0]) == "scratch"
        return
    library, _, table = row.weights.rpartition(".")
    assert weights.kinetics_url(network[0]).startswith("https://") and row.licence and 60 < row.top1 < 90
    if row.builder == "torchvision":
        published = getattr(import_module(library), table).KINETICS400_V1
        transforms = published.transforms()
        assert row.normalisation == (tuple(transforms.mean), tuple(transforms.std))
        assert row.top1 == published.meta["_metrics"]["Kinetics-400"]["acc@1"]
        assert [row.view.side] == list({*transforms.crop_size})
    else:
        assert row.normalisation == FACEBOOK == ((dataset.MEAN,) * 3, (dataset.STD,) * 3)


def test_a_network_of_a_row_that_is_gone_keeps_its_name():
    assert title("x3d_m") == "X3D-M" and title("gone") == "gone"


@pytest.mark.parametrize(("frames", "side"), [(4, 32), (5, 48), (16, 80)])
@pytest.mark.parametrize("name", [n for n, row in NETWORKS.items() if row.builder == "torchvision"])
def test_networks_of_torchvision_take_views_of_any_size(name, frames, side):
    logits = fresh(name, frames=frames, side=side)(noise(name, frames=frames, side=side))
    assert logits.shape == (2, LABELS) and logits.isfinite().all()


def test_a_softmax_head_gives_logits_whose_sigmoids_add_up_to_one():
    network = fresh("x3d_s")
    view = noise("x3d_s")
    plain = network(view)
    network.softmax = True
    torch.testing.assert_close(network(view).sigmoid(), plain.softmax(dim=1))


def test_the_head_alone_drops_out_and_only_in_training():
    network, view = fresh("x3d_s", dropout=0.5), noise("x3d_s")
    assert torch.equal(network(view), network(view))
    network.freeze().train()
    assert not torch.equal(network(view), network(view))


def test_the_slow_pathway_sees_the_frames_that_pytorchvideo_packs():
    pathways = []
    net = fresh("slowfast_r50", frames=8)
    net.net.forward = lambda views: pathways.extend(views) or torch.zeros(1, LABELS)
    net(torch.arange(8.0).reshape(1, 1, 8, 1, 1).expand(1, 3, 8, 32, 32))
    # linspace(0, 7, 8 // 4) = 0, 7
    assert [view[0, 0, :, 0, 0].tolist() for view in pathways] == [[0, 7], [0, 1, 2, 3, 4, 5, 6, 7]]


def test_a_block_of_x3d_widens_looks_around_channel_by_channel_and_narrows():
    block = describe.block("x3d_m", 16, recipe("x3d_m", "smoke")).set_index("purpose")
    assert list(block.index) == ["widen", "look around", "squeeze", "excite", "narrow"]
    assert block["parameters"].tolist() == [24 * 54, 27 * 54, 54 * 8 + 8, 8 * 54 + 54, 54 * 24]
    assert block.index[block["each_channel_alone"]].tolist() == ["look around"]


def test_stages_add_up_to_the_whole_network():
    view = recipe("slowfast_r50", "paper")
    stages = describe.stages("slowfast_r50", 16, view)
    assert list(stages[stages.pathway == "lateral"]["stage"]) == ["stem", "res2", "res3", "res4"]
    last = stages[stages.stage == "res5"].set_index("pathway")
    assert tuple(last.loc["slow", ["channels", "time", "height"]]) == (2048, 8, 8)
    assert tuple(last.loc["fast", ["channels", "time", "height"]]) == (256, 32, 8)
    # beta 1/8 and two channels out for each one in: 2 * 64 / 8, 2 * 256 / 8, ...
    assert list(stages[stages.pathway == "lateral"]["channels"]) == [16, 64, 128, 256]
    with torch.device("meta"):
        parameters, gflops = describe.complexity(build("slowfast_r50", 16, view), (32, 256, 256))
    assert stages["parameters"].sum() / 1e6 == pytest.approx(parameters)
    assert stages["gflops"].sum() == pytest.approx(gflops) == pytest.approx(65.7, abs=0.1)  # the model zoo's figure


@pytest.mark.parametrize("inverse_beta", [2, 10, 16])
def test_slowfast_learns_with_large_odd_and_small_beta(inverse_beta):
    view = recipe("slowfast_r50", "smoke", inverse_beta=inverse_beta)
    torch.manual_seed(0)
    net = compute.prepare(build("slowfast_r50", 16, view)).train()
    views, target = torch.randn(2, 3, view.frames, view.side, view.side), torch.arange(2)
    optimizer = ChannelsLastAdamW(net.parameters(), 1e-3, fused=True)
    losses = []
    for _ in range(12):
        loss = nn.functional.cross_entropy(net(views), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-3:]) < 0.7 * sum(losses[:3])


def test_fewer_channels_in_the_fast_pathway_cost_less():
    recipes = {b: recipe("slowfast_r50", "smoke", inverse_beta=b) for b in (2, 4, 8, 10, 16)}
    tables = [describe.stages("slowfast_r50", 16, chosen).query("pathway == 'fast'") for chosen in recipes.values()]
    fast = [table["channels"].tolist() for table in tables]
    # stem 64, then 256, 512, 1024, 2048 channels of the Slow pathway, divided and rounded down
    assert fast[0] == [32, 128, 256, 512, 1024] and fast[3] == [6, 25, 51, 102, 204] and fast[4] == [4, 16, 32, 64, 128]
    costs = [describe.costs({"slowfast_r50": chosen}, 16)["parameters (M)"].item() for chosen in recipes.values()]
    assert costs == sorted(costs, reverse=True)


# A view at the size of the model zoo's figures, PyTorchVideo's and, for 16 frames, torchvision's ("_ops" of their enums).
@pytest.mark.parametrize(
    ("name", "frames", "gflops"),
    [("slow_r50", 8, 54.5), ("i3d_r50", 8, 37.5), ("r2plus1d_r50", 16, 76.5), ("slowfast_r101", 32, 127.2)]
    + [("mvit_v2_s", 16, 64.2), ("swin3d_t", 16, 43.9), ("s3d", 16, 18.0)],
)
def test_networks_cost_what_the_model_zoos_say(name, frames, gflops):
    costs = describe.costs({name: recipe(name, "paper", frames=frames)}, 400)
    assert costs["GFLOPs a view"].item() == pytest.approx(gflops, rel=0.02)
