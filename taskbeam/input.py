"""Files that commands read: a path, or ``-`` for standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO


@contextmanager
def binary_input(path: str) -> Iterator[BinaryIO]:
    """Standard input stays open. Raises OSError."""
    if path == "-":
        yield sys.stdin.buffer
        return
    with open(path, "rb") as file:
        yield file


def named(path: str) -> str:
    """As messages have it."""
    return "standard input" if path == "-" else path
