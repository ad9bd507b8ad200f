"""BlazePose's files: fetched once out of a package, checked, set aside when damaged, asked for when there is no internet."""

import hashlib
import subprocess
import zipfile

import pytest

from exmus_lib.poses import files as module
from exmus_lib.poses.files import cache, files

CONTENTS = {name: name.encode() for name in module.FILES}


@pytest.fixture
def fetched(monkeypatch, tmp_path):
    """A cache of its own and a pip that gives a small package with the files; the commands that were run."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(module, "FILES", {name: hashlib.sha256(data).hexdigest() for name, data in CONTENTS.items()})
    commands = []

    def run(command, **options):
        commands.append(command)
        with zipfile.ZipFile(f"{command[-1]}/mediapipe.whl", "w") as package:
            for name, data in CONTENTS.items():
                package.writestr(name, data)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(module.subprocess, "run", run)
    return commands


def test_the_cache_is_torch_hubs(monkeypatch, tmp_path):
    hub = pytest.importorskip("torch.hub")
    for home, xdg in ((tmp_path / "a", None), (None, tmp_path / "b"), (None, None), ("~/c", tmp_path / "d")):
        for name, value in (("TORCH_HOME", home), ("XDG_CACHE_HOME", xdg)):
            monkeypatch.setenv(name, str(value)) if value else monkeypatch.delenv(name, raising=False)
        assert str(cache()) == f"{hub.get_dir()}/checkpoints"


def test_files_are_fetched_once(fetched, capsys):
    for _ in range(2):
        assert [path.read_bytes() for path in files()] == list(CONTENTS.values())
    assert len(fetched) == 1 and "mediapipe==0.10.21" in fetched[0]
    printed = capsys.readouterr().out
    assert "Apache-2.0" in printed and printed.count("\n") == 1


def test_a_damaged_file_is_set_aside_and_fetched_anew(fetched, capsys):
    detector, landmarks = files()
    whole = landmarks.stat().st_mtime_ns
    detector.write_bytes(b"half")
    assert files() == (detector, landmarks) and detector.read_bytes() == next(iter(CONTENTS.values()))
    assert detector.with_name("pose_detection.tflite.damaged").read_bytes() == b"half"
    assert landmarks.stat().st_mtime_ns == whole
    assert "pose_detection.tflite is damaged" in capsys.readouterr().out


def test_without_internet_the_error_says_what_belongs_where(fetched, monkeypatch, tmp_path):
    failed = subprocess.CompletedProcess([], 1, "", "WARNING: retrying\nERROR: no such host\n")
    monkeypatch.setattr(module.subprocess, "run", lambda command, **options: failed)
    with pytest.raises(RuntimeError) as error:
        files()
    for part in (
        "no such host",
        "python -m pip download mediapipe==0.10.21",
        *(str(tmp_path / "torch" / "hub" / "checkpoints" / name.rsplit("/", 1)[-1]) for name in module.FILES),
        *module.FILES.values(),
        *module.FILES,
    ):
        assert part in str(error.value)


def test_a_package_with_other_files_is_refused(fetched, monkeypatch):
    monkeypatch.setattr(module, "FILES", {name: "0" * 64 for name in CONTENTS})
    with pytest.raises(RuntimeError, match="is not the file that was expected"):
        files()
    assert not list(cache().glob("*.tflite"))


def test_uv_runs_pip_where_the_environment_has_none(fetched, monkeypatch):
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(module.shutil, "which", lambda name: "/bin/uv")
    files()
    assert fetched[0][:4] == ["/bin/uv", "tool", "run", "pip"]
