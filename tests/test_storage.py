"""Locks where there are none, or none that others see; parts of names; names of any kind in figures."""

import errno
import os

import matplotlib.pyplot as plt
import pytest

from exmus_lib import storage
from exmus_lib.pictures import figures

ODD = ("$x$", "$\\frac{1$", "a_b^c", "C:\\new\\table", "\U0001f3cb \u202e", "<b>&amp;</b>", "%d {0}")


@pytest.fixture(autouse=True)
def unsaid():
    storage._say.cache_clear()
    storage._file_system.cache_clear()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (NotImplementedError("no flock"), "has no file locks: let no other process make the same there"),
        (OSError(errno.ENOLCK, "No locks available"), "has no file locks"),
        (OSError(errno.EROFS, "Read-only file system"), ""),
    ],
)
def test_a_file_system_without_locks_says_so_and_work_goes_on(monkeypatch, tmp_path, capsys, error, words):
    def acquire(self, **_):
        raise error

    monkeypatch.setattr(storage.FileLock, "acquire", acquire)
    with storage.alone(tmp_path / "a"):
        done = True
    out = capsys.readouterr().out
    assert done and words in out and bool(words) == bool(out)


def test_where_the_system_has_no_flock_the_mark_of_a_dead_process_holds_nobody_up(monkeypatch, tmp_path, capsys):
    fcntl = pytest.importorskip("fcntl", reason="Windows has locks of its own")

    def flock(*_):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", flock)
    (tmp_path / ".a.lock").write_text("12345\nanother-machine\n")
    with storage.alone(tmp_path / "a"):
        done = True
    assert done and "has no file locks" in capsys.readouterr().out


def test_a_file_of_somebody_else_whose_name_begins_as_a_part_does_stays(tmp_path):
    theirs = tmp_path / f"{storage.PART}notes"
    dead = tmp_path / f"{storage.PART}{storage._host()}-{2**22 + 1}-0123abcd.json"
    for file in (theirs, dead):
        file.touch()
    storage.sweep(tmp_path)
    assert os.listdir(tmp_path) == [theirs.name]


def test_another_error_of_a_lock_is_raised(monkeypatch, tmp_path):
    def acquire(self, **_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(storage.FileLock, "acquire", acquire)
    with pytest.raises(OSError, match="Input/output"), storage.alone(tmp_path / "a"):
        pass


def test_locks_that_other_machines_do_not_see_are_said_once(monkeypatch, tmp_path, capsys):
    drive = type("disk", (), {"mountpoint": str(tmp_path), "fstype": "fuse.drive"})
    monkeypatch.setattr(storage.psutil, "disk_partitions", lambda all: [drive])
    for _ in range(2):
        with storage.alone(tmp_path / "runs" / "a"):
            pass
    assert capsys.readouterr().out.count("fuse.drive, whose locks hold on this machine alone") == 1


def test_a_long_name_is_cut_between_letters_and_leaves_room():
    assert storage.short("squat") == "squat" and storage.short("\U0001f3cb" * 60) == "\U0001f3cb" * 30
    assert storage.short("a" * 255) == "a" * 120 and storage.short("caf\udce9") == "caf"


def test_the_system_says_when_a_disk_is_full_and_nothing_is_taken_for_read_only():
    with pytest.raises(OSError, match="No space"), storage.where_possible():
        raise OSError(errno.ENOSPC, "No space left on device", "/x/y")


def test_names_of_any_kind_are_drawn_as_they_are(monkeypatch, tmp_path):
    monkeypatch.setenv("EXMUS_HOME", str(tmp_path))
    with plt.rc_context(figures.STYLE):
        figure, ax = plt.subplots()
        figures.rows(ax, ODD)
        for place, name in enumerate(ODD):
            ax.plot([0, 1], [place, place], label=name)
        ax.set_title(ODD[1])
        ax.legend()
    paths = figures.save(figure, f"gym/{ODD[3]}")
    assert all(path.stat().st_size > 1000 for path in paths)
    plt.close(figure)
