"""`make demo` in small: notebooks of a plan run, two at a time, and the one that fails is named."""

import shutil
import subprocess
import sys
import time
from threading import Event

import nbformat
import pytest

from exmus_lib import workbook, workspace
from exmus_lib.workbook import Step


@pytest.fixture
def house(monkeypatch, tmp_path):
    """A repository of three notebooks, one of which fails; its outputs lie in it too."""
    monkeypatch.setenv("EXMUS_HOME", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(workspace, "REPOSITORY", tmp_path)
    (tmp_path / "notebooks").mkdir()
    says = "from pathlib import Path\nPath('said.txt').open('a').write(f'{task} {preset}\\n')"
    for name, last in {"first": says, "second": says, "broken": "raise ValueError('no such video: my.mp4')"}.items():
        cells = [
            nbformat.v4.new_code_cell("task, preset = None, None", metadata={"tags": ["parameters"]}),
            nbformat.v4.new_code_cell(f"import os\nos.chdir({str(tmp_path)!r})\n{last}"),
        ]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
        nbformat.write(notebook, tmp_path / "notebooks" / f"{name}.ipynb")
    return tmp_path


def test_every_step_of_a_plan_runs_at_quick_and_leaves_its_notebook(house):
    workbook.run(((Step("first"),), workbook.both("second")))
    first, *others = (house / "said.txt").read_text().splitlines()
    assert first == "None quick" and sorted(others) == ["exercise quick", "mgap quick"]
    executed = {path.name for path in (house / "outputs" / "executed").iterdir()}
    assert executed == {"first.ipynb", "second.mgap.ipynb", "second.exercise.ipynb"}


def test_steps_of_a_list_run_in_turn(own_home, monkeypatch):
    seen = []

    def execute(step, *_):
        seen.append(f"{step.name} begins")
        time.sleep(0.05)
        seen.append(f"{step.name} ends")

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(workbook, "execute", execute)
    workbook.run((([Step("first"), Step("second"), Step("third")],),))
    assert seen == [f"{name} {what}" for name in ("first", "second", "third") for what in ("begins", "ends")]


def test_no_later_step_of_a_list_begins_once_a_step_beside_it_failed(own_home, monkeypatch):
    begun, list_runs = [], Event()

    def execute(step, *_):
        begun.append(step.name)
        if step.name == "broken":
            assert list_runs.wait(60)
            raise SystemExit("stopped in broken")
        list_runs.set()
        time.sleep(0.5)

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(workbook, "execute", execute)
    with pytest.raises(SystemExit, match="stopped in broken"):
        workbook.run(((Step("broken"), [Step("first"), Step("second")]),))
    assert sorted(begun) == ["broken", "first"]


def test_a_notebook_that_fails_is_named_and_what_comes_after_is_not_run(house):
    with pytest.raises(SystemExit, match=r"stopped in broken\.mgap: ValueError: no such video: my\.mp4\nwhat it did"):
        workbook.run(((Step("broken", {"task": "mgap"}),), (Step("first"),)))
    assert (house / "outputs" / "executed" / "broken.mgap.ipynb").exists()
    assert not (house / "said.txt").exists()


CUT_OFF = ("unshare", "--map-root-user", "--net")  # not even 127.0.0.1 answers


@pytest.mark.skipif(
    shutil.which("unshare") is None or subprocess.run([*CUT_OFF, "true"], capture_output=True).returncode != 0,
    reason="this system lets nobody cut a process off from its network",
)
def test_notebooks_run_where_not_even_the_loopback_device_is_up(house):
    script = (
        "import sys; from pathlib import Path; from exmus_lib import workbook, workspace\n"
        "workspace.REPOSITORY = Path(sys.argv[1]); workbook.run((workbook.both('first') * 2,))"
    )
    command = [*CUT_OFF, sys.executable, "-c", script, str(house)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL, timeout=120)
    assert sorted((house / "said.txt").read_text().splitlines()) == ["exercise quick"] * 2 + ["mgap quick"] * 2
