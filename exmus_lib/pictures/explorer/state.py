"""What the explorer shows, as numbers: runs mixed with a weight, thresholds, filters. No widgets here."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from exmus_lib import predictions, workspace
from exmus_lib.scores import ensembles, metrics
from exmus_lib.videos.prepare import ClipSet
from exmus_lib.vocabulary import LABELS, MUSCLES

OUTCOMES = ("true positive", "false negative", "false positive", "true negative")  # of a muscle on a clip
SMALLEST = 1e-12


class State:
    """Predictions of one or more runs on the clips of one split, mixed: `x` for the first run, the rest shared evenly.

    `rows` (a row per clip: clip_id, exercise, path, ...), `truth` and `logits` (runs, clips, labels) belong to the split.
    """

    def __init__(self, clip_set: ClipSet, task: str, runs: Sequence[workspace.Run], split: str = "test"):
        """Raises ValueError when the runs cannot be averaged, or the split has no clips."""
        if len(runs) > 1:
            ensembles.check(runs)
        self.task, self.runs, self.split = task, list(runs), split
        self.clips = clip_set.table(runs[0].facts()["split"])
        self.tables = [predictions.read(run) for run in runs]
        rows, self.truth, _ = metrics.scored(self.tables[0], self.clips, task, split)
        if rows.empty:
            raise ValueError(f'no clips to show in split "{split}": it has none, or all are marked unusable')
        place = self.tables[0].index.get_indexer(rows.index)
        self.logits = ensembles.aligned(self.tables)[:, place]
        self.rows = self.clips.set_index("clip_id").loc[rows["clip_id"]].reset_index()
        self.thresholds = np.full(len(MUSCLES), metrics.THRESHOLD)
        self.x = 0.5
        self.labels = LABELS[task]

    def mixed(self) -> np.ndarray:
        """Probabilities (clips, labels) of the mixture; of one run alone, its own."""
        logits = self.logits[0] if len(self.runs) == 1 else ensembles.mean(self.logits, self.x).astype(float)
        return predictions.probabilities(logits, self.task)

    def mixture(self) -> pd.DataFrame:
        """The predictions table of the mixture, all splits."""
        return self.tables[0] if len(self.runs) == 1 else ensembles.combine(self.tables, self.x)

    def scores(self) -> pd.Series:
        """The metrics of the task, pooled over the split, at the present weight and thresholds."""
        return metrics.measure(self.truth, self.mixed(), thresholds=self.thresholds).iloc[0][
            list(metrics.METRICS[self.task])
        ]

    def per_label(self) -> pd.DataFrame:
        """Precision, recall and F1 of each label, as metrics.per_label has them."""
        found = metrics.per_label(self.truth, self.mixed(), self.thresholds)
        return found[["support", "predicted", "precision", "recall", "f1"]]

    def table(self) -> pd.DataFrame:
        """A row per clip: clip_id, exercise, said (what is predicted), right, confidence and loss, at the present weight.

        Exercise: right is top-1, confidence the greatest probability, loss the cross-entropy. Mgap: right is an exact match of
        all muscles, confidence that of the least sure muscle (max(p, 1 - p)), loss the mean binary cross-entropy.
        """
        likely = self.mixed()
        if self.task == "exercise":
            first = likely.argmax(axis=1)
            said, right = [self.labels[i] for i in first], first == self.truth
            confidence = likely.max(axis=1)
            loss = -np.log(np.maximum(likely[np.arange(len(likely)), self.truth], SMALLEST))
        else:
            named = likely > self.thresholds
            said = [", ".join(np.array(self.labels)[one]) or "no muscle" for one in named]
            right, confidence = (named == self.truth).all(axis=1), np.maximum(likely, 1 - likely).min(axis=1)
            own = np.where(self.truth == 1, likely, 1 - likely)
            loss = -np.log(np.maximum(own, SMALLEST)).mean(axis=1)
        return self.rows[["clip_id", "exercise"]].assign(said=said, right=right, confidence=confidence, loss=loss)

    def counts(self) -> pd.DataFrame:
        """The confusion matrix: of exercises (true, said); of each muscle, how many clips had each of OUTCOMES."""
        if self.task == "exercise":
            found = np.zeros((len(self.labels),) * 2, int)
            np.add.at(found, (self.truth, self.mixed().argmax(axis=1)), 1)
            return pd.DataFrame(found, self.labels, self.labels)
        return pd.DataFrame([outcome.sum(axis=0) for outcome in self._outcomes()], OUTCOMES, self.labels).T

    def in_cell(self, row: int, column: int) -> np.ndarray:
        """Which clips (clips,) are counted in a cell of `counts`."""
        if self.task == "exercise":
            return (self.truth == row) & (self.mixed().argmax(axis=1) == column)
        return self._outcomes()[column][:, row]

    def _outcomes(self) -> list[np.ndarray]:
        has, named = self.truth == 1, self.mixed() > self.thresholds
        return [has & named, has & ~named, ~has & named, ~has & ~named]

    def chosen(
        self, exercise: str | None = None, right: bool | None = None, confidence: tuple[float, float] = (0.0, 1.0),
        cell: tuple[int, int] | None = None,
    ) -> pd.DataFrame:  # fmt: skip
        """The rows of `table` that pass all filters, the greatest loss first."""
        table = self.table()
        kept = table["confidence"].between(*confidence).to_numpy(copy=True)
        if exercise is not None:
            kept &= table["exercise"].eq(exercise).to_numpy()
        if right is not None:
            kept &= table["right"].eq(right).to_numpy()
        if cell is not None:
            kept &= self.in_cell(*cell)
        return table[kept].sort_values("loss", ascending=False, kind="stable")

    def best_weight(self) -> float | None:
        """The weight with the best headline score on validation; None for one run alone, or without validation clips."""
        if len(self.runs) < 2 or not self.clips["split"].eq("val").any():
            return None
        curve = ensembles.curve(self.tables, self.clips, self.task, "val")
        return ensembles.best(curve[metrics.HEADLINE[self.task]])
