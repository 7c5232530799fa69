"""``taskbeam check``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import click

from taskbeam.errors import ExitStatus
from taskbeam.operator import in_one_line, with_settings
from taskbeam.output import json_option, write_json

if TYPE_CHECKING:
    from shared.settings import Settings
    from shared.store.records import Finding

_MARKS: Final = {"ok": "ok      ", "warning": "warning ", "problem": "PROBLEM "}


@click.command
@with_settings
@json_option
def check(settings: Settings, as_json: bool) -> None:
    """Check the database, its files, the key and this installation.

    Nothing is changed, and the servers may run meanwhile. Everything is read, so a large database takes its time. The
    exit status is 1 where there is a problem.
    """
    from shared.store.opening import check_database

    with in_one_line():
        findings = [*check_database(settings.database_url), *_look_at_key(settings), _event_loop()]
    if as_json:
        write_json([finding._asdict() for finding in findings])
    else:
        for finding in findings:
            click.echo(_MARKS[finding.level] + finding.text)
    if any(finding.level == "problem" for finding in findings):
        sys.exit(ExitStatus.FAILED)


def _look_at_key(settings: Settings) -> Iterator[Finding]:
    from shared.auth.key_file import read_keys
    from shared.store.opening import file_beside
    from shared.store.records import Finding

    if settings.secret_key:
        yield Finding("ok", "the key is the setting TASKBEAM_SECRET_KEY")
        return
    path = file_beside(settings.database_url, ".key")
    if not path.exists():
        yield Finding(
            "warning", f"there is no key {path}: the next start makes one, and tokens from before end"
        )
        return
    try:
        _, *former = read_keys(path)
    except (OSError, ValueError) as error:
        yield Finding("problem", f"the key cannot be used: {error}")
    else:
        yield Finding("ok", f"the key can be used; it has {len(former)} former keys")


def _event_loop() -> Finding:
    from importlib.util import find_spec

    from shared.store.records import Finding

    if find_spec("uvloop") is None:
        return Finding("warning", "the servers run on asyncio's event loop: with uvloop they do far more")
    return Finding("ok", "the servers run on uvloop")
