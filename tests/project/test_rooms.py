"""The tree of tests: its rooms are the ones that CONTRIBUTING describes."""

from __future__ import annotations

import re

from tests.support.processes import ROOT


def test_every_test_is_in_a_room_that_contributing_describes() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text()
    table = page.partition("| room of `tests/` |")[2].partition("\n\n")[0]
    described = {name for row in table.splitlines() for name in re.findall(r"`(\w+)/`", row.split("|")[1])}
    tests = ROOT / "tests"
    rooms = {path.relative_to(tests).parts[0] for path in tests.rglob("*.py") if path.parent != tests}
    assert rooms == described
    assert {path.name for path in tests.glob("*.py")} == {"__init__.py", "conftest.py"}
