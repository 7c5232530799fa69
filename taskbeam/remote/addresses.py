"""Where a server is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, ParamSpec, TypeVar
from urllib.parse import urlsplit

import click

DEFAULT_URL: Final = "http://127.0.0.1:8001"
EXAMPLE_SOCKET: Final = "ws://127.0.0.1:8000/ws/tasks/"
URL_VARIABLE: Final = "TASKBEAM_URL"
_REST_PORT: Final = 8001
_WS_PORT: Final = 8000

_P = ParamSpec("_P")
_R = TypeVar("_R")


def _address(
    schemes: tuple[str, str], example: str
) -> Callable[[click.Context, click.Parameter, Any], str | None]:
    def check(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            parts = urlsplit(value)
            is_good = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_good = False
        if not is_good or parts.username is not None or parts.query or parts.fragment:
            raise click.BadParameter(f"{value!r} is no address such as {example}.")
        return value

    return check


_check_url = _address(("http", "https"), DEFAULT_URL)


def url_option(command: Callable[_P, _R]) -> Callable[_P, _R]:
    """The option ``--url``, an address without a slash at its end; ``None`` where nothing is said."""
    return click.option(
        "--url",
        envvar=URL_VARIABLE,
        metavar="URL",
        callback=lambda *arguments: (_check_url(*arguments) or "").rstrip("/") or None,
        help=f"The server's REST address.  [default: the variable {URL_VARIABLE}, or that of the last login]",
    )(command)


check_socket = _address(("ws", "wss"), EXAMPLE_SOCKET)


def socket_of(url: str) -> str:
    """Where the WebSocket server is most likely: one port below the gateway's own, else at the same address, behind a
    proxy."""
    parts = urlsplit(url)
    scheme = "wss" if parts.scheme == "https" else "ws"
    place = parts.netloc
    if parts.port == _REST_PORT:
        place = f"{place.removesuffix(str(_REST_PORT))}{_WS_PORT}"
    return f"{scheme}://{place}{parts.path}/ws/tasks/"
