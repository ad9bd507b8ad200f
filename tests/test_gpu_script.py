"""The script that measures settings on a GPU runs from end to end, here on a CPU at the smallest views."""

import importlib.util
import subprocess

from exmus_lib import workspace


def test_the_script_measures_every_setting_and_writes_a_table(tmp_path, monkeypatch, capsys):
    spec = importlib.util.spec_from_file_location("gpu", workspace.REPOSITORY / "benchmarks" / "gpu.py")
    gpu = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(gpu)
    monkeypatch.setattr(gpu, "WARM_UP", 0)
    monkeypatch.setattr(gpu, "NETWORKS", ("x3d_m",))
    assert gpu.ladder()["stock"] == gpu.Settings() and gpu.ladder(compiled=True)["+ torch.compile"].compiled

    def here(command, **_):  # not in a process for each row, which imports everything anew
        gpu.main(command[2:])
        return subprocess.CompletedProcess(command, 0, capsys.readouterr().out.splitlines()[-1])

    monkeypatch.setattr(gpu.subprocess, "run", here)
    monkeypatch.setattr(gpu.workspace, "provenance", lambda: {"versions": {"torch": "2"}, "commit": "0"})
    gpu.main(["--file", str(tmp_path / "gpu.md"), "--preset", "smoke", "--batch", "2", "--seconds", "0"])
    lines = (tmp_path / "gpu.md").read_text().splitlines()
    rows = [line.split("|")[1:-1] for line in lines if line.startswith("| ") and "ms a clip" not in line]
    assert [row[0].strip() for row in rows] == list(gpu.ladder()) and all(len(row) == 3 for row in rows)
    assert rows[0][1].strip().endswith("(x1.00)")
