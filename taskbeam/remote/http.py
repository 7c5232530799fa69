"""One request to a server's REST API, and its answer."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import urllib.error
import urllib.request
from typing import Any, Final, NamedTuple

from taskbeam.errors import ServerAway
from taskbeam.output import one_line

_SECONDS: Final = 15.0


class Answer(NamedTuple):
    """``body`` is decoded JSON, ``None`` where there is none."""

    status: int
    body: Any

    def text(self, key: str) -> str | None:
        """A text of the body, fit for a terminal."""
        value = self.body.get(key) if isinstance(self.body, dict) else None
        return one_line(value) if isinstance(value, str) else None


class LostAnswer(ServerAway):
    """The request may have arrived."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A token goes nowhere else."""

    def redirect_request(self, *arguments: Any) -> None:
        return None


def send(
    url: str, method: str, path: str, body: object = None, token: str | None = None, **headers: str
) -> Answer:
    """Raises ServerAway where there is no answer of a gateway of Taskbeam's.

    Args:
        headers: underscores in names stand for dashes.
    """
    request = urllib.request.Request(f"{url}{path}", method=method, headers={"Accept": "application/json"})
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    if token is not None:
        request.add_header("Authorization", f"Bearer {token}")
    for name, value in headers.items():
        request.add_header(name.replace("_", "-"), value)
    try:
        status, content, location = _exchange(request)
    except urllib.error.URLError as error:
        raise _away(url, error.reason) from None
    except (http.client.HTTPException, OSError, ValueError) as error:  # ValueError: of a host's name
        raise _away(url, error) from None
    answer = Answer(status, _decoded(content))
    if (hint := answer.text("hint")) is not None and status == 404:
        raise ServerAway(f"{url} is not the REST API. {hint}")
    if 300 <= status < 400 and location is not None:
        raise ServerAway(
            f"{url} redirects to {one_line(location)}: if that is the server, name it with --url."
        )
    if answer.body is None and status >= 500:
        raise ServerAway(f"{url} answered {status}: the server behind it seems to be away.")
    if answer.body is None and status != 204:
        raise ServerAway(
            f"{url} answered {status}, but not as a gateway of Taskbeam does: give its address with --url."
        )
    return answer


def _exchange(request: urllib.request.Request) -> tuple[int, bytes, str | None]:
    opener = urllib.request.build_opener(_NoRedirects)
    try:
        with opener.open(request, timeout=_SECONDS) as response:
            return response.status, response.read(), None
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), error.headers.get("Location")


def _decoded(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _away(url: str, reason: object) -> ServerAway:
    match reason:
        case ConnectionRefusedError():
            return ServerAway(
                f"No server answers at {url}: connection refused. "
                "Start one with `taskbeam serve`, or give another address with --url."
            )
        case socket.gaierror():
            return ServerAway(f"No server answers at {url}: no host has this name.")
        case ssl.SSLCertVerificationError():
            return ServerAway(f"{url}: the certificate is not trusted: {reason.verify_message}.")
        case ssl.SSLError():
            return ServerAway(f"{url} does not speak TLS; perhaps the address begins with http://.")
        case TimeoutError():
            return LostAnswer(f"{url} does not answer: no answer within {_SECONDS:g} s.")
        case http.client.HTTPException() if not isinstance(reason, ConnectionError):
            return ServerAway(f"{url} does not speak HTTP: give the server's REST address with --url.")
        case OSError():
            return LostAnswer(f"{url} does not answer: {one_line(reason.strerror or str(reason))}.")
    return ServerAway(f"{url} does not answer: {one_line(str(reason))}.")
