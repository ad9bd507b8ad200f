"""How well embeddings keep exercises apart: perfect, none, and what chance gives."""

import numpy as np
import pytest
import runs

from exmus_lib import workspace
from exmus_lib.scores import separation

EXERCISES = np.repeat(["Squat", "Push-up"], 11)


def test_exercises_far_apart_are_pure_and_mixed_ones_are_not():
    random = np.random.default_rng(0)
    noise = random.normal(size=(22, 3))
    apart = separation.separation(noise + 100 * (EXERCISES == "Squat")[:, None], EXERCISES)
    assert apart["purity"] == 1 and apart["silhouette"] > 0.9
    # a clip has 10 others of its exercise among 21
    assert apart["chance"] == pytest.approx(10 / 21)
    assert apart["perfect"] == 1
    mixed = separation.separation(noise, EXERCISES)
    assert mixed["purity"] == pytest.approx(10 / 21, abs=0.12) and abs(mixed["silhouette"]) < 0.1


def test_embeddings_are_scaled_and_meet_their_exercises(monkeypatch, tmp_path):
    monkeypatch.setenv("EXMUS_HOME", str(tmp_path))
    clips = runs.sample().table()
    run, values = workspace.Run("sample", "exercise", "x"), np.random.default_rng(0).normal(5, 3, (len(clips), 4))
    run.folder.mkdir(parents=True)
    shuffled = clips.sample(frac=1, random_state=0)
    names = {"clip_id": shuffled["clip_id"].to_numpy(str), "split": shuffled["split"].to_numpy(str)}
    np.savez(run.folder / "embeddings.npz", embedding=values, **names)
    actual, exercises = separation.embeddings(run, clips)
    test = (shuffled["split"] == "test").to_numpy()
    assert exercises.tolist() == shuffled["exercise"][test].tolist()
    assert actual.std(axis=0) == pytest.approx(1) and np.corrcoef(actual[:, 1], values[test, 1])[0, 1] == pytest.approx(
        1
    )
    with pytest.raises(ValueError, match='0 clips in split "val"'):
        separation.embeddings(run, clips, "val")


def test_one_exercise_has_no_silhouette():
    actual = separation.separation(np.random.default_rng(0).normal(size=(5, 3)), np.repeat("Squat", 5))
    assert np.isnan(actual["silhouette"]) and actual["purity"] == actual["chance"] == 1


def test_an_exercise_of_few_clips_cannot_fill_ten_places():
    few = np.repeat(["Squat", "Push-up", "Deadlift"], 6)
    far = 100.0 * np.repeat(np.eye(3), 6, axis=0) + np.random.default_rng(0).normal(size=(18, 3))
    actual = separation.separation(far, few)
    assert actual["purity"] == actual["perfect"] == 5 / 10  # five others of its exercise, ten neighbours


def test_tsne_draws_few_clips_and_the_same_picture_again():
    values = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)
    points = separation.tsne(values, perplexity=20)
    assert points.shape == (7, 2) and np.array_equal(points, separation.tsne(values, perplexity=20))
