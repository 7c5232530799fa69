"""Passwords at a terminal, and from standard input."""

from __future__ import annotations

import io
import sys

import click
import pytest

from taskbeam.errors import CommandError
from taskbeam.passwords import read_secret


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("given", "password"),
    [
        ("secret\n", "secret"),
        ("secret\r\n", "secret"),
        (" s \nmore", " s "),
        ("secret", "secret"),
        ("\n", ""),
    ],
)
def test_the_first_line_of_standard_input(monkeypatch: pytest.MonkeyPatch, given: str, password: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(given))
    assert read_secret("Password") == password


def test_an_empty_standard_input_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with pytest.raises(CommandError, match="no password on standard input"):
        read_secret("Password")


@pytest.mark.parametrize("twice", [False, True])
def test_at_a_terminal_it_is_asked_without_echo(monkeypatch: pytest.MonkeyPatch, twice: bool) -> None:
    asked: list[str] = []

    def without_echo(prompt: str) -> str:
        asked.append(prompt)
        return "secret"

    monkeypatch.setattr(sys, "stdin", _Terminal())
    monkeypatch.setattr(click.termui, "hidden_prompt_func", without_echo)
    assert read_secret("Password", twice=twice) == "secret"
    assert len(asked) == 1 + twice
