"""From videos to tracks: pictures at even times, cuts, whom to follow, clips that go on where they were, the networks' files."""

import os
from fractions import Fraction

import av
import cv2
import numpy as np
import pandas as pd
import pytest
from helpers import damage, number_of, write_video

from exmus_lib.poses import estimate as module
from exmus_lib.poses.blazepose import BlazePose, Person, Pose, Region
from exmus_lib.poses.estimate import estimate, estimate_clips
from exmus_lib.poses.files import files
from exmus_lib.poses.people import People, chosen, most_at_once
from exmus_lib.poses.pictures import SIDE, Cuts, pictures
from exmus_lib.poses.track import BODY
from exmus_lib.sample.film import Take, shoot
from exmus_lib.videos.faults import VideoError
from exmus_lib.videos.prepare import ClipSet


class Gym:
    """In place of BlazePose: people as functions of time, each a place (x, y), a size and where the wrists are; or None."""

    def __init__(self, *people):
        self.people, self.sample, self.looks, self.follows = people, -1, 0, 0

    def next(self):
        self.sample += 1
        return self.sample

    def there(self):
        return [seen for person in self.people if (seen := person(self.sample))]

    def find(self, picture):
        self.looks += 1
        return [Person(Region(x, y, side, 0.0)) for x, y, side, _ in self.there()]

    def follow(self, picture, person):
        self.follows += 1
        for x, y, side, wrists in self.there():
            if np.hypot(x - person.region.x, y - person.region.y) < 0.3 * person.region.side:
                person.region = Region(x, y, side, 0.0)
                return pose(x, y, side, wrists)


def pose(x, y, side, wrists=0.0):
    image = np.column_stack([np.full(33, x), y + side * np.linspace(-0.4, 0.4, 33), np.zeros(33), np.ones(33)])
    world = np.zeros((33, 3))
    world[15:17, 1] = wrists
    return Pose(image, world)


def watch(gym, samples, longest=640):
    """The people seen in so many samples, and the place of the one chosen at each, None where not seen."""
    people = People(gym)
    for _ in range(samples):
        people(gym.next())
    who = chosen(people.sightings, np.zeros(samples, int), longest)
    places = [dict(zip(seen.samples, seen.joints, strict=True)) for seen in people.sightings]
    return people, [places[n][i][0, 0] if i in places[n] else None for i, n in enumerate(who)]


def still(x, side=300):
    return lambda sample: (x, 300, side, 0.0)


def lifter(x, side=300):
    return lambda sample: (x, 300, side, 0.4 * np.sin(sample / 3))


@pytest.mark.parametrize("fps", [10, 24, Fraction(30000, 1001), 60, 240])
def test_pictures_are_those_shown_at_every_tenth_of_a_second(tmp_path, fps):
    video = write_video(tmp_path / "1.mp4", 200, fps)
    numbers = [number_of(picture) for _, picture in pictures(video)]
    count = int(199 / fps * 10 + 1e-6) + 1
    assert numbers == [int(i * Fraction(fps) / 10 + Fraction(1, 1000)) for i in range(count)]


def test_gaps_of_a_varying_frame_rate_are_filled_with_what_is_shown(tmp_path):
    video = write_video(tmp_path / "1.mp4", [0, 0.1, 0.16, 0.51, 0.6])
    assert [number_of(picture) for _, picture in pictures(video)] == [0, 1, 2, 2, 2, 2, 4]


@pytest.mark.parametrize("turned", [0, 90, 180, 270])
def test_pictures_stand_upright(tmp_path, turned):
    video = write_video(tmp_path / "1.mp4", 9, turned=turned)
    assert [number_of(picture) for _, picture in pictures(video)] == [0, 3, 6]


def test_pixels_are_made_square_and_the_longer_side_is_limited(tmp_path):
    stored = {"size": (320, 320), "aspect": Fraction(1, 2)}
    assert next(pictures(write_video(tmp_path / "1.mp4", 2, **stored)))[1].shape == (320, 160, 3)
    (share, large), *_ = pictures(write_video(tmp_path / "2.mp4", 2, size=(1280, 720)))
    assert large.shape == (SIDE * 720 // 1280, SIDE, 3) and share == 0


def scene(seed, shape=(180, 320)):
    """A picture of large blobs of many colours."""
    small = np.random.default_rng(seed).integers(0, 255, (6, 10, 3), np.uint8)
    return cv2.resize(small, shape[::-1], interpolation=cv2.INTER_CUBIC)


def cuts(*scenes):
    is_cut = Cuts()
    return [is_cut(picture) for picture in scenes]


def test_another_scene_is_a_cut_and_what_happens_within_one_is_not():
    one, other = scene(0), scene(1)
    shaken = np.roll(one, (40, 60), (0, 1))
    passing = one.copy()
    passing[:, 100:160] = 30  # somebody walks by
    assert cuts(one, one, other, other) == [False, False, True, False]
    assert cuts(one, shaken, one, passing, one, one // 2) == [False] * 6
    black = np.zeros_like(one)
    assert cuts(black, black, one) == [False, False, True]


def test_an_editors_bars_do_not_hide_a_cut():
    barred = [cv2.copyMakeBorder(scene(i), 0, 0, 400, 400, cv2.BORDER_CONSTANT) for i in (0, 1)]
    assert cuts(*barred) == [False, True]


def test_one_person_costs_one_run_a_sample_and_a_look_a_second():
    gym = Gym(lifter(200))
    people, places = watch(gym, 50)
    assert places == [200] * 50 and (gym.follows, gym.looks) == (50, 5)
    assert most_at_once(people.sightings, 50) == 1


def test_of_several_people_the_one_who_moves_is_chosen():
    people, places = watch(Gym(still(100), lifter(300), still(500)), 60)
    assert places == [300] * 60
    assert most_at_once(people.sightings, 60) == 3


def test_the_jitter_of_somebody_small_and_far_away_does_not_count():
    jitter = np.random.default_rng(0).normal(0, 0.3, 60)
    assert watch(Gym(lambda i: (500, 100, 40, jitter[i]), lifter(200, 400)), 60)[1] == [200] * 60


def test_of_people_who_stand_still_the_biggest_is_chosen():
    assert watch(Gym(still(500, 150), still(200, 400)), 30)[1] == [200] * 30


def test_who_is_lost_for_a_moment_is_the_same_person_and_nobody_takes_the_place():
    gym = Gym(lambda i: None if 20 <= i < 25 else lifter(200)(i), still(500, 250))
    people, places = watch(gym, 50)
    assert places == [200] * 20 + [None] * 5 + [200] * 25
    assert len(people.sightings) == 2


def test_a_rest_hands_nobody_over_and_a_long_absence_does():
    resting = Gym(
        lambda i: (200, 300, 300, 0.4 * np.sin(i / 3) * (not 40 < i < 80)),
        lambda i: (500, 300, 150, 0.4 * np.sin(i / 3)),
    )
    assert watch(resting, 120)[1] == [200] * 120
    leaving = watch(Gym(lambda i: lifter(200)(i) if i < 100 else None, lifter(500, 200)), 300)[1]
    assert leaving[:90] == [200] * 90 and leaving[-150:] == [500] * 150


def test_somebody_big_who_comes_later_takes_the_place_of_the_smallest():
    crowd = [still(x, 80) for x in (100, 200, 300)]
    people, places = watch(Gym(*crowd, lambda i: lifter(500, 400)(i) if i > 12 else None), 200)
    assert places[30:] == [500] * 170
    assert most_at_once(people.sightings, 200) == 4


def test_two_who_turn_out_to_be_one_are_counted_once():
    gym = Gym(lambda i: (200, 300, 300, 0.0), lambda i: (300, 300, 300, 0.0) if i < 3 else None)
    gym.find = lambda picture: [Person(Region(200, 300, 300, 0.0)), Person(Region(280, 300, 300, 0.0))]
    gym.there = lambda: [(200, 300, 300, 0.0)]
    people, _ = watch(gym, 40)
    assert most_at_once(people.sightings, 40) == 1


def test_where_somebody_small_was_found_in_a_big_person_the_big_one_is_followed_once_seen():
    gym = Gym()
    gym.find = lambda picture: [Person(Region(200, 300, 80 if gym.sample < 10 else 400, 0.0))]
    gym.follow = lambda picture, person: pose(200, 300, person.region.side)
    people, _ = watch(gym, 30)
    (seen,) = people.sightings
    assert seen.samples == list(range(30)) and seen.sides == [80] * 10 + [400] * 20


@pytest.fixture
def stub(monkeypatch):
    """estimate() and estimate_clips() with a gym of one lifter in place of the networks; how many estimates began."""
    gyms = []

    def new(*files):
        gym = Gym(lifter(60, 90))
        find, follow = gym.find, gym.follow
        gym.follow = lambda picture, person: (gym.next(), follow(picture, person))[1]
        gym.find = lambda picture: find(picture) if gym.sample >= 0 else (gym.next(), find(picture))[1]
        gyms.append(gym)
        return gym

    monkeypatch.setattr(module, "BlazePose", new)
    monkeypatch.setattr(module, "loaded", new)
    monkeypatch.setattr(module, "files", lambda: ("detector", "landmarks"))
    return gyms


def test_a_track_has_even_times_and_the_share_done_is_reported(tmp_path, stub):
    shares = []
    track = estimate(write_video(tmp_path / "1.mp4", 70, 30), shares.append)
    assert track.times == pytest.approx(np.arange(24) / 10)
    assert track.image.shape == (24, 19, 2) and track.world.shape == (24, 19, 3) and track.size == (96, 128)
    assert track.found.all() and track.people == 1
    assert shares == sorted(shares) and shares[0] == 0 and shares[-1] == 1


def test_at_a_cut_the_next_shot_begins_and_the_person_is_looked_for_anew(stub, monkeypatch):
    shown = [scene(0)] * 12 + [scene(1)] * 12
    monkeypatch.setattr(
        module, "guarded_pictures", lambda video: ((i / 24, picture) for i, picture in enumerate(shown))
    )
    track = estimate("1.mp4")
    assert track.shot.tolist() == [0] * 12 + [1] * 12 and track.found.all()
    assert stub[0].looks == 4  # at 0, 1, 1.2 and 2.2 seconds


def test_nobody_is_a_track_too(tmp_path):
    track = estimate(write_video(tmp_path / "1.mp4", 70, 30), network=Gym())
    assert not track.found.any() and np.isnan(track.image).all() and np.isnan(track.world).all()
    assert not track.visibility.any() and track.people == 0


def test_what_the_report_raises_ends_the_work(tmp_path, stub):
    def stop(share):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        estimate(write_video(tmp_path / "1.mp4", 70, 30), stop)
    assert stub[0].follows == 0


def test_a_damaged_video_is_named(tmp_path, stub):
    video = write_video(tmp_path / "1.mp4", 70, 30)
    damage(video, 20)
    with pytest.raises(VideoError, match="1.mp4"):
        estimate(video)


@pytest.fixture
def clip_set(tmp_path):
    names = ["a-00", "a-01", "b-00"]
    for name in names:
        write_video(tmp_path / "clips" / f"{name}.mp4", 62, 30)
    clips = pd.DataFrame({"clip_id": names, "path": [f"clips/{name}.mp4" for name in names]})
    return ClipSet("gym", tmp_path, pd.DataFrame(), clips)


def test_clips_are_estimated_once_and_again_when_they_change(clip_set, stub, capsys):
    assert {name: len(track) for name, track in estimate_clips(clip_set).items()} == {
        "a-00": 21,
        "a-01": 21,
        "b-00": 21,
    }
    assert len(stub) == 3 and "finding joints" in capsys.readouterr().err
    assert estimate_clips(clip_set).keys() == {"a-00", "a-01", "b-00"}
    assert len(stub) == 3 and capsys.readouterr().err == ""
    (clip_set.folder / "poses/a-01.npz").unlink()  # as if it had been interrupted
    clip = write_video(clip_set.folder / "clips/b-00.mp4", 92, 30)
    os.utime(clip, ns=((clip_set.folder / "poses/b-00.npz").stat().st_mtime_ns + 1,) * 2)
    assert [len(track) for track in estimate_clips(clip_set).values()] == [21, 21, 31]
    assert len(stub) == 5


def test_a_clip_that_cannot_be_read_is_named_and_left_out(clip_set, stub, capsys):
    (clip_set.folder / "clips/a-01.mp4").write_bytes(b"no video")
    (clip_set.folder / "clips/b-00.mp4").unlink()
    assert estimate_clips(clip_set, progress=False).keys() == {"a-00"}
    printed = capsys.readouterr().out
    assert "a-01.mp4" in printed and "b-00.mp4" in printed and "a-00.mp4" not in printed


def test_a_person_who_was_rendered_is_found_where_drawn(tmp_path):
    try:
        network = BlazePose(*files())
    except RuntimeError as missing:  # no internet, and not fetched before
        pytest.skip(str(missing))
    frames = list(shoot(Take("squat", 10, 1.0, 342, 256), np.random.default_rng(1)))
    with av.open(str(tmp_path / "1.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 342, 256, "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode())
    track = estimate(tmp_path / "1.mp4", network=network)
    assert track.found.mean() >= 0.9 and track.people == 1
    nose, ankles = track.image[:, BODY.index("nose"), 1], track.image[:, BODY.index("left ankle"), 1]
    assert (nose[track.found] < ankles[track.found]).all()
    assert np.nanmean(track.visibility[:, BODY.index("left shoulder")]) > 0.5
