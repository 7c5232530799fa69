"""supervisord's XML-RPC over its Unix socket."""

from __future__ import annotations

import http.client
import os
import socket
import xmlrpc.client
from pathlib import Path
from typing import Any, Final

_SECONDS: Final = 2.0
_MAX_PATH_BYTES: Final = 107  # of a Unix socket


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(_SECONDS)
        connection.sock.connect(str(self._path))
        return connection


def process_infos(path: Path) -> list[dict[str, Any]]:
    """What supervisord knows of its processes; nothing while it cannot be asked."""
    found: Any = _call(path, "getAllProcessInfo")
    return list(found or ())


def is_running(path: Path) -> bool:
    """Whether a supervisord answers there that is not about to end."""
    state: Any = _call(path, "getState")
    return state is not None and state["statename"] == "RUNNING"


def accepts(path: Path) -> bool:
    """Whether anybody listens there: a socket that was left behind refuses."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_SECONDS)
        return probe.connect_ex(str(path)) == 0


def excess_bytes(path: Path) -> int:
    """By how many bytes the path is too long for supervisord, which binds it under a longer, temporary name."""
    return max(0, len(os.fsencode(f"{path}.1234567")) - _MAX_PATH_BYTES)


def _call(path: Path, method: str) -> Any:
    proxy = xmlrpc.client.ServerProxy("http://localhost", transport=_Transport(path))
    try:
        return getattr(proxy.supervisor, method)()
    except (OSError, http.client.HTTPException, xmlrpc.client.Error):
        return None
