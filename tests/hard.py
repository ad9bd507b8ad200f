"""`make test-hard`: families of hard cases; a line for each: cases, as expected, wrong, seconds.

A family is a function that takes an empty folder and returns what is wrong with each of its cases, "" where it is as expected.
"""

import logging
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from corpus import damaged, foreign, intact, mixed, outcomes
from hard_kills import kills
from hard_tables import tables


def _corpus(module) -> Callable[[Path], dict[str, str]]:
    return lambda folder: outcomes(module.CASES, folder)


FAMILIES: dict[str, Callable[[Path], dict[str, str]]] = {
    "videos, intact": _corpus(intact),
    "videos, damaged": _corpus(damaged),
    "videos, no videos": _corpus(foreign),
    "tables, run files": tables,
    "kills": kills,
}

# Takes minutes a case: run only when it is named.
SLOW = {"folders, 30 % damaged": mixed.outcomes}


def main(names: list[str]) -> int:
    """Run the families named, or all but the slow ones; the exit code."""
    known = FAMILIES | SLOW
    if unknown := set(names) - known.keys():
        raise SystemExit(f"no family {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    logging.disable(logging.WARNING)  # PyAV's, of options that an encoder does not use
    total = 0
    print(f"{'family':<22}{'cases':>7}{'as expected':>13}{'wrong':>7}{'seconds':>9}")
    for name in names or FAMILIES:
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            actual = known[name](Path(folder))
        wrong = {case: what for case, what in actual.items() if what}
        total += len(wrong)
        seconds = time.monotonic() - start
        print(f"{name:<22}{len(actual):>7}{len(actual) - len(wrong):>13}{len(wrong):>7}{seconds:>9.0f}", flush=True)
        for case, what in wrong.items():
            print(f"    {case!r}: {what}")
    return int(total > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
