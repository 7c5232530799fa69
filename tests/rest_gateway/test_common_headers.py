"""Headers of every answer: what caches, browsers and strangers may know."""

from __future__ import annotations

import pytest

from tests.support.clients import PASSWORD, Account, Answer, Rest
from tests.support.event_stream import event_stream
from tests.support.exact_http import send
from tests.support.processes import System

PRIVATE = "private, no-cache"


def _assert_common(headers: dict[str, str]) -> None:
    names = {name.lower() for name in headers}
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Request-ID"]
    assert not names & {"server", "x-powered-by"}


def test_what_an_authorization_gets_is_not_for_shared_caches(system: System, account: Account) -> None:
    created = account.rest("POST", "/", {"task": "Mine"})
    url = f"/task/{created.body['uuid']}/"
    answers = [
        created,
        account.rest("GET", "/"),
        account.rest("GET", "/?limit=1"),
        account.rest("GET", "/me/"),
        account.rest("GET", url),
        account.rest("HEAD", url),
        account.rest("GET", url, If_None_Match='"1"'),
        account.rest("GET", "/nowhere"),
        account.rest("PUT", "/"),
        account.rest("OPTIONS", "/"),
        account.rest("POST", "/", {"task": ""}),
        Rest(system, "no token")("GET", "/"),
        account.rest("DELETE", url),
    ]
    for answer in answers:
        _assert_common(answer.headers)
    assert [answer.headers["Cache-Control"] for answer in answers] == [PRIVATE] * len(answers)


@pytest.mark.parametrize("bearer", [False, True])
def test_tokens_and_probes_are_kept_by_no_cache(system: System, account: Account, bearer: bool) -> None:
    rest = account.rest if bearer else Rest(system)
    answers: list[Answer] = [
        rest("POST", "/login/", {"username": account.username, "password": PASSWORD}),
        rest("POST", "/token-refresh/", {"refresh": account.refresh}),
        rest("POST", "/token-verify/", {"token": account.access}),
        rest("GET", "/healthz"),
        rest("GET", "/readyz"),
    ]
    for answer in answers:
        _assert_common(answer.headers)
        assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")


def test_a_request_without_a_token_gets_no_cached_result(system: System) -> None:
    for answer in (Rest(system)("GET", "/"), Rest(system)("GET", "/nowhere")):
        _assert_common(answer.headers)
        assert answer.headers["Cache-Control"] == "no-store"


def test_an_expectation_that_cannot_be_met_has_them_too(system: System) -> None:
    reply = send(system.gateway.port, "GET", "/healthz", {"Expect": "wonders"})
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "server" not in reply.headers


def test_an_event_stream_says_no_server(system: System, account: Account) -> None:
    with event_stream(system, account) as stream:
        _assert_common(dict(stream.response.headers.items()))
