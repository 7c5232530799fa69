"""No module imports itself by way of others, be it in a function or for its types alone."""

from __future__ import annotations

import pytest

from tests.project.circles import circles, graph
from tests.project.source import Module, modules
from tests.support.processes import ROOT

PACKAGES = ("shared", "ws_server", "rest_gateway", "taskbeam", "taskbeam_client")


def test_no_modules_import_one_another_in_a_circle() -> None:
    imports = graph(modules(ROOT, PACKAGES))
    assert imports["ws_server.hub"] & imports.keys()
    assert circles(imports) == []


@pytest.mark.parametrize(
    ("sources", "found"),
    [
        ({"a": "from shared.b import b", "b": "import shared.a"}, [["a", "b"]]),
        ({"a": "from shared import b", "b": "from shared.a import a"}, [["a", "b"]]),
        ({"a": "def f():\n    from shared.b import b", "b": "from shared.a import a"}, [["a", "b"]]),
        ({"a": "from shared.b import b", "b": "if TYPE_CHECKING:\n    from shared.a import A"}, [["a", "b"]]),
        ({"a": "from .b import b", "b": "from . import a"}, [["a", "b"]]),
        ({"a": "import shared.b", "b": "import shared.c", "c": "import shared.a"}, [["a", "b", "c"]]),
        (
            {"a": "import shared.b", "b": "import shared.a", "c": "import shared.d", "d": "import shared.c"},
            [["a", "b"], ["c", "d"]],
        ),
        ({"a": "import shared.a"}, [["a"]]),
        ({"a": "import shared.b, shared.c", "b": "import shared.c", "c": ""}, []),
        ({"a": "import sqlite3\nfrom shared.b import b", "b": "from websockets import a"}, []),
    ],
)
def test_circle_is_found(sources: dict[str, str], found: list[list[str]]) -> None:
    them = [Module(f"shared.{name}", source) for name, source in sources.items()]
    assert circles(graph(them)) == [[f"shared.{name}" for name in circle] for circle in found]


def test_package_may_be_in_a_circle_with_what_is_in_it() -> None:
    package = Module("shared.store", "from shared.store.opening import open_database", is_package=True)
    assert circles(graph([package, Module("shared.store.opening", "from shared.store import Store")])) == [
        ["shared.store", "shared.store.opening"]
    ]
