"""Work that is ended by kill -9 at moments drawn from a seed, and started again: it ends equal to work that nobody killed.

`python tests/hard_kills.py [seed]` prints what is wrong; `tests/hard.py kills` has it as a family. A moment is a point in time,
or an operation on the file system just before it happens; where a finished part is about to get its name, what is in it may be
cut off first, as by a kill halfway through writing it.
"""

import fnmatch
import hashlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import helpers
import numpy as np
import pandas as pd

from exmus_lib import storage

SHM = Path("/dev/shm")
TRAINING = {"network": "x3d_s", "task": "exercise", "preset": "smoke", "epochs": 3, "dropout": 0.5}
# Imported once: a process then starts within some hundredths of a second.
PRELOADED = "exmus_lib.networks.fit exmus_lib.networks.training exmus_lib.scores.ensembles tensorboard.compat".split()
VARY = "seconds data_wait_share wall_seconds commit".split()  # of run.json and history.csv, though equal in what counts


@dataclass(frozen=True)
class Moment:
    """When a process is killed: after so many seconds, or before operation `number` of those that `pattern` fits; what is to be
    renamed is first cut to `left` of its size."""

    seconds: float | None = None
    number: int = 0
    pattern: str = "*"
    left: float | None = None

    def __str__(self) -> str:
        if self.seconds is not None:
            return f"after {self.seconds:.3f} s"
        cut = "" if self.left is None else f", {self.left:.0%} of what it renames"
        return f"before operation {self.number}{f' on {self.pattern}' * (self.pattern != '*')}{cut}"


def operations(home: Path, do: Callable[[str, Path], None]) -> None:
    """Call `do` with each operation of this process that changes the file system, as "rename .../last.ckpt", and what would be
    renamed, just before it happens. Those on other places than `home` do not count."""

    def hook(event: str, arguments: tuple) -> None:
        if event not in ("open", "os.rename", "os.remove", "os.rmdir", "os.mkdir"):
            return
        path = arguments[1 if event == "os.rename" else 0]
        changes = event != "open" or (isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"))
        if changes and not isinstance(path, int):
            name = os.fsdecode(path)
            if name.startswith(f"{home}/") or not os.path.isabs(name):
                do(f"{event.removeprefix('os.')} {name}", Path(os.fsdecode(arguments[0])))

    sys.addaudithook(hook)


def die(moment: Moment, operation: str, source: Path) -> None:
    if moment.left is not None and operation.startswith("rename"):
        for file in source.iterdir() if source.is_dir() else [source]:
            os.truncate(file, int(moment.left * file.stat().st_size))
    os.kill(os.getpid(), signal.SIGKILL)


# What is done, each in a process of its own, on what those before it left.


def prepared(gym: Path):
    from exmus_lib.videos.prepare import prepare

    return prepare(str(gym))


def trained(gym: Path, seed: int = 0):
    from exmus_lib.networks import fit

    return fit.train(prepared(gym), seed=seed, **TRAINING)


def predicted(gym: Path) -> None:
    from exmus_lib.networks import predict

    predict.several_views(trained(gym), prepared(gym), 2)


def followed(gym: Path) -> None:
    """Tracks of all clips, by a stand-in for BlazePose, whose files are not everywhere."""
    from exmus_lib.poses import estimate
    from exmus_lib.poses.track import BODY, Track

    def track_of(pictures, network) -> Track:
        joints = np.stack([np.resize(picture, (len(BODY), 3)) / 255 for picture in pictures])
        return Track(
            image=joints[..., :2], world=joints, visibility=joints[..., 2], found=np.ones(len(joints), bool),
            shot=np.zeros(len(joints), int), times=np.arange(len(joints)) / 10, size=(64, 48),
        )  # fmt: skip

    estimate.track_of, estimate.files, estimate.loaded = track_of, lambda: (Path(), Path()), lambda *_: None
    estimate.estimate_clips(prepared(gym))


def averaged(gym: Path) -> None:
    from exmus_lib.scores import ensembles

    runs = [trained(gym, seed) for seed in (0, 1)]
    for x in (0.25, 0.5, 0.75):
        ensembles.store(runs, x)


def marked(gym: Path) -> None:
    from exmus_lib import review

    clip_set = prepared(gym)
    for number, clip in enumerate(clip_set.clips["clip_id"]):
        review.mark(clip_set.name, clip, ("Squat", review.UNUSABLE, None)[number % 3], clip_set.labels)


STAGES: dict[str, Callable] = {
    "scan, cut": prepared, "fit": trained, "fit of another seed": partial(trained, seed=1), "predict": predicted,
    "tracks": followed, "ensemble": averaged, "marks": marked,
}  # fmt: skip
# How many moments are drawn of each stage: operations, and times. Then those that are named, with how many operations there are.
DRAWN = {"scan, cut": (5, 3), "fit": (6, 3), "predict": (2, 1), "tracks": (2, 1), "ensemble": (3, 1), "marks": (3, 1)}
NAMED = {
    "fit": [
        ("rename *last.ckpt", 3, True), ("rename *last.ckpt", 3, True), ("rename *best.ckpt", 1, True),
        ("rename */views/*", 1, True), ("open */views/*", 2, False), ("rename *embeddings.npz", 1, False),
        ("rename *predictions.parquet", 1, True), ("remove */last.ckpt", 1, False), ("remove */best.ckpt", 1, False),
        ("rmdir */checkpoints", 1, False), ("rename *history.csv", 3, True), ("rename *run.json", 2, True),
    ],
    "tracks": [("rename */poses/*.npz", 6, True), ("rename */poses/*.npz", 6, True)],
}  # fmt: skip


def work(stage: str, place: "Place", gym: Path, moment: Moment | None) -> None:
    """Do a stage in a process that may be killed; what it does to the file system stands in operations.json afterwards."""
    log = os.open(place.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1), os.dup2(log, 2)
    os.environ |= {"EXMUS_HOME": str(place.home), "TMPDIR": str(place.temporary)}
    tempfile.tempdir = None
    multiprocessing.set_start_method(None, force=True)  # for loader processes, as where nobody made a server
    done = []

    def note(operation: str, source: Path) -> None:
        done.append(operation)
        if moment and len(fnmatch.filter(done, moment.pattern)) == moment.number:
            die(moment, operation, source)

    operations(place.home, note)
    STAGES[stage](gym)
    place.log.with_name("operations.json").write_text(json.dumps(done))


@dataclass(frozen=True)
class Place:
    """Where a stage works, where its temporary files go, and what it prints."""

    home: Path
    temporary: Path
    log: Path

    def run(self, stage: str, gym: Path, moment: Moment | None = None) -> int:
        """The exit code of a stage; -9 where it was killed."""
        process = SERVER.Process(target=work, args=(stage, self, gym, moment))
        process.start()
        process.join(moment and moment.seconds)
        process.kill()
        process.join()
        return process.exitcode

    def problem(self, expected: dict[str, str]) -> str:
        """What is wrong with what a stage left; "" where nothing is."""
        actual = contents(self.home)
        other = sorted(name for name in actual.keys() | expected.keys() if actual.get(name) != expected.get(name))
        hidden = [path.name for path in self.home.rglob(".*") if not path.name.endswith(".lock")]
        temporary = [path.name for path in self.temporary.glob(f"{storage.PART}*")]
        problems = {"not equal": other, "hidden": hidden, "temporary": temporary}
        return "; ".join(f"{what}: {', '.join(names)}" for what, names in problems.items() if names)


SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(PRELOADED)


def contents(home: Path) -> dict[str, str]:
    """Name -> sha256 of all files but TensorBoard's and locks; of run.json and history.csv but for VARY."""
    digests = {}
    for path in sorted(path for path in home.rglob("*") if path.is_file()):
        if "tensorboard" in path.parts or path.name.endswith(".lock"):
            continue
        data = path.read_bytes()
        if path.name == "run.json":
            data = repr({name: value for name, value in json.loads(data).items() if name not in VARY}).encode()
        elif path.name == "history.csv":
            table = pd.read_csv(path)
            data = table.drop(columns=[name for name in VARY if name in table]).to_csv().encode()
        digests[path.relative_to(home).as_posix()] = hashlib.sha256(data).hexdigest()
    return digests


@dataclass(frozen=True)
class Reference:
    """A stage that nobody killed: the home before it, what is in it afterwards, how many operations and seconds it took."""

    before: Path
    after: dict[str, str]
    operations: int
    seconds: float


def references(folder: Path, gym: Path) -> dict[str, Reference]:
    """All stages, one after the other."""
    place, made = Place(folder / "reference", folder / "temporary", folder / "log"), {}
    place.home.mkdir(), place.temporary.mkdir()
    place.run("marks", gym, Moment(number=1))  # starts the server, which times do not count
    for number, stage in enumerate(STAGES):
        before = shutil.copytree(place.home, folder / f"before{number}")
        start = time.monotonic()
        if code := place.run(stage, gym):
            raise RuntimeError(f"{stage} ended with {code}: {place.log.read_text()[-2000:]}")
        done = json.loads(place.log.with_name("operations.json").read_text())
        made[stage] = Reference(before, contents(place.home), len(done), time.monotonic() - start)
    return made


def moments(stage: str, reference: Reference, rng: random.Random) -> list[Moment]:
    """The moments drawn of a stage, and those that are named."""
    drawn, times = DRAWN.get(stage, (0, 0))
    numbers = [rng.randint(1, reference.operations) for _ in range(drawn)]
    chosen = [Moment(number=number, left=rng.choice([None, round(rng.random(), 2)])) for number in numbers]
    chosen += [Moment(seconds=rng.uniform(0.05, 0.9) * reference.seconds) for _ in range(times)]
    return chosen + [
        Moment(number=rng.randint(1, most), pattern=pattern, left=round(rng.random(), 2) if cut else None)
        for pattern, most, cut in NAMED.get(stage, [])
    ]


def outcome(place: Place, stage: str, gym: Path, reference: Reference, killed_at: list[Moment]) -> str:
    """What is wrong once a stage was killed at each of the moments, and started again; "" where nothing is."""
    for path in (place.home, place.temporary):
        shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(reference.before, place.home)
    place.temporary.mkdir(parents=True)
    code = place.run(stage, gym, killed_at[0])
    if code == 0 and killed_at[0].seconds:  # this time it was quicker
        return outcome(place, stage, gym, reference, [Moment(killed_at[0].seconds / 2), *killed_at[1:]])
    if code != -signal.SIGKILL:
        return f"ended with {code} before it was killed: {place.log.read_text()[-500:]}"
    for moment in killed_at[1:]:
        if (code := place.run(stage, gym, moment)) not in (0, -signal.SIGKILL):
            return f"ended with {code} when started again: {place.log.read_text()[-500:]}"
    if code := place.run(stage, gym):
        return f"ended with {code} when started again: {place.log.read_text()[-500:]}"
    return place.problem(reference.after)


def kills(folder: Path, seed: int = 0) -> dict[str, str]:
    """A family of `make test-hard`: case -> what is wrong, "" where nothing is."""
    gym, rng, results = folder / "gym", random.Random(seed), {}
    helpers.gym(gym, 7)
    with tempfile.TemporaryDirectory(dir=SHM if SHM.is_dir() else folder) as other:
        for stage, reference in references(folder, gym).items():
            for first in moments(stage, reference, rng):
                second = [Moment(rng.uniform(0.2, 0.9) * reference.seconds)] if rng.random() < 0.3 else []
                # On two file systems, either way round, or on one.
                home, temporary = rng.choice([(folder, other), (other, folder), (folder, folder)])
                place = Place(Path(home) / "home", Path(temporary) / "temporary", folder / "log")
                case = (
                    f"{len(results)} {stage}, {', then '.join(map(str, [first, *second]))}, home in {home}, seed {seed}"
                )
                results[case] = outcome(place, stage, gym, reference, [first, *second])
    return results


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as empty:
        cases = kills(Path(empty), int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    wrong = {case: what for case, what in cases.items() if what}
    print(f"kills: {len(cases)} cases, {len(wrong)} wrong", *map(": ".join, wrong.items()), sep="\n    ")
    sys.exit(bool(wrong))
