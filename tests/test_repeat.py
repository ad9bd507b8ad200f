"""`python -m exmus_lib.workbook repeat`: equal where nothing changed; it says what cannot be repeated, and what is not equal."""

import json

import helpers
import pytest

from exmus_lib import review, workbook, workspace
from exmus_lib.networks import fit
from exmus_lib.scores import ensembles
from exmus_lib.videos.prepare import prepare


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A clip set, and a run of an unusual recipe that started from another."""
    place = tmp_path_factory.mktemp("home")
    helpers.gym(place / "gym", 6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXMUS_HOME", str(place))
        clip_set = prepare(str(place / "gym"))
        parent = fit.train(clip_set, "x3d_s", "exercise", "smoke")
        yield clip_set, fit.train(clip_set, "x3d_s", "mgap", "smoke", parent, "clip", 3, learning_rate=1e-3, epochs=2)


def test_a_run_is_repeated_bit_for_bit_and_the_second_leaves_nothing(trained, capsys):
    _, run = trained
    others = workspace.find_runs(run.dataset, run.task)
    times = run.history().assign(seconds=99.0, data_wait_share=0.5)  # as on a busier day
    times.to_csv(run.folder / "history.csv", index=False)
    assert workbook.main(["repeat", str(run.folder)]) == 0
    assert "equal, bit for bit" in capsys.readouterr().out and workspace.find_runs(run.dataset, run.task) == others


def test_a_run_that_is_not_equal_is_kept_and_named(trained, capsys):
    _, run = trained
    facts = run.facts()
    run.write_facts(facts | {"seed": 4})  # as if another seed had made it
    try:
        assert workbook.main(["repeat", str(run.folder)]) == 1
    finally:
        run.write_facts(facts)
    out = capsys.readouterr().out
    (second,) = [one for one in workspace.find_runs(run.dataset, run.task) if one != run]
    assert "DIFFERS: weights" in out and str(second.folder) in out and second.facts()["tag"] == "repeat"
    second.remove()


def test_what_cannot_be_repeated_says_why(trained, capsys):
    clip_set, run = trained

    def why(run: workspace.Run, code: int = 2) -> str:
        assert workbook.main(["repeat", str(run.folder)]) == code
        return capsys.readouterr().err

    one = fit.train(clip_set, "x3d_s", "exercise", "smoke")
    assert "repeat x3d_s-scratch" in why(
        ensembles.store([one, fit.train(clip_set, "x3d_s", "exercise", "smoke", seed=1)], 0.5)
    )
    assert "not the folder of a run" in why(workspace.Run("gym", "exercise", "gone"))
    clip = clip_set.clips[clip_set.table("clip")["split"] == "train"].iloc[0]
    review.mark(clip_set.name, clip["clip_id"], review.UNUSABLE, clip_set.labels)
    assert "other labels or marks" in why(run)
    review.mark(clip_set.name, clip["clip_id"], None, clip_set.labels)
    text = run.folder.joinpath("run.json").read_text()
    for changes, words in (
        ({"clip_set": "000000"}, "other clips"),
        ({"parent_weights": "0" * 64}, "gone or was trained anew"),
    ):
        run.folder.joinpath("run.json").write_text(json.dumps(json.loads(text) | changes))
        assert words in why(run)
    run.folder.joinpath("run.json").write_text(text)
