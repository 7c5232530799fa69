"""Modules that import one another in a circle, wherever in them the imports stand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tests.project.source import Module

Graph = Mapping[str, frozenset[str]]


def graph(modules: Iterable[Module]) -> Graph:
    """Which of these modules each of them imports: of ``from a import b`` b, where that is a module, and else a."""
    by_name = {module.name: module for module in modules}
    return {
        name: frozenset(
            imported if imported in by_name else imported.rpartition(".")[0]
            for imported in module.imported_names
            if imported in by_name or imported.rpartition(".")[0] in by_name
        )
        for name, module in by_name.items()
    }


def circles(imports: Graph) -> list[list[str]]:
    """The modules of each knot of circles, sorted: every two of them lead to each other."""
    reached = {name: _reached(imports, name) for name in imports}
    knots = {
        tuple(sorted(other for other in reached[name] if name in reached[other]))
        for name in imports
        if name in reached[name]
    }
    return sorted(map(list, knots))


def _reached(imports: Graph, start: str) -> set[str]:
    """All modules to which imports lead from this one; itself, if there is a way back."""
    reached: set[str] = set()
    ahead = list(imports[start])
    while ahead:
        name = ahead.pop()
        if name not in reached:
            reached.add(name)
            ahead += imports[name]
    return reached
