"""What the store answers of accounts and keys, and of itself."""

from __future__ import annotations

from typing import Literal, NamedTuple

from shared.auth.hash_forms import HashCosts
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


class AccountRecord(NamedTuple):
    """A user as operators see them: the account, the number of its tasks, and the seq of its newest change."""

    user: User
    tasks: int
    seq: int


class Totals(NamedTuple):
    """How much there is. ``disabled``: of the users. ``changes``: kept in the log. ``families``: of tokens, not revoked.

    ``size``: what the database takes on the disk, in bytes.
    """

    users: int
    disabled: int
    tasks: int
    changes: int
    families: int
    size: int


class Finding(NamedTuple):
    """What a check of a database found, as a sentence. A ``problem`` is to be mended, a ``warning`` to be known."""

    level: Literal["ok", "warning", "problem"]
    text: str
