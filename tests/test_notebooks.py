"""Every notebook at `smoke`, through papermill: the files that it leaves, the pictures that it shows, and what it refuses."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from scipy.special import expit

from exmus_lib import labels, predictions, workbook, workspace
from exmus_lib.scores import ensembles
from exmus_lib.workbook import Step

NOTEBOOKS = workspace.REPOSITORY / "notebooks"
LABELS = labels.read()
OLD = "of another day"  # the commit of an ensemble that is there before 05 runs


# As `make workbook` in small.
STAGES = (
    (Step("01_data_prep"),),
    (Step("03_slowfast", {"networks": "slowfast_r50"}), Step("02_x3d", {"networks": "x3d_m"})),
    (
        Step("04_baselines", {"task": "mgap", "networks": "slow_r50,x3d_m"}),
        Step("06_transfer", {"networks": "x3d_m,slowfast_r50"}),
        Step("07_beta_ablation", {"betas": "8,10"}),
        Step("13_expansion", {"steps": 1}),
        Step("05_ensembles", {"overwrite": True}),
        # 08 keeps nothing, and takes overwrite all the same.
        Step("08_tsne", {"networks": "x3d_m,slowfast_r50", "overwrite": True}),
    ),
    (
        Step("11_protocol_audit", {"epochs": 1}),
        Step("14_honest_numbers"),
        Step("12_real_people"),
        Step("10_report"),
        Step("09_explore"),
    ),
)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Every notebook has run at `smoke`."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXMUS_HOME", str(home))
        patch.setenv("JUPYTER_PREFER_ENV_PATH", "1")
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setattr(workbook, "CONCURRENT", 1)  # pytest's other workers have the other cores
        patch.setattr(workbook, "cpu_count", lambda: 1)
        workbook.run(STAGES[:2], "smoke")
        members = [runs_of(home, "exercise", f"{network}-scratch-s0")[0] for network in ("x3d_m", "slowfast_r50")]
        ensemble = ensembles.store([workspace.Run.at(member) for member in members], 0.25)
        ensemble.write_facts({**ensemble.facts(), "commit": OLD})
        workbook.run(STAGES[2:], "smoke")
    return home


def papermill(home: Path, notebook: str, *parameters: str) -> subprocess.CompletedProcess:
    """Run a notebook from a folder that is not the repository."""
    command = [sys.executable, "-m", "papermill", "--log-level", "ERROR", "--no-progress-bar"]
    command += [str(NOTEBOOKS / f"{notebook}.ipynb"), str(home / f"{notebook}.out.ipynb")]
    for name, value in zip(parameters[::2], parameters[1::2], strict=True):
        command += ["-p", name, value]
    environment = {**os.environ, "EXMUS_HOME": str(home), "JUPYTER_PREFER_ENV_PATH": "1"}
    return subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True)


def without_picture(home: Path, notebook: str) -> list[str]:
    """The cells of an executed notebook that draw, and show nothing."""
    cells = nbformat.read(home / "outputs" / "executed" / f"{notebook}.ipynb", 4).cells
    drawing = [
        cell for cell in cells if cell.cell_type == "code" and "figures." in cell.source.replace("import figures", "")
    ]
    return [c.source for c in drawing if not any("image/png" in output.get("data", {}) for output in c.outputs)]


def figures(home: Path) -> set[str]:
    return {path.stem for path in (home / "outputs" / "figures" / "sample-smoke").rglob("*.pdf")}


@pytest.mark.parametrize("step", [step for stage in STAGES for step in stage], ids=lambda s: s.name)
def test_every_cell_that_draws_shows_its_picture(home, step):
    assert without_picture(home, step.name) == []


def test_01_leaves_tables_clips_and_figures(home):
    folder = home / "data" / "clips" / "sample-smoke"
    clips = pd.read_parquet(folder / "clips.parquet")
    assert set(clips["split_video"]) == {"train", "val", "test"} and clips["exercise"].nunique() == 16
    assert all((folder / path).stat().st_size > 0 for path in clips["path"])
    assert {"fig1-exercises", "fig2-class-balance-exercise", "fig3-class-balance-mgap"} <= figures(home)


@pytest.mark.parametrize(
    ("figure", "network"), [("fig4-x3d-stages-exercise", "x3d_m"), ("fig5-slowfast-stages-exercise", "slowfast_r50")]
)
def test_02_and_03_leave_complete_runs(home, figure, network):
    (run,) = runs_of(home, "exercise", f"{network}-scratch-s0")
    table = predictions.check(pd.read_parquet(run / "predictions.parquet"), LABELS.exercises)
    assert set(table["split"]) == {"train", "val", "test"}
    assert {f"{run.name}-by-label", figure} <= figures(home)


def test_04_leaves_baselines_with_and_without_a_network(home):
    for kind in ("slow_r50-scratch", "prevalence", "lookup-x3d_m", "probe-x3d_m"):
        (run,) = runs_of(home, "mgap", kind)[:1]
        predictions.check(pd.read_parquet(run / "predictions.parquet"), LABELS.muscles)


def test_05_leaves_the_papers_three_ensembles_and_the_chosen_one(home):
    assert len(runs_of(home, "exercise", "ensemble-x3d_m-")) == 4


def test_05_makes_its_ensembles_anew_when_overwrite_asks_for_it(home):
    made = [workspace.Run.at(folder).facts() for folder in runs_of(home, "exercise", "ensemble-x3d_m-")]
    assert 0.25 in [facts["weights"][0] for facts in made] and OLD not in [facts["commit"] for facts in made]


def test_06_leaves_fine_tuned_runs_and_their_ensembles(home):
    for network in ("x3d_m", "slowfast_r50"):
        (tuned,) = runs_of(home, "mgap", f"{network}-exercise-s0")
        assert network in workspace.Run.at(tuned).facts()["parent"]
    assert len(runs_of(home, "mgap", "ensemble-x3d_m-")) == 3


def test_07_leaves_a_run_for_each_beta_and_takes_that_of_03(home):
    assert len(runs_of(home, "exercise", "slowfast_r50-scratch-s0")) == 1
    assert len(runs_of(home, "exercise", "slowfast_r50-scratch-beta10-s0")) == 1


def test_08_and_10_leave_pictures_and_the_report(home):
    assert {"fig6-tsne-exercise", "fig7-tsne-exercise"} <= figures(home)
    cells = pd.read_csv(home / "outputs" / "tables" / "sample-smoke-smoke" / "paper.csv")
    assert len(cells) == 315 and set(cells[cells["ours"].notna()]["table"]) == {2, 4, 5, 6, *range(7, 15)}
    reports = home / "outputs" / "report"
    assert "sample-smoke-smoke/index.html" in (reports / "index.html").read_text(encoding="utf-8")
    page = (reports / "sample-smoke-smoke" / "index.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 9  # seven of the paper, the verdict, and the search of 13


def test_11_leaves_its_figures_and_a_network_that_ends_in_a_softmax(home):
    assert {"11_perfect", "11_one-predictor", "11_simulated", "11_dropped", "11_checkpoint"} <= figures(home)
    (run,) = runs_of(home, "mgap", "x3d_m-exercise-softmax-s0")
    table = predictions.check(pd.read_parquet(run / "predictions.parquet"), LABELS.muscles)
    total = expit(predictions.logits(table)).sum(axis=1)
    assert total == pytest.approx(1, abs=1e-3)  # at most one muscle can pass one half


def test_13_leaves_a_run_for_each_candidate_and_they_stand_in_the_report(home):
    table = pd.read_csv(home / "outputs" / "tables" / "sample-smoke-smoke" / "expansion.csv")
    made = {run.name for run in runs_of(home, "exercise", "x2d-")}
    assert len(table) >= 7 and set(table["run"]) == made
    page = (home / "outputs" / "report" / "sample-smoke-smoke" / "index.html").read_text(encoding="utf-8")
    assert all(f"<small>{run}</small>" in page for run in made)


def test_14_leaves_its_figures(home):
    assert {"14_bootstrap", "14_coverage", "14_intervals", "14_reliability"} <= figures(home)


def test_12_leaves_its_figures_and_joints_beside_the_clips(home):
    names = "seen side-by-side observations learning poses-and-pixels confusion mistakes repetitions worth".split()
    assert {f"12_{name}" for name in names} <= figures(home)
    assert list((home / "data" / "clips" / "sample-smoke" / "poses").glob("*.npz"))


def test_a_notebook_that_trains_nothing_stops_with_the_command_that_makes_what_it_misses(home):
    result = papermill(home, "05_ensembles", "preset", "smoke", "seed", "7")
    assert result.returncode != 0 and "seed 7" in result.stderr
    assert (
        "Make it first: papermill notebooks/02_x3d.ipynb out.ipynb -p dataset sample -p task exercise" in result.stderr
    )


def runs_of(home: Path, task: str, start: str) -> list[Path]:
    return list((home / "outputs" / "runs" / "sample-smoke" / task).glob(f"{start}*"))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("tsk", "mgap", ['unknown parameter "tsk"', 'Did you mean "task"?', "networks"]),
        ("task", "mgpa", ["task = 'mgpa'", "exercise, mgap", 'Did you mean "mgap"?']),
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
