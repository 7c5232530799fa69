"""The files and names that the documents mention exist, and the architecture mentions every module."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.processes import ROOT

_TOP: Final = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".venv")}
_PATH: Final = re.compile(r"`([\w.-]+(?:/[\w.-]+)*/?)`")
_GLOSSARY: Final = ROOT / "docs/glossary.md"
_ARCHITECTURE: Final = ROOT / "docs/explanation/architecture.md"
_NAME: Final = re.compile(r"`([\w/.]+)`: `(\w+)`")

PAGES: Final = [
    _GLOSSARY,
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs/explanation").rglob("*.md")),
]
PACKAGES: Final = ("shared", "ws_server", "rest_gateway", "clients/python/taskbeam_client")
CONTRACTS: Final = {"shared/feed/__init__", "shared/store/__init__"}
MADE: Final = {"benchmarks/.venv-peers/"}


def _paths(page: Path) -> Iterator[str]:
    """The paths in it that begin with a folder of the project."""
    for path in _PATH.findall(page.read_text()):
        if "/" in path and path.partition("/")[0] in _TOP and path not in MADE:
            yield path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_file_that_is_named_exists(page: Path) -> None:
    assert [path for path in _paths(page) if not (ROOT / path).exists()] == []


def test_every_word_of_the_glossary_is_in_its_file() -> None:
    rows = [row for row in _GLOSSARY.read_text().splitlines() if row.startswith("| ")]
    words = [row for row in rows if not row.startswith("| word |")]
    names = [_NAME.findall(row) for row in words]
    assert words
    assert [row for row, found in zip(words, names, strict=True) if not found] == []
    absent = [
        (file, name)
        for row in names
        for file, name in row
        if re.search(rf"\b{name}\b", (ROOT / file).read_text()) is None
    ]
    assert absent == []


def _modules() -> set[str]:
    """All, as paths without a suffix; of the packages' own, those that hold a contract."""
    paths = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    names = {path.relative_to(ROOT).with_suffix("").as_posix() for path in paths}
    return {name for name in names if "__" not in name} | CONTRACTS


def _named(page: str, package: str) -> set[str]:
    """The modules in the table of a package: the code spans of the first column."""
    section = page.partition(f"\n### `{package}/`\n")[2].partition("\n#")[0]
    rows = [row for row in section.splitlines() if row.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}


def test_the_architecture_names_every_module_and_no_other() -> None:
    page = _ARCHITECTURE.read_text()
    named = {
        f"{package}/{name}"
        for package in re.findall(r"^### `([\w/]+)/`$", page, re.MULTILINE)
        for name in _named(page, package)
    }
    assert named == _modules()
