"""The paper's protocol: against scikit-learn's and torchmetrics' own calls on every batch, and the paper's own numbers."""

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as sk
import torch
import torchmetrics.functional.classification as tm
from pytorchvideo.data.utils import MultiProcessSampler
from runs import EXERCISE, LABELS, MGAP, TASKS
from torch.utils.data import DataLoader, IterableDataset, SequentialSampler

from exmus_lib import labels
from exmus_lib.scores import protocol, simulation
from exmus_lib.scores.metrics import measure
from exmus_lib.scores.paper import paper_rows
from exmus_lib.tasks import Task

E, M, N = len(LABELS.exercises), len(LABELS.muscles), 330


class Numbers(IterableDataset):
    """0 to N - 1, shared out among the workers by PyTorchVideo's own sampler, as its data sets share out their videos."""

    def __iter__(self):
        return iter(MultiProcessSampler(SequentialSampler(range(N))))


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
@pytest.mark.parametrize(("workers", "count"), [(4, 44), (6, 42), (8, 48), (10, 50)])
def test_batches_are_those_of_a_loader_with_workers(workers, count):
    loaded = [batch.tolist() for batch in DataLoader(Numbers(), batch_size=8, num_workers=workers)]
    ours = [batch.tolist() for batch in protocol.batches(N, workers)]
    assert len(ours) == count
    assert sorted(ours) == sorted(loaded)


def random_clips(task: Task, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    exercise = random.integers(0, E, N)
    if task is EXERCISE:
        return exercise, random.dirichlet(np.ones(E) / 2, N) * 0.5 + 0.5 * np.eye(E)[exercise]
    truth = MGAP.truth([LABELS.exercises[e] for e in exercise])
    return truth, 0.3 * truth + 0.7 * random.random((N, M))


def referee_exercise(truth: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    guess, classes = probabilities.argmax(axis=1), np.arange(E)
    macro = sk.precision_recall_fscore_support(truth, guess, labels=classes, average="macro", zero_division=1)
    return {
        "top1": sk.accuracy_score(truth, guess),
        "top5": sk.top_k_accuracy_score(truth, probabilities, k=5, labels=classes),
        "auc": sk.roc_auc_score(truth, probabilities, multi_class="ovr", average="micro", labels=classes),
        **dict(zip(("precision", "recall", "f1"), macro[:3], strict=True)),
    }


def referee_mgap(truth: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    given = torch.from_numpy(probabilities), torch.from_numpy(truth)
    return {
        "accuracy": tm.multilabel_accuracy(*given, M, average="micro").item(),
        "auc": tm.multilabel_auroc(*given, M, average="micro").item(),
        "precision": tm.multilabel_precision(*given, M).item(),
        "recall": tm.multilabel_recall(*given, M).item(),
        "f1": tm.multilabel_f1_score(*given, M).item(),
    }


@pytest.mark.parametrize("workers", [4, 6, 8, 10])
@pytest.mark.parametrize("task", TASKS, ids=str)
@pytest.mark.parametrize("ties", [False, True])
def test_equals_the_calls_of_the_authors_on_every_batch(task, workers, ties):
    truth, probabilities = random_clips(task)
    if ties and task.multilabel:  # of classes torchmetrics may rank equal ones otherwise
        probabilities = probabilities.round(1)
    referee = referee_exercise if task is EXERCISE else referee_mgap
    order = np.random.default_rng(3).permutation(N)
    # built without `batches`: the first N % workers pieces have a clip more, and what is left of a piece is a batch of its own
    batches, start = [], 0
    for worker in range(workers):
        end = start + N // workers + (worker < N % workers)
        batches += [order[first : min(first + 8, end)] for first in range(start, end, 8)]
        start = end
    each = pd.DataFrame([referee(truth[batch], probabilities[batch]) for batch in batches])
    for batch, (_, expected) in zip(batches, each.iterrows(), strict=True):
        assert protocol.protocol_metrics(truth, probabilities, [batch]).to_dict() == pytest.approx(
            expected.to_dict(), abs=1e-6
        )
    expected = each.mean()
    actual = protocol.protocol_metrics(truth, probabilities, protocol.batches(N, workers, order=order))
    assert set(actual.index) == set(task.protocol)
    assert actual.to_dict() == pytest.approx(expected.to_dict(), abs=1e-6)


def test_the_auc_of_a_batch_without_any_muscle_is_0_as_torchmetrics_has_it():
    truth, probabilities = np.array([[0, 0], [1, 0]]), np.array([[0.2, 0.6], [0.9, 0.1]])
    actual = protocol.protocol_metrics(truth, probabilities, [np.array([0]), np.array([1])])
    assert actual["auc"] == (0 + 1) / 2
    with pytest.raises(ValueError, match="at least one clip each"):
        protocol.protocol_metrics(truth, probabilities, [np.array([0]), np.array([], int)])


@pytest.mark.parametrize(("workers", "f1"), [(8, 65), (4, 70)])
def test_a_perfect_muscle_predictor_scores_what_the_paper_calls_good(workers, f1):
    truth = MGAP.truth(protocol.authors_test_clips())
    actual = protocol.over_orders(truth, truth.astype(float), workers)
    assert 100 * actual["f1"].mean() == pytest.approx(f1, abs=2)
    assert actual["accuracy"].min() == 1 and measure(truth, truth.astype(float))["f1"].item() == 1  # pooled


# the paper's Table 7: SlowFast-R101 from scratch, I3D-R50, X3D-M
@pytest.mark.parametrize(
    ("top1", "workers", "precision", "recall", "f1"),
    [(58.7, 4, 84.56, 84.67, 72.44), (90.25, 10, 96.32, 96.15, 93.14), (96.9, 8, 98.94, 98.87, 98.07)],
)
def test_table_7_follows_from_its_accuracy_alone(top1, workers, precision, recall, f1):
    truth = EXERCISE.truth(protocol.authors_test_clips())
    actual = 100 * simulation.classifiers(truth, top1 / 100, workers).mean()
    assert actual["top1"] == pytest.approx(top1, abs=0.5)
    assert actual[["precision", "recall", "f1"]].tolist() == pytest.approx([precision, recall, f1], abs=1.5)


def test_made_up_classifiers_stand_beside_the_row_for_each_number_of_workers_it_may_have_had():
    truth, rows = EXERCISE.truth(protocol.authors_test_clips()), paper_rows(7)
    row = rows.query("model == 'X3D-m' and variant == 'pretrained'")
    actual = simulation.beside(row, truth, draws=2)
    assert actual.index.tolist() == [("X3D-m, pretrained", 4), ("X3D-m, pretrained", 8)]
    made_up = 100 * simulation.classifiers(truth, row["top1"].item() / 100, 8, draws=2)["f1"].mean()
    assert actual["f1"].iloc[1] == pytest.approx(made_up - row["f1"].item())
    assert (actual["top1"] == row["top1"].item()).all()


@pytest.mark.parametrize(
    ("table", "model", "variant", "workers"),
    [
        (7, "X3D-m", "scratch", (10,)),
        (7, "R(2+1)D-R50", "pretrained", (6,)),
        (7, "SlowFast-R101", "scratch", (4,)),
        (4, "SlowFast-R101", "pretrained", (8,)),
        (7, "X3D-m", "pretrained", (4, 8)),  # all of top-5 right: top-1 alone tells less
    ],
)
def test_the_shares_of_a_row_tell_its_loader_workers(table, model, variant, workers):
    rows = paper_rows(table)
    (row,) = (row for _, row in rows[(rows["model"] == model) & (rows["variant"] == variant)].iterrows())
    assert protocol.possible_workers(row) == workers


def test_a_users_exercises_change_nothing_in_what_is_read_off_the_paper(monkeypatch, tmp_path):
    more = labels.DEFAULT_FILE.read_text(encoding="utf-8") + "burpee,Burpee,forearms\n"
    (tmp_path / "exercises.csv").write_text(more, encoding="utf-8")
    row, truth = paper_rows(5).iloc[0], EXERCISE.truth(protocol.authors_test_clips())
    before = protocol.possible_workers(row), simulation.classifiers(truth, 0.5, 4, draws=2)
    monkeypatch.setattr(labels.read, "__defaults__", (tmp_path / "exercises.csv",))
    assert len(labels.read().exercises) == 17 and len(labels.read().muscles) == 12
    assert protocol.possible_workers(row) == before[0]
    pd.testing.assert_frame_equal(simulation.classifiers(truth, 0.5, 4, draws=2), before[1])


def test_the_workers_of_made_up_rows_are_always_among_those_found():
    random = np.random.default_rng(0)
    alone = 0
    for number in range(40):
        workers = protocol.WORKERS[number % 4]
        right, parts = random.random((2, N)) < [[0.6], [0.8]], protocol.batches(N, workers)
        top1, top5 = (round(100 * np.mean([hits[part].mean() for part in parts]), 2) for hits in right)
        actual = protocol.possible_workers(pd.Series({"task": "exercise", "top1": top1, "top5": top5}))
        assert workers in actual
        alone += actual == (workers,)
    assert alone > 25
