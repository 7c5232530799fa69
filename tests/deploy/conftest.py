"""A checkout for each test that starts the launcher or supervisord."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.checkout import Checkout


@pytest.fixture
def checkout() -> Iterator[Checkout]:
    # Not tmp_path: a Unix socket's path is short.
    with tempfile.TemporaryDirectory(prefix="taskbeam-") as folder:
        yield Checkout(Path(folder))
