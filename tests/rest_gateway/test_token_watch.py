"""A long poll or stream whose token has ended is told nothing more, whatever ended it."""

from __future__ import annotations

import http.client
import json
import time

import pytest

from tests.support.clients import Account
from tests.support.database_edits import NOTICE_SECONDS, REVOCATIONS, SLACK_SECONDS, edit_database
from tests.support.event_stream import event_stream
from tests.support.processes import System


@pytest.mark.parametrize("revocation", REVOCATIONS)
def test_what_another_program_does_to_an_account_ends_its_polls(
    system: System, account: Account, revocation: str
) -> None:
    epoch = account.rest("GET", "/").headers["X-Taskbeam-Epoch"]
    connection = http.client.HTTPConnection("127.0.0.1", system.gateway.port, timeout=20)
    headers = {"Authorization": f"Bearer {account.access}"}
    connection.request("GET", f"/changes/?epoch={epoch}&since=0&wait=30", headers=headers)
    edit_database(system, account, REVOCATIONS[revocation])
    started = time.monotonic()
    answer = connection.getresponse()
    assert time.monotonic() - started < NOTICE_SECONDS + SLACK_SECONDS
    codes = {"disabled": "user_inactive", "deleted": "user_not_found"}
    assert (answer.status, json.load(answer)["code"]) == (401, codes.get(revocation, "token_not_valid"))
    connection.close()


@pytest.mark.parametrize("revocation", REVOCATIONS)
def test_what_another_program_does_to_an_account_ends_its_streams(
    system: System, account: Account, revocation: str
) -> None:
    with event_stream(system, account) as stream:
        edit_database(system, account, REVOCATIONS[revocation])
        started = time.monotonic()
        stream.ended()
        assert time.monotonic() - started < NOTICE_SECONDS + SLACK_SECONDS
