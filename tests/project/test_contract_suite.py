"""The suite of the store's contract runs against any engine: none of its modules knows one."""

from __future__ import annotations

import pytest

from tests.project.arrows import ENGINES, says_sql
from tests.project.source import Module, is_within, modules
from tests.shared.store.engines import ENGINES as TESTED
from tests.support.processes import ROOT

ROOM = "tests.shared.store"
ROOMS_OF_ENGINES = tuple(f"{ROOM}.{engine.rpartition('.')[2]}" for engine in ENGINES)
SUITE = [
    module
    for module in modules(ROOT, ("tests",))
    if module.is_in(ROOM) and not module.is_in(*ROOMS_OF_ENGINES)
]


def knows_engine(module: Module) -> bool:
    """The table of engines, ``engines``, has to import them."""
    rooms = () if module.name == f"{ROOM}.engines" else ROOMS_OF_ENGINES
    drivers = frozenset[str]().union(*ENGINES.values())
    return (
        says_sql(module)
        or bool(module.top_level_imports & drivers)
        or any(is_within(name, engine) for name in module.imports for engine in (*ENGINES, *rooms))
    )


def test_the_suite_is_found() -> None:
    names = {module.name.removeprefix(f"{ROOM}.") for module in SUITE}
    assert {"engine", "owner", "test_accounts", "test_groups", "test_model", "test_tasks"} <= names
    assert not any(name.startswith("sqlite") for name in names)


@pytest.mark.parametrize("module", SUITE, ids=[module.name for module in SUITE])
def test_module_of_the_suite_knows_no_engine(module: Module) -> None:
    assert not knows_engine(module)


@pytest.mark.parametrize(
    "source",
    [
        "import sqlite3",
        "def test() -> None:\n    import asyncpg",
        "from shared.store.sqlite.lists import SHORT_LIST",
        "from tests.shared.store.sqlite.sqlite_file import assert_sound",
        "x = 'UPDATE users SET is_active = 0'",
    ],
)
def test_module_that_knows_one_is_noticed(source: str) -> None:
    assert knows_engine(Module(f"{ROOM}.test_accounts", source))


def test_every_engine_has_a_room_of_its_own() -> None:
    assert {f"shared.store.{engine}" for engine in TESTED} <= ENGINES.keys()
    for engine in TESTED:
        assert (ROOT / "tests" / "shared" / "store" / engine / "conftest.py").is_file()
