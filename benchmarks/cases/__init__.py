"""The cases, one module for each item of the reach list; a module's docstring says on the page how it is measured."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal, NamedTuple

from benchmarks.machine import Cores
from benchmarks.results import Findings


class Effort(NamedTuple):
    """How much to measure: rounds of windows of so many seconds; ``whole``: also what takes minutes by itself."""

    cores: Cores
    rounds: int
    seconds: float
    whole: bool


class Case(NamedTuple):
    """``how`` stands on the page. ``when`` a case is measured: in every run, in whole runs, or only when asked for.

    ``hashes``: most of its work is hashing passwords.
    """

    name: str
    title: str
    how: str
    measure: Callable[[Effort], Awaitable[Findings]]
    when: Literal["always", "whole", "asked"] = "always"
    hashes: bool = False
