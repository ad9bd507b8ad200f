"""Files of one recording are found whatever became of them, others are not; what to do about them is suggested, never done."""

from pathlib import Path

import av
import cv2
import numpy as np
import pandas as pd
import pytest

from exmus_lib.videos import duplicates
from exmus_lib.videos.hashes import BLOCK
from exmus_lib.videos.prepare import load, prepare
from exmus_lib.videos.scan import joined


def film(path: Path, seed: int, seconds: float = 4.0, start: float = 0.0, height: int = 180, crf: str = "18") -> None:
    """A room of random texture in which something moves, at 24 frames a second: the seed decides on the room."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (18, 32, 3), dtype=np.uint8)
    room = cv2.resize(noise, (320, 180), interpolation=cv2.INTER_CUBIC)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 24, options={"crf": crf, "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = height * 16 // 9, height, "yuv420p"
        for moment in np.arange(start, start + seconds, 1 / 24):
            image = room.copy()
            cv2.circle(image, (160 + int(60 * np.sin(2 * moment)), 110), 25, (250, 250, 250), -1)
            small = cv2.resize(image, (stream.width, height), interpolation=cv2.INTER_AREA)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(small, format="rgb24")))
        container.mux(stream.encode())


@pytest.fixture(scope="module")
def gym(tmp_path_factory):
    """Room 1 four times (as it is, trimmed by half a second, small and coarse, a cut-out), and eight other rooms."""
    folder = tmp_path_factory.mktemp("gym")
    film(folder / "raw/Squat/room1.mp4", 1, seconds=9)
    film(folder / "raw/Squat/trimmed.mp4", 1, seconds=8.5, start=0.5)
    film(folder / "raw/Deadlift/coarse.mp4", 1, seconds=9, height=90, crf="36")
    film(folder / "raw/Deadlift/cut-out.mp4", 1, seconds=2.5, start=4.2)
    for seed in range(2, 10):
        film(folder / f"raw/Squat/room{seed}.mp4", seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXMUS_HOME", str(folder / "home"))
        yield prepare(str(folder / "raw"))


COPIES = {"Squat/room1.mp4", "Squat/trimmed.mp4", "Deadlift/coarse.mp4", "Deadlift/cut-out.mp4"}


def test_copies_are_found_and_nothing_else(gym):
    # defect 18: copies of one recording are 4 * 3 / 2 pairs; names tell nothing
    pairs = duplicates.near_duplicates(gym)
    assert len(pairs) == 6 and set(pairs["first"]) | set(pairs["second"]) == COPIES
    assert pairs["distance"].is_monotonic_increasing and pairs["distance"].max() < 0.2
    side_of = gym.clips.groupby("video_id")["split_video"].first()
    side = gym.videos.set_index("path")["video_id"].map(side_of)
    assert pairs["sides"].tolist() == [
        f"{side[a]}, {side[b]}" for a, b in zip(pairs["first"], pairs["second"], strict=True)
    ]


def test_suggested_groups_count_once_the_reader_takes_them(gym):
    path = duplicates.suggest(gym, duplicates.near_duplicates(gym))
    assert path == gym.folder / "MANIFEST.suggested.csv"
    suggested = pd.read_csv(path).set_index("path")["group"]
    assert suggested[list(COPIES)].nunique() == 1 and suggested.nunique() == 9
    raw = Path(gym.folder.parents[3] / "raw")
    assert prepare(str(raw)).clips["group"].nunique() == 12  # nothing is merged in silence
    path.rename(raw / "MANIFEST.csv")
    grouped = prepare(str(raw))
    assert grouped.clips["group"].nunique() == 9 and duplicates.near_duplicates(grouped).empty
    assert (grouped.clips.groupby("group")["split_video"].nunique() == 1).all()


def test_no_two_rendered_people_are_taken_for_one(demo, monkeypatch):
    monkeypatch.setenv("EXMUS_HOME", str(demo))
    assert duplicates.near_duplicates(load("sample-smoke")).empty


def all_distances(hashes: list[np.ndarray]) -> np.ndarray:
    """The distance of every two videos as it was computed once: matrix products of signs, and a table of all pairs."""
    signs, starts = np.where(np.concatenate(hashes), 1.0, -1.0), np.cumsum([0, *map(len, hashes)])
    alike = np.maximum.reduceat(signs @ signs.T, starts[:-1], axis=1)
    mean = np.add.reduceat(alike, starts[:-1], axis=0) / np.diff(starts)[:, None]
    distances = (1 - mean / signs.shape[1]) / 2
    return np.minimum(distances, distances.T)


@pytest.mark.parametrize("bits", [9, 64, 143])
@pytest.mark.parametrize("max_distance", [0.0, 0.25, 0.4])
def test_pairs_are_those_of_a_table_of_all_distances(bits, max_distance):
    random = np.random.default_rng(bits)
    scenes = random.random((12, bits)) < 0.5
    hashes = [scenes[random.integers(12, size=n)] ^ (random.random((n, bits)) < 0.1) for n in random.integers(1, 9, 60)]
    hashes += [hashes[7], hashes[3][:1]]  # a copy and a cut-out
    expected = all_distances(hashes)
    one, other = np.nonzero(np.triu(expected <= max_distance + 1e-9, 1))
    actual = duplicates.pairs_of(hashes, max_distance)
    assert len(one) and [*zip(*actual[:2], strict=True)] == [*zip(one, other, strict=True)]
    np.testing.assert_allclose(actual[2], expected[one, other], atol=1e-9)


def test_copies_are_found_among_more_videos_than_are_compared_at_once():
    hashes = list(np.random.default_rng(0).random((2 * BLOCK, 1, 143)) < 0.5)
    hashes[-1], hashes[BLOCK + 6], hashes[5] = hashes[0], hashes[5], hashes[5]
    one, other, distance = duplicates.pairs_of(hashes, 0.1)
    assert [*one, *other, *distance] == [0, 5, 2 * BLOCK - 1, BLOCK + 6, 0, 0]


def test_no_pair_where_all_videos_differ():
    assert [
        len(part) for part in duplicates.pairs_of([np.eye(8, dtype=bool)[:2], np.eye(8, dtype=bool)[4:6]], 0.1)
    ] == [0, 0, 0]


def test_groups_are_joined_along_the_chain_and_in_time_that_grows_with_their_number():
    groups = pd.Series(["d", "b", "c", "a", "e", "b"], index=list("uvwxyz"))
    assert joined(groups, [("d", "c"), ("c", "b")]).to_dict() == dict(u="b", v="b", w="b", x="a", y="e", z="b")
    many = pd.Series([f"{i:06d}" for i in range(200_000)])
    chain = joined(many, zip(many[:-1], many[1:], strict=True))  # joined pair by pair, this took hours
    assert (chain == "000000").all()
