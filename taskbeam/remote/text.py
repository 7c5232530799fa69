"""Texts of users and servers, made fit for a terminal: whatever they hold, they control nothing there."""

from __future__ import annotations

import json
import sys
from typing import Any, Final

import click

_JOINERS: Final = "\u200c\u200d"  # parts of emoji and of words


def one_line(text: str) -> str:
    """The text on one line, without control characters; its white space is single blanks."""
    return "".join(
        letter if letter.isprintable() or letter in _JOINERS else "\N{REPLACEMENT CHARACTER}"
        for letter in " ".join(text.split())
    )


def say(text: str, *, err: bool = False) -> None:
    """Print a line. A letter that the terminal's encoding does not have becomes a question mark."""
    stream = sys.stderr if err else sys.stdout
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")
    click.echo(text, err=err)


def say_json(value: Any) -> None:
    """Print one line of JSON, in ASCII."""
    click.echo(json.dumps(value, separators=(",", ":")))
