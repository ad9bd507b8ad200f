"""Probabilities and thresholds: they mend what was made wrong, and nothing that is fitted ever sees a test clip."""

import numpy as np
import pandas as pd
import pytest
import torch
from runs import EXERCISE, LABELS, MGAP, TASKS, one_hot
from scipy.special import expit, logit
from torchmetrics.functional.classification import binary_calibration_error, multiclass_calibration_error

from exmus_lib import predictions
from exmus_lib.scores import calibration, ensembles
from exmus_lib.scores.metrics import score
from exmus_lib.tasks import Task


def made_up(task: Task, seed: int = 0, sharper: float = 1.0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A manifest of 1,800 clips whose labels are drawn from the probabilities of its predictions, then made `sharper`."""
    random = np.random.default_rng(seed)
    clips = pd.DataFrame({"clip_id": [f"c{i}" for i in range(1800)], "split": np.repeat(["train", "val", "test"], 600)})
    clips = clips.assign(video_id=clips["clip_id"], exercise=random.choice(LABELS.exercises, 1800))
    positive = one_hot(task, clips["exercise"])
    # log-likelihood ratios of a Gaussian with means 0 and 2: what a calibrated classifier would say
    evidence = 2 * random.normal(2 * positive, 1) - 2
    share = logit(positive.mean(axis=0)) if task.multilabel else 0
    return clips, predictions.table(clips, sharper * (evidence + share), task.names)


def error(table: pd.DataFrame, clips: pd.DataFrame, task: Task) -> float:
    _, truth, logits = predictions.with_truth(table, clips, task)
    return calibration.calibration_error(truth, task.probabilities(logits))


@pytest.mark.parametrize("task", TASKS, ids=str)
def test_what_is_three_times_too_sure_is_mended_and_its_answers_stay(task):
    clips, table = made_up(task, sharper=3)
    mended = calibration.calibrated(table, clips, task)
    assert error(mended, clips, task) < 0.05 < error(table, clips, task)
    before, after = (score(t, clips, task)[["auc", "top1" if task is EXERCISE else "map"]] for t in (table, mended))
    assert after.tolist() == pytest.approx(before.tolist(), abs=0.01 if task is EXERCISE else 1e-6)
    if task is EXERCISE:
        assert calibration.temperature(table, clips, task) == pytest.approx(3, rel=0.1)


def test_a_threshold_stands_where_validation_f1_is_highest():
    clips, table = made_up(MGAP)
    table[[f"logit/{name}" for name in MGAP.names]] -= 3  # never sure enough to say yes at one half
    decided = calibration.decided(table, clips, MGAP)
    assert score(table, clips, MGAP)["f1"] < 0.3 < score(decided, clips, MGAP)["f1"]
    assert score(decided, clips, MGAP)[["auc", "map"]].tolist() == score(table, clips, MGAP)[["auc", "map"]].tolist()
    _, truth, logits = predictions.with_truth(table, clips, MGAP, "val")
    thresholds, probabilities = calibration.thresholds(table, clips, MGAP), expit(logits)

    def f1(label: int, threshold: float) -> float:
        chosen, has = probabilities[:, label] > threshold, truth[:, label] == 1
        return 2 * (chosen & has).sum() / (chosen.sum() + has.sum())

    for label in range(11):
        assert f1(label, thresholds[label]) == max(f1(label, t) for t in [0, *probabilities[:, label]])


def test_a_muscle_with_few_validation_clips_is_left_as_it_is():
    clips, table = made_up(MGAP)
    rare = clips["exercise"].map(LABELS.muscles_of).map(lambda muscles: "quads" in muscles)
    clips = clips[~(rare & clips["split"].eq("val"))]
    table = table[table["clip_id"].isin(clips["clip_id"])]
    quads = LABELS.muscles.index("quads")
    assert calibration.thresholds(table, clips, MGAP)[quads] == 0.5
    scales, shifts = calibration.platt(table, clips, MGAP)
    assert (scales[quads], shifts[quads]) == (1, 0) and (np.delete(scales, quads) != 1).all()


@pytest.mark.parametrize("task", TASKS, ids=str)
def test_without_validation_clips_or_errors_nothing_is_mended(task):
    clips, table = made_up(task)
    rest = clips[clips["split"] != "val"]
    table = table[table["clip_id"].isin(rest["clip_id"])]
    pd.testing.assert_frame_equal(calibration.calibrated(table, rest, task), table)
    if task is EXERCISE:
        perfect = predictions.table(clips, 2.0 * one_hot(task, clips["exercise"]), task.names)
        assert calibration.temperature(perfect, clips, task) == 1  # any temperature below would do better still
    else:
        pd.testing.assert_frame_equal(calibration.decided(table, rest, task), table)


@pytest.mark.parametrize("task", TASKS, ids=str)
def test_the_calibration_error_is_that_of_torchmetrics(task):
    clips, table = made_up(task, sharper=2)
    _, truth, logits = predictions.with_truth(table, clips, task)
    probabilities = task.probabilities(logits)
    given = torch.from_numpy(probabilities), torch.from_numpy(truth)
    if task is EXERCISE:
        referee = multiclass_calibration_error(*given, num_classes=16, n_bins=10)
    else:
        referee = binary_calibration_error(given[0].ravel(), given[1].ravel(), n_bins=10)
    assert calibration.calibration_error(truth, probabilities) == pytest.approx(referee.item(), abs=1e-6)


def test_nothing_that_is_fitted_reads_a_test_row():
    for task in TASKS:
        clips, table = made_up(task, sharper=2)
        columns = [f"logit/{name}" for name in task.names]
        blind = table.copy()
        blind.loc[blind["split"] == "test", columns] = np.nan
        kept = (table["split"] != "test").to_numpy()
        pd.testing.assert_frame_equal(
            calibration.calibrated(blind, clips, task)[kept], calibration.calibrated(table, clips, task)[kept]
        )
        other = made_up(task, seed=1)[1]
        other_blind = other.assign(**{c: other[c].where(kept) for c in columns})
        curves = [ensembles.curve(pair, clips, task, "val") for pair in ((table, other), (blind, other_blind))]
        pd.testing.assert_frame_equal(*curves)  # what the ensemble's weight is chosen by
    assert np.array_equal(calibration.thresholds(blind, clips, MGAP), calibration.thresholds(table, clips, MGAP))
