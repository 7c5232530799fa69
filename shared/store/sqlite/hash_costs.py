"""What the dearest password hashes cost, by form.

Each is one step in an index of its own: an expression here is the index's, letter by letter (migrations 0003 and 0006).
"""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from shared.auth.hash_forms import (
    ARGON2_WORK_MAX,
    BCRYPT_COST_MAX,
    PBKDF2_ITERATIONS_MAX,
    SCRYPT_WORK_MAX,
    HashCosts,
)

_BCRYPT_COST: Final = "substr(password, instr(password, '$$2') + 5, 2)"
_PBKDF2: Final = "CAST(substr(password, 15) AS INTEGER)"
_PBKDF2_SHA1: Final = "CAST(substr(password, 13) AS INTEGER)"
_PARTS: Final = """'["' || replace(password, '$', '","') || '"]'"""
_SCRYPT: Final = " * ".join(
    f"CAST(json_extract({_PARTS}, '$[{part}]') AS INTEGER)" for part in (1, 3, 4)
)  # N, r and p
_ARGON2: Final = (
    "CAST(substr(password, instr(password, '$m=') + 3) AS INTEGER)"
    " * CAST(substr(password, instr(password, ',t=') + 3) AS INTEGER)"
)


def read_hash_costs(connection: sqlite3.Connection) -> HashCosts:
    """Hashes that are too dear to be checked are left out."""

    def greatest(cost: str, where: str, most: int | str) -> Any:
        statement = f"SELECT max({cost}) FROM users WHERE {where} AND {cost} <= ?"
        return connection.execute(statement, (most,)).fetchone()[0]

    bcrypt_cost = greatest(_BCRYPT_COST, "substr(password, 1, 6) = 'bcrypt'", str(BCRYPT_COST_MAX))
    others = (
        greatest(_PBKDF2, "substr(password, 1, 14) = 'pbkdf2_sha256$'", PBKDF2_ITERATIONS_MAX),
        greatest(_PBKDF2_SHA1, "substr(password, 1, 12) = 'pbkdf2_sha1$'", PBKDF2_ITERATIONS_MAX),
        greatest(_SCRYPT, f"substr(password, 1, 7) = 'scrypt$' AND json_valid({_PARTS})", SCRYPT_WORK_MAX),
        greatest(_ARGON2, "substr(password, 1, 7) = 'argon2$'", ARGON2_WORK_MAX),
    )
    known = bcrypt_cost is not None and bcrypt_cost.isdecimal()
    return HashCosts(int(bcrypt_cost) if known else 0, *(cost or 0 for cost in others))
