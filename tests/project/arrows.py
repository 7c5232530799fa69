"""The arrows between the rooms of the house, checked on what the code itself imports and says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

_SQL: Final = re.compile(
    r"\b(SELECT\s.+\sFROM|INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|CREATE\s+(TABLE|INDEX)|BEGIN IMMEDIATE|PRAGMA\s+\w+)\b",
    re.DOTALL,
)
_DATABASES: Final = frozenset({"sqlite3", "aiosqlite", "asyncpg"})
_PROCESSES: Final = frozenset({"ws_server", "rest_gateway"})
_TRANSPORTS: Final = frozenset({"aiohttp", "websockets"})
_OUTSIDE: Final = frozenset(
    {"asyncio", "websockets", "socket", "threading", "logging", "time", "os", "random"}
)


class Module(NamedTuple):
    """A module's dotted name and its source."""

    name: str
    source: str


def modules(root: Path, packages: tuple[str, ...]) -> list[Module]:
    """All modules of those packages that are there."""
    found = []
    for package in packages:
        for path in sorted((root / package).rglob("*.py")):
            name = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
            found.append(Module(name, path.read_text()))
    return found


def imports(module: Module) -> set[str]:
    """Dotted names of what the module imports, wherever in it; ``from a import b`` as a and a.b."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(module.source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parent = module.name.split(".")[: -node.level] if node.level else []
            base = ".".join([*parent, *([node.module] if node.module else [])])
            names.add(base)
            names.update(f"{base}.{alias.name}" for alias in node.names)
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, (ast.Name, ast.Attribute))
            and (node.func.id if isinstance(node.func, ast.Name) else node.func.attr)
            in ("import_module", "__import__")
        ):
            names.update(
                argument.value
                for argument in node.args
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
            )
    return names


def _packages(module: Module) -> set[str]:
    return {name.partition(".")[0] for name in imports(module)}


def _texts(tree: ast.Module) -> Iterator[str]:
    """String literals, the constant parts of f-strings among them, less the docstrings."""
    bare = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(part.value if _is_text(part) else " x " for part in node.values)  # type: ignore[attr-defined]
        elif _is_text(node) and id(node) not in bare:
            yield node.value  # type: ignore[attr-defined]


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _reads_environment(module: Module) -> bool:
    return any(
        isinstance(node, ast.Attribute)
        and node.attr in ("environ", "environb", "getenv", "putenv")
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
        for node in ast.walk(ast.parse(module.source))
    ) or bool({"os.environ", "os.getenv"} & imports(module))


def violations(module: Module) -> set[str]:
    """The rules that a module breaks."""
    package = module.name.partition(".")[0]
    imported, broken = _packages(module), set()
    if package in _PROCESSES and imported & (_PROCESSES - {package}):
        broken.add("the processes never import each other")
    if package == "shared" and imported & (_PROCESSES | {"taskctl"}):
        broken.add("shared imports neither process")
    if package == "shared" and imported & _TRANSPORTS:
        broken.add("shared knows no transport")
    if (package, "websockets") == ("rest_gateway", *(imported & {"websockets"})):
        broken.add("the gateway speaks HTTP")
    if (package, "aiohttp") == ("ws_server", *(imported & {"aiohttp"})):
        broken.add("the WebSocket server speaks WebSocket")
    in_store = module.name == "shared.store" or module.name.startswith("shared.store.")
    if package != "taskctl" and not in_store:
        if imported & _DATABASES:
            broken.add("only the store knows databases")
        if any(_SQL.search(text) for text in _texts(ast.parse(module.source))):
            broken.add("only the store knows SQL")
        if "shared.store.open_store" in imports(module) and module.name != "shared.process":
            broken.add("only the composition opens a store")
    if package != "taskctl" and not module.name.endswith(".__main__") and _reads_environment(module):
        broken.add("only __main__ and taskctl read the environment")
    if module.name == "ws_server.protocol" and imported & _OUTSIDE:
        broken.add("the protocol is pure")
    return broken
