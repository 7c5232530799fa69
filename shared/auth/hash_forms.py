"""The forms of password hashes that Django writes: how each is read and computed, and how much work that is.

Each has a unit of its own, and its work is a number of these. A hash that would take too long or too much memory is not
read at all. Ours is ``bcrypt_sha256``; the others are imported.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from typing import Final, NamedTuple

import bcrypt

from shared.auth import argon2

BCRYPT_COST_MIN: Final = 4
BCRYPT_COST_MAX: Final = 20
PBKDF2_ITERATIONS_MAX: Final = 10_000_000
SCRYPT_WORK_MAX: Final = 1 << 23
ARGON2_WORK_MAX: Final = 1 << 23
_MEMORY_MAX: Final = 256 * 1024  # KiB, for one hash of scrypt or Argon2; Django's take 16 and 100 MiB
_BCRYPT_BYTES_MAX: Final = 72  # bcrypt reads no further, and raises from version 5 on
_SCRYPT_BYTES: Final = 64

_BCRYPT: Final = re.compile(
    r"bcrypt(?P<sha256>_sha256)?\$(?P<hash>\$2[aby]\$(?P<cost>[0-9]{2})\$[./A-Za-z0-9]{53})"
)
_PBKDF2: Final = re.compile(
    r"pbkdf2_(?P<digest>sha256|sha1)\$(?P<iterations>[1-9][0-9]{0,7})\$(?P<salt>[^$]*)\$(?P<hash>[+/A-Za-z0-9]+=)"
)
_SCRYPT: Final = re.compile(
    r"scrypt\$(?P<n>[1-9][0-9]{0,8})\$(?P<salt>[^$]*)\$(?P<r>[1-9][0-9]{0,4})\$(?P<p>[1-9][0-9]{0,4})\$"
    r"(?P<hash>[+/A-Za-z0-9]{86}==)"
)
_ARGON2: Final = re.compile(
    r"argon2\$argon2(?P<variant>id|i|d)\$(?:v=(?P<version>16|19)\$)?"
    r"m=(?P<memory>[1-9][0-9]{0,8}),t=(?P<passes>[1-9][0-9]{0,8}),p=(?P<parallelism>[1-9][0-9]{0,3})\$"
    r"(?P<salt>[+/A-Za-z0-9]{1,256})\$(?P<hash>[+/A-Za-z0-9]{6,256})"
)


class HashCosts(NamedTuple):
    """The greatest costs among the stored hashes, by form; 0: there is none.

    ``bcrypt``: log2 of its rounds. ``pbkdf2``, ``pbkdf2_sha1``: iterations. ``scrypt``: blocks, N · r · p. ``argon2``:
    KiB, memory · passes.
    """

    bcrypt: int = 0
    pbkdf2: int = 0
    pbkdf2_sha1: int = 0
    scrypt: int = 0
    argon2: int = 0


class ReadHash(NamedTuple):
    """A hash that can be checked: what it costs, and whether a password, in UTF-8, belongs to it (or MemoryError)."""

    costs: HashCosts
    matches: Callable[[bytes], bool]


def read_hash(encoded: str) -> ReadHash | None:
    """``None`` where it is of no form that is known, is unusable (``!``), or is too dear to be checked."""
    if found := _BCRYPT.fullmatch(encoded):
        return _read_bcrypt(found)
    if found := _PBKDF2.fullmatch(encoded):
        return _read_pbkdf2(found)
    if found := _SCRYPT.fullmatch(encoded):
        return _read_scrypt(found)
    if found := _ARGON2.fullmatch(encoded):
        return _read_argon2(found)
    return None


def bcrypt_digest(password: bytes) -> bytes:
    """Django's BCryptSHA256PasswordHasher: the hex digest fits into what bcrypt reads."""
    return hashlib.sha256(password).hexdigest().encode()


def _read_bcrypt(found: re.Match[str]) -> ReadHash | None:
    cost, is_digested, encoded = int(found["cost"]), found["sha256"], found["hash"].encode()
    if not BCRYPT_COST_MIN <= cost <= BCRYPT_COST_MAX:
        return None

    def matches(password: bytes) -> bool:
        try:
            return bcrypt.checkpw(
                bcrypt_digest(password) if is_digested else password[:_BCRYPT_BYTES_MAX], encoded
            )
        except ValueError:  # a salt that bcrypt cannot read
            return False

    return ReadHash(HashCosts(bcrypt=cost), matches)


def _read_pbkdf2(found: re.Match[str]) -> ReadHash | None:
    digest, iterations, salt = found["digest"], int(found["iterations"]), found["salt"].encode()
    expected = _decoded(found["hash"])
    if iterations > PBKDF2_ITERATIONS_MAX or len(expected) != hashlib.new(digest).digest_size:
        return None

    def matches(password: bytes) -> bool:
        return hmac.compare_digest(hashlib.pbkdf2_hmac(digest, password, salt, iterations), expected)

    costs = HashCosts(pbkdf2=iterations) if digest == "sha256" else HashCosts(pbkdf2_sha1=iterations)
    return ReadHash(costs, matches)


def _read_scrypt(found: re.Match[str]) -> ReadHash | None:
    n, r, p = int(found["n"]), int(found["r"]), int(found["p"])
    salt, expected = found["salt"].encode(), _decoded(found["hash"])
    memory = 128 * r * (n + p + 2)  # RFC 7914: N blocks, p blocks, and two to work in; each of 128 · r bytes
    if n * r * p > SCRYPT_WORK_MAX or memory > _MEMORY_MAX * 1024:
        return None
    if n & n - 1 or not 1 < n < 1 << 16 * r:  # as the RFC has it
        return None

    def matches(password: bytes) -> bool:
        made = hashlib.scrypt(password, salt=salt, n=n, r=r, p=p, maxmem=memory + 1024, dklen=_SCRYPT_BYTES)
        return hmac.compare_digest(made, expected)

    return ReadHash(HashCosts(scrypt=n * r * p), matches)


def _read_argon2(found: re.Match[str]) -> ReadHash | None:
    memory, passes, parallelism = int(found["memory"]), int(found["passes"]), int(found["parallelism"])
    work = memory * passes
    if work > ARGON2_WORK_MAX or memory > _MEMORY_MAX or memory < 8 * parallelism:
        return None
    salt, expected = _decoded(found["salt"]), _decoded(found["hash"])
    if len(salt) < argon2.SALT_BYTES_MIN or len(expected) < argon2.HASH_BYTES_MIN:
        return None
    parameters = argon2.Parameters(
        found["variant"], int(found["version"] or 16), memory, passes, parallelism, len(expected)
    )

    def matches(password: bytes) -> bool:
        return hmac.compare_digest(argon2.compute(password, salt, parameters), expected)

    return ReadHash(HashCosts(argon2=work), matches)


def _decoded(text: str) -> bytes:
    """Base64, with its padding or without; empty where it is none."""
    try:
        return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), validate=True)
    except ValueError:
        return b""
