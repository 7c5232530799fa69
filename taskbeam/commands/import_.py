"""``taskbeam import``: tasks of a file become the user's."""

from __future__ import annotations

import sys

import click

from taskbeam.remote.addresses import url_option


@click.command("import")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@click.option(
    "--format",
    "format_name",
    type=click.Choice(["jsonl", "csv", "todo.txt"]),
    help="How the file is written.  [default: as its name ends: .jsonl, .csv, .txt]",
)
@click.option("--json", "as_json", is_flag=True, help="Print an object: created, present.")
@url_option
def import_(file: str, format_name: str | None, as_json: bool, url: str | None) -> None:
    """Add the tasks of FILE, or of standard input (-), to yours.

    A task whose uuid is there already is left as it is, so an import that was cut off is simply run again. The whole file is
    read before anything is sent: a bad line is an error, and nothing is imported.
    """
    from taskbeam.errors import CommandError
    from taskbeam.input import binary_input, named
    from taskbeam.output import write_json
    from taskbeam.remote.api import Api
    from taskbeam.remote.importing import import_tasks
    from taskbeam.remote.task_files import BadLine, format_of

    try:
        form = format_of(format_name, file)
    except LookupError:
        raise click.UsageError("Say how the file is written: --format jsonl, csv or todo.txt.") from None
    try:
        with binary_input(file) as opened:
            content = opened.read()
        entries = list(form.read(content.decode("utf-8-sig")))
    except OSError as error:
        raise CommandError(f"{named(file)}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise CommandError(
            f"{named(file)}: line {content.count(10, 0, error.start) + 1}: it is not UTF-8."
        ) from None
    except BadLine as bad:
        raise CommandError(f"{named(file)}: line {bad.line}: {bad.reason}. Nothing was imported.") from None
    api = Api(url)
    with click.progressbar(
        length=len(entries), label="Importing", file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:
        counts = import_tasks(api, named(file), entries, bar.update)
    if as_json:
        write_json(counts._asdict())
    else:
        click.echo(f"Imported {counts.created}; {counts.present} were there already.", err=file == "-")
