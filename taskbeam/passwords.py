"""Passwords and tokens as a command gets them: never as an argument, which every user of the machine can read."""

from __future__ import annotations

import sys

import click

from taskbeam.errors import CommandError


def read_secret(what: str, *, twice: bool = False) -> str:
    """Ask at the terminal, without echo; elsewhere the first line of standard input. ``twice``: a new one."""
    if sys.stdin.isatty():
        secret: str = click.prompt(what, hide_input=True, confirmation_prompt=twice, err=True)
        return secret
    return first_line(what)


def first_line(what: str) -> str:
    """Of standard input. Raises CommandError where there is none, or none of text."""
    try:
        line = sys.stdin.readline()
        line.encode()
    except UnicodeError as error:  # which of both, the locale decides
        raise CommandError(f"the {what.lower()} on standard input is not UTF-8") from error
    if not line:
        raise CommandError(f"no {what.lower()} on standard input")
    return line.removesuffix("\n").removesuffix("\r")
