"""No file of the servers is long, and most are short."""

from __future__ import annotations

from tests.project.source import modules
from tests.support.processes import ROOT

LONGEST, SHORT = 350, 150
LINES = {
    module.name: len(module.source.splitlines())
    for module in modules(ROOT, ("shared", "ws_server", "rest_gateway"))
}


def test_no_module_of_the_servers_is_long() -> None:
    assert {name: lines for name, lines in LINES.items() if lines > LONGEST} == {}


def test_most_modules_of_the_servers_are_short() -> None:
    assert sum(lines < SHORT for lines in LINES.values()) > len(LINES) / 2
