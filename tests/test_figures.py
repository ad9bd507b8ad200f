"""Figures hold the numbers they were given, under the right names, and are written whole."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from helpers import number_of, write_video
from matplotlib import pyplot as plt

from exmus_lib import labels, workspace
from exmus_lib.pictures import architecture, figures
from exmus_lib.tasks import task
from exmus_lib.videos.prepare import ClipSet

mpl.use("Agg")
PAPER = labels.paper()
EXERCISES, MUSCLES = PAPER.exercises, PAPER.muscles
OWN = labels.Labels({"kettlebell swing": ("glutes", "forearms"), "burpee": ("chest",), "squat": ("quads", "glutes")})


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("EXMUS_HOME", str(tmp_path))
    yield tmp_path
    plt.close("all")


def bars(ax) -> list[list[float]]:
    """The lengths of horizontal bars, one list for each entry of the legend."""
    return [[round(float(bar.get_width()), 6) for bar in container] for container in ax.containers]


def names(ax) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


def texts(ax) -> list[str]:
    return [text.get_text() for text in ax.texts if text.get_text()]


def shown(figure) -> list[np.ndarray]:
    return [np.asarray(image.get_array()) for ax in figure.axes for image in ax.images]


CLIPS = pd.DataFrame(
    [("Squat", "train")] * 5
    + [("Squat", "val")] * 2
    + [("Squat", "test")]
    + [("Deadlift", "train")] * 3
    + [("Push-up", "test")],
    columns=["exercise", "split"],
)


def test_class_balance_counts_clips_per_exercise_and_split():
    ax = figures.class_balance(CLIPS, task("exercise", PAPER))
    assert names(ax) == list(EXERCISES)
    train, val, test = (dict(zip(EXERCISES, lengths, strict=True)) for lengths in bars(ax))
    assert {e: (train[e], val[e], test[e]) for e in EXERCISES if train[e] or val[e] or test[e]} == {
        "Squat": (5, 2, 1),
        "Deadlift": (3, 0, 0),
        "Push-up": (0, 0, 1),
    }
    assert [bar.get_x() for bar in (container[12] for container in ax.containers)] == [0, 5, 7]  # stacked: 5, 2, 1
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["train", "val", "test"]
    assert ax.get_xlabel() == "clips" and ax.get_ylim()[0] > ax.get_ylim()[1]  # the first exercise on top
    assert texts(ax)[-16:][12] == "8"


def test_class_balance_counts_a_clip_for_each_of_its_muscles():
    ax = figures.class_balance(CLIPS, task("mgap", PAPER), plt.subplots()[1])
    train, val, test = (dict(zip(MUSCLES, lengths, strict=True)) for lengths in bars(ax))
    assert (train["glutes"], val["glutes"], test["glutes"]) == (5 + 3, 2, 1)
    assert (train["lower back"], train["chest"], test["chest"]) == (3, 0, 1)
    assert names(ax) == list(MUSCLES)


def write_run(name: str, task: str, **columns: list[float]) -> workspace.Run:
    run = workspace.Run("sample", task, name)
    run.folder.mkdir(parents=True)
    epochs = range(len(columns["train_loss"]))
    pd.DataFrame({"epoch": epochs, "seconds": 1.0, **columns}).to_csv(run.folder / "history.csv", index=False)
    return run


def test_learning_curves_mark_the_epoch_that_is_kept():
    first = write_run("a", "exercise", train_loss=[3, 2, 1], val_loss=[3, 1.5, 2], val_top1=[0.1, 0.4, 0.5])
    second = write_run("b", "exercise", train_loss=[3, 2], val_loss=[2.5, 2.25], val_top1=[0.2, 0.3])
    losses, scores = figures.learning_curves({"X3D-M": first, "SlowFast-R50": second}).axes
    validation, training = losses.get_lines()[::2], losses.get_lines()[1::2]
    assert list(validation[0].get_xdata()) == [1, 2, 3]  # epochs are counted from 1 for readers
    assert list(validation[0].get_ydata()) == [3, 1.5, 2] and list(training[1].get_ydata()) == [3, 2]
    assert [line.get_markevery() for line in validation] == [[1], [1]]
    assert texts(losses.figure.legends[0]) == ["X3D-M, 40.0 %", "SlowFast-R50, 30.0 %"]
    assert scores.get_ylabel() == "top-1 (%)" and list(scores.get_lines()[0].get_ydata()) == pytest.approx([10, 40, 50])
    assert len({line.get_marker() for line in scores.get_lines()}) == 2  # shapes, for print without colour


def test_learning_curves_of_one_epoch_and_of_no_validation():
    losses, scores = figures.learning_curves({"m": write_run("a", "mgap", train_loss=[0.7])}).axes
    (line,) = losses.get_lines()
    assert line.get_ydata().tolist() == [0.7] and line.get_marker() == "o" and texts(scores) == ["no validation clips"]
    _, scores = figures.learning_curves(
        {"m": write_run("b", "mgap", train_loss=[0.7], val_loss=[0.6], val_f1=[0.25])}
    ).axes
    assert scores.get_ylabel() == "F1 (%)" and scores.get_lines()[0].get_ydata().tolist() == [25]


def test_no_run_is_left_out_of_the_learning_curves():
    run = write_run("a", "exercise", train_loss=[3, 2], val_loss=[3, 1.5], val_top1=[0.1, 0.4])
    losses, scores = figures.learning_curves({f"run {n}": run for n in range(12)}).axes
    assert len(scores.get_lines()) == len(losses.figure.legends[0].get_texts()) == 12


def test_confusion_matrix_counts_clips_and_shades_by_row():
    truth = np.array([0, 0, 0, 0, 12])
    probabilities = np.eye(16)[[0, 0, 0, 3, 3]]
    ax = figures.confusion_matrix(truth, probabilities, EXERCISES, title="a run")
    share = ax.collections[0].get_array().reshape(16, 16)
    assert share[0, 0] == 75 and share[0, 3] == 25 and share[12, 3] == 100 and share.sum() == 200
    assert texts(ax) == ["3", "1", "1"]
    assert names(ax)[0] == "Bench Press (4)" and names(ax)[12] == "Squat (1)" and names(ax)[1] == "Bicep Curl (0)"
    assert [label.get_text() for label in ax.get_xticklabels()] == list(EXERCISES)
    assert ax.get_title("left") == "a run" and ax.get_xlabel() == "predicted exercise (3 of 5 clips right)"


def test_label_bars_show_scores_support_and_what_is_undefined():
    truth, probabilities = np.zeros((4, 11), dtype=int), np.zeros((4, 11))
    truth[:, 0], probabilities[:, 0] = [1, 1, 0, 0], [0.9, 0.1, 0.9, 0.1]
    truth[:, 1], probabilities[:, 1] = [1, 0, 0, 0], [0.9, 0.9, 0.9, 0.1]
    ax = figures.label_bars(truth, probabilities, MUSCLES, title="a run")
    precision, recall, f1 = bars(ax)
    assert (precision[:2], recall[:2]) == ([50, pytest.approx(100 / 3)], [50, 100])
    assert f1[:2] == [50, pytest.approx(100 * 2 / 4)]
    assert names(ax)[:3] == ["triceps (2)", "lats (1)", "biceps (0)"]
    first = [container[0].get_y() for container in ax.containers]
    assert (
        first == sorted(first) and abs(ax.containers[1][0].get_center()[1]) < 1e-9
    )  # in the legend's order from the top
    assert texts(ax) == ["undefined"] * 3 * 9
    truth[:, 2] = 1  # present and never said
    assert texts(figures.label_bars(truth, probabilities, MUSCLES)).count("0") == 3
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["precision", "recall", "F1"]
    assert (ax.get_title("left"), ax.get_xlabel()) == ("a run", "%")


def test_label_bars_serve_exercises_too():
    ax = figures.label_bars(np.array([0, 0, 5]), np.eye(16)[[0, 5, 5]], EXERCISES)
    assert names(ax)[0] == "Bench Press (2)" and bars(ax)[1][0] == 50 and bars(ax)[0][5] == 50


def test_figures_take_any_labels():
    clips = pd.DataFrame({"exercise": ["burpee", "kettlebell swing", "squat"], "split": ["train", "train", "test"]})
    ax = figures.class_balance(clips, task("mgap", OWN))
    assert names(ax) == list(OWN.muscles) == ["quads", "glutes", "chest", "forearms"]
    assert bars(ax) == [[0, 1, 1, 1], [0, 0, 0, 0], [1, 1, 0, 0]]
    assert ax.get_title("left") == "Clips per muscle and split"
    ax = figures.confusion_matrix(np.array([0, 2]), np.eye(3)[[0, 1]], OWN.exercises)
    assert names(ax) == ["kettlebell swing (1)", "burpee (0)", "squat (1)"]
    many = [f"exercise {i}" for i in range(40)]
    assert len(names(figures.label_bars(np.arange(40), np.eye(40), many))) == 40


@pytest.mark.parametrize("count", [1, 2, 3, 7, 16, 22, 40])
def test_every_label_has_a_colour_of_its_own(count):
    assert len(set(figures.colours(count, lightness=0.5))) == count


@pytest.fixture
def gym(home) -> ClipSet:
    """Two clips of 60 numbered frames, 2 s: a wide one and a tall one."""
    write_video(home / "a.mp4", 60, size=(128, 96))
    write_video(home / "b.mp4", 60, size=(96, 128))
    columns = ["clip_id", "video_id", "exercise", "path", "seconds"]
    rows = [("a-00", "a", "Squat", "a.mp4", 2.0), ("b-00", "b", "Bench Press", "b.mp4", 2.0)]
    clips = pd.DataFrame(rows, columns=columns)
    return ClipSet("gym", home, pd.DataFrame(), clips)


def test_frame_strip_shows_the_middle_frame_of_each_exercise_in_the_vocabularys_order(gym):
    figure = figures.frame_strip(gym)
    assert [ax.get_title() for ax in figure.axes if ax.get_title()] == ["Bench Press", "Squat"]
    assert [texts(ax) for ax in figure.axes][:2] == [["chest, shoulders, triceps"], ["quads, glutes, hamstrings"]]
    tall, wide = shown(figure)
    assert tall.shape == wide.shape == (320, 320, 3)
    assert (tall[:, :39] == 255).all() and (wide[:39] == 255).all()  # whole, on white
    assert number_of(tall[:, 40:280]) == number_of(wide[40:280]) == 30


def test_contact_sheet_shows_first_middle_and_last_frame(gym):
    figure = figures.contact_sheet(gym, number=1, seed=1)
    (sheet,) = shown(figure)
    (name,) = [text for ax in figure.axes for text in texts(ax)]
    crop = np.s_[40:280] if name == "a-00" else np.s_[:, 40:280]
    assert [number_of(frame[crop]) for frame in np.split(sheet, 3, axis=1)] == [0, 30, 59]


def test_contact_sheet_prefers_videos_not_yet_shown(gym):
    many = gym.clips.iloc[[0] * 5 + [1]].assign(clip_id=[f"a-{i:02}" for i in range(5)] + ["b-00"])
    for seed in range(5):
        figure = figures.contact_sheet(ClipSet("gym", gym.folder, gym.videos, many), number=2, seed=seed)
        assert "b-00" in [text for ax in figure.axes for text in texts(ax)]
        plt.close(figure)


def test_views_show_eight_frames_of_many_and_clip_to_what_can_be_shown():
    view = np.zeros((3, 16, 4, 6))
    view[0] = np.arange(16).reshape(16, 1, 1) / 10 - 0.2  # red grows with time, from -0.2 to 1.3
    figure = figures.views([view, view[:, :2]], ["Squat", "Deadlift"])
    many, few = shown(figure)
    assert many.shape == (4, 8 * 6, 3) and few.shape == (4, 2 * 6, 3)
    assert many[0, ::6, 0] == pytest.approx([0, 0, 0.2, 0.4, 0.7, 0.9, 1, 1]) and not many[:, :, 1:].any()
    assert [texts(ax)[0] for ax in figure.axes] == ["16 frames of 4 × 6 pixels, 8 shown", "2 frames of 4 × 6 pixels"]


X3D = pd.DataFrame(
    [
        ("stem", "", 24, 16, 64, 64, 816, 0.25), ("res2", "", 96, 16, 16, 16, 15_370, 1.0),
        ("head", "", 16, 1, 1, 1, 1_001_328, 0.001),
    ],
    columns=["stage", "pathway", "channels", "time", "height", "width", "parameters", "gflops"],
)  # fmt: skip
SLOWFAST = pd.DataFrame(
    [
        ("stem", "slow", 64, 8, 64, 64, 9_536, 2.0), ("stem", "fast", 16, 32, 64, 64, 5_896, 1.0),
        ("stem", "lateral", 32, 8, 64, 64, 928, 0.5), ("res2", "slow", 256, 8, 16, 16, 220_928, 5.0),
        ("res2", "fast", 64, 32, 16, 16, 4_832, 1.0), ("head", "", 11, 1, 1, 1, 36_880, 0.5),
    ],
    columns=X3D.columns,
)  # fmt: skip


def boxes(ax) -> list[tuple[float, float, float]]:
    """Width, height and depth of the boxes, in the order drawn: of the front, and by how much the top leans to the right."""
    faces = [patch.get_xy() for patch in ax.patches if isinstance(patch, mpl.patches.Polygon)]
    fronts, tops = faces[::3], faces[1::3]
    return [(*(np.ptp(front, axis=0)), top[3][0] - top[0][0]) for front, top in zip(fronts, tops, strict=True)]


def test_stages_draw_channels_size_and_frames_to_scale():
    ax = architecture.stages(X3D, "X3D-M")
    (wide1, tall1, deep1), (wide2, tall2, deep2) = boxes(ax)
    assert wide2 / wide1 == pytest.approx(np.sqrt(96 / 24)) and tall1 / tall2 == pytest.approx(np.sqrt(64 / 16))
    assert deep1 == pytest.approx(deep2)
    assert "24 × 16 × 64 × 64\n816 parameters\n250 MFLOPs" in texts(ax)
    assert "96 × 16 × 16 × 16\n15.4 k parameters\n1.00 GFLOPs" in texts(ax)
    assert "1.00 M parameters\n1.00 MFLOPs" in texts(ax) and "head\n16 logits\n" in texts(ax)
    assert ax.get_title("left") == "X3D-M"


def test_stages_draw_both_pathways_and_what_goes_between_them():
    ax = architecture.stages(SLOWFAST, "SlowFast-R50")
    assert len(boxes(ax)) == 4
    assert "+ 32\nchannels" in texts(ax) and "head\n11 logits\n" in texts(ax)
    assert "230 k parameters, 70 % of GFLOPs" in texts(ax)  # Slow: (2 + 5) / 10
    assert "10.7 k parameters, 20 % of GFLOPs" in texts(ax)  # Fast: (1 + 1) / 10
    arrows = [a for a in ax.texts if isinstance(a, mpl.text.Annotation)]
    upright = [a for a in arrows if a.xy[0] == a.xyann[0] and a.xy[1] > a.xyann[1]]  # from Fast up to Slow
    assert len(upright) == 1


def test_a_block_is_as_high_as_it_has_channels():
    table = pd.DataFrame({
        "purpose": ["widen", "look around"], "kernel": ["1 × 1 × 1", "3 × 3 × 3"], "inputs": [10, 40], "outputs": [40, 20],
        "each_channel_alone": [False, True], "parameters": [400, 1080],
    })  # fmt: skip
    ax = architecture.block(table, "a block")
    wide, look = ax.patches
    assert (wide.get_height() - 0.25) / (look.get_height() - 0.25) == pytest.approx(2)
    assert wide.get_facecolor() != look.get_facecolor()
    assert "look around\n3 × 3 × 3" in texts(ax) and "40 → 20 channels\n1,080 parameters" in texts(ax)


def test_expansion_shows_each_step():
    table = pd.DataFrame({"parameters_m": [1.63, 3.79], "gflops": [0.02, 4.73]}, index=["X2D", "X3D-M"])
    parameters, gflops = architecture.expansion(table).axes
    assert bars(parameters) == [[1.63, 3.79]] and bars(gflops) == [[0.02, 4.73]]
    assert texts(parameters) == ["1.63", "3.79"] and names(parameters) == ["X2D", "X3D-M"]
    assert gflops.get_xscale() == "log" and gflops.get_xlabel() == "GFLOPs for one view"


def test_save_writes_a_picture_and_vectors(home):
    ax = figures.class_balance(CLIPS, task("exercise", PAPER))
    png, pdf = figures.save(ax, "fig2")
    assert [png, pdf] == [home / "outputs/figures/fig2.png", home / "outputs/figures/fig2.pdf"]
    assert plt.imread(png).shape[1] > 1000 and pdf.read_bytes().startswith(b"%PDF")
    assert sorted(p.name for p in png.parent.iterdir()) == ["fig2.pdf", "fig2.png"]
    assert figures.save(ax.figure, "again")[0].exists()


def test_drawing_leaves_the_readers_own_settings_alone():
    before = dict(mpl.rcParams)
    figures.class_balance(CLIPS, task("exercise", PAPER))
    figures.label_bars(*[task("mgap", PAPER).truth(["Squat"])] * 2, MUSCLES)
    assert dict(mpl.rcParams) == before
