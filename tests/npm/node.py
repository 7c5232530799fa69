"""Node, and the packages beside this file."""

from __future__ import annotations

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
    elif not (FOLDER / "node_modules" / ".package-lock.json").exists():
        reason = "the packages are not installed: npm ci --prefix tests/npm"
    else:
        return node
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
