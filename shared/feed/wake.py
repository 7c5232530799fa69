"""Wake-up calls between the processes of one host: Unix datagrams that say "look at the log now".

A call carries nothing and may be lost; whoever waits for one also looks by itself now and then.
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

_LISTING_SECONDS: Final = (
    0.5  # how old the list of the others may be; a newcomer looks at the log by itself at start
)
_LOOK_SECONDS: Final = 0.5
_PROC: Final = os.path.isdir("/proc/self/fd")


class Wake:
    """This process's socket and the others'.

    Args:
        folder: where each process keeps its socket; all that share a database share it.
        process: what kind of process this is; its socket's name begins with it.
        on_wake: called on the event loop when somebody has called.
    """

    def __init__(self, folder: Path, process: str, on_wake: Callable[[], None]) -> None:
        self._path = folder
        self._process = process
        self._on_wake = on_wake
        self._reading_loop: asyncio.AbstractEventLoop | None = None
        # A socket for each: calls that lie unread are charged to the one that sent them, and would fill it for all.
        self._others: dict[str, socket.socket] = {}
        self._looked = time.monotonic()
        self._move_in()

    def _move_in(self) -> None:
        """Make the folder, where there is none, and a socket in it."""
        self._path.mkdir(mode=0o700, exist_ok=True)
        self._folder = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._name = f"{self._process}-{os.getpid()}-{secrets.token_hex(4)}"
        self._socket = _datagrams()
        try:
            self._socket.bind(self._address(self._name))
        except OSError:
            self._socket.close()
            os.close(self._folder)
            raise
        self._listed = float("-inf")

    def _is_at_home(self) -> bool:
        """Whether the others find this socket where they look for it."""
        try:
            os.stat(self._name, dir_fd=self._folder, follow_symlinks=False)
            return os.path.samestat(os.stat(self._path), os.fstat(self._folder))
        except OSError:
            return False

    def stay_at_home(self) -> None:
        """Make the folder and the socket again, should somebody have deleted them; to be called often.

        Until then calls are lost. Where it cannot be done, the next time tries again.
        """
        now = time.monotonic()
        if now - self._looked < _LOOK_SECONDS:
            return
        self._looked = now
        if self._is_at_home():
            return
        former = self._folder, self._socket
        try:
            self._move_in()
        except OSError:
            self._folder, self._socket = former
            return
        taking, self._reading_loop = self._reading_loop, None
        if taking is not None:
            taking.remove_reader(former[1].fileno())
            self.take_calls(True)
        former[1].close()
        os.close(former[0])
        self._meet([])

    def _address(self, name: str) -> str:
        """Through the folder's descriptor where there is /proc: a socket's path may have about 100 bytes only."""
        return f"/proc/self/fd/{self._folder}/{name}" if _PROC else str(self._path / name)

    def call(self) -> None:
        """Wake all others. Never blocks: who cannot take the call has one waiting already."""
        now = time.monotonic()
        if now - self._listed > _LISTING_SECONDS:
            with suppress(OSError):  # no more files: whoever is not known yet looks by itself
                self._meet(self._list())
            self._listed = now
        for name, sender in self._others.items():
            if not self._reaches(name, sender):
                self._listed = float("-inf")

    def _meet(self, names: list[str]) -> None:
        for gone in self._others.keys() - names:
            self._others.pop(gone).close()
        for new in names - self._others.keys():
            self._others[new] = _datagrams()

    def _list(self) -> list[str]:
        return [name for name in os.listdir(self._folder) if name != self._name]

    def _reaches(self, name: str, sender: socket.socket) -> bool:
        """Call one. Who is gone does not count; who cannot take a call now, because they have enough, does."""
        try:
            sender.sendto(b"", self._address(name))
        except ConnectionRefusedError:  # its process was killed, or it is no socket
            with suppress(OSError):
                os.unlink(name, dir_fd=self._folder)
            return False
        except FileNotFoundError:
            return False
        except OSError as error:
            return error.errno in (errno.EAGAIN, errno.ENOBUFS)
        return True

    def take_calls(self, wanted: bool) -> None:
        """Take calls on the running event loop, or leave them lying, until no more go into the socket."""
        if wanted == (self._reading_loop is not None):
            return
        if self._reading_loop is None:
            self._reading_loop = asyncio.get_running_loop()
            self._reading_loop.add_reader(self._socket.fileno(), self.read)
        else:
            self._reading_loop.remove_reader(self._socket.fileno())
            self._reading_loop = None

    def read(self) -> None:
        """Take all calls that have come; the loop calls this when the socket is readable."""
        with suppress(BlockingIOError):
            while True:
                self._socket.recv(1)
        self._on_wake()

    def close(self) -> None:
        self.take_calls(False)
        self._meet([])
        self._socket.close()
        with suppress(FileNotFoundError):
            os.unlink(self._name, dir_fd=self._folder)
        os.close(self._folder)


def _datagrams() -> socket.socket:
    return socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)


@asynccontextmanager
async def open_wake(folder: Path, process: str, on_wake: Callable[[], None]) -> AsyncIterator[Wake]:
    """Take calls until the body ends."""
    wake = Wake(folder, process, on_wake)
    try:
        wake.take_calls(True)
        yield wake
    finally:
        wake.close()
