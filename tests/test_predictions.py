"""The predictions table: whole or absent, checked on both ways, and joined to the truth by clip_id."""

import numpy as np
import pandas as pd
import pytest

from exmus_lib import labels, predictions, workspace
from exmus_lib.tasks import task

DEFAULT = labels.read()
EXERCISE, MGAP = task("exercise", DEFAULT), task("mgap", DEFAULT)
MUSCLES = DEFAULT.muscles
FILES = ["predictions.parquet", "run.json"]
RUN = workspace.Run("sample", "mgap", "x3d_m-scratch-s0-000000")


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("EXMUS_HOME", str(tmp_path))
    RUN.write_facts(dict.fromkeys(("network", "preset", "split", "clip_set"), "any") | {"seed": 0})
    return tmp_path


@pytest.fixture
def clips() -> pd.DataFrame:
    names = [f"clip{i}" for i in range(6)]
    exercises = ["Squat", "Deadlift", "Squat", "Push-up", "Deadlift", "Russian Twist"]
    splits = ["train", "train", "val", "test", "test", "test"]
    return pd.DataFrame(
        {"clip_id": names, "video_id": names, "exercise": exercises, "split": splits}, index=range(10, 16)
    )


@pytest.fixture
def table(clips) -> pd.DataFrame:
    return predictions.table(clips, np.arange(6 * 11).reshape(6, 11) / 10, MUSCLES)


def test_columns_are_keys_and_logits_in_label_order(table):
    assert list(table.columns[:5]) == ["clip_id", "video_id", "split", "logit/triceps", "logit/lats"]
    assert list(table.columns[3:]) == [f"logit/{m}" for m in MUSCLES]
    assert predictions.names_of(table) == MUSCLES
    assert table.loc[1, "clip_id"] == "clip1" and table.loc[1, "logit/lats"] == np.float32(1.2)


def test_a_table_read_is_the_table_written(table):
    predictions.write(RUN.folder / "predictions.parquet", table, MUSCLES)
    pd.testing.assert_frame_equal(predictions.read(RUN), table)
    assert RUN.complete and sorted(p.name for p in RUN.folder.iterdir()) == FILES


def test_a_failing_write_leaves_the_old_file_and_nothing_else(table, monkeypatch):
    path = RUN.folder / "predictions.parquet"
    predictions.write(path, table, MUSCLES)
    before = path.read_bytes()

    def half(self, part, **_):
        part.write_bytes(b"PAR1 and then the disk is full")
        raise OSError("No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", half)
    with pytest.raises(OSError, match="No space left"):
        predictions.write(path, table.assign(split="test"), MUSCLES)
    assert path.read_bytes() == before and sorted(p.name for p in RUN.folder.iterdir()) == FILES


def test_an_unsound_table_is_refused_by_name_before_anything_is_written(table):
    path = RUN.folder / "predictions.parquet"
    infinite = table.assign(**{"logit/lats": [0, np.inf, 0, 0, np.nan, 0]})
    twice = table.assign(clip_id=["clip0", "clip0", *table["clip_id"][2:]])
    refused = {
        r"columns \[.*\] are not those of these labels": (table, DEFAULT.exercises),
        r"columns .*'logit/biceps', 'logit/lats'": (
            table[[*table.columns[:4], *table.columns[[5, 4]], *table.columns[6:]]],
            MUSCLES,
        ),
        r"clips listed twice: \['clip0'\]": (twice, MUSCLES),
        r"splits \['dev'\] are not among": (table.assign(split="dev"), MUSCLES),
        r"not numbers for \['clip1', 'clip4'\]": (infinite, MUSCLES),
    }
    for message, (unsound, names) in refused.items():
        with pytest.raises(ValueError, match=f"predictions.parquet: .*{message}"):
            predictions.write(path, unsound, names)
    assert not path.exists()


def test_reading_checks_too(table):
    table.drop(columns="logit/abs").to_parquet(RUN.folder / "predictions.parquet", index=False)
    with pytest.raises(ValueError, match="predictions.parquet: columns"):
        predictions.read(RUN)


def test_a_missing_run_names_those_there_are(table):
    with pytest.raises(FileNotFoundError, match="none; train one with 02_x3d.ipynb"):
        predictions.read(RUN)
    predictions.write(RUN.folder / "predictions.parquet", table, MUSCLES)
    with pytest.raises(
        FileNotFoundError, match=f'"x3d_m-scratch-s1-000000" for sample/mgap. Did you mean "{RUN.name}"'
    ):
        predictions.read(workspace.Run("sample", "mgap", "x3d_m-scratch-s1-000000"))


@pytest.mark.parametrize("seed", [0, 1])
def test_truth_is_joined_by_clip_whatever_the_order_of_rows(table, clips, seed):
    shuffled = table.sample(frac=1, random_state=seed)
    rows, truth, logits = predictions.with_truth(shuffled, clips.sample(frac=1, random_state=seed + 7), MGAP)
    assert dict(zip(rows["clip_id"], rows["exercise"], strict=True)) == {
        "clip3": "Push-up",
        "clip4": "Deadlift",
        "clip5": "Russian Twist",
    }
    for clip, muscles, values in zip(rows["clip_id"], truth, logits, strict=True):
        exercise = clips.set_index("clip_id").loc[clip, "exercise"]
        assert [m for m, yes in zip(MUSCLES, muscles, strict=True) if yes] == [
            m for m in MUSCLES if m in DEFAULT.muscles_of[exercise]
        ]
        np.testing.assert_array_equal(values, np.float32(np.arange(11) / 10 + 1.1 * int(clip[-1])))


def test_split_none_takes_all(table, clips):
    assert len(predictions.with_truth(table, clips, MGAP, split=None)[1]) == 6
    assert len(predictions.with_truth(table, clips, MGAP, split="train")[1]) == 2


def test_another_clip_set_is_refused(table, clips):
    with pytest.raises(
        ValueError, match=r"1 predicted clips are not in the manifest \(first: clip4\): not the same clip set"
    ):
        predictions.with_truth(table, clips[clips["clip_id"] != "clip4"], MGAP)


def test_another_split_is_refused(table, clips):
    moved = clips.assign(split=["test", *clips["split"][1:]])
    with pytest.raises(ValueError, match=r"1 predicted clips .* \(first: clip0, predicted as train, there test\)"):
        predictions.with_truth(table, moved, MGAP)


def test_test_clips_without_a_prediction_are_not_left_out_in_silence(table, clips):
    with pytest.raises(ValueError, match=r"no prediction for 2 clips of the manifest \(first: clip3\)"):
        predictions.with_truth(table.drop(index=[3, 5]), clips, MGAP)
    assert len(predictions.with_truth(table.drop(index=[0, 3]), clips, MGAP, split="val")[1]) == 1


def test_columns_of_a_run_stand_in_its_own_order_and_what_it_does_not_know_is_refused(table, clips):
    few = table[[*table.columns[:3], "logit/glutes", "logit/chest"]]
    only = clips.assign(exercise="Hip Thrust")
    assert predictions.with_truth(few, only, MGAP)[1].tolist() == [[1, 0]] * 3
    with pytest.raises(ValueError, match="other labels: muscle hamstrings, lower back is not among glutes, chest"):
        predictions.with_truth(few, clips.assign(exercise="Deadlift"), MGAP)


def test_probabilities():
    logits = np.log([[1.0, 2.0, 5.0]])
    np.testing.assert_allclose(EXERCISE.probabilities(logits), [[1 / 8, 2 / 8, 5 / 8]])
    np.testing.assert_allclose(MGAP.probabilities(logits), [[1 / 2, 2 / 3, 5 / 6]])
    assert np.isfinite(EXERCISE.probabilities(np.array([[900.0, -900.0]]))).all()
