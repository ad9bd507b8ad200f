"""Everything that ExMus is timed by, in one command: `python benchmarks/bench.py [PART ...]`, or `make bench`.

Each part is a generator of rows, run in a process of its own: `data`, `train` and `predict` run the stock PyTorchVideo recipe and
ours in turn (speed.py); `tables`, `scale`, `poses` and `explorer` time what has no stock counterpart, or another library's.
`train` and `predict` run with one thread and with all; on a processor that multiplies bfloat16 in hardware (AMX) limited to AVX2,
as most people's and Colab's processors are, and once more as it comes, with one thread.

Prints a table, writes outputs/bench/<time>.json, and with `--page` the section of this kind of machine in docs/PERFORMANCE.md.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pandas as pd
import torch

from exmus_lib import workspace
from exmus_lib.networks import compute

PARTS = {"data": "speed", "train": "speed", "predict": "speed", "tables": "scoring", "scale": "scale", "poses": "poses",
         "explorer": "explorer"}  # fmt: skip
ON_CORES = ("train", "predict")  # the parts that depend on threads and on the processor's number formats
# What most processors have: PyTorch's own kernels, oneDNN's and OpenVINO's are held to it.
AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}
PAGE = workspace.REPOSITORY / "docs" / "PERFORMANCE.md"


def settings(part: str) -> Iterator[tuple[str, int, dict[str, str]]]:
    """The settings that a part is run in: name, threads and environment."""
    kinds = {"AMX": {}, "AVX2": AVX2} if compute.amx() else {"": {}}
    if part not in ON_CORES:
        yield "", 1, {}
        return
    for kind, environment in kinds.items():
        for threads in (1,) if kind == "AMX" else sorted({1, torch.get_num_threads()}):
            yield f"{kind} {threads} thread{'s' * (threads > 1)}".strip(), threads, environment


def run(part: str, threads: int, environment: dict[str, str]) -> Iterator[dict]:
    """The rows of one part, made by a process with these threads and this environment, as it makes them."""
    command = [sys.executable, __file__, "--child", part]
    environment = os.environ | environment | {"OMP_NUM_THREADS": str(threads), "NUMBA_NUM_THREADS": str(threads)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if line.startswith("{"):
                yield json.loads(line)
    if process.returncode:
        raise SystemExit(f"{part} failed with exit code {process.returncode}")


def child(part: str) -> None:
    """Print each row of a part as a line of JSON."""
    module = import_module(PARTS[part])
    for row in getattr(module, part)():
        print(json.dumps(row), flush=True)


def machine() -> str:
    """The kind of machine in words: processor, cores, what it multiplies in hardware."""
    info = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*: (.*)", info.read_text()) if info.exists() else [platform.processor()]
    return (
        f"{names[0]}, {torch.get_num_threads()} cores, {torch.backends.cpu.get_cpu_capability()}"
        + ", AMX" * compute.amx()
    )


def page(rows: pd.DataFrame, facts: dict[str, str]) -> str:
    """The rows as a Markdown section."""
    facts = "; ".join(f"{name} {value}" for name, value in facts.items() if name != "machine")
    lines = ["| part | what | setting | unit | stock | ours | times |", "|---|---|---|---|---|---|---|"]
    for row in rows.itertuples():
        stock, ratio = ("", "") if pd.isna(row.stock) else (f"{row.stock:.4g}", f"{row.stock / row.ours:.2f}")
        lines.append(f"| {row.part} | {row.what} | {row.setting} | {row.unit} | {stock} | {row.ours:.4g} | {ratio} |")
    return "\n".join([facts, "", *lines])


def kept(machine: str, section: str) -> None:
    """Put a machine's section in its place in docs/PERFORMANCE.md, or at its end."""
    head, *sections = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.M)
    others = [text for text in sections if text.split("\n")[0] != machine]
    text = [head.rstrip(), *(f"## {text.strip()}" for text in [*others, f"{machine}\n\n{section}"])]
    PAGE.write_text("\n\n".join(text) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all unless given")
    parser.add_argument("--page", action="store_true", help="write this machine's section of docs/PERFORMANCE.md")
    parser.add_argument("--child", choices=PARTS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        return child(given.child)
    if unknown := [part for part in given.parts if part not in PARTS]:
        parser.error(f"unknown part {unknown[0]!r}; there are {', '.join(PARTS)}")
    started, rows, provenance = time.time(), [], workspace.provenance()
    facts = {"commit": provenance["commit"], "Python": platform.python_version(), "date": time.strftime("%Y-%m-%d")}
    facts |= {name: provenance["versions"][name] for name in ("torch", "pytorchvideo", "av")}
    print(machine())
    for part in given.parts or PARTS:
        begun = time.time()
        for setting, threads, environment in settings(part):
            for row in run(part, threads, environment):
                rows.append({"part": part, "setting": setting, "stock": None, **row})
                print(page(pd.DataFrame(rows[-1:]), {}).splitlines()[-1], flush=True)
        print(f"{part} took {time.time() - begun:.0f} s", flush=True)
    facts["took"] = f"{time.time() - started:.0f} s"
    made = workspace.outputs_dir("bench") / time.strftime("%Y-%m-%dT%H%M%S.json")
    made.write_text(json.dumps({"machine": machine(), **facts, "rows": rows}, indent=1) + "\n")
    print(f"{made}; took {facts['took']}")
    if given.page:
        kept(machine(), page(pd.DataFrame(rows), facts))


if __name__ == "__main__":
    main()
