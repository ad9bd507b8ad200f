"""22 folders, 16 exercises, 11 muscles, and the paper's Table 1 between them; and label files of other people."""

import numpy as np
import pytest

from exmus_lib import labels
from exmus_lib.labels import Labels, nearest
from exmus_lib.tasks import task

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
DEFAULT = labels.read()


def test_22_folders_lead_to_16_exercises():
    assert len(KAGGLE) == 22 and len(DEFAULT.exercises) == 16
    assert {folder: DEFAULT.exercise_of(folder) for folder in KAGGLE} == KAGGLE


def test_muscles_are_those_of_table_1():
    assert DEFAULT == labels.paper() and tuple(TABLE_1) == DEFAULT.muscles
    for muscle, exercises in TABLE_1.items():
        assert {e for e in DEFAULT.exercises if muscle in DEFAULT.muscles_of[e]} == exercises, muscle


def test_order_is_that_of_table_3():
    assert [DEFAULT.exercises[i] for i in (0, 3, 5, 9, 13, 15)] == [
        "Bench Press", "Deadlift", "Lat Pulling", "Push-up", "T-Bar Row", "Tricep Dips",
    ]  # fmt: skip


def test_case_and_the_exercises_own_names_are_understood():
    assert DEFAULT.exercise_of("PULL UP") == DEFAULT.exercise_of(" Pull up ") == "Lat Pulling"
    assert [DEFAULT.exercise_of(e.upper()) for e in DEFAULT.exercises] == list(DEFAULT.exercises)
    with pytest.raises(KeyError):
        DEFAULT.exercise_of("burpee")


@pytest.mark.parametrize("start", ["", "\ufeff"])
@pytest.mark.parametrize(
    "text",
    [
        "folder,exercise,muscles\nkb swing,Kettlebell Swing,Glutes;forearms\nsquat,Squat,quads; glutes\nplank,,\n",
        "folder,exercise,muscles\r\nkb swing,Kettlebell Swing,glutes,forearms\r\n\r\nsquat,Squat,quads,glutes\r\nplank,,\r\n",
        'folder;exercise;muscles\nkb swing;Kettlebell Swing;"glutes;forearms"\nsquat;squat;quads;glutes\nplank;;\n',
        "folder;exercise;muscles;\nkb swing;Kettlebell Swing;glutes;forearms\nsquat;squat;quads;glutes\nplank;;;\n",  # Excel
        "folder\texercise\tmuscles\nkb swing\tKettlebell Swing\tglutes;forearms\nsquat\tSquat\tquads;glutes\nplank\n",
    ],
)
def test_a_data_set_names_its_own_exercises_and_muscles(tmp_path, start, text):
    (tmp_path / "exercises.csv").write_bytes((start + text).encode("utf-8"))
    actual = labels.read(tmp_path / "exercises.csv")
    assert [e.lower() for e in actual.exercises] == ["kettlebell swing", "squat"]
    assert actual.muscles == ("quads", "glutes", "forearms")  # the paper's order first, then the file's
    assert actual.exercise_of("KB Swing") == "Kettlebell Swing" and actual.exercise_of("plank") is None
    assert Labels.from_json(actual.to_json()) == actual


def test_names_are_the_same_in_any_case_and_in_the_letters_of_macos(tmp_path):
    (tmp_path / "exercises.csv").write_text("folder,exercise,muscles\nF\u00fc\u00dfe,\u00dcbung,\n", encoding="utf-8")
    actual = labels.read(tmp_path / "exercises.csv")
    assert actual.exercise_of("Fu\u0308\u00dfe") == actual.exercise_of("F\u00dcSSE ") == "\u00dcbung"
    assert actual.unknown(["U\u0308bung", "ubung"]) == ["ubung"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("folder,exercise\n", "no column muscles"),
        ("folder,excercise,muscles\n", 'no column exercise. Its first line is "folder,excercise,muscles" and must be'),
        ("", "no column folder, exercise, muscles"),
        ("folder,exercise,muscles\nplank,,\n", "names no exercise"),
        ("folder,exercise,muscles\nsquat,Squat,quads\nbox squat,SQUAT,glutes\n", 'line 3: "Squat" has other muscles'),
        ("folder,exercise,muscles\nsquat,Squat,\nSQUAT,Lunge,\n", 'line 3: folder "squat" leads to another exercise'),
        ("folder,exercise,muscles\n,,quads\n", "line 2: neither a folder nor an exercise"),
        ("folder,exercise,muscles\nsqu\xe4t,Squat,\n", "not UTF-8"),
    ],
)
def test_a_wrong_label_file_is_refused_by_line(tmp_path, text, message):
    file = tmp_path / "exercises.csv"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=message) as error:
        labels.read(file)
    assert str(file) in str(error.value)


def test_nearest_keeps_the_known_words_capitals_and_does_not_guess():
    assert nearest("SLOWFAST-R5", ["X3D-M", "SlowFast-R50"]) == ' Did you mean "SlowFast-R50"?'
    assert nearest("", ["a"]) == nearest("q", []) == nearest("burpee", DEFAULT.exercises) == ""


def test_truth_of_clips():
    clips = ["Russian Twist", "Deadlift", "Russian Twist"]
    assert task("exercise", DEFAULT).truth(clips).tolist() == [10, 3, 10]
    muscles = task("mgap", DEFAULT).truth(clips)
    assert muscles.shape == (3, 11) and muscles.dtype == np.int64
    assert [[DEFAULT.muscles[i] for i in np.flatnonzero(row)] for row in muscles[:2]] == [
        ["abs", "obliques"],
        ["glutes", "lower back", "hamstrings"],
    ]
    assert task("mgap", DEFAULT).truth([]).shape == (0, 11)


def test_truth_in_the_labels_of_a_run_and_what_a_run_does_not_know():
    wider = Labels({**DEFAULT.muscles_of, "Kettlebell Swing": ("glutes", "forearms")})
    exercise, mgap = task("exercise", wider), task("mgap", wider)
    assert exercise.truth(["Squat"], ["Push-up", "Squat"]).tolist() == [1]
    assert mgap.truth(["Squat"], ["hamstrings", "glutes", "quads", "abs"]).tolist() == [[1, 1, 1, 0]]
    with pytest.raises(ValueError, match="exercise Kettlebell Swing is not among"):
        exercise.truth(["Squat", "Kettlebell Swing"], DEFAULT.exercises)
    with pytest.raises(ValueError, match="muscle forearms is not among"):
        mgap.truth(["Kettlebell Swing"], DEFAULT.muscles)


def test_a_task_without_a_label_says_what_to_fill_in():
    with pytest.raises(ValueError, match="fill in the column muscles"):
        task("mgap", Labels({"Squat": ()}))
    with pytest.raises(ValueError, match='task = "mgpa".*Did you mean "mgap"'):
        task("mgpa", DEFAULT)
