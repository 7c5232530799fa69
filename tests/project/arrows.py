"""The arrows between the rooms of the house, checked on what the code itself imports and says."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Final

from tests.project.source import Module, is_within, numbers
from ws_server.close_codes import CloseCode

_PROCESSES: Final = frozenset({"ws_server", "rest_gateway"})
_TRANSPORTS: Final = frozenset({"aiohttp", "websockets", "h11", "http"})
ENGINES: Final = {
    "shared.store.sqlite": frozenset({"sqlite3", "aiosqlite"}),
    "shared.store.postgres": frozenset({"asyncpg"}),
}
"""The package of each, and the drivers that it alone imports."""
READERS: Final = {"shared.store.django": frozenset({"sqlite3", "psycopg"})}
"""Packages that read databases of others, and their drivers."""
_FEEDS: Final = (
    *("shared.feed.tail", "shared.feed.wake", "shared.feed.fan_out"),
    "shared.feed.redis_carrier",
    "shared.feed.redis_link",
    "shared.feed.redis_servers",
)
"""What implements the protocol `shared.feed`."""
_SQL: Final = re.compile(
    r"\b(SELECT\s.+\sFROM|INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|CREATE\s+(TABLE|INDEX)|BEGIN IMMEDIATE|PRAGMA\s+\w+)\b",
    re.DOTALL,
)
_PURE: Final = (
    *("__future__", "collections", "dataclasses", "enum", "functools", "itertools", "math"),
    *("msgspec", "operator", "re", "typing", "unicodedata", "uuid"),
)
"""Modules that know no time, no files, no network and no other task."""
_PURE_MODULES: Final = {
    "shared.errors": (),
    "shared.models": ("shared.errors",),
    "shared.rules": ("shared.models", "shared.errors"),
    "shared.decisions": (
        *("shared.models", "shared.errors", "shared.clock.timestamp", "shared.clock.ClockReading"),
    ),
    "shared.feed.notices": (),
    "shared.strict_json": ("json", "array"),
    "shared.wire": ("shared.models",),
    "ws_server.close_codes": ("websockets.frames.CloseCode",),
    "ws_server.requests": ("shared.models", "shared.errors", "shared.rules", "shared.strict_json"),
    "ws_server.answers": (
        *("shared.models", "shared.errors", "shared.wire", "shared.clock.timestamp", "ws_server.requests"),
    ),
    "ws_server.push": ("shared.models", "ws_server.frames.text_on_the_wire"),
    "ws_server.rate_limit": (),
    "ws_server.stream": (
        *("logging", "secrets", "shared.models", "shared.wire"),
        *("ws_server.answers", "ws_server.close_codes", "ws_server.push"),
    ),
}
"""Modules and packages, with what they may import beside `_PURE` and themselves: a module, or one name of it."""


def _imports_other_process(module: Module) -> object:
    return module.package in _PROCESSES and module.top_level_imports & (_PROCESSES - {module.package})


def _imports_process_into_shared(module: Module) -> object:
    return module.package == "shared" and module.top_level_imports & _PROCESSES


def _imports_command_line(module: Module) -> object:
    return module.package != "taskbeam" and "taskbeam" in module.top_level_imports


def _ties_client_to_servers(module: Module) -> object:
    servers = _PROCESSES | {"shared"}
    if module.package == "taskbeam_client":
        return module.top_level_imports & {*servers, "taskbeam"}
    return module.package in servers and "taskbeam_client" in module.top_level_imports


def _ties_users_to_servers(module: Module) -> object:
    """What the commands for users share knows a server by its public contract alone."""
    return module.is_in("taskbeam.remote") and module.top_level_imports & {*_PROCESSES, "shared"}


def _imports_transport_into_shared(module: Module) -> object:
    return module.package == "shared" and module.top_level_imports & _TRANSPORTS


def _gateway_speaks_websocket(module: Module) -> object:
    return module.package == "rest_gateway" and "websockets" in module.top_level_imports


def _websocket_server_uses_aiohttp(module: Module) -> object:
    return module.package == "ws_server" and "aiohttp" in module.top_level_imports


def _imports_foreign_driver(module: Module) -> object:
    packages = ENGINES | READERS
    own = [drivers for package, drivers in packages.items() if module.is_in(package)]
    foreign = frozenset[str]().union(*packages.values()) - frozenset[str]().union(*own)
    return module.top_level_imports & foreign


def says_sql(module: Module) -> bool:
    return any(_SQL.search(text) for text in module.texts)


def _says_sql_outside(module: Module) -> object:
    return not module.is_in(*ENGINES, *READERS) and says_sql(module)


def _imports_engine(module: Module) -> object:
    return module.name != "shared.store.opening" and any(
        is_within(name, engine) for engine in ENGINES if not module.is_in(engine) for name in module.imports
    )


def _imports_feed(module: Module) -> object:
    """An implementation, whose own modules know one another."""
    knows = module.name == "shared.store.opening" or (
        module.is_in("shared.feed") and module.name != "shared.feed"
    )
    return not knows and any(is_within(name, feed) for feed in _FEEDS for name in module.imports)


def _is_impure(module: Module) -> object:
    return any(
        not all(
            any(is_within(name, allowed) for allowed in (*_PURE, package, *others))
            for name in module.imported_names
        )
        for package, others in _PURE_MODULES.items()
        if module.is_in(package)
    )


def _opens_store(module: Module) -> object:
    opens = "shared.store.opening" in module.imports
    return opens and module.name != "shared.backend" and module.package != "taskbeam"


def _reads_environment(module: Module) -> object:
    if module.package == "taskbeam" or module.name.endswith(".__main__"):
        return False
    return {"os.environ", "os.environb", "os.getenv"} & module.imports or any(
        isinstance(node, ast.Attribute)
        and node.attr in ("environ", "environb", "getenv", "putenv")
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
        for node in ast.walk(module.tree)
    )


def _says_close_code(module: Module) -> object:
    """The client has a table of its own."""
    return not module.name.endswith(".close_codes") and module.numbers & set(CloseCode)


def _gives_error_a_status(module: Module) -> object:
    """A handler of an error of the services that says a status; a probe's answer is of its own."""
    if module.name in ("rest_gateway.errors", "rest_gateway.ops"):
        return False
    return any(
        isinstance(node, ast.ExceptHandler)
        and node.type is not None
        and any(
            isinstance(caught, ast.Name) and f"shared.errors.{caught.id}" in module.imports
            for caught in ast.walk(node.type)
        )
        and any(400 <= number < 600 for number in numbers(node))
        for node in ast.walk(module.tree)
    )


RULES: Final[dict[str, Callable[[Module], object]]] = {
    "the processes never import each other": _imports_other_process,
    "shared imports neither process": _imports_process_into_shared,
    "nobody imports the command line": _imports_command_line,
    "the client and the servers share nothing": _ties_client_to_servers,
    "the commands for users are clients": _ties_users_to_servers,
    "shared knows no transport": _imports_transport_into_shared,
    "the gateway speaks HTTP": _gateway_speaks_websocket,
    "the WebSocket server speaks WebSocket": _websocket_server_uses_aiohttp,
    "only an engine knows its driver": _imports_foreign_driver,
    "only an engine knows SQL": _says_sql_outside,
    "only what opens a store knows an engine": _imports_engine,
    "only what opens a store knows how changes come by": _imports_feed,
    "what is pure imports only what is pure": _is_impure,
    "only the composition opens a store": _opens_store,
    "only __main__ and taskbeam read the environment": _reads_environment,
    "only the table says close codes": _says_close_code,
    "only the error map gives an error a status": _gives_error_a_status,
}
"""Each with what breaks it."""


def violations(module: Module) -> set[str]:
    """The rules that a module breaks."""
    return {rule for rule, is_broken_by in RULES.items() if is_broken_by(module)}
