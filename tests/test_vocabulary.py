"""22 folders, 16 exercises, 11 muscles, and the paper's Table 1 between them."""

import numpy as np
import pytest

from exmus_lib import vocabulary
from exmus_lib.vocabulary import EXERCISES, FOLDERS, MUSCLES, MUSCLES_OF, exercise_of, nearest, truth

# Table 1 of the paper, by hand; it calls lat pulling "Lat Pulldown".
TABLE_1 = {
    "triceps": {"Bench Press", "Push-up", "Tricep Pushdown", "Tricep Dips"},
    "lats": {"Lat Pulling", "T-Bar Row"},
    "biceps": {"Bicep Curl", "Lat Pulling", "T-Bar Row"},
    "quads": {"Leg Extension", "Squat"},
    "glutes": {"Deadlift", "Hip Thrust", "Squat"},
    "shoulders": {"Bench Press", "Lateral Raise", "Push-up", "Shoulder Press"},
    "abs": {"Leg Raises", "Russian Twist"},
    "obliques": {"Russian Twist"},
    "chest": {"Bench Press", "Chest Fly Machine", "Push-up"},
    "lower back": {"Deadlift"},
    "hamstrings": {"Deadlift", "Squat"},
}
# The folders of the Kaggle set, with its capitals.
KAGGLE = {
    "barbell biceps curl": "Bicep Curl", "bench press": "Bench Press", "chest fly machine": "Chest Fly Machine",
    "deadlift": "Deadlift", "decline bench press": "Bench Press", "hammer curl": "Bicep Curl",
    "hip thrust": "Hip Thrust", "incline bench press": "Bench Press", "lat pulldown": "Lat Pulling",
    "lateral raise": "Lateral Raise", "leg extension": "Leg Extension", "leg raises": "Leg Raises", "plank": None,
    "pull Up": "Lat Pulling", "push-up": "Push-up", "romanian deadlift": "Deadlift", "russian twist": "Russian Twist",
    "shoulder press": "Shoulder Press", "squat": "Squat", "t bar row": "T-Bar Row",
    "tricep Pushdown": "Tricep Pushdown", "tricep dips": "Tricep Dips",
}  # fmt: skip


def test_22_folders_lead_to_16_exercises():
    assert len(KAGGLE) == 22
    assert {folder: exercise_of(folder) for folder in KAGGLE} == KAGGLE
    assert set(KAGGLE.values()) - {None} == set(EXERCISES) and len(EXERCISES) == 16


def test_muscles_are_those_of_table_1():
    assert tuple(TABLE_1) == MUSCLES
    for muscle, exercises in TABLE_1.items():
        assert {e for e in EXERCISES if muscle in MUSCLES_OF[e]} == exercises, muscle


def test_order_is_that_of_table_3():
    assert (EXERCISES[0], EXERCISES[5], EXERCISES[15]) == ("Bench Press", "Lat Pulling", "Tricep Dips")
    assert [EXERCISES.index(e) for e in ("Deadlift", "Push-up", "T-Bar Row")] == [3, 9, 13]


def test_case_and_the_exercises_own_names_are_understood():
    assert exercise_of("PULL UP") == exercise_of(" Pull up ") == exercise_of("lat pulling") == "Lat Pulling"
    assert [exercise_of(e) for e in EXERCISES] == list(EXERCISES)
    assert all(folder == folder.lower() for folder in FOLDERS)


def test_an_unknown_folder_names_the_nearest_and_the_way_out():
    with pytest.raises(
        ValueError, match=r'unknown class folder "Dead-lift". Did you mean "deadlift"\?.*Tricep Dips.*exercises.csv'
    ):
        exercise_of("Dead-lift")
    with pytest.raises(ValueError) as error:
        exercise_of("xyz")
    assert "Did you mean" not in str(error.value)


def test_nearest_keeps_the_known_words_capitals():
    assert nearest("SLOWFAST-R5", ["X3D-M", "SlowFast-R50"]) == ' Did you mean "SlowFast-R50"?'
    assert nearest("", ["a"]) == nearest("q", []) == ""


def test_truth_of_clips():
    clips = ["Russian Twist", "Deadlift", "Russian Twist"]
    assert truth(clips, "exercise").tolist() == [10, 3, 10]
    muscles = truth(clips, "mgap")
    assert muscles.shape == (3, 11) and muscles.dtype == np.int64
    assert [[MUSCLES[i] for i in np.flatnonzero(row)] for row in muscles[:2]] == [
        ["abs", "obliques"],
        ["glutes", "lower back", "hamstrings"],
    ]
    assert truth([], "mgap").shape == (0, 11)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("squat,Squat,quadz", 'line 2: unknown muscle "quadz". Did you mean "quads"'),
        ("squat,Squat,quads\nbox squat,Squat,glutes", 'line 3: "Squat" has other muscles than on an earlier line'),
    ],
)
def test_a_wrong_label_file_is_refused_by_line(tmp_path, line, message):
    file = tmp_path / "exercises.csv"
    file.write_text(f"folder,exercise,muscles\n{line}\n")
    with pytest.raises(ValueError, match=message):
        vocabulary._read(file)
