"""What checking a password hash costs, by its form, as a column of ``users`` has it. Nothing else of the hash is read."""

from __future__ import annotations

import math
import re
from typing import Final

from shared.auth.hash_forms import (
    ARGON2_WORK_MAX,
    BCRYPT_COST_MAX,
    PBKDF2_ITERATIONS_MAX,
    SCRYPT_WORK_MAX,
)

_NUMBER: Final = r"([0-9]{1,12})"
_FORMS: Final = (
    ("bcrypt", re.compile(r"bcrypt(?:_sha256)?\$\$2.\$([0-9]{2})\$"), BCRYPT_COST_MAX),
    ("pbkdf2", re.compile(rf"pbkdf2_sha256\${_NUMBER}\$"), PBKDF2_ITERATIONS_MAX),
    ("pbkdf2_sha1", re.compile(rf"pbkdf2_sha1\${_NUMBER}\$"), PBKDF2_ITERATIONS_MAX),
    ("scrypt", re.compile(rf"scrypt\${_NUMBER}\$[^$]*\${_NUMBER}\${_NUMBER}\$"), SCRYPT_WORK_MAX),
    ("argon2", re.compile(rf"argon2\$[^$]*\$(?:v=[0-9]+\$)?m={_NUMBER},t={_NUMBER},"), ARGON2_WORK_MAX),
)
"""Each form: its name in ``HashCosts``, the numbers whose product is the cost, and the greatest cost that is checked."""


def hash_cost(password: str) -> tuple[str | None, int | None]:
    """The form of a hash, and its cost; ``None`` of one that is too dear to be checked, or of no form that is known."""
    for form, numbers, most in _FORMS:
        if found := numbers.match(password):
            cost = math.prod(map(int, found.groups()))
            return (form, cost) if cost <= most else (None, None)
    return None, None
