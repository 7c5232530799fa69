"""What the store answers of accounts and keys."""

from __future__ import annotations

from typing import NamedTuple

from shared.auth.password_hashes import HashCosts
from shared.models import User


class LoginRecord(NamedTuple):
    """What a login needs to know. ``knows_address``: the user has logged in from there before."""

    user: User | None
    knows_address: bool
    dearest: HashCosts


class SigningKey(NamedTuple):
    """Which key signed last, ``None`` where it is not known, and whether there is anybody who may have such tokens."""

    fingerprint: str | None
    has_users: bool
