"""What commands write at a terminal, and where there is none."""

from __future__ import annotations

import io
import sys

import pytest

from taskbeam.output import progress, write_table


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_table_for_a_program_is_never_folded(capsys: pytest.CaptureFixture[str]) -> None:
    write_table(("name", "n"), [("x" * 300, 1), ("y", 22)])
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["name", "n"],
        ["x" * 300, "1"],
        ["y", "22"],
    ]


def test_a_table_is_as_wide_as_the_terminal_whatever_that_can_do(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "20")
    write_table(("name",), [("x" * 45,)])
    assert terminal.getvalue().split() == ["name", "x" * 20, "x" * 20, "x" * 5]


def test_control_characters_are_shown_as_none(capsys: pytest.CaptureFixture[str]) -> None:
    write_table(("name",), [("a\x1b[2Jb\n[bold]c",)])
    assert "a�[2Jb [bold]c" in capsys.readouterr().out


def test_progress_is_shown_at_a_terminal_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with progress("Working") as done:
        done(1, 2)
    assert capsys.readouterr() == ("", "")
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress("Working") as done:
        done(1, 2)
    assert "Working" in terminal.getvalue()
