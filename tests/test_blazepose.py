"""BlazePose's arithmetic without its networks: regions, anchors, overlapping detections, smoothing."""

import os
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event, Thread

import cv2
import numpy as np
import pytest

from exmus_lib.poses import blazepose, estimate
from exmus_lib.poses.blazepose import OneEuro, Region


def test_a_region_stands_upright_for_a_person_who_does_and_turns_with_one_who_lies():
    standing = Region.around(np.array([50.0, 60.0]), np.array([50.0, 20.0]))
    assert (standing.x, standing.y, standing.side, standing.angle) == (50, 60, pytest.approx(2 * 1.25 * 40), 0)
    lying = Region.around(np.array([50.0, 60.0]), np.array([90.0, 60.0]))  # the head to the right: a quarter clockwise
    assert lying.angle == pytest.approx(np.pi / 2)
    assert lying.corners()[1] == pytest.approx([100, 10])  # the upper left corner of the upright view


def test_what_is_cut_out_of_a_region_stands_upright():
    picture = np.zeros((120, 120, 3), np.uint8)
    picture[50:70, 90:] = 255  # where the head of one who lies is
    view = Region(60, 60, 100, np.pi / 2).cut(picture, 50, cv2.BORDER_CONSTANT)
    assert view[2, 25].min() > 250 and view[47, 25].max() < 5


def test_anchors_are_as_many_as_the_detector_has_boxes():
    anchors = blazepose._anchors()
    assert anchors.shape == (2254, 2) and anchors[0] == pytest.approx([0.5 / 28, 0.5 / 28])


def test_overlapping_detections_are_averaged_by_score_and_others_follow():
    box = np.zeros((3, 6, 2))
    box[:, 1] = 0.2
    box[:, 0] = [[0.5, 0.5], [0.52, 0.5], [0.1, 0.1]]
    first, second = blazepose._merged(box, np.array([0.9, 0.6, 0.8]))
    assert first[0] == pytest.approx([(0.9 * 0.5 + 0.6 * 0.52) / 1.5, 0.5])
    assert second[0] == pytest.approx([0.1, 0.1])
    assert blazepose._merged(box[:0], np.zeros(0)) == []


def test_the_filter_holds_what_stands_still_and_lets_fast_movement_through():
    still, fast = OneEuro(0.05, 80.0), OneEuro(0.05, 80.0)
    jitter = [still(np.array([value]), 1.0)[0] for value in (0.0, 1e-5, 0.0, 1e-5)]
    assert max(jitter) < 2e-6
    jump = [fast(np.array([value]), 1.0)[0] for value in (0.0, 1.0)]
    assert jump[1] > 0.8


def test_each_thread_has_networks_of_its_own_and_keeps_them(monkeypatch):
    monkeypatch.setattr(estimate, "BlazePose", lambda *files: object())
    both = Barrier(2)

    def twice(_):
        both.wait()
        return estimate.loaded("detector", "landmarks"), estimate.loaded("detector", "landmarks")

    with ThreadPoolExecutor(2) as pool:
        (one, same), (other, _) = pool.map(twice, range(2))
    assert one is same and one is not other


def test_two_threads_that_load_networks_leave_the_screen_on():
    before, first_is_done = os.fstat(2), Event()

    def load():
        with blazepose._quiet():
            first_is_done.wait()

    second = Thread(target=load)
    with blazepose._quiet():
        second.start()
        second.join(0.1)  # time to begin while the first has the screen off
    first_is_done.set()
    second.join()
    assert (os.fstat(2).st_dev, os.fstat(2).st_ino) == (before.st_dev, before.st_ino)
