"""Pooled metrics: by hand, against scikit-learn and torchmetrics, and where they have no value."""

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as sk
import torch
import torchmetrics.classification as tm
from runs import EXERCISE, LABELS, MGAP, TASKS, one_hot

from exmus_lib import predictions, workspace
from exmus_lib.scores.metrics import measure, per_label, score

E, M = len(LABELS.exercises), len(LABELS.muscles)


def random_exercise(clips: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Truth (N,) with every class, and probabilities (N, 16) that are right more often than not."""
    random = np.random.default_rng(seed)
    truth = random.permutation(np.arange(clips) % E)
    return truth, random.dirichlet(np.ones(E) / 2, clips) * 0.6 + 0.4 * np.eye(E)[
        (truth + (random.random(clips) < 0.3)) % E
    ]


def random_mgap(clips: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    truth = (random.random((clips, M)) < np.linspace(0.1, 0.7, M)).astype(int)
    return truth, 0.3 * truth + 0.7 * random.random((clips, M))


def measured(truth: np.ndarray, probabilities: np.ndarray) -> pd.Series:
    """The metrics of clips that count once each."""
    return measure(truth, probabilities).iloc[0]


def chosen(classes: list[int]) -> np.ndarray:
    """Probabilities (N, 16) that leave no doubt."""
    return np.eye(E)[classes]


def test_exercise_equals_scikit_learn():
    truth, probabilities = random_exercise()
    guess = probabilities.argmax(axis=1)
    macro = sk.precision_recall_fscore_support(truth, guess, average="macro")[:3]
    expected = {
        "top1": sk.accuracy_score(truth, guess),
        "top5": sk.top_k_accuracy_score(truth, probabilities, k=5),
        "auc": sk.roc_auc_score(truth, probabilities, multi_class="ovr", average="macro"),
        **dict(zip(("precision", "recall", "f1"), macro, strict=True)),
        "undefined": 0,
        "clips": 200,
    }
    assert measured(truth, probabilities).to_dict() == pytest.approx(expected, abs=1e-12)


def test_mgap_equals_scikit_learn():
    truth, probabilities = random_mgap()
    guess = (probabilities > 0.5).astype(int)
    macro = sk.precision_recall_fscore_support(truth, guess, average="macro")[:3]
    expected = {
        "accuracy": sk.accuracy_score(truth.ravel(), guess.ravel()),
        "exact_match": sk.accuracy_score(truth, guess),
        "auc": sk.roc_auc_score(truth, probabilities, average="macro"),
        **dict(zip(("precision", "recall", "f1"), macro, strict=True)),
        "map": sk.average_precision_score(truth, probabilities, average="macro"),
        "undefined": 0,
        "clips": 200,
    }
    assert measured(truth, probabilities).to_dict() == pytest.approx(expected, abs=1e-12)


def test_torchmetrics_agrees():
    truth, probabilities = random_exercise(seed=1)
    referees = {
        "top1": tm.MulticlassAccuracy(E, average="micro"),
        "top5": tm.MulticlassAccuracy(E, top_k=5, average="micro"),
        "auc": tm.MulticlassAUROC(E),
        "precision": tm.MulticlassPrecision(E),
        "recall": tm.MulticlassRecall(E),
        "f1": tm.MulticlassF1Score(E),
    }
    agree(measured(truth, probabilities), referees, truth, probabilities)
    truth, probabilities = random_mgap(seed=1)
    referees = {
        "accuracy": tm.MultilabelAccuracy(M, average="micro"),
        "exact_match": tm.MultilabelExactMatch(M),
        "auc": tm.MultilabelAUROC(M),
        "precision": tm.MultilabelPrecision(M),
        "recall": tm.MultilabelRecall(M),
        "f1": tm.MultilabelF1Score(M),
        "map": tm.MultilabelAveragePrecision(M),
    }
    agree(measured(truth, probabilities), referees, truth, probabilities)


@pytest.mark.parametrize("clips", [random_exercise(), random_mgap()], ids=["exercise", "mgap"])
def test_a_clip_of_weight_two_counts_as_two_clips(clips):
    truth, probabilities = clips[0], clips[1].round(1)  # rounded, so that many scores are equal
    weights = np.random.default_rng(0).integers(0, 3, (4, len(truth)))
    actual = measure(truth, probabilities, weights)
    for (_, row), times in zip(actual.iterrows(), weights, strict=True):
        repeated = measured(np.repeat(truth, times, axis=0), np.repeat(probabilities, times, axis=0))
        assert row.to_dict() == pytest.approx(repeated.to_dict(), abs=1e-12)


def agree(ours: pd.Series, referees: dict, truth: np.ndarray, probabilities: np.ndarray) -> None:
    """Every metric of ours has a referee, fed in batches of 8, and both say the same."""
    assert set(ours.index) - {"undefined", "clips"} == set(referees)
    for name, referee in referees.items():
        for start in range(0, len(truth), 8):
            batch = slice(start, start + 8)
            referee.update(torch.from_numpy(probabilities[batch]), torch.from_numpy(truth[batch]))
        assert ours[name] == pytest.approx(float(referee.compute()), abs=1e-6), name


def test_exercise_by_hand():
    # true 0 0 0 1 1 2, said 0 0 1 1 0 3: class 2 is present and never said, class 3 said and not present
    actual = measured(np.array([0, 0, 0, 1, 1, 2]), chosen([0, 0, 1, 1, 0, 3]))
    assert actual["top1"] == pytest.approx(3 / 6)
    assert actual["precision"] == pytest.approx((2 / 3 + 1 / 2 + 0 + 0) / 4)
    assert actual["recall"] == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)  # class 3 has no clip to recall
    assert actual["f1"] == pytest.approx((2 * 2 / (3 + 3) + 2 * 1 / (2 + 2) + 0 + 0) / 4)
    # pairs of a positive and a negative clip in the right order, a tie half: 2 of 3 against 2 of 3, and so on
    assert actual["auc"] == pytest.approx(
        ((2 * 2 + (2 * 1 + 1 * 2) / 2) / 9 + (1 * 3 + (1 * 1 + 1 * 3) / 2) / 8 + 0.5) / 3
    )
    assert (actual["undefined"], actual["clips"]) == (13, 6)


def test_top5_counts_five():
    probabilities = np.tile(np.linspace(0.9, 0.1, E), (2, 1))  # class 0 highest, then 1, 2 ...
    assert measured(np.array([4, 5]), probabilities)["top5"] == 1 / 2
    assert np.isnan(
        measured(np.array([0, 1]), probabilities[:, :5] / probabilities[:, :5].sum(1, keepdims=True))["top5"]
    )


def test_mgap_by_hand():
    truth, probabilities = np.zeros((4, M), dtype=int), np.full((4, M), 0.1)
    truth[:, 0], probabilities[:, 0] = [1, 1, 0, 0], [0.9, 0.4, 0.6, 0.1]
    truth[:, 1], probabilities[:, 1] = [1, 0, 0, 0], [0.8, 0.7, 0.2, 0.1]
    actual = measured(truth, probabilities)
    assert actual["accuracy"] == pytest.approx(1 - (2 + 1) / (4 * 11))
    assert actual["exact_match"] == 2 / 4  # the first and the last clip
    assert actual["precision"] == pytest.approx((1 / 2 + 1 / 2) / 2)
    assert actual["recall"] == pytest.approx((1 / 2 + 1 / 1) / 2)
    assert actual["f1"] == pytest.approx((2 * 1 / (2 + 2) + 2 * 1 / (1 + 2)) / 2)
    assert actual["auc"] == pytest.approx((3 / 4 + 3 / 3) / 2)
    assert actual["map"] == pytest.approx(((1 / 1 + 2 / 3) / 2 + 1 / 1) / 2)
    assert actual["undefined"] == 9


def test_a_probability_of_one_half_is_a_no():
    truth, half = np.zeros((1, M), dtype=int), np.full((1, M), 0.5)
    assert measured(truth, half)["accuracy"] == 1 and per_label(truth, half, LABELS.muscles)["predicted"].sum() == 0


def test_perfect_predictions_score_one():
    truth = random_exercise()[0]
    actual = measured(truth, chosen(truth))
    assert (actual[list(EXERCISE.metrics)] == 1).all()
    truth = random_mgap()[0]
    assert (measured(truth, truth.astype(float))[list(MGAP.metrics)] == 1).all()


def test_constant_predictions():
    truth = np.arange(160) % E
    actual = measured(truth, np.full((160, E), 1 / E))
    assert actual.to_dict() == pytest.approx(
        # of equal probabilities the first class counts as highest: it is right for 10 clips of 160
        {"top1": 1 / 16, "top5": 5 / 16, "auc": 0.5, "precision": (1 / 16 + 15 * 0) / 16, "recall": 1 / 16}
        | {"f1": (2 * 10 / (10 + 160) + 15 * 0) / 16, "undefined": 0, "clips": 160}
    )
    truth = MGAP.truth(LABELS.exercises)
    actual = measured(truth, np.zeros((E, M)))
    positives = truth.sum()  # 27 marks in the paper's Table 1
    assert actual["accuracy"] == pytest.approx(1 - positives / (E * M))
    assert actual["map"] == pytest.approx(positives / (E * M))  # the mean prevalence
    assert actual[["exact_match", "precision", "recall", "f1"]].tolist() == [0, 0, 0, 0] and actual["auc"] == 0.5


def test_a_label_without_positives_is_left_out_and_counted():
    truth, probabilities = random_mgap()
    truth[:, 3], probabilities[:, 3] = 0, 0.1
    kept = np.delete(np.arange(M), 3)
    actual, table = measured(truth, probabilities), per_label(truth, probabilities, LABELS.muscles)
    assert actual["undefined"] == 1
    assert table.loc["quads", ["precision", "recall", "f1", "auc", "average_precision"]].isna().all()
    assert actual["auc"] == pytest.approx(sk.roc_auc_score(truth[:, kept], probabilities[:, kept], average="macro"))
    assert actual["f1"] == pytest.approx(sk.f1_score(truth[:, kept], probabilities[:, kept] > 0.5, average="macro"))
    probabilities[0, 3] = 0.9  # said once, wrongly: precision is defined now, and 0
    assert per_label(truth, probabilities, LABELS.muscles).loc["quads", ["precision", "f1"]].tolist() == [0, 0]


def test_a_label_without_negatives_lacks_only_its_auc():
    truth, probabilities = random_mgap()
    truth[:, 3], probabilities[:, 3] = 1, 0.9
    row = per_label(truth, probabilities, LABELS.muscles).loc["quads"]
    assert np.isnan(row["auc"]) and row[["precision", "recall", "f1", "average_precision"]].tolist() == [1, 1, 1, 1]
    assert measured(truth, probabilities)["undefined"] == 1


def test_one_clip():
    actual = measured(np.array([3]), chosen([3]))
    assert actual[["top1", "top5", "precision", "recall", "f1"]].tolist() == [1] * 5
    assert np.isnan(actual["auc"]) and actual["undefined"] == E


@pytest.mark.parametrize(
    ("truth", "probabilities", "message"),
    [
        (np.zeros(0, dtype=int), np.zeros((0, E)), "no clips to score"),
        (np.zeros((2, E)), np.zeros((2, M)), r"truth \(2, 16\) and probabilities \(2, 11\) do not fit"),
        (np.zeros((2, M)), np.zeros((3, M)), r"truth \(2, 11\) and probabilities \(3, 11\) do not fit"),
        (np.zeros(2, dtype=int), np.full((2, E), 3.0), "were logits handed over"),
        (np.zeros(2, dtype=int), np.full((2, E), np.nan), "not all within 0 and 1"),
        (np.array([0, 16]), np.zeros((2, E)), r"truth holds \[16\].*0 to 15"),
        (np.full((2, M), 2), np.zeros((2, M)), r"truth holds \[2\].*0 to 1"),
    ],
)
def test_what_cannot_be_scored_is_refused(truth, probabilities, message):
    with pytest.raises(ValueError, match=message):
        measured(truth, probabilities)


def test_per_class_counts():
    table = per_label(np.array([0, 0, 5]), chosen([0, 5, 5]), LABELS.exercises)
    assert list(table.index) == list(LABELS.exercises)
    assert table["support"].to_dict() == {e: {"Bench Press": 2, "Lat Pulling": 1}.get(e, 0) for e in table.index}
    assert table["predicted"].to_dict() == {e: {"Bench Press": 1, "Lat Pulling": 2}.get(e, 0) for e in table.index}
    assert table.loc["Lat Pulling", ["precision", "recall", "f1"]].tolist() == pytest.approx([1 / 2, 1 / 1, 2 / 3])


@pytest.fixture
def clips() -> pd.DataFrame:
    """Two clips of each exercise, one for test."""
    rows = {"exercise": LABELS.exercises * 2, "split": ["train"] * E + ["test"] * E}
    names = [f"c{i}" for i in range(2 * E)]
    return pd.DataFrame({"clip_id": names, "video_id": names, **rows})


@pytest.mark.parametrize("task", TASKS, ids=str)
def test_score_takes_a_run_or_its_table_and_looks_at_one_split(clips, task, tmp_path, monkeypatch):
    monkeypatch.setenv("EXMUS_HOME", str(tmp_path))
    right = one_hot(task, clips["exercise"])
    sign = np.where(clips["split"] == "test", 1, -1)[:, None]  # right on test, wrong on train
    table = predictions.table(clips, 20 * sign * (2 * right - 1), task.names)
    run = workspace.Run("sample", task.name, "x3d_m-scratch-s0-000000")
    run.write_facts({"labels": LABELS.to_json()})
    predictions.write(run.folder / "predictions.parquet", table, task.names)
    shuffled = clips.sample(frac=1, random_state=0)
    for given in (run, table, table.sample(frac=1, random_state=1)):
        actual = score(given, shuffled, task)
        assert (actual[list(task.metrics)] == 1).all() and actual["clips"] == E
        assert (score(given, shuffled, task, split="train")[["f1", "auc"]] == 0).all()
    twice = pd.concat([clips, clips.assign(clip_id=clips["clip_id"] + "b")])
    both = predictions.table(
        twice, 20 * np.concatenate([sign, -0.5 * sign]) * (2 * np.concatenate([right] * 2) - 1), task.names
    )
    assert score(both, twice, task)["f1"] < 1  # of each test video, one clip is right and surer than the wrong one
    videos = score(both, twice, task, unit="video")
    assert (videos[list(task.metrics)] == 1).all() and videos["clips"] == E
    with pytest.raises(ValueError, match=r'no clips to score in split "val".*\[\'test\', \'train\'\]'):
        score(table, clips, task, split="val")
    with pytest.raises(ValueError, match=f"{run.name} is a run of task {task.name}, not of"):
        score(run, clips, EXERCISE if task is MGAP else MGAP)


def test_a_corrected_label_changes_the_score_without_a_network(clips):
    table = predictions.table(clips, 20.0 * one_hot(EXERCISE, clips["exercise"]), LABELS.exercises)
    corrected = clips.assign(exercise=clips["exercise"].where(clips["clip_id"] != "c31", "Squat"))
    assert score(table, corrected, EXERCISE)["top1"] == 15 / 16
