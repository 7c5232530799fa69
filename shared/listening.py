"""The sockets that a process listens on."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Sequence
from typing import Final

BACKLOG: Final = 4096  # after a restart all clients come at once


async def listen(hosts: Sequence[str], port: int, *, share: bool) -> list[socket.socket]:
    """Listen on a port of every address that the hosts have.

    Args:
        share: with other processes that do so (``SO_REUSEPORT``); the kernel spreads the connections evenly.

    Raises:
        OSError: a host that has no address, or an address or a port that cannot be had; its text names it.
    """
    sockets: list[socket.socket] = []
    try:
        for host in hosts:
            sockets += await _listen_on(host, port, share=share)
    except BaseException:
        for one in sockets:
            one.close()
        raise
    return sockets


def inherited(descriptor: int) -> socket.socket:
    """The listening socket that whoever started this process has made. Raises OSError."""
    one = socket.socket(fileno=descriptor)
    one.setblocking(False)
    one.listen(BACKLOG)
    return one


def addresses(sockets: Sequence[socket.socket]) -> str:
    """For the log."""
    return " ".join(_address(one) for one in sockets)


def _address(one: socket.socket) -> str:
    name = one.getsockname()
    if one.family == socket.AF_INET6:
        return f"[{name[0]}]:{name[1]}"
    return f"{name[0]}:{name[1]}" if one.family == socket.AF_INET else str(name)


async def _listen_on(host: str, port: int, *, share: bool) -> list[socket.socket]:
    found = await asyncio.get_running_loop().getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    sockets: list[socket.socket] = []
    missing: OSError | None = None
    for family, kind, protocol, _, address in dict.fromkeys(found):
        one = socket.socket(family, kind, protocol)
        try:
            one.setblocking(False)
            one.setsockopt(
                socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
            )  # connections that have ended do not count
            if share:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # IPv4 has sockets of its own
            one.bind(address)
            one.listen(BACKLOG)
        except OSError as error:
            one.close()
            missing = OSError(
                error.errno, f"cannot listen on {host} port {port}: {os.strerror(error.errno or 0)}"
            )
            if error.errno != errno.EADDRNOTAVAIL:  # localhost may have an address that is not in use here
                for other in sockets:
                    other.close()
                raise missing from None
        else:
            sockets.append(one)
    if missing is not None and not sockets:
        raise missing
    return sockets
