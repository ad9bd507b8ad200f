"""Baselines without a video network: the look-up is exact, the probe learns what is there and never reads test."""

import numpy as np
import pandas as pd
import pytest
import runs
from runs import EXERCISE, LABELS, MGAP, one_hot
from scipy.special import expit, softmax
from sklearn.metrics import log_loss

from exmus_lib import predictions
from exmus_lib.labels import Labels
from exmus_lib.scores import baselines
from exmus_lib.scores.metrics import score

pytestmark = pytest.mark.usefixtures("own_home")


def test_a_perfect_exercise_run_looks_up_perfect_muscles():
    clip_set = runs.sample()
    run = runs.write_run(clip_set)
    actual = baselines.lookup(predictions.read(run), LABELS)
    scores = score(actual, clip_set.table(), MGAP)
    assert scores["f1"] == 1 and scores["map"] == 1 and scores["exact_match"] == 1


def test_a_muscle_is_as_likely_as_the_exercises_that_work_it():
    clips = runs.sample().table()
    logits = np.random.default_rng(0).normal(size=(len(clips), 16))
    actual = baselines.lookup(predictions.table(clips, logits, LABELS.exercises), LABELS)
    likely = softmax(logits[3].astype(np.float32))
    quads = [LABELS.exercises.index(e) for e in ("Leg Extension", "Squat")]
    assert expit(actual["logit/quads"][3]) == pytest.approx(likely[quads].sum(), rel=1e-5)


def write_embeddings(run, clips: pd.DataFrame, values: np.ndarray) -> None:
    np.savez(
        run.folder / "embeddings.npz",
        clip_id=clips["clip_id"].to_numpy(str),
        split=clips["split"].to_numpy(str),
        embedding=values.astype(np.float32),
    )


@pytest.mark.parametrize("task", runs.TASKS, ids=str)
def test_a_probe_reads_what_an_embedding_holds_and_no_test_clip(task):
    clip_set = runs.sample()
    clips = clip_set.table()
    clips.loc[clips["split"].eq("train") & (clips.index % 2 == 1), "split"] = "val"
    run = runs.write_run(clip_set)
    embedding = one_hot(EXERCISE, clips["exercise"])
    embedding = embedding + 0.05 * np.random.default_rng(0).normal(size=embedding.shape)
    write_embeddings(run, clips, embedding)
    actual = baselines.probe(run, clips, task)
    assert score(actual, clips, task)["top1" if task is EXERCISE else "f1"] == 1

    # Other test clips do not change what is said of the others.
    test = clips["split"].eq("test").to_numpy()
    write_embeddings(run, clips, np.where(test[:, None], 100.0, embedding))
    other = baselines.probe(run, clips, task)
    pd.testing.assert_frame_equal(actual[~test], other[~test])
    with pytest.raises(ValueError, match="needs training and validation clips"):
        write_embeddings(run, clips[test], embedding[test])
        baselines.probe(run, clips, task)


@pytest.mark.parametrize("task", runs.TASKS, ids=str)
def test_baselines_do_not_learn_from_clips_marked_unusable(task):
    clip_set = runs.sample()
    clips = clip_set.table()
    clips.loc[clips["split"].eq("train") & (clips.index % 2 == 1), "split"] = "val"
    marked = clips.assign(unusable=clips["clip_id"].isin(["c0", "c1", "c2", "c3"]))  # bench press and bicep curl
    actual = baselines.prevalence(marked, task)
    rest = baselines.prevalence(clips[~marked["unusable"]], task)
    assert len(actual) == 64 and actual.iloc[0, 3:].tolist() == rest.iloc[0, 3:].tolist()
    run, random = runs.write_run(clip_set), np.random.default_rng(0)
    embedding = one_hot(EXERCISE, clips["exercise"]) + random.normal(size=(len(clips), 16))
    write_embeddings(run, clips, embedding)
    usable = baselines.probe(run, marked, task)
    write_embeddings(run, clips, np.where(marked["unusable"].to_numpy()[:, None], 100.0, embedding))
    kept = ~marked["unusable"].to_numpy()
    pd.testing.assert_frame_equal(
        baselines.probe(run, marked, task)[kept], usable[kept]
    )  # whatever the marked ones hold


def test_a_muscle_that_every_exercise_works_is_sure():
    labels = Labels({"squat": ("quads", "core"), "burpee": ("chest", "core")})
    clips = runs.sample().table()
    logits = np.random.default_rng(0).normal(size=(len(clips), 2))
    actual = baselines.lookup(predictions.table(clips, logits, labels.exercises), labels)
    assert predictions.names_of(actual) == ("quads", "chest", "core") and (actual["logit/core"] == baselines.SURE).all()
    assert expit(actual["logit/quads"]).to_numpy() == pytest.approx(softmax(logits, axis=1)[:, 0], rel=1e-5)


def test_the_strength_of_a_probe_is_that_of_least_loss_on_validation(monkeypatch):
    clip_set = runs.sample()
    clips = clip_set.table()
    clips.loc[clips["split"].eq("train") & (clips.index % 2 == 1), "split"] = "val"
    run, random = runs.write_run(clip_set), np.random.default_rng(0)
    embedding = one_hot(EXERCISE, clips["exercise"]) + random.normal(size=(len(clips), 16))
    write_embeddings(run, clips, embedding)
    losses = {}
    for strength in baselines.STRENGTHS:
        with monkeypatch.context() as only:
            only.setattr(baselines, "STRENGTHS", (strength,))
            actual = baselines.probe(run, clips, EXERCISE)
        _, truth, logits = predictions.with_truth(actual, clips, EXERCISE, "val")
        losses[strength] = (log_loss(truth, softmax(logits, axis=1), labels=range(16)), predictions.logits(actual))
    best = min(losses, key=lambda strength: losses[strength][0])
    assert best not in (baselines.STRENGTHS[0], baselines.STRENGTHS[-1])  # noise makes both ends worse
    assert np.array_equal(predictions.logits(baselines.probe(run, clips, EXERCISE)), losses[best][1])


def test_a_muscle_that_no_training_clip_works_is_never_predicted_by_a_probe():
    clip_set = runs.sample()
    clips = clip_set.table()
    clips.loc[clips["split"].eq("train") & (clips.index % 2 == 1), "split"] = "val"
    clips = clips[~(clips["split"].eq("train") & clips["exercise"].map(LABELS.muscles_of).map(lambda m: "quads" in m))]
    run = runs.write_run(clip_set)
    write_embeddings(run, clips, one_hot(EXERCISE, clips["exercise"]))
    assert (baselines.probe(run, clips, MGAP)["logit/quads"] == -baselines.SURE).all()


def test_a_probe_of_muscles_that_all_training_clips_work_has_no_need_of_a_regression():
    clip_set = runs.sample()
    clips = clip_set.table().assign(exercise="Bicep Curl")
    clips.loc[clips["split"].eq("train") & (clips.index % 2 == 1), "split"] = "val"
    run = runs.write_run(clip_set)
    write_embeddings(run, clips, np.random.default_rng(0).normal(size=(len(clips), 4)))
    actual = predictions.logits(baselines.probe(run, clips, MGAP))
    assert (actual == np.where(MGAP.truth(["Bicep Curl"]), baselines.SURE, -baselines.SURE)).all()


def test_a_baseline_becomes_a_run_that_names_its_parent():
    clip_set = runs.sample()
    parent = runs.write_run(clip_set)
    facts = {"preset": "quick", "split": "video", "seed": 0, "clip_set": clip_set.hash("video")}
    run = baselines.store(parent, "lookup", baselines.lookup(predictions.read(parent), LABELS), "sample", MGAP, facts)
    assert run.name.startswith("lookup-x3d_m-") and run.task == "mgap"
    assert run.facts()["parent"] == f"sample/exercise/{parent.name}"
    prevalence = baselines.store(
        None, "prevalence", baselines.prevalence(clip_set.table(), MGAP), "sample", MGAP, facts
    )
    assert prevalence.name.startswith("prevalence-")
