"""What is known to be wrong with an instance's settings before anything of it is started."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from shared.settings import PREFIX, ListenAddress
from shared.store.opening import file_beside
from taskbeam.instance import Instance
from taskbeam.server_address import servers_of

_ANY_HOST: Final = frozenset({"0.0.0.0", "::"})


def start_problems(instance: Instance) -> Iterator[str]:
    """A line for each thing that no setting shows by itself."""
    settings = instance.settings
    for at in (settings.ws_address, settings.rest_address):
        if at.descriptor is not None:
            yield f"{PREFIX}{at.name}_FD: a server that supervisord starts inherits no socket; start it by itself"
        elif not at.port:
            yield f"{PREFIX}{at.name}_PORT: expected a port from 1 to 65535, not '0'"
    for server in servers_of(settings):
        yield from server.host_problems()
    if _share_a_port(settings.ws_address, settings.rest_address):
        yield f"{PREFIX}WS_PORT and {PREFIX}REST_PORT are both {settings.ws_port}: give each server its own"
    if not settings.secret_key:
        yield from _readable_by_others(
            file_beside(settings.database_url, ".key"), "whoever reads it can forge tokens"
        )
    if instance.settings_file is not None:
        yield from _readable_by_others(instance.settings_file, "it may have keys and passwords")


def _share_a_port(one: ListenAddress, other: ListenAddress) -> bool:
    hosts = set(one.hosts) & set(other.hosts) or (set(one.hosts) | set(other.hosts)) & _ANY_HOST
    return one.port == other.port != 0 and bool(hosts)


def _readable_by_others(path: Path, why: str) -> Iterator[str]:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield f"{path} is open to other users (mode {mode:04o}), and {why}: chmod 600 {path}"
