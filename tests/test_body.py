"""The body map: every muscle a named region on either side, shaded by probability, outlined where true, said in words."""

from xml.etree import ElementTree

import pytest

from exmus_lib.labels import PAPER_MUSCLES as MUSCLES
from exmus_lib.pictures import body

LIKELY = {muscle: i / 10 for i, muscle in enumerate(MUSCLES)}
SVG = "{http://www.w3.org/2000/svg}"


def test_every_muscle_is_a_region_shaded_by_its_probability():
    root = ElementTree.fromstring(body.svg(LIKELY, ["glutes"]))
    regions = {region.get("data-muscle"): region for region in root.iter(f"{SVG}g") if region.get("data-muscle")}
    assert set(regions) == set(MUSCLES)
    assert [regions[m].get("fill") for m in MUSCLES] == [body.shade(LIKELY[m]) for m in MUSCLES]
    assert [m for m in MUSCLES if regions[m].get("stroke") == body.TRUE] == ["glutes"]
    assert regions["glutes"].find(f"{SVG}title").text == "glutes 40%, worked"
    assert len(regions["quads"].findall(f".//{SVG}path")) == 2  # left and right
    assert root.get("aria-label") == body.words(LIKELY, ["glutes"])


def test_darker_is_likelier_in_grey_too():
    grey = [sum(int(body.shade(p / 10)[i : i + 2], 16) for i in (1, 3, 5)) for p in range(11)]
    assert grey == sorted(grey, reverse=True) and len(set(grey)) == 11


def test_in_words_the_likeliest_comes_first():
    text = body.words(LIKELY, ["abs", "quads"])
    assert text.startswith("Muscles: hamstrings 100%, lower back 90%") and text.endswith("Worked: quads, abs.")


def test_a_muscle_without_a_region_stands_beside_the_body_with_its_value():
    likely = LIKELY | {"forearms": 0.85, "neck & jaw": 0.02}
    root = ElementTree.fromstring(body.svg(likely, ["forearms"]))
    regions = {region.get("data-muscle"): region for region in root.iter(f"{SVG}g") if region.get("data-muscle")}
    assert set(regions) == {*MUSCLES, "forearms", "neck & jaw"}
    forearms = regions["forearms"]
    assert forearms.get("fill") == body.shade(0.85) and forearms.get("stroke") == body.TRUE
    assert forearms.find(f"{SVG}title").text == "forearms 85%, worked"
    assert [text.text for text in forearms.findall(f"{SVG}text")] == ["forearms", "85%"]
    left, right = 330, float(root.get("viewBox").split()[2])
    assert all(left <= float(region.find(f"{SVG}rect").get("x")) < right - 18 for region in list(regions.values())[-2:])


def test_muscles_that_the_labels_lack_are_left_blank():
    root = ElementTree.fromstring(body.svg({"forearms": 0.5, "quads": 0.1}))
    assert [region.get("data-muscle") for region in root.iter(f"{SVG}g") if region.get("data-muscle")] == [
        "quads",
        "forearms",
    ]


def test_a_true_muscle_without_a_probability_is_named():
    with pytest.raises(ValueError, match="no probability for neck"):
        body.svg(LIKELY, ["neck"])
