"""Predictions without a network: what any network must beat. They write the same table as a run."""

import numpy as np
import pandas as pd
from scipy.special import logit

from exmus_lib import predictions, vocabulary


def prevalence(clips: pd.DataFrame, task: str) -> pd.DataFrame:
    """The same answer for every clip: how often each exercise or muscle occurs among the training clips.

    `clips` has a column `split`; the result is a predictions table. Its AUC is 50 % by construction; its top-1 is the
    share of the exercise most frequent in training; a muscle that fewer than half of the clips work is never predicted.
    """
    train = vocabulary.truth(clips["exercise"][clips["split"] == "train"], task)
    if not len(train):
        raise ValueError("no training clips to count")
    labels = len(vocabulary.LABELS[task])
    counts = np.bincount(train, minlength=labels) if task == "exercise" else train.sum(axis=0)
    share = (counts + 0.5) / (len(train) + 1)  # never 0 or 1, whose logits are infinite
    logits = np.log(share) if task == "exercise" else logit(share)
    return predictions.table(clips, np.tile(logits, (len(clips), 1)), task)
