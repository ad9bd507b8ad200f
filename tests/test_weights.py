"""The Kinetics loader against a server on loopback: it loads, caches, and refuses what is damaged or another network's."""

import http.server
import threading
from functools import partial

import pytest
import torch
from pytorchvideo.models.hub import x3d as zoo

from exmus_lib.networks import weights
from exmus_lib.networks.build import build
from exmus_lib.recipes import recipe


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A checkpoint server: the folder it serves and the list of paths asked for."""
    folder, asked = tmp_path / "served", []
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            asked.append(self.path)

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder))
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    monkeypatch.setitem(zoo.checkpoint_paths, "x3d_m", f"http://127.0.0.1:{httpd.server_port}/X3D_M.pyth")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    yield folder, asked
    httpd.shutdown()


def fresh():
    torch.manual_seed(1)
    return build("x3d_m", "exercise", recipe("x3d_m", "smoke"))


def checkpoint(path, change=lambda state: None):
    """A file like PyTorchVideo's: 400 classes, weights under "model_state"."""
    torch.manual_seed(2)
    net = build("x3d_m", "exercise", recipe("x3d_m", "smoke")).net
    net.blocks[-1].proj = torch.nn.Linear(2048, 400)
    state = net.state_dict()
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


def test_truncated_file_is_refused_removed_and_fetched_again(server):
    folder, _ = server
    checkpoint(folder / "X3D_M.pyth")
    whole = (folder / "X3D_M.pyth").read_bytes()
    (folder / "X3D_M.pyth").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RuntimeError, match="damaged.*removed.*init=scratch"):
        weights.load_kinetics(fresh(), "x3d_m")
    (folder / "X3D_M.pyth").write_bytes(whole)
    weights.load_kinetics(fresh(), "x3d_m")


def test_wrong_shape_is_refused_by_name(server):
    folder, _ = server
    stem = "blocks.0.conv.conv_t.weight"
    checkpoint(folder / "X3D_M.pyth", lambda state: state.update({stem: torch.zeros(7, 3, 1, 3, 3)}))
    with pytest.raises(RuntimeError, match=r"net\.blocks\.0\.conv\.conv_t\.weight has shape \(7, 3, 1, 3, 3\)"):
        weights.load_kinetics(fresh(), "x3d_m")


def test_code_in_a_checkpoint_is_not_run(server):
    folder, _ = server

    class Bomb:
        def __reduce__(self):
            return (print, ("never",))

    torch.save({"model_state": Bomb()}, folder / "X3D_M.pyth")
    with pytest.raises(RuntimeError, match="not a PyTorchVideo checkpoint"):
        weights.load_kinetics(fresh(), "x3d_m")


def test_without_a_server_it_says_where_the_file_belongs(monkeypatch, tmp_path):
    monkeypatch.setitem(zoo.checkpoint_paths, "x3d_m", "http://127.0.0.1:9/X3D_M.pyth")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(RuntimeError) as error:
        weights.load_kinetics(fresh(), "x3d_m")
    assert str(tmp_path / "hub" / "checkpoints" / "X3D_M.pyth") in str(error.value) and "init=scratch" in str(
        error.value
    )


def test_every_network_has_an_address():
    for network in weights.CHECKPOINTS:
        assert weights.kinetics_url(network).endswith(".pyth")
