"""Fixtures of several files."""

import atexit
import gc
import os
from pathlib import Path

import helpers
import pytest
import runs
from filelock import FileLock

atexit.register(gc.freeze)  # as in exmus_lib/parameters.py


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Tests are collected without looking for garbage, over and over, among the libraries that they import."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.fixture
def own_home(monkeypatch, tmp_path) -> Path:
    """An empty home, of one test alone."""
    monkeypatch.setenv("EXMUS_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def clip_set(own_home):
    """The data set "sample" in it: see runs.sample."""
    return runs.sample()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home with a folder of class folders, gym: two exercises of five videos each."""
    place = tmp_path_factory.mktemp("home")
    helpers.gym(place / "gym")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXMUS_HOME", str(place))
        yield place


@pytest.fixture(scope="session")
def demo(tmp_path_factory) -> Path:
    """A home with what `make demo` leaves of 01 to 03 at `smoke`: made once for all processes of pytest, to be read or copied."""
    from exmus_lib.networks import fit
    from exmus_lib.videos import prepare

    base = tmp_path_factory.getbasetemp()
    place = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "demo"
    with FileLock(f"{place}.lock"), pytest.MonkeyPatch.context() as patch:
        if not place.exists():
            part = place.with_suffix(".part")
            patch.setenv("EXMUS_HOME", str(part))
            clips = prepare.prepare("sample", "smoke")
            for task in ("exercise", "mgap"):
                for network in ("x3d_m", "slowfast_r50"):
                    fit.train(clips, network, task, "smoke")
            part.rename(place)
    return place
