"""The cases, one module each. The page shows a module's docstring: how the case is measured."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal, NamedTuple

from benchmarks.machine import Cores
from benchmarks.results import Findings


class Effort(NamedTuple):
    """How much to measure: the number of rounds, and seconds of a window. ``whole``: also cases that take minutes."""

    cores: Cores
    rounds: int
    seconds: float
    whole: bool


class Case(NamedTuple):
    """``how`` is shown on the page. ``when``: measured in every run, in whole runs, or only on request."""

    name: str
    title: str
    how: str
    measure: Callable[[Effort], Awaitable[Findings]]
    when: Literal["always", "whole", "asked"] = "always"
