"""How well embeddings keep the exercises apart: t-SNE to look at (paper, Figures 6 and 7), numbers to compare.

The numbers are computed on the embeddings themselves, never on the t-SNE picture, whose distances mean little.
"""

import numpy as np
import pandas as pd

from exmus_lib import review
from exmus_lib.workspace import Run

NEIGHBOURS = 10


def embeddings(run: Run, clips: pd.DataFrame, split: str = "test") -> tuple[np.ndarray, np.ndarray]:
    """Embeddings (N, D) of a split, each of the D values scaled to unit deviation, and the exercises (N,) of their clips.

    ValueError for fewer than 3 clips.
    """
    from sklearn.preprocessing import StandardScaler

    clip_id, splits, values = run.embeddings()
    known = review.usable(clips).set_index("clip_id").exercise
    kept = (splits == split) & pd.Index(clip_id).isin(known.index)
    if kept.sum() < 3:
        raise ValueError(f'{run.name}: {kept.sum()} clips in split "{split}"; a picture of embeddings needs 3 or more')
    return StandardScaler().fit_transform(values[kept]), known.loc[clip_id[kept]].to_numpy()


def tsne(values: np.ndarray, perplexity: float = 20, seed: int = 0) -> np.ndarray:
    """Embeddings (N, D) to points (N, 2). The perplexity, about how many neighbours count, is cut to a third of the clips."""
    from sklearn.manifold import TSNE

    perplexity = min(perplexity, (len(values) - 1) / 3)
    return TSNE(perplexity=perplexity, random_state=seed, init="pca").fit_transform(values)


def separation(values: np.ndarray, exercises: np.ndarray) -> pd.Series:
    """Numbers for how well the exercises (N,) of embeddings (N, D) stand apart, NaN where there is but one exercise.

    silhouette: from -1 to 1, how much nearer a clip is to its own exercise than to the next; purity: the share of a clip's
    10 nearest neighbours that are of its exercise; chance: the purity of neighbours drawn at random; perfect: the purity where
    a clip's nearest are all others of its exercise.
    """
    from sklearn.metrics import silhouette_score
    from sklearn.neighbors import NearestNeighbors

    names, counts = np.unique(exercises, return_counts=True)
    several = 2 <= len(names) < len(exercises)
    neighbours = min(NEIGHBOURS, len(values) - 1)
    near = NearestNeighbors(n_neighbors=neighbours).fit(values).kneighbors(return_distance=False)
    same = exercises[near] == exercises[:, None]
    return pd.Series({
        "silhouette": silhouette_score(values, exercises) if several else np.nan,
        "purity": same.mean(),
        "chance": (counts * (counts - 1)).sum() / (len(values) * (len(values) - 1)),
        "perfect": (counts * np.minimum(counts - 1, neighbours)).sum() / (len(values) * neighbours),
        "clips": len(values),
    })  # fmt: skip
