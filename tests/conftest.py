"""Fixtures of several files."""

import gc

import helpers
import pytest

gc.disable()  # what tests import stays: looking for garbage in it took a fifth of the time until the first test


def pytest_collection_finish():
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
