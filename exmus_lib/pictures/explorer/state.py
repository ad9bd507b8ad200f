"""What the explorer shows, as numbers: runs mixed with a weight, thresholds, filters. No widgets here."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from exmus_lib import predictions, review, workspace
from exmus_lib.scores import baselines, ensembles, metrics
from exmus_lib.tasks import THRESHOLD, Task
from exmus_lib.videos.prepare import ClipSet

OUTCOMES = ("true positive", "false negative", "false positive", "true negative")  # of one of several labels of a clip
SMALLEST = 1e-12


class State:
    """Predictions of one or more runs on the clips of one split, mixed: `x` for the first run, the rest shared evenly.

    `rows` (a row per clip: clip_id, exercise, path, ...), `truth` and `logits` (runs, clips, labels) belong to the split; `names`
    are the labels of the runs, which may be others than those of the clip set.
    """

    def __init__(self, clip_set: ClipSet, task: Task, runs: Sequence[workspace.Run], split: str = "test"):
        """Raises ValueError when the runs cannot be averaged, lack a label of the clips, or the split has no clips."""
        if len(runs) > 1:
            ensembles.check(runs)
        self.task, self.runs, self.split = task, list(runs), split
        self.clips = clip_set.table(runs[0].facts()["split"])
        if not review.usable(self.clips)["split"].eq(split).any():
            raise ValueError(f'no clips to show in split "{split}": it has none, or all are marked unusable')
        self.tables = [predictions.read(run) for run in runs]
        rows, self.truth, _ = metrics.scored(self.tables[0], self.clips, task, split)
        place = self.tables[0].index.get_indexer(rows.index)
        self.logits = ensembles.aligned(self.tables)[:, place]
        self.rows = self.clips.set_index("clip_id").loc[rows["clip_id"]].reset_index()
        self.labels, self.names = runs[0].labels(), predictions.names_of(self.tables[0])
        self.has = self.truth == 1 if task.multilabel else self._one_hot(self.truth)
        self.thresholds = np.full(len(self.names), THRESHOLD)
        self.x = 0.5

    def mixed(self) -> np.ndarray:
        """Probabilities (clips, labels) of the mixture; of one run alone, its own."""
        logits = self.logits[0] if len(self.runs) == 1 else ensembles.mean(self.logits, self.x).astype(float)
        return self.task.probabilities(logits)

    def mixture(self) -> pd.DataFrame:
        """The predictions table of the mixture, all splits."""
        return self.tables[0] if len(self.runs) == 1 else ensembles.combine(self.tables, self.x)

    def muscles(self, row: int) -> dict[str, float]:
        """The probability of each muscle on a clip: as predicted, or looked up from the exercises."""
        likely = self.mixed()[row]
        if self.task.multilabel:
            return dict(zip(self.names, likely, strict=True))
        return dict(zip(self.labels.muscles, baselines.muscles_of(likely, self.labels), strict=True))

    def predicted(self) -> np.ndarray:
        """Which labels each clip is predicted to have (clips, labels): the likeliest one, or all above their thresholds."""
        likely = self.mixed()
        return likely > self.thresholds if self.task.multilabel else self._one_hot(likely.argmax(axis=1))

    def _one_hot(self, index: np.ndarray) -> np.ndarray:
        return index[:, None] == np.arange(len(self.names))

    def scores(self) -> pd.Series:
        """The metrics of the task, pooled over the split, at the present weight and thresholds."""
        return metrics.measure(self.truth, self.mixed(), thresholds=self.thresholds).iloc[0][list(self.task.metrics)]

    def per_label(self) -> pd.DataFrame:
        """Precision, recall and F1 of each label, as metrics.per_label has them."""
        table = metrics.per_label(self.truth, self.mixed(), self.names, self.thresholds)
        return table[["support", "predicted", "precision", "recall", "f1"]]

    def table(self) -> pd.DataFrame:
        """A row per clip: clip_id, exercise, predicted (in words), right, confidence and loss, at the present weight.

        One label a clip: confidence is the greatest probability, loss the cross-entropy. Several: right is a match of all of
        them, confidence that of the least sure one (max(p, 1 - p)), loss the mean binary cross-entropy.
        """
        likely, predicted = self.mixed(), self.predicted()
        words = [", ".join(np.array(self.names)[one]) or f"no {self.task.noun}" for one in predicted]
        losses = -np.log(np.maximum(np.where(self.has, likely, 1 - likely), SMALLEST))
        return self.rows[["clip_id", "exercise"]].assign(
            predicted=words,
            right=(predicted == self.has).all(axis=1),
            confidence=np.maximum(likely, 1 - likely).min(axis=1) if self.task.multilabel else likely.max(axis=1),
            loss=losses.mean(axis=1) if self.task.multilabel else losses[self.has],
        )

    def cells(self) -> np.ndarray:
        """Which clips are counted in which cell of `counts` (clips, rows, columns)."""
        has, predicted = self.has, self.predicted()
        if self.task.multilabel:
            return np.stack([has & predicted, has & ~predicted, ~has & predicted, ~has & ~predicted], axis=2)
        return has[:, :, None] & predicted[:, None, :]

    def counts(self) -> pd.DataFrame:
        """The confusion matrix (true, predicted); where a clip may have several labels, how many had each of OUTCOMES."""
        return pd.DataFrame(self.cells().sum(axis=0), self.names, OUTCOMES if self.task.multilabel else self.names)

    def chosen(
        self,
        exercise: str | None = None,
        right: bool | None = None,
        confidence: tuple[float, float] = (0.0, 1.0),
        cell: Sequence[int] = (),
    ) -> pd.DataFrame:
        """The rows of `table` that pass all filters, the greatest loss first."""
        table = self.table()
        kept = table["confidence"].between(*confidence).to_numpy(copy=True)
        if exercise is not None:
            kept &= table.exercise.eq(exercise).to_numpy()
        if right is not None:
            kept &= table["right"].eq(right).to_numpy()
        if cell:
            kept &= self.cells()[:, *cell]
        return table[kept].sort_values("loss", ascending=False, kind="stable")

    def best_weight(self) -> float | None:
        """The weight with the best headline score on validation.

        None for one run alone, without validation clips, and where these are so few that the score is undefined.
        """
        if len(self.runs) < 2 or not self.clips["split"].eq("val").any():
            return None
        return ensembles.best(ensembles.curve(self.tables, self.clips, self.task, "val")[self.task.headline])
