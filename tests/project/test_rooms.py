"""The tree of tests: its rooms are the ones that CONTRIBUTING describes, and those of the source."""

from __future__ import annotations

import re

import pytest

from tests.project.source import modules
from tests.support.processes import ROOT

SOURCE = modules(ROOT, ("shared", "ws_server", "rest_gateway", "taskbeam", "taskbeam_client"))
TESTS = {module.name: module for module in modules(ROOT, ("tests",))}


def test_every_test_is_in_a_room_that_contributing_describes() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text()
    table = page.partition("| folder of `tests/` |")[2].partition("\n\n")[0]
    described = {name for row in table.splitlines() for name in re.findall(r"`(\w+)/`", row.split("|")[1])}
    tests = ROOT / "tests"
    rooms = {path.relative_to(tests).parts[0] for path in tests.rglob("*.py") if path.parent != tests}
    assert rooms == described
    assert {path.name for path in tests.glob("*.py")} == {"__init__.py", "conftest.py"}


def test_tests_mirror_the_packages_of_the_source() -> None:
    packages = {module.name for module in SOURCE if module.is_package}
    roots = {name for name in packages if "." not in name}
    rooms = {name.removeprefix("tests.") for name, module in TESTS.items() if module.is_package}
    assert {room for room in rooms if room.partition(".")[0] in roots} == packages


@pytest.mark.parametrize("package", ["shared.decisions", "shared.rules"])
def test_every_pure_module_has_tests_of_its_own(package: str) -> None:
    """Elsewhere one file may try several modules at once, or one module may need several files."""
    names = {module.name for module in SOURCE if module.is_in(package) and not module.is_package}
    assert names
    for name in names:
        parent, _, own = name.rpartition(".")
        assert f"tests.{parent}.test_{own}" in TESTS, name
