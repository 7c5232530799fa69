"""The project's own modules, read and not run: what they import, and what texts and numbers they hold."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Final

_FOLDERS: Final = {"taskbeam_client": "clients/python"}
"""Where the packages are that do not stand at the top."""


class Module:
    """A module's dotted name and its source."""

    def __init__(self, name: str, source: str, *, is_package: bool = False) -> None:
        self.name = name
        self.package = name.partition(".")[0]
        self.source = source
        self.is_package = is_package

    def is_in(self, *packages: str) -> bool:
        return any(is_within(self.name, package) for package in packages)

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source)

    @cached_property
    def imports(self) -> frozenset[str]:
        """Dotted names of what the module imports, wherever in it; ``from a import b`` as a and a.b."""
        return frozenset(self._imported(self.tree))

    @cached_property
    def imported_names(self) -> frozenset[str]:
        """As `imports`, without a of ``from a import b``."""
        bases = {self._base(node) for node in ast.walk(self.tree) if isinstance(node, ast.ImportFrom)}
        whole = {
            alias.name for node in ast.walk(self.tree) if isinstance(node, ast.Import) for alias in node.names
        }
        return self.imports - (bases - whole)

    @cached_property
    def top_level_imports(self) -> frozenset[str]:
        """The first parts of `imports`: packages and single modules."""
        return frozenset(name.partition(".")[0] for name in self.imports)

    def _imported(self, tree: ast.AST) -> Iterator[str]:
        for node in ast.walk(tree):
            yield from self._imported_by(node)

    def _imported_by(self, node: ast.AST) -> Iterator[str]:
        match node:
            case ast.Import(names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(names=names):
                base = self._base(node)
                yield base
                yield from (f"{base}.{alias.name}" for alias in names)
            case (
                ast.Call(func=ast.Name("import_module" | "__import__"))
                | ast.Call(func=ast.Attribute(attr="import_module"))
            ):
                yield from (argument.value for argument in node.args if _is_text(argument))  # type: ignore[attr-defined]

    def _base(self, node: ast.ImportFrom) -> str:
        """What it imports from, a relative name resolved."""
        parts = self.name.split(".") if node.level else []
        above = parts[: len(parts) - node.level + self.is_package]
        return ".".join([*above, *([node.module] if node.module else [])])

    @cached_property
    def texts(self) -> list[str]:
        """String literals, the constant parts of f-strings among them, less the docstrings."""
        return list(_texts(self.tree))

    @cached_property
    def numbers(self) -> frozenset[int]:
        """Whole numbers that stand in the code."""
        return frozenset(numbers(self.tree))


def modules(root: Path, packages: tuple[str, ...]) -> list[Module]:
    """All modules of those packages that are there."""
    found = []
    for package in packages:
        folder = root / _FOLDERS.get(package, "")
        for path in sorted((folder / package).rglob("*.py")):
            name = ".".join(path.relative_to(folder).with_suffix("").parts)
            is_package = path.name == "__init__.py"
            found.append(Module(name.removesuffix(".__init__"), path.read_text(), is_package=is_package))
    return found


def is_within(name: str, package: str) -> bool:
    """Whether it is the package itself or something in it."""
    return name == package or name.startswith(package + ".")


def numbers(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and type(node.value) is int:
            yield node.value


def _texts(tree: ast.Module) -> Iterator[str]:
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
