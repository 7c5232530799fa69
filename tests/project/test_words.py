"""Names in the code are the words of the field: each word here was replaced by a common one, and must not come back.

Only names are checked; prose and SQL may use any word.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

import pytest

from tests.project.source import modules
from tests.support.processes import ROOT

REPLACED: Final = {
    "astray": "wrong",
    "brought": "client uuid",
    "lane": "batcher, reader or writer, which say what runs there",
    "reunite": "linger, as in Kafka's producer",
    "standing": "token status",
    "unsettled": "pending index entries",
}
SOURCE: Final = modules(
    ROOT, ("shared", "ws_server", "rest_gateway", "taskbeam_client", "benchmarks", "deploy")
)


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
            case ast.Name(id=name) | ast.arg(arg=name) | ast.Attribute(attr=name):
                yield name


def _words(name: str) -> set[str]:
    """The words of ``snake_case`` and ``CamelCase``, in lower case and without a plural's s."""
    return {word.lower().removesuffix("s") for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)}


@pytest.mark.parametrize("word", REPLACED)
def test_no_name_has_a_word_that_was_replaced(word: str) -> None:
    found = {
        f"{module.name}: {name}"
        for module in SOURCE
        for name in (module.name, *_names(module.tree))
        if word in _words(name)
    }
    assert not found, f"{word}: use {REPLACED[word]}: {sorted(found)}"


@pytest.mark.parametrize("name", ["_reunite", "HereLane", "UNSETTLED_MAX", "shared.store.sqlite.lanes"])
def test_words_of_a_name_are_found(name: str) -> None:
    assert _words(name) & set(REPLACED)
