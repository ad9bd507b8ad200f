"""Real people recognised at once, without a run: the networks that come with ExMus, on the joints that BlazePose finds.

They were trained by rendered people alone (networks.pretrain); docs/MODEL_CARD.md says how well they do and what they cannot.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors import safe_open

from exmus_lib.labels import Labels, nearest
from exmus_lib.networks.pose import PoseTCN
from exmus_lib.poses import features
from exmus_lib.poses.estimate import estimate
from exmus_lib.poses.repetitions import Repetition, repetitions
from exmus_lib.poses.track import RATE, Track
from exmus_lib.tasks import Exercise, Muscles
from exmus_lib.videos import limits, windows

FILE = Path(__file__).parent / "pretrained" / "pose_tcn.safetensors"
TRAINED_ON = "rendered people, by their joints"
SIDEWAYS = 0.15  # by so much surer must one be of a picture that is turned by a quarter
UNSURE, IDLE = "not sure", "no exercise"
NOBODY, HARDLY = "nobody was found", "a person was found too rarely"
SUMMARY = ("start", "end", "exercise", "probability", "repetitions", "tempo", "range")  # of a stretch


@dataclass(frozen=True)
class Recogniser:
    """Networks whose probabilities are averaged; `labels` are those of the exercises, in the order of the logits, after which
    comes one for no exercise. `sure_above` is the probability from which an answer counts as sure."""

    networks: tuple[tuple[PoseTCN, str], ...]  # each with the kind of features that it takes
    labels: Labels
    sure_above: float

    @torch.inference_mode()
    def probabilities(self, joints: features.Joints, mask: np.ndarray) -> np.ndarray:
        """(B, exercises + 1) of joints and mask (B, T) as poses.features.windows has them; seen as they are and mirrored."""
        total = 0.0
        for seen in (joints, features.mirrored(*joints)):
            views = {kind: torch.from_numpy(features.views(seen, mask, kind)) for _, kind in self.networks}
            total = total + sum(network(views[kind]).softmax(dim=1).double().numpy() for network, kind in self.networks)
        return total / (2 * len(self.networks))


@cache
def load(file: Path = FILE) -> Recogniser:
    """The networks of a file that networks.pretrain.save wrote."""
    with safe_open(file, "pt") as opened:
        facts = {key: json.loads(value) for key, value in opened.metadata().items()}
        tensors = {key: opened.get_tensor(key).float() for key in opened.keys()}
    labels, networks = Labels.from_json(facts["labels"]), []
    for number, kind in enumerate(facts["kinds"]):
        network = PoseTCN(len(labels.exercises) + 1, features.CHANNELS[kind])
        state = {key.removeprefix(f"{number}."): t for key, t in tensors.items() if key.startswith(f"{number}.")}
        network.load_state_dict(state)
        networks.append((network.eval(), kind))
    return Recogniser(tuple(networks), labels, facts["sure_above"])


@dataclass(frozen=True)
class Stretch:
    """A part of a video, in seconds, in which one exercise was recognised, and its repetitions."""

    exercise: str
    start: float
    end: float
    probability: float
    repetitions: tuple[Repetition, ...]

    @property
    def tempo(self) -> float | None:
        """Seconds from the far point of a repetition to that of the next, pauses included, the median; of a single repetition
        its own; None where none was counted."""
        if len(self.repetitions) < 2:
            return next((round(r.end - r.start, 2) for r in self.repetitions), None)
        return round(float(np.median(np.diff([r.turn for r in self.repetitions]))), 2)

    @property
    def motion(self) -> str:
        """The joint that the exercise is about, and its least and greatest angle (medians); "" where none is known."""
        known = [r for r in self.repetitions if r.joint]
        if not known:
            return ""
        least, greatest = np.median([r.range for r in known], axis=0)
        return f"{known[0].joint} {least:.0f} to {greatest:.0f} degrees"

    @property
    def details(self) -> str:
        """Such as "8 repetitions, one every 2.4 s, knee 71 to 168 degrees"."""
        several = len(self.repetitions) != 1
        parts = [f"{len(self.repetitions)} repetition{'s' * several}"]
        parts += [f"{'one every ' * several}{self.tempo:.1f} s"] if self.tempo else []
        return ", ".join([*parts, *filter(None, [self.motion])])


@dataclass(frozen=True)
class Recognition:
    """What was recognised in a video.

    `table` has a row for each window: start and end (seconds), exercise/<label> and mgap/<label> (probabilities: those of the
    exercises add up to one, a muscle's is that of all exercises that work it), idle (probability of no exercise), found (share of
    its samples with a person), answer (an exercise, UNSURE or IDLE) and sure. `notes` say what a reader should know.
    """

    table: pd.DataFrame
    track: Track
    stretches: tuple[Stretch, ...]
    notes: tuple[str, ...]

    @property
    def seen(self) -> bool:
        """Whether anybody is found for long enough to tell an exercise."""
        return bool((self.table["found"] >= features.MIN_FOUND).any())

    @property
    def unsure(self) -> str:
        """Why there is no stretch, in words."""
        return _why_unsure(self.table)

    def rows(self) -> list[dict[str, object]]:
        """A row (SUMMARY) for each stretch; where there is none, one for the whole video that says why."""
        told = [
            (s.start, s.end, s.exercise, round(s.probability, 3), len(s.repetitions), s.tempo, s.motion)
            for s in self.stretches
        ]
        rows = [dict(zip(SUMMARY, values, strict=True)) for values in told]
        return rows or [{"start": 0.0, "end": float(self.table["end"].iloc[-1]), "exercise": self.unsure}]

    def gaps(self) -> list[tuple[float, float, str]]:
        """Start and end (seconds) of what belongs to no stretch, where it is as long as a window, and why: NOBODY, HARDLY, IDLE
        or UNSURE."""
        last = float(self.table["end"].iloc[-1])
        ends, starts = [0.0, *(s.end for s in self.stretches)], [*(s.start for s in self.stretches), last]
        middle, gaps = (self.table["start"] + self.table["end"]) / 2, []
        for start, end in zip(ends, starts, strict=True):
            inside = self.table[~self.table["sure"] & middle.between(start, end)]
            if len(inside) and end - start >= min(windows.WINDOW, last):
                gaps.append((start, end, _why_unsure(inside)))
        return gaps

    def exercises(self) -> pd.Series:
        """Exercise -> probability over the whole video, highest first."""
        return self._overall(Exercise.name)

    def muscles(self) -> pd.Series:
        """Muscle -> probability over the whole video, highest first."""
        return self._overall(Muscles.name)

    def _overall(self, task: str) -> pd.Series:
        """Windows count by how much they say: by the square of the probability that they show what they most likely show."""
        columns = [column for column in self.table if column.startswith(f"{task}/")]
        exercises = self.table[[column for column in self.table if column.startswith(f"{Exercise.name}/")]]
        weight = ((1 - self.table["idle"]) * self.table["found"] * exercises.max(axis=1)) ** 2 + 1e-6
        mean = np.average(self.table[columns], axis=0, weights=weight)
        result = pd.Series(mean, [column.removeprefix(f"{task}/") for column in columns], name=task)
        return result.sort_values(ascending=False)


def _why_unsure(windows_of: pd.DataFrame) -> str:
    if (windows_of["found"] < features.MIN_FOUND).all():
        return HARDLY if windows_of["found"].any() else NOBODY
    return IDLE if (windows_of["answer"] == IDLE).mean() > 0.5 else UNSURE


def recognise(video: str | Path, report: Callable[[float], None] = lambda share: None) -> Recognition:
    """What a person does in a video file: the answer for each window, and stretches of one exercise with their repetitions.

    `report` is called with the share that is done. Raises FileNotFoundError for a missing file, VideoError naming
    the file and why when it cannot be read or is too short, RuntimeError where the pose estimator's files cannot be fetched.
    """
    video = Path(video)
    if video.is_dir():
        raise FileNotFoundError(f'"{video}" is a folder: name the videos in it, as {video / "*.mp4"}')
    if not video.exists():
        raise FileNotFoundError(f'no video "{video}"' + f" (looked in {Path.cwd()})" * (not Path(video).is_absolute()))
    track = estimate(video, report)
    limits.check_length(video, len(track) / RATE, features.SHORTEST / RATE)
    return of_track(track)


def answer(video: str | Path, task: str = Exercise.name) -> pd.Series:
    """The probabilities of a video's exercises or muscles, highest first; ValueError for an unknown task.

    `attrs` has `trained_on`, `notes`, and `sure`: whether any window is sure of an exercise.
    """
    answers = {Exercise.name: Recognition.exercises, Muscles.name: Recognition.muscles}
    if task not in answers:
        raise ValueError(f'task = "{task}" is not one of: {", ".join(answers)}.{nearest(task, answers)}')
    recognition = recognise(video)
    result = answers[task](recognition)
    result.attrs = {"trained_on": TRAINED_ON, "notes": recognition.notes, "sure": bool(recognition.stretches)}
    return result


def of_track(track: Track, recogniser: Recogniser | None = None) -> Recognition:
    """What a person does whose joints are known."""
    recogniser = recogniser or load()
    table, remarks = _table(track, recogniser), notes(track)
    if track.level:
        other, there = _table(track.turned(), recogniser), table["found"] >= features.MIN_FOUND
        # To be sure of no exercise counts too: a plank is not turned.
        if _certainty(other[there]) > max(_certainty(table[there]), table["idle"][there].mean()) + SIDEWAYS:
            table, remarks = other, [*remarks, "the picture seems to lie on its side: it was turned"]
    return Recognition(table, track, tuple(stretches(table, track)), tuple(remarks))


def _table(track: Track, recogniser: Recogniser) -> pd.DataFrame:
    """The windows of a track, as in Recognition."""
    labels = recogniser.labels
    spans = windows.spans(len(track) / RATE)
    joints, mask, found = features.windows(track.turned().turned() if track.upside_down else track, spans)
    likely = recogniser.probabilities(joints, mask)
    idle = np.where(found >= features.MIN_FOUND, likely[:, -1], 1.0)
    exercises = likely[:, :-1] / likely[:, :-1].sum(axis=1, keepdims=True)
    muscles = exercises @ Muscles(labels).truth(labels.exercises)
    sure = (exercises.max(axis=1) * (1 - idle) >= recogniser.sure_above) & (found >= features.MIN_FOUND)
    table = pd.DataFrame({"start": [start for start, _ in spans], "end": [end for _, end in spans]}).round(3)
    table[[f"{Exercise.name}/{name}" for name in labels.exercises]] = exercises
    table[[f"{Muscles.name}/{name}" for name in labels.muscles]] = muscles
    names = np.array(labels.exercises)[exercises.argmax(axis=1)]
    answer = np.where(sure, names, np.where(idle > 0.5, IDLE, UNSURE))
    return table.assign(idle=idle, found=found, answer=answer, sure=sure)


def _certainty(table: pd.DataFrame) -> float:
    """The mean probability of the exercise that each window most likely shows."""
    return float((table.filter(like=f"{Exercise.name}/").max(axis=1) * (1 - table["idle"])).mean())


def stretches(table: pd.DataFrame, track: Track) -> list[Stretch]:
    """Neighbouring windows that are sure of one exercise, as stretches, from the first to the last picture with a person in them;
    where those of two overlap, each has half of that."""
    changes = (table["answer"] != table["answer"].shift()).cumsum()
    parts = [part for _, part in table.groupby(changes) if part["sure"].all()]
    ends = np.array([(part["start"].iloc[0], part["end"].iloc[-1]) for part in parts]).reshape(-1, 2)
    shared = np.maximum(ends[:-1, 1] - ends[1:, 0], 0) / 2
    ends[:-1, 1] -= shared
    ends[1:, 0] += shared
    made, there = [], track.times[track.found]
    for part, (start, end) in zip(parts, ends.round(3).tolist(), strict=True):
        inside = there[(there >= start) & (there <= end)].round(3).tolist()
        start, end = (inside[0], inside[-1]) if inside else (start, end)
        exercise = part["answer"].iloc[0]
        probability = float(part[f"{Exercise.name}/{exercise}"].mean())
        counted = tuple(repetitions(track.part(start, end + 0.5 / RATE), exercise))
        made.append(Stretch(exercise, start, end, probability, counted))
    return made


def notes(track: Track) -> list[str]:
    """What a reader should know about a track."""
    found = track.found.mean()
    remarks = []
    if not track.found.any():
        remarks.append(f"{NOBODY} in the picture: show the whole person, upright and in good light")
    elif found < 0.6:
        remarks.append(f"a person was found in {found:.0%} of the pictures only")
    if track.people > 1:
        remarks.append(f"{track.people} people are in the picture: the one who moves most was followed")
    if track.upside_down:
        remarks.append("the picture is upside down: it was turned")
    if (parts := len(np.unique(track.shot[track.found]))) > 1:
        remarks.append(f"the view or the person followed changes: {parts} parts, each looked at by itself")
    legs = track.visibility[track.found][:, features.LEGS]
    if found >= features.MIN_FOUND and legs.mean() < 0.3:
        remarks.append("the legs are hardly seen: a camera that shows the whole person tells more")
    return remarks
