"""A reader of server-sent events, with the standard library."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from tests.support import api_documents
from tests.support.clients import Account
from tests.support.processes import System

_BODIES: Final = {"change": "TaskChange", "reset": "NotRecovered"}
"""The schemas of what comes in events."""


class Event(NamedTuple):
    name: str
    id: str
    data: Any


class EventStream:
    """An open response whose first event, ``ready``, was read. Every wait is bounded by the socket's time-out."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.response = response
        self.ready = self.next()
        assert self.ready.name == "ready"

    def next(self) -> Event:
        """The next event; skips comments. Raises EOFError at the end of the stream."""
        fields: dict[str, str] = {}
        while True:
            line = self.response.readline().decode()
            if not line:
                raise EOFError
            line = line.rstrip("\n")
            if line:
                name, _, value = line.partition(":")
                fields[name] = value.removeprefix(" ")
            elif "data" in fields:
                event = Event(fields["event"], fields["id"], json.loads(fields["data"]))
                if event.name in _BODIES:
                    api_documents.documents.openapi.check_part(_BODIES[event.name], event.data)
                return event
            else:
                fields = {}

    def ended(self) -> None:
        """Read to the end."""
        try:
            while True:
                self.next()
        except EOFError:
            pass


@contextmanager
def event_stream(
    system: System, account: Account, *, path: str = "/events/", timeout: float = 10, **headers: str
) -> Iterator[EventStream]:
    connection = http.client.HTTPConnection("127.0.0.1", system.gateway.port, timeout=timeout)
    try:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        given = {"Authorization": f"Bearer {account.access}", "Accept": "text/event-stream", **given}
        connection.request("GET", path, headers=given)
        response = connection.getresponse()
        assert response.status == 200, response.read()
        assert response.headers["Content-Type"].partition(";")[0] == "text/event-stream"
        yield EventStream(response)
    finally:
        connection.close()
