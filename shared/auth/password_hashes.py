"""Password hashes in Django's encodings, and the work that each takes. Slow on purpose: not for the event loop.

Ours is ``bcrypt_sha256``: bcrypt over the hex SHA-256 digest, so that a password may be of any length. Imported ones
may be Django's ``bcrypt`` or ``pbkdf2_sha256``; these are checked too.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import re
import time
from typing import Final, NamedTuple

import bcrypt

PBKDF2_ITERATIONS_MAX: Final = 10_000_000
BCRYPT_COST_MAX: Final = 20
_BCRYPT_COST_MIN: Final = 4
_BCRYPT_BYTES_MAX: Final = 72  # bcrypt reads no further, and raises from version 5 on
_SALT: Final = b"$2b$%02d$" + b"." * 22

_BCRYPT: Final = re.compile(
    r"bcrypt(?P<sha256>_sha256)?\$(?P<hash>\$2[aby]\$(?P<cost>[0-9]{2})\$[./A-Za-z0-9]{53})"
)
_PBKDF2: Final = re.compile(
    r"pbkdf2_sha256\$(?P<iterations>[1-9][0-9]{0,7})\$(?P<salt>[^$]*)\$(?P<hash>[+/A-Za-z0-9]{43}=)"
)


class HashCosts(NamedTuple):
    """The greatest costs among the stored hashes: bcrypt's (log2 of its rounds) and PBKDF2's iterations; 0: no such hash."""

    bcrypt: int
    pbkdf2: int


def hash_password(password: str, cost: int) -> str:
    """``bcrypt_sha256$<bcrypt hash>``."""
    return "bcrypt_sha256$" + bcrypt.hashpw(_digest(password), bcrypt.gensalt(cost)).decode()


def is_current(encoded: str, cost: int) -> bool:
    """Whether it is as ``hash_password`` would make it now."""
    return encoded.startswith(f"bcrypt_sha256$$2b${cost:02d}$")


def check_password(password: str, encoded: str) -> bool:
    """Whether the password belongs to the hash; one that cannot be read never matches."""
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
    return max(float(2**costs.bcrypt), _pbkdf2_work(costs.pbkdf2))


def _digest(password: str) -> bytes:
    """Django's BCryptSHA256PasswordHasher: the hex digest fits into what bcrypt reads."""
    return hashlib.sha256(password.encode(errors="surrogatepass")).hexdigest().encode()


def _check(password: str, encoded: str) -> tuple[bool, float]:
    """Whether it matches, and the work that this took."""
    if found := _BCRYPT.fullmatch(encoded):
        cost = int(found["cost"])
        if _BCRYPT_COST_MIN <= cost <= BCRYPT_COST_MAX:
            plain = password.encode(errors="surrogatepass")[:_BCRYPT_BYTES_MAX]
            return _check_bcrypt(_digest(password) if found["sha256"] else plain, found["hash"]), 2**cost
    elif found := _PBKDF2.fullmatch(encoded):
        iterations = int(found["iterations"])
        if iterations <= PBKDF2_ITERATIONS_MAX:
            made = _pbkdf2(password, found["salt"], iterations)
            return hmac.compare_digest(made, found["hash"]), _pbkdf2_work(iterations)
    return False, 0


def _check_bcrypt(password: bytes, encoded: str) -> bool:
    try:
        return bcrypt.checkpw(password, encoded.encode())
    except ValueError:  # a salt that bcrypt cannot read
        return False


def _pbkdf2(password: str, salt: str, iterations: int) -> str:
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(errors="surrogatepass"), salt.encode(), iterations)
    return base64.b64encode(digest).decode()


def _work(amount: int) -> None:
    """Take that much time: a bcrypt hash for each power of two in the amount."""
    for cost in range(_BCRYPT_COST_MIN, amount.bit_length()):
        if amount >> cost & 1:
            bcrypt.hashpw(b"padding", _SALT % cost)


def _pbkdf2_work(iterations: int) -> float:
    return iterations * _bcrypt_iterations_per_pbkdf2() if iterations else 0


@functools.cache
def _bcrypt_iterations_per_pbkdf2() -> float:
    """The work of one iteration of PBKDF2, measured on this machine in a few milliseconds of processor time."""

    def seconds_of(iterations: int) -> float:
        started = time.thread_time()
        _pbkdf2("", "", iterations)
        return time.thread_time() - started

    def seconds_of_bcrypt(amount: int) -> float:
        started = time.thread_time()
        _work(amount)
        return time.thread_time() - started

    return (
        min(seconds_of(4096) for _ in range(3)) / 4096 / (min(seconds_of_bcrypt(64) for _ in range(3)) / 64)
    )
