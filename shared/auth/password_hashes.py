"""Password hashes in Django's encodings, and the work that each takes. Slow on purpose: not for the event loop.

Ours is ``bcrypt_sha256``: bcrypt over the hex SHA-256 digest, so that a password may be of any length. Imported ones
may be of any other form that ``shared.auth.hash_forms`` reads; these are checked too.
"""

from __future__ import annotations

import functools
import hashlib
import time
from collections.abc import Callable
from typing import Final

import bcrypt

from shared.auth import argon2
from shared.auth.hash_forms import BCRYPT_COST_MIN, HashCosts, bcrypt_digest, read_hash

_SALT: Final = b"$2b$%02d$" + b"." * 22

_TRIALS: Final[dict[str, tuple[int, Callable[[], object]]]] = {
    "pbkdf2": (4096, lambda: hashlib.pbkdf2_hmac("sha256", b"", b"", 4096)),
    "pbkdf2_sha1": (4096, lambda: hashlib.pbkdf2_hmac("sha1", b"", b"", 4096)),
    "scrypt": (8 * 4096, lambda: hashlib.scrypt(b"", salt=b"", n=4096, r=8, p=1)),
    "argon2": (8192, lambda: argon2.compute(b"", b"." * 16, argon2.Parameters("id", 19, 8192, 1, 1, 32))),
}
"""Of each form but bcrypt, a hash of a few milliseconds, and its work in the form's unit."""


def hash_password(password: str, cost: int) -> str:
    """``bcrypt_sha256$<bcrypt hash>``."""
    return "bcrypt_sha256$" + bcrypt.hashpw(bcrypt_digest(_octets(password)), bcrypt.gensalt(cost)).decode()


def is_current(encoded: str, cost: int) -> bool:
    """Whether it is as ``hash_password`` would make it now."""
    return encoded.startswith(f"bcrypt_sha256$$2b${cost:02d}$")


def check_password(password: str, encoded: str) -> bool:
    """Whether the password belongs to the hash; one that cannot be read never matches. Raises MemoryError."""
    return _check(password, encoded)[0]


def check_password_padded(password: str, encoded: str | None, cost: int) -> tuple[bool, float]:
    """As ``check_password``, but a mismatch takes at least the work of a bcrypt hash of ``cost``, whatever hash is stored.

    So the time does not tell whether there is an account (``None``: there is none).

    Returns:
        Whether it matches, and the work that was done, in iterations of bcrypt's key schedule: a hash of cost 12 takes
        4,096 of them.
    """
    matches, work = _check(password, encoded or "")
    if not matches:
        _work(max(0, round(2**cost - work)))
    return matches, max(work, 2**cost)


def greatest_work(costs: HashCosts) -> float:
    """The work of checking the dearest of the hashes."""
    others = costs._asdict()
    works = [float(2 ** others.pop("bcrypt"))]
    works += [amount * _bcrypt_iterations_per(form) for form, amount in others.items() if amount]
    return max(works)


def _octets(password: str) -> bytes:
    return password.encode(errors="surrogatepass")


def _check(password: str, encoded: str) -> tuple[bool, float]:
    """Whether it matches, and the work that this took."""
    stored = read_hash(encoded)
    if stored is None:
        return False, 0
    return stored.matches(_octets(password)), greatest_work(stored.costs)


def _work(amount: int) -> None:
    """Take that much time: a bcrypt hash for each power of two in the amount."""
    for cost in range(BCRYPT_COST_MIN, amount.bit_length()):
        if amount >> cost & 1:
            bcrypt.hashpw(b"padding", _SALT % cost)


@functools.cache
def _bcrypt_iterations_per(form: str) -> float:
    """The work of one unit of a form, measured on this machine in some milliseconds of processor time."""
    amount, trial = _TRIALS[form]
    return _seconds_of(trial) / amount / (_seconds_of(lambda: _work(64)) / 64)


def _seconds_of(trial: Callable[[], object]) -> float:
    """The least of three."""

    def measure() -> float:
        started = time.thread_time()
        trial()
        return time.thread_time() - started

    return min(measure() for _ in range(3))
