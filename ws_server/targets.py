"""What a request is for: its target (RFC 9112, 3.2) and the host that it names."""

from __future__ import annotations

import re
from typing import Final

from websockets.datastructures import MultipleValuesError
from websockets.http11 import Request

# RFC 3986, 3.2.2: a name, an IPv4 address, or an IP literal in brackets; then perhaps a port.
_AUTHORITY: Final = re.compile(
    r"(?P<host>\[[0-9A-Za-z:.%_~-]+\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+)(?::(?P<port>[0-9]{0,5}))?"
)
_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?P<authority>[^/?#]*)(?P<rest>.*)")


class BadTarget(Exception):
    """Its text says what is wrong, and repeats nothing of it."""


def path_of(request: Request) -> str:
    """The path that is asked for, without the query; of a target that has none, the target.

    Raises:
        BadTarget: neither a path nor a URL, or a host that is none.
    """
    target = request.path
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is not None:
        _check_authority(absolute["authority"])
        target = absolute["rest"]
        if not target.startswith("/"):
            target = f"/{target}"
    elif not target.startswith("/") and request.method not in ("OPTIONS", "CONNECT"):
        raise BadTarget("The target of the request is malformed.")
    host_of(request)
    return target.partition("?")[0]


def host_of(request: Request) -> str | None:
    """The host that the request names, without its port. Raises BadTarget."""
    try:
        authority = request.headers.get("Host")
    except MultipleValuesError:
        raise BadTarget("There is more than one Host header.") from None
    return None if authority is None else _check_authority(authority)


def _check_authority(authority: str) -> str:
    found = _AUTHORITY.fullmatch(authority)
    if found is None or int(found["port"] or 0) > 65535:
        raise BadTarget("The host of the request is malformed.")
    return found["host"]
