"""Every notebook at `smoke`, through papermill as its users run it: the files that it leaves, and what it refuses."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pandas as pd
import pytest

from exmus_lib import predictions, workspace

NOTEBOOKS = workspace.REPOSITORY / "notebooks"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


def papermill(home: Path, notebook: str, *parameters: str) -> subprocess.CompletedProcess:
    """Run a notebook from a folder that is not the repository."""
    command = [sys.executable, "-m", "papermill", "--log-level", "ERROR", "--no-progress-bar"]
    command += [str(NOTEBOOKS / f"{notebook}.ipynb"), str(home / f"{notebook}.out.ipynb")]
    for name, value in zip(parameters[::2], parameters[1::2], strict=True):
        command += ["-p", name, value]
    environment = {**os.environ, "EXMUS_HOME": str(home), "JUPYTER_PREFER_ENV_PATH": "1"}
    return subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True)


def checked(result: subprocess.CompletedProcess) -> None:
    assert result.returncode == 0, result.stderr[-3000:]


def without_picture(home: Path, notebook: str) -> list[str]:
    """The cells of an executed notebook that draw, and show nothing."""
    cells = nbformat.read(home / f"{notebook}.out.ipynb", 4).cells
    drawing = [
        cell for cell in cells if cell.cell_type == "code" and "figures." in cell.source.replace("import figures", "")
    ]
    assert drawing
    return [c.source for c in drawing if not any("image/png" in output.get("data", {}) for output in c.outputs)]


def figures(home: Path) -> set[str]:
    return {path.stem for path in (home / "outputs" / "figures" / "sample-smoke").glob("*.pdf")}


def test_01_leaves_tables_clips_and_figures(home):
    checked(papermill(home, "01_data_prep", "preset", "smoke"))
    folder = home / "data" / "clips" / "sample-smoke"
    clips = pd.read_parquet(folder / "clips.parquet")
    assert set(clips["split_video"]) == {"train", "val", "test"} and clips["exercise"].nunique() == 16
    assert all((folder / path).stat().st_size > 0 for path in clips["path"])
    assert {"fig1-exercises", "fig2-class-balance-exercise", "fig3-class-balance-mgap"} <= figures(home)
    assert without_picture(home, "01_data_prep") == []


@pytest.fixture(scope="module")
def trained(home):
    """02 and 03 have run on exercises, with one network each."""
    for notebook, network in (("02_x3d", "x3d_m"), ("03_slowfast", "slowfast_r50")):
        checked(papermill(home, notebook, "preset", "smoke", "networks", network))
    return home


@pytest.mark.parametrize(("notebook", "network"), [("02_x3d", "x3d_m"), ("03_slowfast", "slowfast_r50")])
def test_02_and_03_leave_complete_runs(trained, notebook, network):
    (run,) = runs_of(trained, "exercise", network)
    table = predictions.check(pd.read_parquet(run / "predictions.parquet"), "exercise")
    assert set(table["split"]) == {"train", "val", "test"}
    assert {f"{run.name}-by-label"} <= figures(trained)
    assert without_picture(trained, notebook) == []
    assert any(name.startswith("fig4" if notebook == "02_x3d" else "fig5") for name in figures(trained))


def test_04_leaves_baselines_with_and_without_a_network(trained):
    checked(papermill(trained, "04_baselines", "preset", "smoke", "task", "mgap", "networks", "r2plus1d_r50,x3d_m"))
    for kind in ("r2plus1d_r50-scratch", "prevalence", "lookup-x3d_m", "probe-x3d_m"):
        (run,) = runs_of(trained, "mgap", kind)
        predictions.check(pd.read_parquet(run / "predictions.parquet"), "mgap")
    assert without_picture(trained, "04_baselines") == []


def test_05_leaves_the_papers_three_ensembles_and_the_chosen_one(trained):
    checked(papermill(trained, "05_ensembles", "preset", "smoke"))
    assert len(runs_of(trained, "exercise", "ensemble-x3d_m-")) == 4
    assert "05_ensembles-exercise" in figures(trained) and without_picture(trained, "05_ensembles") == []


def test_06_leaves_fine_tuned_runs_and_their_ensembles(trained):
    checked(papermill(trained, "06_transfer", "preset", "smoke", "networks", "x3d_m,slowfast_r50"))
    for network in ("x3d_m", "slowfast_r50"):
        (tuned,) = runs_of(trained, "mgap", f"{network}-exercise")
        assert network in workspace.Run.at(tuned).facts()["parent"]
    assert len(runs_of(trained, "mgap", "ensemble-x3d_m-")) == 3
    assert without_picture(trained, "06_transfer") == []


def test_07_leaves_a_run_for_each_beta(trained):
    checked(papermill(trained, "07_beta_ablation", "preset", "smoke", "betas", "8,10"))
    assert len(runs_of(trained, "exercise", "slowfast_r50-scratch-s0")) == 1  # that of 03, not another one
    assert len(runs_of(trained, "exercise", "slowfast_r50-scratch-beta10-s0")) == 1
    assert without_picture(trained, "07_beta_ablation") == []


def test_08_and_10_leave_pictures_and_the_report(trained):
    checked(papermill(trained, "08_tsne", "preset", "smoke", "networks", "x3d_m,slowfast_r50"))
    assert {"fig6-tsne-exercise", "fig7-tsne-exercise"} <= figures(trained)
    assert without_picture(trained, "08_tsne") == []
    checked(papermill(trained, "10_report", "preset", "smoke"))
    cells = pd.read_csv(trained / "outputs" / "tables" / "sample-smoke" / "paper.csv")
    assert cells["ours"].notna().any() and len(cells) == 315
    page = (trained / "outputs" / "report" / "index.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") >= 4  # Figures 4 to 7 at least


def test_05_without_runs_stops_with_the_command_that_makes_them(trained):
    result = papermill(trained, "05_ensembles", "preset", "smoke", "seed", "7")
    assert result.returncode != 0
    assert (
        "Make it first: papermill 02_x3d.ipynb out.ipynb -p task exercise" in result.stderr
        and "seed 7" in result.stderr
    )


def runs_of(home: Path, task: str, start: str) -> list[Path]:
    return list((home / "outputs" / "runs" / "sample-smoke" / task).glob(f"{start}*"))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("tsk", "mgap", ['unknown parameter "tsk"', 'Did you mean "task"?', "networks"]),
        ("task", "mgpa", ["task = 'mgpa'", "exercise, mgap", 'Did you mean "mgap"?']),
        ("preset", "fast", ["preset = 'fast'", "smoke, quick, paper", "Nearest:"]),
    ],
)
def test_a_wrong_name_or_value_stops_the_notebook_in_its_first_cells(home, name, value, words):
    result = papermill(home, "03_slowfast", name, value)
    assert result.returncode != 0
    assert all(word in result.stderr for word in words), result.stderr[-2000:]
    executed = nbformat.read(home / "03_slowfast.out.ipynb", 4)
    ran = [cell for cell in executed.cells if cell.cell_type == "code" and cell.execution_count]
    assert len(ran) <= 4


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("[01]*.ipynb")), ids=lambda path: path.stem)
def test_notebooks_are_stored_clean_and_readable(path):
    notebook = nbformat.read(path, 4)
    assert notebook.metadata.kernelspec.name == "python3"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert sum("parameters" in cell.metadata.get("tags", []) for cell in code) == 1
    for cell in code:
        assert not cell.outputs and cell.execution_count is None
        assert len([line for line in cell.source.splitlines() if line.strip()]) <= 25, cell.source
