"""How long scoring takes without a network, for bench.py. Random logits of 442 clips, the paper's test split.

All metrics of one run, ours and scikit-learn's, and the ensembles of 05: 101 weights, with all metrics.
"""

import time
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import sklearn.metrics as sk

from exmus_lib import labels, predictions, tasks
from exmus_lib.scores import ensembles, metrics

CLIPS = 442


def seconds(call: Callable[[], object]) -> float:
    """The median time of five calls."""
    times = []
    for _ in range(5):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return float(np.median(times))


def by_scikit_learn(truth: np.ndarray, probabilities: np.ndarray) -> None:
    """What takes the time, by scikit-learn: the metrics of single labels (top-1, accuracy and exact match are quick)."""
    exercise = truth.ndim == 1
    present = truth[:, None] == np.arange(probabilities.shape[1]) if exercise else truth.astype(bool)
    chosen = probabilities == probabilities.max(axis=1, keepdims=True) if exercise else probabilities > 0.5
    sk.precision_recall_fscore_support(present, chosen, average=None, zero_division=0)
    sk.roc_auc_score(present, probabilities, average=None)
    sk.average_precision_score(present, probabilities, average=None)


def tables() -> Iterator[dict]:
    random, known = np.random.default_rng(0), labels.read()
    clips = pd.DataFrame({
        "clip_id": [f"c{i}" for i in range(CLIPS)], "video_id": "v", "split": "test",
        "exercise": random.choice(known.exercises, CLIPS),
    })  # fmt: skip
    for task in (tasks.task(name, known) for name in tasks.TASKS):
        shape = (CLIPS, len(task.names))
        pair = [predictions.table(clips, random.normal(size=shape), task.names) for _ in range(2)]
        _, truth, logits = predictions.with_truth(pair[0], clips, task)
        probabilities = task.probabilities(logits)
        ours = seconds(lambda t=pair[0], k=task: metrics.score(t, clips, k))
        theirs = seconds(lambda t=truth, p=probabilities: by_scikit_learn(t, p))
        curve = seconds(lambda t=pair, k=task: ensembles.curve(t, clips, k, "test"))
        what = f"{task.name}, {CLIPS} clips"
        yield {
            "what": f"{what}: all metrics, stock scikit-learn",
            "unit": "ms",
            "stock": 1000 * theirs,
            "ours": 1000 * ours,
        }
        yield {"what": f"{what}: ensembles of 101 weights", "unit": "ms", "ours": 1000 * curve}
