"""Which accounts of another system can come in."""

from __future__ import annotations

from typing import Final

import pytest

from shared.decisions.imports import AccountImport, ImportedAccount, decide_account
from shared.models import User

ANN: Final = User(7, "Ann", "hash", True, "2020-01-02T03:04:05.000000Z")
BOB: Final = User(8, "bob", "hash", True, "2020-01-02T03:04:05.000000Z")
ANOTHER: Final = User(7, "cay", "hash", True, "2020-01-02T03:04:05.000000Z")
OTHER_HASH: Final = User(7, "Ann", "renewed", True, "2020-01-02T03:04:05.000000Z")
DISABLED: Final = User(7, "Ann", "hash", False, "2020-01-02T03:04:05.000000Z")
RESPELT: Final = User(7, "ANN", "hash", True, "2020-01-02T03:04:05.000000Z")


@pytest.mark.parametrize(
    ("by_id", "by_key", "newest_id", "outcome"),
    [
        (None, None, 0, AccountImport.ADDED),
        (None, None, 6, AccountImport.ADDED),
        (None, None, 7, AccountImport.ID_USED),
        (None, BOB, 9, AccountImport.NAME_TAKEN),
        (ANOTHER, None, 9, AccountImport.ID_TAKEN),
        (ANOTHER, BOB, 9, AccountImport.ID_TAKEN),
        (ANN, ANN, 9, AccountImport.THERE),
        (OTHER_HASH, OTHER_HASH, 9, AccountImport.THERE),  # it is hashed anew at the first login
        (DISABLED, DISABLED, 9, AccountImport.DIFFERS),
        (RESPELT, RESPELT, 9, AccountImport.DIFFERS),
    ],
)
def test_what_comes_of_an_account(
    by_id: User | None, by_key: User | None, newest_id: int, outcome: AccountImport
) -> None:
    assert decide_account(ImportedAccount(ANN, "ann"), by_id, by_key, newest_id) is outcome
