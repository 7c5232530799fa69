"""The arguments of a server's command line: questions alone, since its settings are variables of the environment."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib.metadata import version


def answer_questions(process: str, what: str, arguments: Sequence[str]) -> None:
    """Exit where there is any argument: with 0 after ``--help`` or ``--version``, with 2 otherwise. Nothing has been opened."""
    if not arguments:
        return
    parser = argparse.ArgumentParser(
        prog=f"python -m {process}",
        description=f"{what} It takes its settings from the environment, TASKBEAM_..., and runs until a signal ends it. "
        "`taskbeam serve` starts and supervises both servers.",
    )
    parser.add_argument("--version", action="version", version=f"taskbeam {version('taskbeam')}")
    parser.parse_args(arguments)
