"""HTTP requests whose headers and body reach the gateway unchanged."""

import http.client
from collections.abc import Mapping
from dataclasses import dataclass

from tests.support import api_documents


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes


def send(port: int, method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> Reply:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        if body or method in ("POST", "PUT", "PATCH"):
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        reply = connection.getresponse()
        found = {name.lower(): value for name, value in reply.getheaders()}
        read = reply.read()
        api_documents.documents.openapi.check(method, target, reply.status, found, read)
        return Reply(reply.status, found, read)
    finally:
        connection.close()
