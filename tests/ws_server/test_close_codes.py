"""Every close code is in the table, and the client acts on each as the table says."""

from __future__ import annotations

import pytest

from taskbeam_client import close_codes as client
from ws_server.close_codes import CLOSE_CODES, ClientAction, CloseCode, Disconnect


def test_the_close_codes_are_the_contracts() -> None:
    assert {code.value for code in CloseCode} == {
        *(1001, 1003, 1012),
        *(4001, 4003, 4008, 4009, 4010, 4029, 4401, 4403),
    }


@pytest.mark.parametrize(
    ("action", "codes"),
    [
        (ClientAction.RECONNECT, {1001, 1011, 1012, 4008, 4009, 4010}),
        (ClientAction.LOG_IN, {4001, 4401, 4403}),
        (ClientAction.MEND_CLIENT, {1003, 1007, 1009, 4003, 4029}),
    ],
)
def test_what_a_client_does_is_the_contracts(action: ClientAction, codes: set[int]) -> None:
    assert {row.code.value for row in CLOSE_CODES if row.action is action} == codes


def test_every_code_has_one_row() -> None:
    codes = [row.code.value for row in CLOSE_CODES]
    assert codes == sorted(set(codes))
    assert {code.value for code in CloseCode} <= set(codes)


def test_every_code_of_the_protocol_has_a_reason_and_no_reason_is_too_long_for_a_close_frame() -> None:
    assert {row.code for row in CLOSE_CODES if row.reasons} == set(CloseCode)
    assert all(0 < len(disconnect.reason.encode()) <= 123 for disconnect in Disconnect)


def test_the_client_has_the_same_table() -> None:
    assert {row.code for row in CLOSE_CODES if row.action is ClientAction.MEND_CLIENT} == client.MEND_CLIENT
    log_in = [row.code.value for row in CLOSE_CODES if row.action is ClientAction.LOG_IN]
    assert log_in == [client.NOT_AUTHENTICATED, client.TOKEN_EXPIRED, client.TOKEN_REVOKED]
