"""``taskbeam add``: one more task."""

from __future__ import annotations

import uuid as uuids

import click

from taskbeam.remote.addresses import url_option


@click.command()
@click.argument("text", nargs=-1, required=True)
@click.option("-d", "--description", default="", metavar="TEXT", help="More about it.")
@click.option("--done", is_flag=True, help="It is done already.")
@click.option(
    "--uuid",
    type=click.UUID,
    help="Its uuid. One that is there already is left as it is, so that a program may try again.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the task as an object.")
@url_option
def add(
    text: tuple[str, ...],
    description: str,
    done: bool,
    uuid: uuids.UUID | None,
    as_json: bool,
    url: str | None,
) -> None:
    """Add a task; its text may be several words."""
    from taskbeam.remote.api import Api
    from taskbeam.remote.reports import report

    fields = {"task": " ".join(text), "description": description, "completed": done}
    if uuid is not None:
        fields["uuid"] = str(uuid)
    report("Added", Api(url).create(fields), as_json=as_json)
