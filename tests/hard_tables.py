"""20,000 files that people edited, or that were damaged, from seeds: each is read, or refused by the name of the file.

`python tests/hard_tables.py [seed]` prints a line for each kind of file; `make test-hard` has it as a family.
"""

import io
import json
import os
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from exmus_lib import labels, predictions, review, sheets, workspace
from exmus_lib.poses.track import BODY, Track
from exmus_lib.recipes import kept, recipe

PIECES = [
    *(b'"', b'""', b"'", b",", b";", b"\t", b"\n", b"\r\n", b"\r", b"\0", b"\xef\xbb\xbf", b"\xff\xfe", b"\xe4", b"NA", b"nan"),
    *("\u00fc\U0001f3cb\u202e".encode(), b"=1+1", b"../../x", b"$x$", b"<b>", b"-1", b"1e999", b"[", b"{", b"null", b"x" * 300),
]  # fmt: skip
FACTS = {
    "network": "x3d_m", "task": "exercise", "preset": "quick", "init": "scratch", "split": "video", "seed": 0,
    "recipe": kept(recipe("x3d_m", "quick")), "labels": {"Squat": ["quads"], "Push-up": ["chest"]}, "seen": "abcdef",
    "parent": "sample/mgap/x3d_m-1", "members": ["a", "b"], "weights": [0.5, 0.5], "code": {"tasks.py": "abcdef"},
    "clip_set": "abcdef",
}  # fmt: skip


def mutated(data: bytes, rng: random.Random) -> bytes:
    """The bytes of a file after one to four accidents."""
    for _ in range(rng.randint(1, 4)):
        at, length = rng.randrange(len(data) + 1), rng.randint(1, 30)
        piece = rng.choice([rng.choice(PIECES), rng.randbytes(length), data[at : at + length]])
        accident = rng.randrange(7)
        if accident < 3:
            data = data[:at] + piece + data[at:]
        elif accident < 5:
            data = data[:at] + data[at + length :]
        elif accident == 5:
            data = data[:at]
        else:
            data = data.replace(rng.choice(PIECES[:8]), piece, rng.randint(1, 5))
    if rng.random() < 0.1:
        data = data.decode("utf-8", "replace").encode(rng.choice(["latin-1", "utf-16", "utf-16-le"]), "replace")
    return data


def mutated_facts(data: bytes, rng: random.Random) -> bytes:
    """run.json with a value of another kind somewhere, or one that is gone; half the time as any other file."""
    if rng.random() < 0.5:
        return mutated(data, rng)
    facts = json.loads(data)
    place = rng.choice([facts, facts["recipe"], facts["labels"]])
    key = rng.choice([*place, "unknown"])
    values = (None, True, -1, 10**30, 0.5, float("nan"), "", "../x", "a/b/c/d", [], [None], ["a"], {}, {"x": [1]})
    place[key] = rng.choice(values)
    if rng.random() < 0.3:
        place.pop(key)
    return json.dumps(facts).encode()


def _bytes_of(write: Callable[[io.BytesIO], object]) -> bytes:
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def kinds(home: Path) -> dict[Path, tuple[int, bytes, Callable[[], object]]]:
    """File -> how many cases, what is in it while it is sound, and what reads it."""
    known, run = labels.read(), workspace.Run("sample", "exercise", "x3d_m-1")
    names = tuple(FACTS["labels"])
    clips = pd.DataFrame({"clip_id": ["c0", "c1"], "video_id": ["v0", "v1"], "split": ["train", "test"]})
    table = predictions.table(clips, np.zeros((2, 2)), names)
    ids = np.array(["c0", "c1"])
    arrays = {"clip_id": ids, "split": ids, "embedding": np.zeros((2, 4), np.float32)}
    track = Track(
        image=np.zeros((3, len(BODY), 2)), world=np.zeros((3, len(BODY), 3)), visibility=np.zeros((3, len(BODY))),
        found=np.ones(3, bool), shot=np.zeros(3, int), times=np.arange(3) / 10, size=(64, 48), people=1,
    )  # fmt: skip
    track.save(home / "track.npz")
    marks = "dataset,clip_id,mark\n" + "".join(f'sample,"c{i}",{known.exercises[i % 16]}\n' for i in range(6))
    groups = "path;group\n" + "".join(f'Squat/{i}.mp4;"group {i // 2}"\n' for i in range(6)) + "Squat/9.mp4;NA\n"
    history = "epoch,train_loss,val_loss,seconds\n" + "".join(f"{i},{1 / (i + 1)},0.5,1.5\n" for i in range(5))
    manifest = home / "MANIFEST.csv"
    packed = _bytes_of(lambda file: np.savez_compressed(file, **arrays))
    files = {
        home / "exercises.csv": (6000, labels.DEFAULT_FILE.read_bytes(), lambda: labels.read(home / "exercises.csv")),
        review.path(): (4000, marks.encode(), lambda: review.marks("sample")),
        manifest: (4000, groups.encode(), lambda: sheets.once(
            manifest, sheets.table(manifest, "path", "group"), ["path"], "group")),
        run.folder / "run.json": (4000, json.dumps(FACTS).encode(), lambda: [
            run.facts()["network"], run.labels(), run.parent(), run.members(), run.changed_code()]),
        run.folder / "history.csv": (1000, history.encode(), run.history),
        run.folder / "predictions.parquet": (1000, _bytes_of(table.to_parquet), lambda: predictions.read(run)),
        run.folder / "embeddings.npz": (1000, packed, run.embeddings),
        home / "track.npz": (1000, (home / "track.npz").read_bytes(), lambda: Track.load(home / "track.npz")),
    }  # fmt: skip
    for path, (_, data, _) in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return files


def problem(path: Path, read: Callable[[], object]) -> str:
    """What is wrong with how a file is read: "" where it is read, or refused by its name with a way out."""
    before = path.read_bytes()
    try:
        read()
    except ValueError as error:
        if path.name not in str(error):
            return f"{type(error).__name__} without the name of the file: {error}"[:200]
        if not path.exists() and path.with_name(f"{path.name}.damaged").read_bytes() != before:
            return "the damaged file was not kept"
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:200]
    return ""


def tables(folder: Path, seed: int = 0, share: float = 1.0) -> dict[str, str]:
    """A family of `make test-hard`: case -> what is wrong, "" where nothing is. `share` of the cases."""
    before, results = os.environ.get("EXMUS_HOME"), {}
    os.environ["EXMUS_HOME"] = str(folder)
    try:
        for path, (count, data, read) in kinds(folder).items():
            read()
            change = mutated_facts if path.name == "run.json" else mutated
            for number in range(round(count * share)):
                rng = random.Random(f"{path.name} {seed} {number}")
                path.write_bytes(change(data, rng))
                results[f"{path.name}, seed {seed}, number {number}"] = problem(path, read)
                path.with_name(f"{path.name}.damaged").unlink(missing_ok=True)
            path.write_bytes(data)
    finally:
        os.environ.pop("EXMUS_HOME")
        if before is not None:
            os.environ["EXMUS_HOME"] = before
    return results


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        cases = tables(Path(place), int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    wrong = {case: what for case, what in cases.items() if what}
    print(f"tables: {len(cases)} cases, {len(cases) - len(wrong)} as expected, {len(wrong)} wrong")
    for case, what in wrong.items():
        print(f"    {case}: {what}")
    sys.exit(bool(wrong))
