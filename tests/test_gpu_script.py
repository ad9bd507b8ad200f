"""The script that measures settings on a GPU runs from end to end, here on a CPU at the smallest views."""

import importlib.util

import torch

from exmus_lib import workspace


def test_the_script_measures_every_setting_and_writes_a_table(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("gpu", workspace.REPOSITORY / "benchmarks" / "gpu.py")
    gpu = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(gpu)
    monkeypatch.setattr(gpu, "WARM_UP", 0)
    monkeypatch.setattr(gpu, "NETWORKS", ("x3d_m",))
    rungs = gpu.ladder()
    assert rungs["stock"] == gpu.Settings() and list(rungs.values())[-1].compiled
    gpu.main(["--file", str(tmp_path / "gpu.md"), "--preset", "smoke", "--batch", "2", "--seconds", "0"])
    lines = (tmp_path / "gpu.md").read_text().splitlines()
    rows = [line.split("|")[1:-1] for line in lines if line.startswith("| ") and "ms a clip" not in line]
    expected = [name for name, settings in rungs.items() if torch.cuda.is_available() or not settings.compiled]
    assert [row[0].strip() for row in rows] == expected and all(len(row) == 3 for row in rows)
    assert rows[0][1].strip().endswith("(x1.00)")
