"""Lines of a settings file."""

from __future__ import annotations

from pathlib import Path

import pytest

from taskbeam.env_file import read_env_file
from taskbeam.errors import BadSettings


@pytest.mark.parametrize(
    ("line", "variables"),
    [
        ("A=1", {"A": "1"}),
        ("  export A = 1 ", {"A": "1"}),
        ("A=", {"A": ""}),
        ("A='x y'", {"A": "x y"}),
        ('A="x # y"', {"A": "x # y"}),
        ("A=x # y", {"A": "x # y"}),
        ("A=\"x'", {"A": "\"x'"}),
        ("A=$B=c", {"A": "$B=c"}),
        ('A="', {"A": '"'}),
        ("# A=1", {}),
        ("", {}),
        ("A=1\nA=2\n", {"A": "2"}),
        ("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
    ],
)
def test_line(tmp_path: Path, line: str, variables: dict[str, str]) -> None:
    file = tmp_path / "settings"
    file.write_bytes(line.encode())
    assert read_env_file(file) == (variables, [])


def test_every_bad_line_is_named(tmp_path: Path) -> None:
    file = tmp_path / "settings"
    file.write_text("A=1\nB\n\n1C=2\n")
    variables, problems = read_env_file(file)
    assert problems == [f"{file}:{line}: expected NAME=value" for line in (2, 4)]
    assert variables == {"A": "1"}


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="nowhere: No such file"):
        read_env_file(tmp_path / "nowhere")
    (tmp_path / "binary").write_bytes(b"A=\xff")
    with pytest.raises(BadSettings, match="binary: expected text in UTF-8"):
        read_env_file(tmp_path / "binary")
