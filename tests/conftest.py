"""Fixtures of several files."""

import helpers
import pytest


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home with a folder of class folders, gym: two exercises of five videos each."""
    place = tmp_path_factory.mktemp("home")
    helpers.gym(place / "gym")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXMUS_HOME", str(place))
        yield place
