"""The sockets that a process listens on: on addresses of its own, or the one that it inherits."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, Final

from shared.port_locks import HeldLock, PortLocks
from shared.settings import PREFIX, Place, SettingsError

_BACKLOG: Final = 4096  # after a restart all clients come at once
_NOT_HERE: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)  # an address of another machine, or no IPv6
_FAMILIES: Final = (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX)


class Listening:
    """Listening sockets, and the locks that go with them."""

    def __init__(self) -> None:
        self.sockets: list[socket.socket] = []
        self._locks: list[int] = []

    def __str__(self) -> str:
        return " ".join(_address(one.family, one.getsockname()) for one in self.sockets)

    def add(self, one: socket.socket, lock: int | None) -> None:
        self.sockets.append(one)
        if lock is not None:
            self._locks.append(lock)

    def close(self) -> None:
        for one in self.sockets:
            one.close()
        for lock in self._locks:  # last: whoever finds one free finds the address free
            os.close(lock)
        self._locks.clear()


def check_inherited(place: Place) -> None:
    """Raises SettingsError where the descriptor in the settings is not a socket that can listen.

    To be asked before this process opens anything itself, which might get the same number.
    """
    if place.descriptor is None:
        return
    try:
        one = socket.socket(fileno=place.descriptor)
    except OSError as error:
        raise _not_inherited(place, str(error.strerror)) from None
    try:
        problem = _why_no_listener(one)
    finally:
        one.detach()
    if problem is not None:
        raise _not_inherited(place, problem)


async def listen(place: Place, locks: PortLocks | None = None) -> Listening:
    """Listen on every address of a place.

    Args:
        locks: share the port with the other processes of these locks; the kernel spreads the connections evenly.

    Raises:
        SettingsError: an address that this machine does not have.
        OSError: a host that has no address now, or a port that is taken; its text names it.
    """
    listening = Listening()
    if place.descriptor is not None:
        one = socket.socket(fileno=place.descriptor)
        one.setblocking(False)
        one.listen(_BACKLOG)
        listening.add(one, None)
        return listening
    try:
        async with nullcontext() if locks is None else locks.starting():
            for host in place.hosts:
                await _add_host(listening, place, host, locks)
    except BaseException:
        listening.close()
        raise
    return listening


async def _add_host(listening: Listening, place: Place, host: str, locks: PortLocks | None) -> None:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host, place.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except socket.gaierror as error:
        raise OSError(f"{PREFIX}{place.name}_HOST: cannot find {host}: {error.strerror}") from None
    before = len(listening.sockets)
    for family, address in dict.fromkeys((family, address) for family, _, _, _, address in found):
        try:
            _add_address(listening, family, address, locks)
        except OSError as error:
            if error.errno in _NOT_HERE and len(found) > 1:
                continue  # localhost may have an address that is not in use here
            problem = f"cannot listen on {_address(family, address)}: {error.strerror}"
            if error.errno in _NOT_HERE:
                raise SettingsError([f"{PREFIX}{place.name}_HOST: {problem}"]) from None
            raise OSError(error.errno, problem) from None
    if len(listening.sockets) == before:
        raise SettingsError([f"{PREFIX}{place.name}_HOST: {host} is no address of this machine"])


def _add_address(listening: Listening, family: int, address: Any, locks: PortLocks | None) -> None:
    one = socket.socket(family, socket.SOCK_STREAM)
    lock: HeldLock | None = None
    try:
        if locks is not None and address[1] != 0:
            lock = locks.take(_address(family, address))
        one.setblocking(False)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that have ended do not count
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # IPv4 has sockets of its own
        if lock is not None and lock.peers:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        one.bind(address)
        one.listen(_BACKLOG)
        if lock is not None:  # not before: the first one has to have the address for itself
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    except BaseException:
        one.close()
        if lock is not None:
            os.close(lock.descriptor)
        raise
    listening.add(one, None if lock is None else lock.descriptor)


def _why_no_listener(one: socket.socket) -> str | None:
    if one.type != socket.SOCK_STREAM or one.family not in _FAMILIES:
        return "it is of another kind"
    if one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return None
    try:
        one.getpeername()
    except OSError:
        is_bound = one.getsockname()[1] != 0 if one.family != socket.AF_UNIX else bool(one.getsockname())
        return None if is_bound else "it has no address"
    return "it is a connection"


def _not_inherited(place: Place, problem: str) -> SettingsError:
    return SettingsError(
        [
            f"{PREFIX}{place.name}_FD: expected a listening socket, inherited, not {place.descriptor}: {problem}"
        ]
    )


def _address(family: int, name: Sequence[Any] | str) -> str:
    if family == socket.AF_INET6:
        return f"[{name[0]}]:{name[1]}"
    return f"{name[0]}:{name[1]}" if family == socket.AF_INET else str(name) or "(no name)"
