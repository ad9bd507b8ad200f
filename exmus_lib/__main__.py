"""`python -m exmus_lib predict my.mp4`: what real people do in videos, in a terminal; and what takes long, or serves other
programs, without a notebook."""

import argparse
import atexit
import gc
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from tqdm import tqdm


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0, or 1 where a video could not be read, a run not exported or a grid not begun, as stderr says;
    what stops a training is raised. SystemExit 2 for a wrong call."""
    parser = argparse.ArgumentParser("python -m exmus_lib", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    predict = commands.add_parser("predict", help="what a person does in each video: exercises, repetitions, muscles")
    predict.add_argument("videos", nargs="+", type=Path, metavar="my.mp4")
    form = predict.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="a row for each stretch of one exercise, as CSV")
    form.add_argument("--json", action="store_true", help="everything, windows and repetitions too, as JSON")
    pretrain = commands.add_parser("pretrain", help="make the networks that come with ExMus again (20 to 60 minutes)")
    pretrain.add_argument("--to", type=Path, default=Path("pose_tcn.safetensors"), help="where to write them")
    grid = commands.add_parser(
        "grid", help="networks x tasks x seeds x folds trained by jobs; notebooks then load the runs"
    )
    for name, default in GRID.items():
        kind = _typed if name in NUMBERS else str
        usual = "as the preset has it" if default is None else default
        grid.add_argument(
            "--" + name.replace("_", "-"), type=kind, default=default, help=f"as in 04_baselines ({usual})"
        )
    grid.add_argument(
        "--workers", type=_typed, help="jobs at once; 1 here, on a cluster as many as there are trainings"
    )
    grid.add_argument("--nodes", type=_typed, default=1, help="machines of a job, each with so many devices")
    grid.add_argument("--on", choices=("local", "slurm"), default="local", help="this machine, or a cluster")
    grid.add_argument("--set", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"),
                      help="of submitit's update_parameters: --set slurm_partition gpu --set timeout_min 600")  # fmt: skip
    export = commands.add_parser("export", help="write a run's network as ONNX or OpenVINO, checked on its test clips")
    export.add_argument("run", type=Path, metavar="outputs/runs/<dataset>/<task>/<run>")
    form = export.add_mutually_exclusive_group(required=True)
    form.add_argument("--onnx", action="store_const", dest="form", const="onnx")
    form.add_argument("--openvino", action="store_const", dest="form", const="openvino")
    export.add_argument("--int8", action="store_true", help="in 8 bits, calibrated on training clips")
    export.add_argument("--to", type=Path, metavar="FOLDER", help="where to write it, if not to the run's folder")
    options = parser.parse_args(arguments)
    sys.stdout.reconfigure(errors="surrogateescape")  # names of files that are no UTF-8
    work = {"predict": _predict, "pretrain": _pretrain, "grid": _grid, "export": _export}
    return work[options.command](options)


# What `grid` takes, with its defaults: the parameters of training notebooks, several tasks at once.
GRID = {
    "dataset": "sample",
    "tasks": "exercise,mgap",
    "networks": "x3d_m,slowfast_r50",
    "preset": "quick",
    "split": "video",
}
GRID |= {"seed": 0, "devices": 1} | dict.fromkeys(("seeds", "folds", "init", "input", "tag"))
GRID |= dict.fromkeys(("epochs", "frames", "side", "fit", "learning_rate", "batch", "augment", "freeze", "balance"))
NUMBERS = ("seed", "devices", "epochs", "frames", "side", "learning_rate", "batch", "augment")  # or True and False


def _typed(text: str) -> object:
    """As papermill reads what stands after -p, but that 2024_05 is a name."""
    for kind in (int, float) if "_" not in text else ():
        try:
            return kind(text)
        except ValueError:
            pass
    return {"True": True, "False": False, "None": None}.get(text, text)


def _grid(options: argparse.Namespace) -> int:
    from exmus_lib import cluster, parameters
    from exmus_lib.networks import sweep

    try:
        p = parameters.check(vars(options), *GRID, "workers", "nodes")
        how = {"on": options.on, **{name: _typed(value) for name, value in options.set}}
        if options.on == "slurm" and not shutil.which("srun"):
            raise ValueError("--on slurm: there is no srun on this machine; call it where jobs are submitted from")
        print(f"data set {p.dataset}, preset {p.preset}: preparing clips, then training")
        clips = cluster.prepared(p.dataset, p.preset, workers=p.workers or 1, **how)
    except (ValueError, OSError, ImportError) as error:
        print(error, file=sys.stderr)
        return 1
    p.overwrite = False
    wanted = [one for task in p.tasks for one in sweep.trainings(clips, p.networks, task, p)]
    print(sweep.plan(wanted).to_string(index=False))
    missing = [one for one in wanted if not sweep.run_of(one).complete]
    workers = p.workers or (len(missing) if options.on == "slurm" else 1)
    sweep.by_jobs(missing, workers=workers, devices=p.devices, nodes=p.nodes, **how)
    p.devices = 1  # all are there now
    for task in p.tasks:
        sweep.train_all(clips, p.networks, task, p)
    return 0


def _export(options: argparse.Namespace) -> int:
    from exmus_lib.export import export
    from exmus_lib.workspace import Run

    try:
        print(export(Run.at(options.run), options.form, options.int8, options.to))
    except (ValueError, OSError, ImportError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _pretrain(options: argparse.Namespace) -> int:
    from exmus_lib.networks.pretrain import pretrain

    print(f"{options.to}: sha256 {pretrain(options.to)}")
    return 0


def _predict(options: argparse.Namespace) -> int:
    missing = [video for video in options.videos if not video.exists()]
    for video in missing:
        print(f'no video "{video}"' + f" (looked in {Path.cwd()})" * (not video.is_absolute()), file=sys.stderr)
    if len(missing) == len(options.videos):
        return 1  # before the networks are loaded, which takes seconds
    from exmus_lib.networks.recognise import SUMMARY, recognise

    done, failed = {}, bool(missing)
    for video in [video for video in options.videos if video not in missing]:
        with tqdm(
            total=100, desc=video.name, unit="%", leave=False, disable=None, bar_format="{desc} {bar} {n:.0f} %"
        ) as bar:
            try:
                done[video] = recognise(video, lambda share, bar=bar: bar.update(100 * share - bar.n))
            except (ValueError, OSError, RuntimeError) as error:
                failed = True
                print(error, file=sys.stderr)
        if video in done and not (options.csv or options.json):
            print(_text(video, done[video]))
    if options.csv:
        rows = [{"video": str(video), **row} for video, recognition in done.items() for row in recognition.rows()]
        table = pd.DataFrame(rows, columns=["video", *SUMMARY]).astype({"repetitions": "Int64"})
        print(table.to_csv(index=False, lineterminator="\n"), end="")
    if options.json:
        exact = json.dumps([_everything(video, recognition) for video, recognition in done.items()])
        print(json.dumps(json.loads(exact, parse_float=lambda number: round(float(number), 4)), indent=1))
    return int(failed)


def _text(video: Path, recognition) -> str:
    from exmus_lib.networks.recognise import UNSURE

    lines = [str(video)]
    likeliest = ", ".join(f"{name} {p:.0%}" for name, p in recognition.exercises().head(3).items())
    if not recognition.stretches:
        if not any(note.startswith(recognition.unsure) for note in recognition.notes):
            lines.append(f"  {recognition.unsure}" + f"; the likeliest: {likeliest}" * recognition.seen)
        if recognition.unsure == UNSURE:
            lines.append("  film the whole person, alone, from the floor to the hands, for two repetitions or more")
    else:
        if len({s.exercise for s in recognition.stretches}) > 1:
            lines.append(f"  over the whole video: {likeliest}")
        parts = [(s.start, s.end, f"{s.exercise} ({s.probability:.0%})  {s.details}") for s in recognition.stretches]
        for start, end, what in sorted(parts + recognition.gaps()):
            lines.append(f"  {start:5.1f} to {end:5.1f} s  {what}")
        likely = recognition.muscles()
        worked = likely[likely >= 0.5] if likely.max() >= 0.5 else likely.head(2)
        none = "" if likely.max() >= 0.5 else "none reaches 50%; the likeliest: "
        lines.append(f"  muscles: {none}" + ", ".join(f"{name} {p:.0%}" for name, p in worked.items()))
    return "\n".join(lines + [f"  note: {note}" for note in recognition.notes])


def _everything(video: Path, recognition) -> dict[str, object]:
    return {
        "video": str(video),
        "exercises": recognition.exercises().to_dict(),
        "muscles": recognition.muscles().to_dict(),
        "stretches": [
            {**row, "each": [vars(r) for r in s.repetitions]}
            for row, s in zip(recognition.rows(), recognition.stretches, strict=False)
        ],
        "windows": json.loads(recognition.table.to_json(orient="records")),
        "notes": list(recognition.notes),
    }


if __name__ == "__main__":
    atexit.register(gc.freeze)  # as in parameters.py
    sys.exit(main())
