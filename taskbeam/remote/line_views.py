"""``watch`` without a terminal: a line for each thing that happens."""

from __future__ import annotations

import dataclasses

import click

from taskbeam.output import write_json
from taskbeam.remote.table import plain_line
from taskbeam_client import Event, Snapshot


class PlainLines:
    """Tasks and changes on standard output, what happens to the connection on standard error."""

    def connected(self, is_connected: bool) -> None:
        click.echo("connected" if is_connected else "disconnected, trying again", err=True)

    def event(self, event: Event) -> None:
        if isinstance(event, Snapshot):
            for task in event.tasks:
                click.echo("task\t" + plain_line(dataclasses.asdict(task)))
        elif event.task is None:
            click.echo(f"{event.mode}\t{event.task_id}")
        else:
            click.echo(f"{event.mode}\t{plain_line(dataclasses.asdict(event.task))}")

    def tick(self) -> None:
        pass


class JsonLines:
    """An object for everything; ``event`` says what it is."""

    def connected(self, is_connected: bool) -> None:
        write_json({"event": "connected" if is_connected else "disconnected"})

    def event(self, event: Event) -> None:
        if isinstance(event, Snapshot):
            tasks = [dataclasses.asdict(task) for task in event.tasks]
            write_json({"event": "snapshot", "seq": event.seq, "tasks": tasks})
            return
        task = event.task and dataclasses.asdict(event.task)
        write_json({"event": event.mode, "seq": event.seq, "task_id": event.task_id, "task": task})

    def tick(self) -> None:
        pass
