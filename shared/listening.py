"""The sockets that a process listens on: new ones for its addresses, or one that it inherits."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, Final

from shared.port_locks import HeldLock, PortLocks
from shared.settings import PREFIX, ListenAddress, SettingsError

_BACKLOG: Final = 4096  # after a restart all clients connect at once
_NOT_AVAILABLE: Final = (
    errno.EADDRNOTAVAIL,
    errno.EAFNOSUPPORT,
)  # not an address of this machine, or no IPv6
_FAMILIES: Final = (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX)


class ListeningSockets:
    """Listening sockets, and the port locks of their addresses."""

    def __init__(self) -> None:
        self.sockets: list[socket.socket] = []
        self._locks: list[int] = []

    def __str__(self) -> str:
        return " ".join(_address(listener.family, listener.getsockname()) for listener in self.sockets)

    def add(self, listener: socket.socket, lock: int | None) -> None:
        self.sockets.append(listener)
        if lock is not None:
            self._locks.append(lock)

    def close(self) -> None:
        for listener in self.sockets:
            listener.close()
        for lock in self._locks:  # last: when a lock is free, so is its address
            os.close(lock)
        self._locks.clear()


def check_inherited_socket(at: ListenAddress) -> None:
    """Raises SettingsError where the descriptor in the settings is not a socket that can listen.

    Call it before this process opens a file, which could get the same number.
    """
    if at.descriptor is None:
        return
    try:
        listener = socket.socket(fileno=at.descriptor)
    except OSError as error:
        raise _inherited_socket_error(at, str(error.strerror)) from None
    try:
        problem = _why_not_listening(listener)
    finally:
        listener.detach()
    if problem is not None:
        raise _inherited_socket_error(at, problem)


async def listen(at: ListenAddress, locks: PortLocks | None = None) -> ListeningSockets:
    """Listen on every address, or on the inherited socket.

    Args:
        locks: share the port with the processes that use these locks; the kernel spreads the connections evenly.

    Raises:
        SettingsError: this machine does not have the address.
        OSError: the host has no address now, or the port is taken; the message names it.
    """
    listening = ListeningSockets()
    if at.descriptor is not None:
        listener = socket.socket(fileno=at.descriptor)
        listener.setblocking(False)
        listener.listen(_BACKLOG)
        listening.add(listener, None)
        return listening
    try:
        async with nullcontext() if locks is None else locks.starting():
            for host in at.hosts:
                await _add_host(listening, at, host, locks)
    except BaseException:
        listening.close()
        raise
    return listening


async def _add_host(
    listening: ListeningSockets, at: ListenAddress, host: str, locks: PortLocks | None
) -> None:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host, at.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except socket.gaierror as error:
        raise OSError(f"{PREFIX}{at.name}_HOST: cannot find {host}: {error.strerror}") from None
    before = len(listening.sockets)
    for family, address in dict.fromkeys((family, address) for family, _, _, _, address in found):
        try:
            _add_address(listening, family, address, locks)
        except OSError as error:
            if error.errno in _NOT_AVAILABLE and len(found) > 1:
                continue  # localhost may have an address that this machine does not have
            problem = f"cannot listen on {_address(family, address)}: {error.strerror}"
            if error.errno in _NOT_AVAILABLE:
                raise SettingsError([f"{PREFIX}{at.name}_HOST: {problem}"]) from None
            raise OSError(error.errno, problem) from None
    if len(listening.sockets) == before:
        raise SettingsError([f"{PREFIX}{at.name}_HOST: {host} is no address of this machine"])


def _add_address(listening: ListeningSockets, family: int, address: Any, locks: PortLocks | None) -> None:
    listener = socket.socket(family, socket.SOCK_STREAM)
    lock: HeldLock | None = None
    try:
        if locks is not None and address[1] != 0:
            lock = locks.take(_address(family, address))
        listener.setblocking(False)
        listener.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # also while old connections are in TIME_WAIT
        if family == socket.AF_INET6:
            listener.setsockopt(
                socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1
            )  # IPv4 addresses have their own sockets
        if lock is not None and lock.peers:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
        if lock is not None:  # not before bind: the first process must get the address exclusively
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    except BaseException:
        listener.close()
        if lock is not None:
            os.close(lock.descriptor)
        raise
    listening.add(listener, None if lock is None else lock.descriptor)


def _why_not_listening(listener: socket.socket) -> str | None:
    if listener.type != socket.SOCK_STREAM or listener.family not in _FAMILIES:
        return "it is of another kind"
    if listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return None
    try:
        listener.getpeername()
    except OSError:
        is_bound = (
            listener.getsockname()[1] != 0
            if listener.family != socket.AF_UNIX
            else bool(listener.getsockname())
        )
        return None if is_bound else "it has no address"
    return "it is a connection"


def _inherited_socket_error(at: ListenAddress, problem: str) -> SettingsError:
    return SettingsError(
        [f"{PREFIX}{at.name}_FD: expected a listening socket, inherited, not {at.descriptor}: {problem}"]
    )


def _address(family: int, name: Sequence[Any] | str) -> str:
    if family == socket.AF_INET6:
        return f"[{name[0]}]:{name[1]}"
    return f"{name[0]}:{name[1]}" if family == socket.AF_INET else str(name) or "(no name)"
