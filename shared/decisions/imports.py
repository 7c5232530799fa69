"""Which accounts of another system can come in, with their ids: tokens that were issued there name users by these."""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple

from shared.models import User


class ImportedAccount(NamedTuple):
    """An account as it shall be, and the key of its username (see ``shared.rules.accounts``)."""

    user: User
    key: str


class AccountImport(Enum):
    """What comes of an account that is imported."""

    ADDED = auto()
    THERE = auto()  # it was imported before
    DIFFERS = auto()  # as THERE, and since then it has changed, here or there; it stays as it is here
    ID_TAKEN = auto()  # another user has its id
    ID_USED = auto()  # nobody has its id, but it may have been the id of an account that was deleted here
    NAME_TAKEN = auto()  # another user has its username, or one that counts as the same


def decide_account(
    account: ImportedAccount, by_id: User | None, by_key: User | None, newest_id: int
) -> AccountImport:
    """What comes of an account.

    An id is never given twice: a token of the user who had it would be the new one's.

    Args:
        by_id: the user who has its id now.
        by_key: the user who has its username now.
        newest_id: the highest id that was ever given, 0 before the first.
    """
    user = account.user
    if by_id is not None:
        if by_key is None or by_key.id != user.id:
            return AccountImport.ID_TAKEN
        same = (by_id.username, by_id.is_active, by_id.date_joined) == (
            user.username,
            user.is_active,
            user.date_joined,
        )
        return AccountImport.THERE if same else AccountImport.DIFFERS
    if by_key is not None:
        return AccountImport.NAME_TAKEN
    return AccountImport.ADDED if user.id > newest_id else AccountImport.ID_USED
