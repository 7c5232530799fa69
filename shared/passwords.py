"""Password hashes in Django's ``bcrypt_sha256`` encoding, computed off the event loop in a bounded pool."""

from __future__ import annotations

import asyncio
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import bcrypt

from shared.errors import Unavailable

_PREFIX: Final = "bcrypt_sha256$"
_WAITING_PER_WORKER: Final = 50  # at a quarter of a second each, the last one waits about 12 s
_NICENESS: Final = 10  # a hash takes long and nobody minds; a socket's answer must not wait for it


def _prehash(password: str) -> bytes:
    """Django's BCryptSHA256PasswordHasher: bcrypt takes 72 bytes only, the hex digest always fits."""
    return hashlib.sha256(password.encode()).hexdigest().encode()


def hash_password(password: str, rounds: int) -> str:
    """``bcrypt_sha256$<bcrypt hash>``; slow on purpose."""
    return _PREFIX + bcrypt.hashpw(_prehash(password), bcrypt.gensalt(rounds)).decode()


def check_password(password: str, encoded: str) -> bool:
    """Whether the password belongs to the hash; an encoding that is not ours never matches."""
    if not encoded.startswith(_PREFIX):
        return False
    try:
        return bcrypt.checkpw(_prehash(password), encoded.removeprefix(_PREFIX).encode())
    except ValueError:
        return False


def _be_nice() -> None:
    if hasattr(os, "setpriority"):
        os.setpriority(os.PRIO_PROCESS, 0, _NICENESS)  # on Linux: of this thread alone


class PasswordHasher:
    """Hashes and checks passwords on threads, never on the loop.

    Args:
        rounds: bcrypt's cost.
        workers: threads; bcrypt releases the interpreter's lock, so each can use a core.
    """

    def __init__(self, rounds: int, workers: int | None = None) -> None:
        workers = workers or os.cpu_count() or 1
        self._rounds = rounds
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="password", initializer=_be_nice)
        self._places = workers * _WAITING_PER_WORKER
        # Nobody's hash, of the right cost: what an unknown user's password is compared with.
        self._decoy = f"{_PREFIX}$2b${rounds:02d}${'.' * 53}"

    async def hash(self, password: str) -> str:
        """Raises Unavailable when too many are waiting."""
        self._take_place()
        try:
            return await asyncio.wrap_future(self._pool.submit(hash_password, password, self._rounds))
        finally:
            self._places += 1

    async def check(self, password: str, encoded: str | None) -> bool:
        """Whether it matches; ``None`` (no such user) never does, and takes as long to say so.

        Raises:
            Unavailable: too many are waiting.
        """
        self._take_place()
        try:
            matches = await asyncio.wrap_future(
                self._pool.submit(check_password, password, encoded or self._decoy)
            )
        finally:
            self._places += 1
        return matches and encoded is not None

    def close(self) -> None:
        """Drop what waits and stop the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _take_place(self) -> None:
        if self._places <= 0:
            raise Unavailable("too many passwords waiting to be hashed")
        self._places -= 1
