"""Joints drawn as limbs: the right colour in the right place, nothing that is not seen, nothing at the edges."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from exmus_lib.poses.draw import BLUE, ORANGE, SKY, VERMILION, drawn, skeleton_over, stick_figure
from exmus_lib.poses.track import BODY

# A person from in front, arms and legs apart: x is 0 in the middle, the left side is on the picture's right.
HALF = {"ear": (6, 8), "shoulder": (20, 30), "elbow": (50, 30), "wrist": (80, 30), "hip": (15, 90), "knee": (25, 140),
        "ankle": (35, 190), "heel": (33, 196), "foot index": (45, 198)}  # fmt: skip
LIMBS = {"left wrist": ORANGE, "right wrist": SKY, "left knee": VERMILION, "right knee": BLUE}


def person() -> np.ndarray:
    sides = [(-1 if name.startswith("right") else 1, HALF.get(name.partition(" ")[2], (0, 10))) for name in BODY]
    return np.array([(100 + side * x, y) for side, (x, y) in sides], float)


def only(*names: str) -> np.ndarray:
    return np.isin(BODY, names).astype(float)


def colours(picture: np.ndarray) -> set[tuple[int, ...]]:
    return {tuple(pixel) for pixel in picture.reshape(-1, picture.shape[-1]).tolist()} - {(0, 0, 0)}


def swapped(joints: np.ndarray) -> np.ndarray:
    other = {"left": "right", "right": "left"}
    names = [" ".join(other.get(word, word) for word in name.split()) for name in BODY]
    return joints[[BODY.index(name) for name in names]]


def test_a_limb_lies_where_its_joints_are():
    # 100 pixels from elbow to wrist fill a picture of side 200 but for 8 % on each side: columns 16 to 184.
    joints = np.zeros((1, len(BODY), 2))
    joints[0, BODY.index("left wrist")] = 100, 0
    picture = drawn(joints, only("left elbow", "left wrist")[None], 200)[0]
    line = (picture == ORANGE).all(axis=-1)
    assert line[98:102, 18:182].all()
    assert (
        not picture[:94].any() and not picture[106:].any() and not picture[:, :12].any() and not picture[:, 188:].any()
    )


def test_left_and_right_have_their_colours_and_swap_them_with_the_joints():
    both = np.stack([person(), swapped(person())])
    pictures = drawn(both, np.ones(both.shape[:2]), 200)
    scale = 0.84 * 200 / (198 - 8)  # the height, ear to toe, is larger than the width
    other = dict(zip(LIMBS.values(), [SKY, ORANGE, BLUE, VERMILION], strict=True))
    for name, colour in LIMBS.items():
        x, y = person()[BODY.index(name)]
        column, row = round((x - 100) * scale + 99.5), round((y - 103) * scale + 99.5)
        assert tuple(pictures[0, row, column]) == colour
        assert tuple(pictures[1, row, column]) == other[colour]


def test_all_pictures_share_one_square():
    # The wrist goes down by half the height of the person: so it does in the picture.
    low = person()
    low[BODY.index("left wrist"), 1] += 95
    hand = np.stack([only("left elbow", "left wrist")] * 2)
    pictures = drawn(np.stack([person(), low]), hand, 64)
    lowest = [np.flatnonzero(picture.any(axis=(1, 2)))[-1] for picture in pictures]
    assert lowest[1] - lowest[0] == pytest.approx(0.84 * 64, abs=1)


def test_what_is_not_seen_is_left_out():
    joints = np.stack([person()] * 3)
    joints[2, BODY.index("right wrist")] = np.nan
    seen = np.ones(joints.shape[:2])
    seen[0] = 0
    seen[1] = seen[1] * (1 - 0.6 * only("left knee", "left ankle", "left heel", "left foot index"))
    pictures = drawn(joints, seen, 96)
    assert not pictures[0].any()
    assert VERMILION not in colours(pictures[1]) and {BLUE, SKY, ORANGE} <= colours(pictures[1])
    row, column = np.argwhere((pictures[1] == SKY).all(axis=-1)).T
    row_without, column_without = np.argwhere((pictures[2] == SKY).all(axis=-1)).T
    assert column_without.min() - column.min() > 10  # the upper arm alone
    assert not drawn(np.full((2, len(BODY), 2), np.nan), np.zeros((2, len(BODY))), 48).any()


@pytest.mark.parametrize("side", [32, 48, 224])
def test_no_figure_touches_the_edges(side):
    joints = np.random.default_rng(0).uniform(-500, 900, (20, len(BODY), 2))
    pictures = drawn(joints, np.ones(joints.shape[:2]), side)
    assert pictures.shape == (20, side, side, 3) and pictures.any(axis=(1, 2, 3)).all()
    edges = pictures[:, [0, -1]].any() or pictures[:, :, [0, -1]].any()
    assert not edges


def test_over_a_frame():
    frame = np.full((220, 200, 3), 90, np.uint8)
    over = skeleton_over(frame, person(), np.ones(len(BODY)))
    assert (frame == 90).all()
    assert set(LIMBS.values()) <= colours(over)
    for name, colour in LIMBS.items():  # halfway between two joints, beside their dots
        end = person()[BODY.index(name)]
        start = person()[BODY.index(name.replace("wrist", "elbow").replace("knee", "hip"))]
        column, row = np.round((start + end) / 2).astype(int)
        assert colour in colours(over[row - 1 : row + 2, column - 1 : column + 2])
    np.testing.assert_array_equal(skeleton_over(frame, person(), np.zeros(len(BODY))), frame)


def test_in_a_figure():
    ax = Figure().subplots()
    stick_figure(ax, person())
    count = len(ax.lines)
    stick_figure(ax, person() + 300, only("left elbow", "left wrist"))
    assert len(ax.lines) == count + 1 and ax.lines[-1].get_color().tolist() == (np.array(ORANGE) / 255).tolist()
    assert ax.yaxis_inverted() and ax.get_aspect() == 1
