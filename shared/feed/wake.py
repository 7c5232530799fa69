"""Wake-ups between the processes of one host: Unix datagrams that mean "read the log now".

A datagram is empty and may be lost, so a process that waits for one also reads the log every half second.
"""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

# How old the list of the other sockets may be. A new process reads the log at its start anyway.
_LISTING_SECONDS: Final = 0.5
_RESTORE_SECONDS: Final = 0.5
_PROC: Final = os.path.isdir("/proc/self/fd")


class WakeSocket:
    """This process's socket, and one to each other process.

    Args:
        folder: the sockets of all processes that share the database.
        process: the kind of process; the first part of its socket's name.
        on_wake: called on the event loop when a datagram arrives.
    """

    def __init__(self, folder: Path, process: str, on_wake: Callable[[], None]) -> None:
        self._path = folder
        self._process = process
        self._on_wake = on_wake
        self._reading_loop: asyncio.AbstractEventLoop | None = None
        # One socket for each: unread datagrams count against the sending socket, and would fill it for all.
        self._peers: dict[str, socket.socket] = {}
        self._checked = time.monotonic()
        self._bind()

    def _bind(self) -> None:
        """Make the folder, where there is none, and bind a socket in it."""
        self._path.mkdir(mode=0o700, exist_ok=True)
        self._folder = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._name = f"{self._process}-{os.getpid()}-{secrets.token_hex(4)}"
        self._socket = _datagram_socket()
        try:
            self._socket.bind(self._address(self._name))
        except OSError:
            self._socket.close()
            os.close(self._folder)
            raise
        self._listed = float("-inf")

    def _is_reachable(self) -> bool:
        """Whether the other processes find this socket where they look for it."""
        try:
            os.stat(self._name, dir_fd=self._folder, follow_symlinks=False)
            return os.path.samestat(os.stat(self._path), os.fstat(self._folder))
        except OSError:
            return False

    def restore(self) -> None:
        """Make the folder and the socket again where they were deleted. Call it often.

        Until then wake-ups are lost. After a failure the next call tries again.
        """
        now = time.monotonic()
        if now - self._checked < _RESTORE_SECONDS:
            return
        self._checked = now
        if self._is_reachable():
            return
        former = self._folder, self._socket
        try:
            self._bind()
        except OSError:
            self._folder, self._socket = former
            return
        loop, self._reading_loop = self._reading_loop, None
        if loop is not None:
            loop.remove_reader(former[1].fileno())
            self.receive(True)
        former[1].close()
        os.close(former[0])
        self._set_peers([])

    def _address(self, name: str) -> str:
        """A path through the folder's descriptor where there is /proc: a socket's path may only have about 100 bytes."""
        return f"/proc/self/fd/{self._folder}/{name}" if _PROC else str(self._path / name)

    def wake_others(self) -> None:
        """Send a datagram to all other processes. Never blocks: a socket that is full holds a wake-up already."""
        now = time.monotonic()
        if now - self._listed > _LISTING_SECONDS:
            with suppress(OSError):  # no descriptors left: new processes poll the log anyway
                self._set_peers(self._list())
            self._listed = now
        for name, sender in self._peers.items():
            if not self._send(name, sender):
                self._listed = float("-inf")

    def _set_peers(self, names: list[str]) -> None:
        for gone in self._peers.keys() - names:
            self._peers.pop(gone).close()
        for new in names - self._peers.keys():
            self._peers[new] = _datagram_socket()

    def _list(self) -> list[str]:
        return [name for name in os.listdir(self._folder) if name != self._name]

    def _send(self, name: str, sender: socket.socket) -> bool:
        """Returns whether the process exists; also where its socket is full."""
        try:
            sender.sendto(b"", self._address(name))
        except ConnectionRefusedError:  # its process was killed, or it is not a socket
            with suppress(OSError):
                os.unlink(name, dir_fd=self._folder)
            return False
        except FileNotFoundError:
            return False
        except OSError as error:
            return error.errno in (errno.EAGAIN, errno.ENOBUFS)
        return True

    def receive(self, wanted: bool) -> None:
        """Read datagrams on the running event loop; or leave them unread, until the socket is full."""
        if wanted == (self._reading_loop is not None):
            return
        if self._reading_loop is None:
            self._reading_loop = asyncio.get_running_loop()
            self._reading_loop.add_reader(self._socket.fileno(), self.read)
        else:
            self._reading_loop.remove_reader(self._socket.fileno())
            self._reading_loop = None

    def read(self) -> None:
        """Read all datagrams; the loop calls this when the socket is readable."""
        with suppress(BlockingIOError):
            while True:
                self._socket.recv(1)
        self._on_wake()

    def close(self) -> None:
        self.receive(False)
        self._set_peers([])
        self._socket.close()
        with suppress(FileNotFoundError):
            os.unlink(self._name, dir_fd=self._folder)
        os.close(self._folder)


def _datagram_socket() -> socket.socket:
    return socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)


@asynccontextmanager
async def open_wake(folder: Path, process: str, on_wake: Callable[[], None]) -> AsyncIterator[WakeSocket]:
    """A socket that receives until the body ends."""
    wake = WakeSocket(folder, process, on_wake)
    try:
        wake.receive(True)
        yield wake
    finally:
        wake.close()
