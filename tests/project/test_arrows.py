"""Nobody imports what the design keeps from them; and the checker would notice if somebody did."""

from __future__ import annotations

import pytest

import shared.errors
from rest_gateway import errors as http_errors
from shared.errors import TaskbeamError
from tests.project.arrows import Module, imports, modules, violations
from tests.support.processes import ROOT

OURS = modules(ROOT, ("shared", "ws_server", "rest_gateway", "taskctl"))


def test_the_code_is_found() -> None:
    names = {module.name for module in OURS}
    assert {
        "shared",
        "shared.store",
        "shared.store.sqlite.store",
        "ws_server.protocol",
        "ws_server.__main__",
    } <= names
    assert {"rest_gateway.__main__", "rest_gateway.errors"} <= names


@pytest.mark.parametrize("module", OURS, ids=[module.name for module in OURS])
def test_module_keeps_to_the_arrows(module: Module) -> None:
    assert violations(module) == set()


@pytest.mark.parametrize(
    ("name", "source", "rule"),
    [
        ("ws_server.hub", "import rest_gateway", "the processes never import each other"),
        ("ws_server.hub", "from rest_gateway.app import x", "the processes never import each other"),
        (
            "rest_gateway.app",
            "def f():\n    from ws_server import hub",
            "the processes never import each other",
        ),
        (
            "rest_gateway.app",
            "from importlib import import_module\nimport_module('ws_server.hub')",
            "the processes never import each other",
        ),
        ("shared.tasks", "from ws_server.hub import Hub", "shared imports neither process"),
        ("shared.tasks", "import aiohttp.web", "shared knows no transport"),
        ("rest_gateway.app", "import websockets", "the gateway speaks HTTP"),
        ("ws_server.hub", "from aiohttp import web", "the WebSocket server speaks WebSocket"),
        ("shared.tasks", "import sqlite3", "only the store knows databases"),
        ("ws_server.hub", "import aiosqlite as a", "only the store knows databases"),
        ("shared.tasks", "x = 'SELECT a FROM b'", "only the store knows SQL"),
        ("shared.tasks", "x = f'DELETE FROM {table}'", "only the store knows SQL"),
        ("shared.storeroom", "x = 'PRAGMA user_version'", "only the store knows SQL"),
        ("rest_gateway.app", "from shared.store import open_store", "only the composition opens a store"),
        (
            "shared.settings",
            "import os\nx = os.environ['A']",
            "only __main__ and taskctl read the environment",
        ),
        (
            "shared.settings",
            "from os import environ as e",
            "only __main__ and taskctl read the environment",
        ),
        ("ws_server.app", "import os\nos.getenv('A')", "only __main__ and taskctl read the environment"),
        ("ws_server.protocol", "import asyncio", "the protocol is pure"),
        ("ws_server.protocol", "from websockets.asyncio.server import x", "the protocol is pure"),
    ],
)
def test_violation_is_noticed(name: str, source: str, rule: str) -> None:
    assert violations(Module(name, source)) == {rule}


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("shared.store.postgres", "import sqlite3\nx = 'SELECT a FROM b'"),
        ("shared.tasks", "'''Documentation may say SELECT a FROM b.'''"),
        ("ws_server.__main__", "import os\nprint(os.environ)"),
        ("taskctl.backup", "import os, sqlite3\nfrom shared.store import open_store\nos.environ"),
        ("shared.process", "from shared.store import open_store"),
        ("ws_server.protocol", "from shared.models import Task"),
        ("ws_server.connection", "import asyncio, websockets"),
    ],
)
def test_what_is_allowed_is_not_complained_of(name: str, source: str) -> None:
    assert violations(Module(name, source)) == set()


def test_relative_imports_are_resolved() -> None:
    assert "shared.store.lanes" in imports(Module("shared.store.sqlite", "from .lanes import Lane"))
    assert "shared.errors" in imports(Module("shared.store.sqlite", "from .. import errors"))


def _errors(base: type[TaskbeamError]) -> set[type[TaskbeamError]]:
    below = {error for error in base.__subclasses__() if error.__module__ == shared.errors.__name__}
    return below.union(*(_errors(error) for error in below))


def test_every_error_of_the_services_has_an_http_status() -> None:
    assert set(http_errors._STATUS) == _errors(TaskbeamError)


def test_every_error_is_drawn_in_the_family_tree() -> None:
    assert shared.errors.__doc__ is not None
    for error in _errors(TaskbeamError):
        assert f"``{error.__name__}``" in shared.errors.__doc__
