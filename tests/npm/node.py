"""Node, and the packages beside this file."""

from __future__ import annotations

import functools
import json
import os
import shutil
from pathlib import Path
from typing import Final

import pytest

FOLDER: Final = Path(__file__).parent


def require_node() -> str:
    """Node's path. Skips the test where Node or the packages are not installed; in CI, fails."""
    node = shutil.which("node")
    if node is None:
        reason = "node is not installed"
    elif not _packages_are_installed():
        reason = "the packages are not installed, or are others: npm ci --prefix tests/npm"
    else:
        return node
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@functools.cache
def _packages_are_installed() -> bool:
    """Those of the lock file, but for optional ones, which are of other systems."""
    try:
        installed = json.loads((FOLDER / "node_modules/.package-lock.json").read_text())["packages"]
    except FileNotFoundError:
        return False
    locked = json.loads((FOLDER / "package-lock.json").read_text())["packages"]
    return all(
        package.get("optional") or installed.get(name, {}).get("version") == package["version"]
        for name, package in locked.items()
        if name
    )
