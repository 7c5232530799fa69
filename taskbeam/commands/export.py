"""``taskbeam export``: a user's tasks, to a file."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile

import click

from taskbeam.remote.addresses import url_option


@click.command()
@click.argument("file", default="-", type=click.Path(dir_okay=False, allow_dash=True))
@click.option(
    "--format",
    "format_name",
    type=click.Choice(["jsonl", "csv", "todo.txt"]),
    help="How the file is written.  [default: as its name ends: .jsonl, .csv, .txt; else jsonl]",
)
@url_option
def export(file: str, format_name: str | None, url: str | None) -> None:
    """Write all your tasks to FILE, or to standard output.

    They are those of one moment, oldest first. FILE is replaced as a whole, or not at all.
    """
    from taskbeam.errors import CommandError
    from taskbeam.remote.api import Api
    from taskbeam.remote.task_files import FORMATS, format_of

    try:
        form = format_of(format_name, file)
    except LookupError:
        form = FORMATS[0]
    tasks, count = Api(url).tasks()
    pieces = form.write(tasks)
    if file == "-":
        for piece in pieces:
            sys.stdout.buffer.write(piece.encode())
        sys.stdout.buffer.flush()
        return
    try:
        if os.path.exists(file) and not os.path.isfile(
            file
        ):  # a pipe or a device is written to, not replaced
            with open(file, "w", encoding="utf-8", newline="") as written:
                written.writelines(pieces)
            return
        descriptor, temporary = tempfile.mkstemp(
            dir=os.path.dirname(file) or ".", prefix=".taskbeam."
        )  # 0600
        try:
            with open(descriptor, "w", encoding="utf-8", newline="") as written:
                written.writelines(pieces)
            os.replace(temporary, file)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}") from None
    click.echo(f"Exported {count} {'task' if count == 1 else 'tasks'} to {file}.", err=True)
