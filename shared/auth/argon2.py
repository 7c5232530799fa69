"""Argon2 (RFC 9106) on one thread, however many lanes a hash has: a hash is computed by one thread of the pool."""

from __future__ import annotations

from typing import Final, NamedTuple

from argon2.low_level import Type, core, error_to_str, ffi

SALT_BYTES_MIN: Final = 8
HASH_BYTES_MIN: Final = 4
_VARIANTS: Final = {"id": Type.ID, "i": Type.I, "d": Type.D}


class Parameters(NamedTuple):
    """``variant``: id, i or d. ``version``: 19, or 16 for hashes from before 2016. ``memory`` is in KiB."""

    variant: str
    version: int
    memory: int
    passes: int
    parallelism: int
    hash_bytes: int


def compute(password: bytes, salt: bytes, parameters: Parameters) -> bytes:
    """The hash. The lanes are filled one after the other, which makes the same hash as on as many threads.

    Raises:
        MemoryError: there is no memory for it now.
    """
    made = ffi.new("uint8_t[]", parameters.hash_bytes)
    in_password, in_salt = ffi.new("uint8_t[]", password), ffi.new("uint8_t[]", salt)
    context = ffi.new(
        "argon2_context *",
        {
            "out": made,
            "outlen": parameters.hash_bytes,
            "pwd": in_password,
            "pwdlen": len(password),
            "salt": in_salt,
            "saltlen": len(salt),
            "t_cost": parameters.passes,
            "m_cost": parameters.memory,
            "lanes": parameters.parallelism,
            "threads": 1,
            "version": parameters.version,
        },
    )
    error = core(context, _VARIANTS[parameters.variant].value)
    if error:
        raise MemoryError(error_to_str(error))
    return bytes(ffi.buffer(made, parameters.hash_bytes))
