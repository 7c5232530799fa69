"""Nobody imports what the design keeps from them; and the checker would notice if somebody did."""

from __future__ import annotations

import pytest

import shared.errors
from rest_gateway import errors as http_errors
from shared.errors import TaskbeamError
from tests.project.arrows import RULES, violations
from tests.project.source import Module, modules
from tests.support.processes import ROOT

OURS = modules(ROOT, ("shared", "ws_server", "rest_gateway", "taskbeam", "taskbeam_client"))


def test_the_code_is_found() -> None:
    names = {module.name for module in OURS}
    assert {
        "shared",
        "shared.store",
        "shared.store.sqlite.store",
        "ws_server.requests",
        "ws_server.__main__",
    } <= names
    assert {"rest_gateway.__main__", "rest_gateway.errors", "taskbeam_client.client"} <= names


@pytest.mark.parametrize("module", OURS, ids=[module.name for module in OURS])
def test_module_keeps_to_the_arrows(module: Module) -> None:
    assert violations(module) == set()


VIOLATIONS = {
    "the processes never import each other": [
        ("ws_server.hub", "import rest_gateway"),
        ("ws_server.hub", "from rest_gateway.app import x"),
        ("rest_gateway.app", "def f():\n    from ws_server import hub"),
        ("rest_gateway.app", "from importlib import import_module\nimport_module('ws_server.hub')"),
    ],
    "shared imports neither process": [("shared.tasks", "from ws_server.hub import Hub")],
    "nobody imports the command line": [
        ("shared.process", "import taskbeam"),
        ("rest_gateway.__main__", "from taskbeam.serve import serve"),
    ],
    "the client and the servers share nothing": [
        ("taskbeam_client.models", "from shared.models import Task"),
        ("ws_server.hub", "from taskbeam_client import backoff"),
    ],
    "the commands for users are clients": [("taskbeam.remote.api", "def f():\n    import shared.models")],
    "shared knows no transport": [
        ("shared.tasks", "import aiohttp.web"),
        ("shared.tasks", "from http import HTTPStatus"),
    ],
    "the gateway speaks HTTP": [("rest_gateway.app", "import websockets")],
    "the WebSocket server speaks WebSocket": [("ws_server.hub", "from aiohttp import web")],
    "only an engine knows its driver": [
        ("shared.tasks", "import sqlite3"),
        ("ws_server.hub", "import aiosqlite as a"),
        ("shared.store", "import sqlite3"),
        ("shared.store.batching", "def f():\n    import aiosqlite"),
        ("shared.store.postgres.store", "import sqlite3"),
        ("shared.store.sqlite.store", "import asyncpg"),
        ("taskbeam.backup", "import sqlite3"),
        ("taskbeam.django_import.rows", "import psycopg"),
        ("shared.store.django.postgresql", "import asyncpg"),
        ("shared.store.sqlite.store", "import psycopg"),
    ],
    "only an engine knows SQL": [
        ("shared.tasks", "x = 'SELECT a FROM b'"),
        ("shared.tasks", "x = f'DELETE FROM {table}'"),
        ("shared.storeroom", "x = 'PRAGMA user_version'"),
        ("shared.store.batching", "x = 'BEGIN IMMEDIATE'"),
        ("shared.decisions.tasks", "x = 'INSERT INTO tasks'"),
    ],
    "only what opens a store knows an engine": [
        ("shared.store", "def f():\n    from shared.store.sqlite.store import SqliteStore"),
        ("shared.store.batching", "def f():\n    from shared.store import sqlite"),
        ("shared.store.postgres.store", "from shared.store.sqlite.log import x"),
        ("ws_server.hub", "import shared.store.sqlite.store"),
    ],
    "only what opens a store knows how changes come by": [
        ("shared.feed", "from shared.feed.tail import open_tail"),
        ("ws_server.hub", "from shared.feed.tail import ChangeTail"),
        ("shared.backend", "def f():\n    import shared.feed.wake"),
        ("shared.store.sqlite.store", "from shared.feed import wake"),
    ],
    "what is pure imports only what is pure": [
        ("shared.decisions.tasks", "import asyncio"),
        ("shared.decisions.tasks", "from shared.clock import system_clock"),
        ("shared.decisions.tasks", "from shared import clock"),
        ("shared.decisions.tasks", "import shared.store"),
        ("shared.decisions.history", "from shared import store"),
        ("shared.decisions.sessions", "import time"),
        ("shared.rules.fields", "from shared.clock import timestamp"),
        ("shared.rules.requests", "from shared.settings import Settings"),
        ("shared.rules", "import logging"),
        ("shared.models", "from shared.store import Store"),
        ("ws_server.requests", "import asyncio"),
        ("ws_server.requests", "from websockets.asyncio.server import x"),
        ("ws_server.requests", "from ws_server.transport import Socket"),
        ("ws_server.close_codes", "from websockets.frames import Frame"),
        ("ws_server.stream", "import asyncio"),
        ("ws_server.stream", "from ws_server.transport import Socket"),
        ("ws_server.stream", "from shared.tasks import TaskService"),
    ],
    "only the composition opens a store": [
        ("rest_gateway.app", "from shared.store.opening import open_database")
    ],
    "only __main__ and taskbeam read the environment": [
        ("shared.settings", "import os\nx = os.environ['A']"),
        ("shared.settings", "from os import environ as e"),
        ("ws_server.app", "import os\nos.getenv('A')"),
    ],
    "only the table says close codes": [
        ("ws_server.connection", "close(4001, 'Not authenticated')"),
        ("shared.auth.token_watch", "CODE = 4403"),
        ("rest_gateway.events", "x = {'code': 1012}"),
    ],
    "only the error map gives an error a status": [
        (
            "rest_gateway.tasks",
            "from shared.errors import Conflict\ntry: f()\nexcept Conflict: raise HttpError(409)",
        ),
        (
            "rest_gateway.app",
            "from shared.errors import UserGone\ntry: f()\nexcept (OSError, UserGone): answer(status=401)",
        ),
    ],
}


def test_every_rule_can_be_broken() -> None:
    assert VIOLATIONS.keys() == RULES.keys()


@pytest.mark.parametrize(
    ("name", "source", "rule"),
    [(name, source, rule) for rule, cases in VIOLATIONS.items() for name, source in cases],
)
def test_violation_is_noticed(name: str, source: str, rule: str) -> None:
    assert violations(Module(name, source)) == {rule}


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("shared.store.postgres", "import asyncpg\nx = 'SELECT a FROM b'"),
        ("shared.store.sqlite.log", "import sqlite3\nfrom shared.store.sqlite.tasks import read_feed"),
        ("shared.store.opening", "from shared.store.sqlite.opening import open_sqlite"),
        ("shared.store.opening", "from shared.feed.tail import open_tail"),
        ("shared.feed.tail", "from shared.feed.wake import open_wake"),
        ("shared.store.sqlite.log", "from shared.feed.log import Position"),
        ("ws_server.hub", "from shared.feed import ChangeFeed, FeedListener"),
        ("shared.tasks", "'''Documentation may say SELECT a FROM b.'''"),
        ("shared.decisions.tasks", "from shared.clock import timestamp\nfrom shared import models"),
        ("shared.decisions.history", "from shared.decisions.tasks import decide\nimport msgspec"),
        ("shared.rules.fields", "import re, unicodedata\nfrom shared.errors import ValidationFailed"),
        ("ws_server.__main__", "import os\nprint(os.environ)"),
        ("taskbeam.backup", "import os\nfrom shared.store.opening import open_database\nos.environ"),
        ("shared.backend", "from shared.store.opening import open_database"),
        ("ws_server.requests", "from shared.models import Task"),
        ("ws_server.connection", "import asyncio, websockets"),
        ("ws_server.close_codes", "TOKEN_REVOKED = 4403"),
        ("rest_gateway.errors", "_STATUS = {NotFound: 404}"),
        ("rest_gateway.bodies", "try: f()\nexcept ValueError: raise HttpError(400)"),
    ],
)
def test_what_is_allowed_is_not_complained_of(name: str, source: str) -> None:
    assert violations(Module(name, source)) == set()


def test_relative_imports_are_resolved() -> None:
    assert "shared.store.lanes" in Module("shared.store.sqlite", "from .lanes import Lane").imports
    assert "shared.errors" in Module("shared.store.sqlite", "from .. import errors").imports
    package = Module("shared.store", "from .lanes import Lane", is_package=True)
    assert "shared.store.lanes.Lane" in package.imports


def _errors(base: type[TaskbeamError]) -> set[type[TaskbeamError]]:
    below = {error for error in base.__subclasses__() if error.__module__ == shared.errors.__name__}
    return below.union(*(_errors(error) for error in below))


def test_every_error_of_the_services_has_an_http_status() -> None:
    assert set(http_errors._STATUS) == _errors(TaskbeamError)


def test_every_error_is_drawn_in_the_family_tree() -> None:
    assert shared.errors.__doc__ is not None
    for error in _errors(TaskbeamError):
        assert f"``{error.__name__}``" in shared.errors.__doc__
