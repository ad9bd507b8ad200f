"""The Kinetics loader against a server on loopback: it loads, caches, and refuses what is damaged or another network's."""

import http.server
import shutil
import threading
from functools import partial
from importlib import import_module
from pathlib import Path

import pytest
import torch
from helpers import Bomb
from pytorchvideo.models.hub import x3d as zoo
from torchvision.models import video

from exmus_lib.networks import weights
from exmus_lib.networks.build import build
from exmus_lib.recipes import HUB, NETWORKS, recipe
from exmus_lib.storage import Damaged
from exmus_lib.videos.dataset import MEAN, STD


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A checkpoint server: the folder it serves and the list of paths asked for."""
    folder, asked = tmp_path / "served", []
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            asked.append(self.path)

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder))
    threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True).start()
    address = f"http://127.0.0.1:{httpd.server_port}"
    monkeypatch.setitem(zoo.checkpoint_paths, "x3d_m", f"{address}/X3D_M.pyth")
    monkeypatch.setattr(weights, "kinetics_url", lambda name, given=weights.kinetics_url: (
        f"{address}/{name}.pth" if NETWORKS[name].builder == "torchvision" else given(name)
    ))  # fmt: skip
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    yield folder, asked
    httpd.shutdown()


def fresh(name="x3d_m"):
    torch.manual_seed(1)
    return build(name, 16, recipe(name, "smoke"))


def checkpoint(path, change=lambda state: None):
    """A file like PyTorchVideo's: 400 classes, weights under "model_state"."""
    torch.manual_seed(2)
    state = build("x3d_m", 400, recipe("x3d_m", "smoke")).net.state_dict()
    change(state)
    torch.save({"model_state": state}, path)
    return state


def test_loads_all_but_the_head_and_downloads_once(server):
    folder, asked = server
    state = checkpoint(folder / "X3D_M.pyth")
    for _ in range(2):
        net = fresh()
        head = net.head.weight.clone()
        weights.load_kinetics(net, "x3d_m")
        loaded = net.net.state_dict()
        assert all(torch.equal(loaded[k], v) for k, v in state.items() if ".proj." not in k)
        assert torch.equal(net.head.weight, head)
    assert len(asked) == 1


def trained(net: torch.nn.Module, view: torch.Tensor | list[torch.Tensor]) -> torch.nn.Module:
    """A fresh network as if it had seen a view: gains that start at zero would hide whole blocks, and signals fade without
    statistics."""
    norms = [module for module in net.modules() if isinstance(module, torch.nn.BatchNorm3d)]
    for norm in norms:
        norm.weight.data.uniform_(0.5, 1.0)
        norm.momentum = 1.0
    if norms:
        with torch.no_grad():
            net.train()(view)
    return net.eval()


@pytest.mark.parametrize("name", [name for name, row in NETWORKS.items() if row.builder == "torchvision"])
def test_every_network_of_torchvision_loads_into_ours_with_equal_logits(server, name):
    row, view = NETWORKS[name], recipe(name, "paper", frames=16)
    torch.manual_seed(2)
    pixels = torch.rand(1, 3, 16, view.side, view.side)  # 0 to 1: each network is given them normalised as it expects
    mean, std = (torch.tensor(values).view(3, 1, 1, 1) for values in row.normalisation)
    theirs = trained(getattr(video, row.options["function"])(num_classes=400), (pixels - mean) / std)
    torch.save(theirs.state_dict(), server[0] / f"{name}.pth")  # a plain state dict, as torchvision's are
    ours = build(name, 400, view).eval()
    weights.load_kinetics(ours, name)
    ours.head.load_state_dict(theirs.get_submodule(row.head).state_dict())
    with torch.inference_mode():
        logits, expected = ours((pixels - MEAN) / STD), theirs((pixels - mean) / std)
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)  # two ways to normalise


def test_a_file_placed_by_hand_may_be_a_plain_state_dict_and_is_never_deleted(server, tmp_path):
    cache = tmp_path / "torch" / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    state = checkpoint(tmp_path / "other.pyth")
    torch.save(state, cache / "X3D_M.pyth")
    net = fresh()
    weights.load_kinetics(net, "x3d_m")
    stem = "blocks.0.conv.conv_t.weight"
    assert torch.equal(net.net.state_dict()[stem], state[stem])
    torch.save({"epoch": 3}, cache / "X3D_M.pyth")
    with pytest.raises(Damaged, match=r"damaged.*renamed to X3D_M.pyth.damaged\..*init=scratch"):
        weights.load_kinetics(fresh(), "x3d_m")
    assert torch.load(cache / "X3D_M.pyth.damaged") == {"epoch": 3} and not (cache / "X3D_M.pyth").exists()


def test_truncated_file_is_refused_set_aside_and_fetched_again(server):
    folder, _ = server
    checkpoint(folder / "X3D_M.pyth")
    whole = (folder / "X3D_M.pyth").read_bytes()
    (folder / "X3D_M.pyth").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Damaged, match="damaged.*renamed.*init=scratch"):
        weights.load_kinetics(fresh(), "x3d_m")
    (folder / "X3D_M.pyth").write_bytes(whole)
    weights.load_kinetics(fresh(), "x3d_m")


def test_wrong_shape_is_refused_by_name(server):
    folder, _ = server
    stem = "blocks.0.conv.conv_t.weight"
    checkpoint(folder / "X3D_M.pyth", lambda state: state.update({stem: torch.zeros(7, 3, 1, 3, 3)}))
    with pytest.raises(RuntimeError, match=r"net\.blocks\.0\.conv\.conv_t\.weight has shape \(7, 3, 1, 3, 3\)"):
        weights.load_kinetics(fresh(), "x3d_m")


def test_code_in_a_checkpoint_is_not_run(server, tmp_path):
    folder, _ = server
    marker = tmp_path / "marker"

    torch.save({"model_state": Bomb(marker)}, folder / "X3D_M.pyth")
    with pytest.raises(Damaged, match="could run code.*renamed.*init=scratch"):
        weights.load_kinetics(fresh(), "x3d_m")
    assert not marker.exists()


def test_a_file_whose_name_tells_its_digits_must_have_them(server, monkeypatch):
    folder, _ = server
    checkpoint(folder / "X3D_M.pyth")
    digits = weights.sha256(folder / "X3D_M.pyth")[:8]
    address = zoo.checkpoint_paths["x3d_m"].rsplit("/", 1)[0]
    for name in (f"X3D_M-{digits}.pyth", "X3D_M-00000000.pyth"):
        shutil.copy(folder / "X3D_M.pyth", folder / name)
    monkeypatch.setitem(zoo.checkpoint_paths, "x3d_m", f"{address}/X3D_M-{digits}.pyth")
    weights.load_kinetics(fresh(), "x3d_m")
    monkeypatch.setitem(zoo.checkpoint_paths, "x3d_m", f"{address}/X3D_M-00000000.pyth")
    with pytest.raises(Damaged, match=f"SHA-256 {digits}..., where its name says 00000000"):
        weights.load_kinetics(fresh(), "x3d_m")


def test_torchvisions_checkpoints_tell_their_digits():
    rows = [name for name, row in NETWORKS.items() if "torchvision" in row.weights]
    assert rows and all(weights.DIGITS.search(Path(weights.kinetics_url(name)).stem) for name in rows)


def test_without_a_server_it_says_where_the_file_belongs(monkeypatch, tmp_path):
    monkeypatch.setitem(zoo.checkpoint_paths, "x3d_m", "http://127.0.0.1:9/X3D_M.pyth")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(RuntimeError) as error:
        weights.load_kinetics(fresh(), "x3d_m")
    for part in (str(tmp_path / "hub" / "checkpoints" / "X3D_M.pyth"), "init=scratch"):
        assert part in str(error.value)


def pools(net: torch.nn.Module) -> list[torch.nn.AvgPool3d]:
    return [module for module in net.modules() if isinstance(module, torch.nn.AvgPool3d)]


@pytest.mark.parametrize("name", [name for name, row in NETWORKS.items() if HUB in row.weights])
def test_every_network_of_pytorchvideos_hub_loads_into_ours_with_equal_logits(server, tmp_path, name):  # defect 0
    row, view = NETWORKS[name], recipe(name, "smoke", frames=8)
    torch.manual_seed(3)
    theirs = getattr(import_module(row.weights.removesuffix(".checkpoint_paths")), name)(pretrained=False)
    # Heads pool a fixed grid, of the view that a network was made for: the same in both, and then as small as the test's view.
    with torch.device("meta"):
        whole = build(name, 400, row.view)
    assert [pool.kernel_size for pool in pools(whole)] == [pool.kernel_size for pool in pools(theirs)]
    ours = build(name, 400, view).eval()
    for pool, small in zip(pools(theirs), pools(ours), strict=True):
        pool.kernel_size = small.kernel_size
    theirs.blocks[-1].activation = None  # X3D's and R(2+1)D's Softmax
    frames = torch.randn(2, 3, 8, view.side, view.side)

    def pathways() -> torch.Tensor | list[torch.Tensor]:  # anew for each call: SlowFast's blocks write into the list
        return [frames[:, :, [0, 7]], frames] if view.slow_every else frames

    trained(theirs, pathways())
    path = tmp_path / "torch" / "hub" / "checkpoints" / weights.kinetics_url(name).rsplit("/", 1)[-1]
    path.parent.mkdir(parents=True)
    torch.save({"model_state": theirs.state_dict()}, path)
    weights.load_kinetics(ours, name)
    ours.head.load_state_dict(theirs.get_submodule(row.head).state_dict())
    with torch.inference_mode():
        torch.testing.assert_close(ours(frames), theirs(pathways()), rtol=1e-6, atol=1e-6)
