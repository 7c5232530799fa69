"""constraints.txt pins what pyproject.toml asks for, by names and versions alone."""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import distributions

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from tests.support.processes import ROOT

_LINES = (ROOT / "constraints.txt").read_text().splitlines()
PINS = [Requirement(line) for line in _LINES if line and not line.startswith("#")]


def _pinned() -> dict[NormalizedName, str]:
    """Canonical names with their versions, where this Python runs."""
    here = [pin for pin in PINS if pin.marker is None or pin.marker.evaluate()]
    versions = {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in here}
    assert len(versions) == len(here)
    return versions


def test_each_line_is_a_name_and_one_version() -> None:
    assert len(PINS) > 30
    for pin in PINS:
        assert re.fullmatch(r"==[\w.]+", str(pin.specifier)), pin
        assert pin.url is None, pin


def test_everything_that_is_asked_for_is_pinned_within_its_bounds() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = [
        *project["project"]["dependencies"],
        *(line for group in project["dependency-groups"].values() for line in group),
    ]
    pinned = _pinned()
    for requirement in map(Requirement, asked):
        if requirement.marker is None or requirement.marker.evaluate():
            assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), requirement


def test_this_environment_has_the_pinned_versions() -> None:
    """The suite runs with what everybody gets."""
    pinned = _pinned()
    found = {canonicalize_name(each.name): each.version for each in distributions(path=[_packages()])}
    ours = {"taskbeam", "pip", "setuptools", "wheel"}
    assert {name: version for name, version in found.items() if name not in ours} == {
        name: version for name, version in pinned.items() if name in found
    }


def _packages() -> str:
    return next(path for path in sys.path if path.startswith(sys.prefix) and path.endswith("site-packages"))
