"""environment.yml, pyproject.toml and requirements.lock describe one and the same set-up."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

REPOSITORY = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
LOCK = (REPOSITORY / "requirements.lock").read_text().splitlines()
PYTHONS = ("3.11", "3.12", "3.13")
# What Colab brings (November 2026); the notebooks there install only what is missing, so the bounds must let these be.
COLAB = {
    "torch": "2.11.0",
    "torchvision": "0.26.0",
    "numpy": "2.1.0",
    "scikit-learn": "1.6.0",
    "kagglehub": "1.0.0",
    "ipywidgets": "7.7.1",
}


def dependencies() -> list[Requirement]:
    """Everything that pyproject.toml asks for: to run, to develop and to build."""
    asked = PYPROJECT["project"]["dependencies"] + PYPROJECT["project"]["optional-dependencies"]["dev"]
    return [Requirement(line) for line in asked + PYPROJECT["build-system"]["requires"]]


def pins(python: str) -> dict[str, list[str]]:
    """Name to pinned versions in requirements.lock, for one Python on Linux."""
    place = default_environment() | {
        "python_version": python,
        "python_full_version": f"{python}.5",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": "x86_64",
        "os_name": "posix",
    }
    actual: dict[str, list[str]] = {}
    for line in LOCK:
        if line.startswith("#"):
            continue
        pin = Requirement(line)
        if pin.marker is None or pin.marker.evaluate(place):
            (exact,) = pin.specifier
            actual.setdefault(pin.name, []).append(exact.version)
    return actual


@pytest.mark.parametrize("python", PYTHONS)
def test_lock_has_one_pin_for_every_dependency_and_within_its_bound(python):
    actual = pins(python)
    for dependency in dependencies():
        assert len(actual.get(dependency.name, [])) == 1, f"{dependency.name} on Python {python}"
        assert dependency.specifier.contains(actual[dependency.name][0]), f"{dependency} on Python {python}"


@pytest.mark.parametrize("python", PYTHONS)
def test_lock_never_names_a_package_twice_for_one_python(python):
    assert {name: versions for name, versions in pins(python).items() if len(versions) > 1} == {}


def test_lock_holds_names_and_versions_only():
    # no hash, host, path, option or local version such as 2.15.0+cpu: the lock must install from any registry
    pin = re.compile(r"[a-z0-9][a-z0-9._-]*==\d[0-9a-z.]*( ; [a-z0-9_.<>=!'() ]+)?", re.IGNORECASE)
    assert [line for line in LOCK if not line.startswith("#") and not pin.fullmatch(line)] == []
    assert [line for line in LOCK if line.startswith("#") and "/" in line] == []


def test_compromised_lightning_releases_are_refused():
    (lightning,) = [dependency for dependency in dependencies() if dependency.name == "lightning"]
    assert [v for v in ("2.6.1", "2.6.2", "2.6.3", "2.6.4") if lightning.specifier.contains(v)] == ["2.6.1", "2.6.4"]


def test_bounds_are_lower_bounds_that_let_colab_keep_what_it_has():
    by_name = {dependency.name: dependency for dependency in dependencies()}
    for dependency in by_name.values():
        assert {bound.operator for bound in dependency.specifier} <= {">=", "!="}, dependency
    assert [name for name, version in COLAB.items() if not by_name[name].specifier.contains(version)] == []


def test_python_is_the_same_everywhere():
    wanted = SpecifierSet(PYPROJECT["project"]["requires-python"])
    assert [v for v in ("3.10", *PYTHONS, "3.14") if wanted.contains(v)] == list(PYTHONS)
    assert f"python {PYPROJECT['project']['requires-python']}" in conda()[0]


def test_conda_installs_the_lock_and_the_package_in_place():
    names, pip = conda()
    assert "pip" in names  # conda does not bring pip by itself
    assert pip == ["-r requirements.lock", "-e ."]


def conda() -> tuple[list[str], list[str]]:
    """environment.yml's own packages, and the lines it hands to pip."""
    listed = yaml.safe_load((REPOSITORY / "environment.yml").read_text())["dependencies"]
    (through_pip,) = [entry["pip"] for entry in listed if isinstance(entry, dict)]
    return [entry for entry in listed if isinstance(entry, str)], through_pip
