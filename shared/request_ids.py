"""The id of a request: the caller's, if it sent a good one, else one that no other request has."""

from __future__ import annotations

import itertools
import re
import secrets
from typing import Final

_GIVEN: Final = re.compile(r"[\x21-\x7e]{1,128}")
_PREFIX: Final = secrets.token_hex(8)  # of all that this process makes
_numbers = itertools.count(secrets.randbits(32))


def new_request_id() -> str:
    """One that no other request has, of this process or another."""
    return f"{_PREFIX}{next(_numbers):016x}"


def choose_request_id(given: str | None) -> str:
    """``given`` is the caller's X-Request-ID."""
    return given if given and _GIVEN.fullmatch(given) else new_request_id()
