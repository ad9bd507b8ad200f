"""An interrupted training's checkpoints: written beside their place, read without running code, set aside where damaged."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import helpers
import pytest
import torch

from exmus_lib import predictions, storage, workspace
from exmus_lib.networks import fit
from exmus_lib.networks.training import Checkpoints, History
from exmus_lib.videos.prepare import prepare


def half(path: Path, _) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def one_bit(path: Path, _) -> None:
    """In a tensor, where torch.load itself does not look."""
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as file:
        largest = max(file.infolist(), key=lambda entry: entry.file_size)
    data[largest.header_offset + largest.file_size // 2] ^= 1
    path.write_bytes(data)


def planted(path: Path, marker: Path) -> None:
    torch.save({**torch.load(path, weights_only=True), "planted": helpers.Bomb(marker)}, path)


def planted_in_the_old_format(path: Path, marker: Path) -> None:
    torch.save({"planted": helpers.Bomb(marker)}, path, _use_new_zipfile_serialization=False)


def of_another_network(path: Path, _) -> None:
    torch.save({**torch.load(path, weights_only=True), "state_dict": {"weight": torch.zeros(1)}}, path)


def gone(path: Path, _) -> None:
    path.unlink()


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory):
    """A function that starts a training again that was interrupted in its second epoch, and what it predicts if it is not."""
    place = tmp_path_factory.mktemp("home")
    helpers.gym(place / "gym", 6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXMUS_HOME", str(place))
        clip_set = prepare(str(place / "gym"))

        def again() -> workspace.Run:
            return fit.train(clip_set, "x3d_s", "exercise", "smoke", epochs=2)

        with pytest.MonkeyPatch.context() as cut:
            epoch_end = History.on_train_epoch_end

            def power_cut(self, trainer, module) -> None:
                epoch_end(self, trainer, module)
                if trainer.current_epoch == 1:
                    raise OSError("no power")

            cut.setattr(History, "on_train_epoch_end", power_cut)
            with pytest.raises(OSError, match="no power"):
                again()
        (last,) = place.glob("outputs/runs/*/*/*/checkpoints/last.ckpt")
        kept = shutil.copytree(last.parents[1], place / "kept")
        unbroken = predictions.read(again())

        def restart():
            shutil.rmtree(last.parents[1])
            shutil.copytree(kept, last.parents[1])
            return again

        yield restart, last, unbroken


@pytest.mark.parametrize(
    ("file", "change", "words"),
    [
        ("last.ckpt", half, "is damaged"),
        ("best.ckpt", one_bit, "is damaged"),
        ("last.ckpt", planted, "holds more than tensors and numbers, and could run code"),
        ("best.ckpt", planted, "holds more than tensors and numbers, and could run code"),
        ("last.ckpt", planted_in_the_old_format, "is damaged"),
        ("best.ckpt", of_another_network, "is of another network"),
    ],
)
def test_an_unusable_checkpoint_is_set_aside_and_the_training_begins_anew(
    interrupted, capsys, tmp_path, file, change, words
):
    restart, last, unbroken = interrupted
    again, path = restart(), last.with_name(file)
    change(path, tmp_path / "marker")
    bad = path.read_bytes()
    run = again()
    out = capsys.readouterr().out
    assert f"{path} {words}" in out and out.count("begins anew") == 1
    assert [left.read_bytes() for left in last.parent.iterdir()] == [bad]  # set aside, and nothing else is left
    assert not (tmp_path / "marker").exists()
    assert list(run.history()["epoch"]) == [0, 1] and predictions.read(run).equals(unbroken)


def test_a_checkpoint_that_is_gone_begins_the_training_anew(interrupted, capsys):
    restart, last, unbroken = interrupted
    again = restart()
    last.with_name("best.ckpt").unlink()
    assert predictions.read(again()).equals(unbroken)
    out = capsys.readouterr().out
    assert "best.ckpt is gone: the training begins anew." in out and "renamed" not in out


def test_a_sound_checkpoint_is_gone_on_from(interrupted, capsys):
    restart, last, unbroken = interrupted
    again = restart()
    before = last.parents[1].joinpath("history.csv").read_text().splitlines()[:2]
    run = again()
    assert run.folder.joinpath("history.csv").read_text().splitlines()[:2] == before
    printed = capsys.readouterr()
    assert (
        f"{run.name}: it was interrupted, and goes on after epoch 1\n" in printed.out and "not empty" not in printed.err
    )
    assert predictions.read(run).equals(unbroken) and not last.parent.exists()


def test_checkpoints_are_written_beside_their_place_and_removed_nowhere_else(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "no such folder"))
    kept = Checkpoints(tmp_path / "checkpoints")
    kept.save_checkpoint({"state_dict": {}}, tmp_path / "checkpoints" / "last.ckpt")
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["last.ckpt"]
    (tmp_path / "mine").write_text("of the user")
    kept.remove_checkpoint(tmp_path / "checkpoints" / ".." / "mine")  # as a planted checkpoint may ask for
    kept.remove_checkpoint(tmp_path / "checkpoints" / "last.ckpt")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["checkpoints", "mine"]


def test_what_killed_processes_left_goes_at_the_next_start(tmp_path):
    script = (
        "import os, sys; from pathlib import Path; from exmus_lib import storage\n"
        "with storage.atomic(Path(sys.argv[1])) as part: part.write_text('half'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "kept.csv")], cwd=workspace.REPOSITORY)
    (left,) = tmp_path.iterdir()
    mine = left.with_name(left.name.replace(left.name.split("-")[2], str(os.getpid())))  # of a living process
    mine.write_text("half")
    with storage.atomic(tmp_path / "other.csv") as part:
        part.write_text("whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == [mine.name, "other.csv"]
