"""A file of settings: ``NAME=value`` a line, as systemd's EnvironmentFile= and Docker's --env-file read them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from taskbeam.errors import BadSettings

_LINE: Final = re.compile(r"(?:export\s+)?(?P<name>[A-Za-z_]\w*)\s*=\s*(?P<value>.*)", re.ASCII)


def read_env_file(path: Path) -> tuple[dict[str, str], list[str]]:
    """The variables that a file sets, and what is wrong: one line for each of its lines that is something else.

    Blank lines and lines that begin with # are skipped. A value may stand between two quotes of one kind; nothing in it is
    expanded, and # in it is no comment.

    Raises:
        BadSettings: the file cannot be read.
    """
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise BadSettings([f"{path}: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise BadSettings([f"{path}: expected text in UTF-8"]) from error
    variables, problems = {}, []
    for number, line in enumerate(map(str.strip, text.splitlines()), 1):
        if not line or line.startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            problems.append(f"{path}:{number}: expected NAME=value")
        else:
            variables[found["name"]] = _unquoted(found["value"])
    return variables, problems


def _unquoted(value: str) -> str:
    is_quoted = len(value) >= 2 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if is_quoted else value
