"""The rendered data set: complete, repeatable, upright, and its people hold what they lift."""

from collections import Counter
from pathlib import Path

import av
import numpy as np
import pytest

from exmus_lib import labels
from exmus_lib.sample.body import draw_person
from exmus_lib.sample.film import Take, shoot
from exmus_lib.sample.make import encode, make, plan, set_display_matrix
from exmus_lib.sample.mesh import box, rod
from exmus_lib.sample.movements import MOVEMENTS
from exmus_lib.sample.skeleton import two_bone

LABELS = labels.read()
WAY = np.linspace(0, 1, 21)  # from the start of a repetition to its end
BARBELLS = (
    *("barbell biceps curl", "squat", "deadlift", "romanian deadlift", "hip thrust"),
    *("bench press", "incline bench press", "decline bench press", "shoulder press"),
)
FEET_ON_THE_FLOOR = (
    *("barbell biceps curl", "hammer curl", "lateral raise", "squat", "deadlift", "romanian deadlift", "t bar row"),
    *("tricep Pushdown", "hip thrust", "bench press", "incline bench press", "lat pulldown", "chest fly machine"),
)


def performances(folder: str, people: int = 6):
    """The same movement by several people."""
    for seed in range(people):
        rng = np.random.default_rng(seed)
        person, _ = draw_person(rng)
        yield person, MOVEMENTS[folder].perform(person, WAY, rng)


def first_frame(path: Path) -> av.VideoFrame:
    with av.open(str(path)) as container:
        return next(container.decode(video=0))


@pytest.fixture(scope="module")
def smoke(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    make(folder, smoke=True, progress=False)
    return folder


def test_the_plan_has_every_folder_and_14_videos_of_every_exercise():
    videos = plan()
    assert {folder.lower() for folder in MOVEMENTS} <= set(LABELS.folders)
    assert {folder for folder, _ in videos} == set(MOVEMENTS) and len(MOVEMENTS) == 22
    assert Counter(LABELS.exercise_of(folder) for folder, _ in videos) == {
        **dict.fromkeys(LABELS.exercises, 14),
        None: 3,
    }
    assert len(set(videos)) == len(videos) == 16 * 14 + 3


def test_smoke_renders_three_videos_of_every_exercise_named_as_kaggle_does(smoke):
    files = [file for file in smoke.rglob("*") if file.is_file()]
    assert Counter(LABELS.exercise_of(file.parent.name) for file in files) == dict.fromkeys(LABELS.exercises, 3)
    for file in files:
        assert file.stem.rpartition("_")[0] == file.parent.name and file.suffix in (".mp4", ".MOV")
        frame = first_frame(file)
        assert min(frame.width, frame.height) == 96
    assert {file.suffix for file in files} == {".mp4", ".MOV"}
    assert any(first_frame(file).rotation for file in files)


def test_finished_videos_are_kept(smoke):
    video = next(smoke.glob("squat/*"))
    before = video.stat().st_mtime_ns
    missing = next(smoke.glob("deadlift/*"))
    content = missing.read_bytes()
    missing.unlink()
    make(smoke, smoke=True, progress=False)
    assert video.stat().st_mtime_ns == before
    assert missing.read_bytes() == content  # the same seed, the same video, bit by bit


def test_a_seed_repeats_its_pixels_and_another_seed_differs():
    take = Take("pull Up", 24, 0.2, 96, 128)
    first, again, other = (np.stack(list(shoot(take, np.random.default_rng(seed)))) for seed in (3, 3, 4))
    assert first.shape == (5, 128, 96, 3)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first.astype(int) - other).mean() > 5


@pytest.mark.parametrize("turned", [90, 270])
def test_videos_stored_lying_are_shown_upright(tmp_path, turned):
    take = Take("squat", 24, 0.1, 96, 128)
    path = tmp_path / "turned.mp4"
    encode(path, take, turned, True, np.random.default_rng(0))
    set_display_matrix(path, turned, take.height)
    frame = first_frame(path)
    assert (frame.width, frame.height) == (128, 96)  # as stored
    upright = np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))  # rotation is counter-clockwise
    plain = tmp_path / "plain.mp4"
    encode(plain, take, 0, True, np.random.default_rng(0))
    drawn = first_frame(plain).to_ndarray(format="rgb24")
    assert np.abs(upright.astype(int) - drawn).mean() < 8 < np.abs(upright[::-1].astype(int) - drawn).mean()


@pytest.mark.parametrize("size", [(96, 128), (96, 170), (170, 96)])
def test_a_video_shows_what_was_drawn_whatever_its_size(tmp_path, size):
    take = Take("squat", 24, 0.1, *size)
    encode(tmp_path / "video.mp4", take, 0, False, np.random.default_rng(0))
    rng = np.random.default_rng(0)
    rng.normal(size=(take.height + 32, take.width + 32))  # the camera's noise is drawn first
    drawn = next(iter(shoot(take, rng)))
    seen = first_frame(tmp_path / "video.mp4").to_ndarray(format="rgb24")
    assert np.abs(seen.astype(int) - drawn).mean() < 8

    def greenness(image: np.ndarray) -> float:
        """How much greener than red and blue the top rows are: what chroma out of step with luma shows as."""
        top = image[:6].astype(float)
        return (top[..., 1] - top[..., [0, 2]].mean(axis=-1)).mean()

    assert greenness(seen) < 10


def test_two_bones_keep_their_lengths_and_bend_towards_the_pole():
    rng = np.random.default_rng(0)
    root, target, pole = rng.normal(size=(3, 200, 3))
    middle, end, bend = two_bone(root, target, 0.9, 0.7, pole)
    np.testing.assert_allclose(np.linalg.norm(middle - root, axis=-1), 0.9)
    np.testing.assert_allclose(np.linalg.norm(end - middle, axis=-1), 0.7)
    within = np.abs(np.linalg.norm(target - root, axis=-1) - 0.9) < 0.69  # neither too far nor too near
    assert 50 < within.sum() < 200
    np.testing.assert_allclose(end[within], target[within], atol=1e-9)
    assert ((bend * pole).sum(-1) > 0).all()


@pytest.mark.parametrize("folder", MOVEMENTS)
def test_bones_keep_their_lengths_through_every_movement(folder):
    for person, scene in performances(folder, people=3):
        body = scene.skeleton
        for start, end, length in (
            (body.shoulders, body.elbows, person.upper_arm),
            (body.elbows, body.wrists, person.forearm),
            (body.hips, body.knees, person.thigh),
            (body.knees, body.ankles, person.shin),
        ):
            np.testing.assert_allclose(np.linalg.norm(end - start, axis=-1), length, rtol=1e-6)


@pytest.mark.parametrize("folder", BARBELLS)
def test_hands_stay_on_the_barbell(folder):
    held = 0
    for _, scene in performances(folder):
        shaft = scene.moving[0].vertices
        left, right = shaft[:, 8:16].mean(1), shaft[:, :8].mean(1)  # the middles of its two ends
        if (left - right)[0, 1] < 0.5:
            continue  # dumbbells
        axis = (left - right) / np.linalg.norm(left - right, axis=-1, keepdims=True)
        offset = scene.skeleton.grips - right[:, None]
        off = offset - (offset * axis[:, None]).sum(-1, keepdims=True) * axis[:, None]
        assert np.linalg.norm(off, axis=-1).max() < 0.02  # metres
        held += 1
    assert held


def test_hands_hang_from_the_bar_and_stay_on_the_floor():
    for _, scene in performances("pull Up"):
        bar = scene.fixed[0].vertices[0].mean(0)
        assert np.linalg.norm((scene.skeleton.grips - bar)[..., [0, 2]], axis=-1).max() < 0.02
        rise = scene.skeleton.shoulders[..., 2]
        assert (rise[-1] - rise[0] > 0.3).all()
    for _, scene in performances("push-up"):
        assert np.ptp(scene.skeleton.grips, axis=0).max() < 0.01
        assert scene.skeleton.grips[..., 2].max() < 0.05


@pytest.mark.parametrize("folder", FEET_ON_THE_FLOOR)
def test_feet_stay_on_the_floor(folder):
    for person, scene in performances(folder):
        np.testing.assert_allclose(scene.skeleton.ankles[..., 2], person.ankle, atol=1e-3)
        assert np.ptp(scene.skeleton.ankles, axis=0).max() < 1e-3


def test_joints_bend_as_the_exercise_asks():
    def knee(body) -> np.ndarray:
        thigh, shin = body.hips - body.knees, body.ankles - body.knees
        lengths = np.linalg.norm(thigh, axis=-1) * np.linalg.norm(shin, axis=-1)
        return np.degrees(np.arccos((thigh * shin).sum(-1) / lengths))

    for _, scene in performances("squat"):
        assert knee(scene.skeleton)[0].min() > 150 and knee(scene.skeleton)[-1].max() < 95
    for _, scene in performances("romanian deadlift"):
        assert knee(scene.skeleton).min() > 140
    for _, scene in performances("deadlift"):
        assert knee(scene.skeleton)[0].max() < 115 and knee(scene.skeleton)[-1].min() > 150
    for _, scene in performances("leg extension"):
        assert knee(scene.skeleton)[0].max() < 110 and knee(scene.skeleton)[-1].min() > 155


@pytest.mark.parametrize(
    "mesh", [rod((0, 0, 0), (0.3, 1, 2), 0.1, (9, 9, 9)), box((1, 2, 3), np.eye(3), (1, 2, 3), (9, 9, 9))]
)
def test_faces_turn_counter_clockwise_seen_from_outside(mesh):
    a, b, c = (mesh.vertices[0][mesh.faces[:, k]] for k in range(3))
    outward = mesh.normals[0][mesh.faces].mean(1)
    assert ((np.cross(b - a, c - a) * outward).sum(-1) > 0).all()
