"""Fixtures of several files."""

import gc

import helpers
import pytest


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


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home with a folder of class folders, gym: two exercises of five videos each."""
    place = tmp_path_factory.mktemp("home")
    helpers.gym(place / "gym")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXMUS_HOME", str(place))
        yield place
