"""Whatever happens to the process that reads a file becomes that file's reason, and the next file is read."""

import ctypes
import errno
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from joblib import cpu_count

from exmus_lib.videos import guard
from exmus_lib.videos.faults import VideoError


def work(file: str) -> str:
    """A job that does what its file is called."""
    if file == "crash":
        ctypes.string_at(0)
    elif file == "hang":
        signal.alarm(1)  # in place of 20 s
        while True:
            pass
    elif file == "hungry":
        bytearray(guard.MEMORY + 1)
    elif file == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif file == "odd":
        raise TypeError("unsupported format string")
    elif file == "refused":
        raise VideoError(file, "cut short")
    elif file == "full disk":
        raise OSError(errno.ENOSPC, "No space left on device", "clip.mp4")
    elif file == "exit":
        os._exit(3)
    elif file == "slow":
        for _ in range(300):
            guard.progress()
            time.sleep(0.1)
    return f"{file}: {os.getpid()}"


def count(file: str, until: int):
    yield from range(until)
    work(file)


def children() -> set[int]:
    """Those of this process, of which tests ask that there are no new ones: what another test has left may end at any time."""
    return {child.pid for child in psutil.Process().children()}


def results(*files: str) -> dict[str, object]:
    with closing(guard.each(work, [(file,) for file in files])) as done:
        return {files[number]: result for number, result in done}


def test_each_end_is_told_in_words_and_costs_no_other_file():
    before = children()
    limited = sys.platform == "linux"  # macOS knows the limit of memory and does not keep it
    bad = ["crash", "hang", *["hungry"] * limited, "killed", "odd", "refused"]
    actual = results(*[name for i, file in enumerate(bad) for name in (file, f"good {i}")])
    reasons = {file: actual[file].reason for file in bad}
    told = {
        "crash": "damaged: the decoder crashed on it (SIGSEGV)",
        "hang": "reading stopped: no progress for 20 s",
        "hungry": "needs too much memory to decode",
        "killed": "reading stopped: the system ended it, likely for want of memory",
        "odd": "cannot be read: TypeError: unsupported format string",
        "refused": "cut short",
    }
    assert reasons == {file: told[file] for file in bad}
    assert all(isinstance(actual[file], VideoError) and actual[file].path == file for file in bad)
    assert all(actual[f"good {i}"].startswith(f"good {i}: ") for i in range(len(bad)))
    assert children() <= before


def test_a_process_does_many_files():
    actual = results(*map(str, range(40)))
    assert len({result.split(": ")[1] for result in actual.values()}) <= cpu_count()


def test_what_is_not_the_files_fault_ends_the_work():
    before = children()
    with pytest.raises(OSError, match="No space left on device") as caught:
        results("full disk")
    assert caught.value.errno == errno.ENOSPC and caught.value.filename == "clip.mp4"
    with pytest.raises(RuntimeError, match="a process to read videos ended"):
        results("exit")
    assert children() <= before


def test_items_come_one_by_one_and_the_reason_after_them():
    with closing(guard.stream(count, "good", 1000)) as items:
        assert list(items) == list(range(1000))
    with closing(guard.stream(count, "crash", 3)) as items:
        assert [next(items) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(VideoError, match=r"crash: damaged: the decoder crashed on it \(SIGSEGV\)"):
            next(items)


def test_the_process_of_a_stream_serves_the_next_one_while_it_lives_and_this_process_alone():
    def pid(file: str = "good") -> int:
        with closing(guard.stream(_own_number, file)) as items:
            return next(iter([*items]))

    first = pid()
    assert pid() == first
    child = os.fork()
    if not child:
        os._exit(int(pid() == first))
    assert os.waitpid(child, 0)[1] == 0 and pid() == first
    os.kill(first, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(first)], timeout=5)
    assert pid() != first
    with pytest.raises(VideoError):
        pid("crash")
    assert isinstance(pid(), int)


def _own_number(file: str):
    work(file)
    yield os.getpid()


def test_who_takes_long_to_ask_for_the_next_item_is_not_taken_for_stuck(monkeypatch):
    monkeypatch.setattr(guard, "_SPARE", [])  # it has a second from here on
    with closing(guard.stream(_numbers_in_a_second, "good")) as items:
        next(items)
        time.sleep(1.5)
        assert sum(1 for _ in items) == 9_999


def _numbers_in_a_second(file: str):
    guard.SECONDS = 1
    for _ in range(10_000):
        yield bytes(1000)  # more than a pipe holds


@pytest.mark.parametrize("how", ["stopped early", "interrupted"])
def test_no_process_is_left_behind(how):
    before = children()
    if how == "stopped early":
        with closing(guard.each(work, [("1",), ("slow",), ("slow",)])) as done:
            next(done)
    else:
        handler = signal.signal(signal.SIGINT, signal.default_int_handler)  # a process started with & has none
        timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        try:
            with pytest.raises(KeyboardInterrupt):
                results("slow", "slow")
        finally:
            signal.signal(signal.SIGINT, handler)
    assert children() <= before


def test_processes_end_with_the_one_they_serve():
    code = "from test_guard import *; results('slow', 'slow')"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    served = subprocess.Popen([sys.executable, "-c", code], env=environment, cwd=Path(__file__).parent)
    seen = psutil.Process(served.pid)
    deadline = time.monotonic() + 60
    while len(workers := seen.children()) < min(2, cpu_count()):
        assert time.monotonic() < deadline and served.poll() is None
        time.sleep(0.05)
    time.sleep(0.5)
    served.kill()
    served.wait()
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive


def test_a_program_without_a_main_guard_is_not_run_again(tmp_path):
    (tmp_path / "script.py").write_text(
        "print('begun')\nfrom test_guard import results\nprint(results('a', 'b').keys())\n", encoding="utf-8"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout.count("begun") == 1 and "dict_keys" in done.stdout, done.stderr


def test_a_guarded_process_starts_without_what_takes_long_to_import():
    code = "import sys, exmus_lib.videos.encode; print([m for m in ('numpy', 'pandas', 'torch') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_without_such_processes_the_work_is_done_here(monkeypatch):
    monkeypatch.setattr(guard, "GUARDED", False)
    actual = results("good", "refused")
    assert actual["good"] == f"good: {os.getpid()}" and actual["refused"].reason == "cut short"
    assert list(guard.stream(count, "good", 3)) == [0, 1, 2]
