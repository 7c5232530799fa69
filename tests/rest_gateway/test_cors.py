"""What a browser is told about origins."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.clients import Account, Answer, Rest
from tests.support.processes import System, running

ALLOW_ORIGIN = "Access-Control-Allow-Origin"
ALLOW_CREDENTIALS = "Access-Control-Allow-Credentials"
EXPOSED = {"ETag", "Retry-After", "X-Request-ID", "X-Taskbeam-Seq", "X-Taskbeam-Epoch"}
PATHS = ["/", "/login/", "/task/x/", "/changes/", "/events/", "/me/", "/batch/"]


def _preflight(system: System, path: str, origin: str) -> Answer:
    return Rest(system)(
        "OPTIONS",
        path,
        Origin=origin,
        Access_Control_Request_Method="PATCH",
        Access_Control_Request_Headers="authorization,content-type,if-match",
    )


@pytest.mark.parametrize("path", PATHS)
def test_a_preflight_of_an_allowed_origin_is_granted(system: System, path: str) -> None:
    answer = _preflight(system, path, "http://localhost:3000")
    assert (answer.status, answer.body) == (204, None)
    assert answer.headers[ALLOW_ORIGIN] == "http://localhost:3000"
    assert answer.headers[ALLOW_CREDENTIALS] == "true"
    methods = {method.strip() for method in answer.headers["Access-Control-Allow-Methods"].split(",")}
    assert {"GET", "POST", "PUT", "PATCH", "DELETE"} <= methods
    allowed = answer.headers["Access-Control-Allow-Headers"].lower()
    assert all(name in allowed for name in ("authorization", "content-type", "if-match"))


@pytest.mark.parametrize("origin", ["http://evil.example", "https://localhost", "null"])
def test_a_preflight_of_another_origin_is_not(system: System, origin: str) -> None:
    assert ALLOW_ORIGIN not in _preflight(system, "/", origin).headers


def test_answers_and_errors_are_shared_with_allowed_origins(system: System, account: Account) -> None:
    for rest, status in ((account.rest, 200), (Rest(system), 401)):
        answer = rest("GET", "/", Origin="http://127.0.0.1:5173")
        assert answer.status == status
        assert answer.headers[ALLOW_ORIGIN] == "http://127.0.0.1:5173"
        assert answer.headers[ALLOW_CREDENTIALS] == "true"
        exposed = {name.strip() for name in answer.headers["Access-Control-Expose-Headers"].split(",")}
        assert exposed >= EXPOSED
        assert "origin" in answer.headers["Vary"].lower()


@pytest.mark.parametrize("path", ["/nowhere/", "/task/x/", "/healthz"])
def test_pages_may_read_not_found_too(system: System, path: str) -> None:
    assert ALLOW_ORIGIN in Rest(system)("GET", path, Origin="http://localhost:1").headers


def test_other_origins_are_answered_without_permission(account: Account) -> None:
    answer = account.rest("GET", "/", Origin="http://evil.example")
    assert answer.status == 200, "the browser keeps it from the page"
    assert not {ALLOW_ORIGIN, ALLOW_CREDENTIALS} & set(answer.headers)
    assert "origin" in answer.headers["Vary"].lower(), "or a cache would mix them up"


def test_the_setting_decides(low_limits_system: System) -> None:
    allowed = {
        origin: _preflight(low_limits_system, "/", origin).headers.get(ALLOW_ORIGIN) == origin
        for origin in ("https://app.example.org", "http://app.example.org", "http://127.0.0.1:80")
    }
    assert list(allowed.values()) == [True, False, False]


def test_options_of_another_kind_describe_the_endpoint(account: Account) -> None:
    answer = account.rest("OPTIONS", "/")
    assert answer.status == 200
    assert {method.strip() for method in answer.headers["Allow"].split(",")} >= {"GET", "POST", "OPTIONS"}


def test_where_any_origin_may_read_none_sends_credentials(
    tmp_path: Path,
) -> None:
    with running(tmp_path, ALLOWED_ORIGINS="*") as system:
        answer = Rest(system)("GET", "/healthz", Origin="http://evil.example")
        assert answer.headers[ALLOW_ORIGIN] == "*"
        assert ALLOW_CREDENTIALS not in answer.headers, "browsers refuse the two together"


def test_a_refused_origin_is_logged_with_the_setting(system: System) -> None:
    for _ in range(3):
        _preflight(system, "/", "https://told-once.example")
    lines = system.gateway.log_lines("told-once.example")
    assert len(lines) == 1
    assert "ALLOWED_ORIGINS" in lines[0]


def test_pages_of_the_gateways_own_origin_are_not_complained_of(system: System, account: Account) -> None:
    host = system.rest_url.removeprefix("http://")
    assert account.rest("GET", "/", Origin=f"https://{host}").status == 200
    assert f"https://{host}" not in system.gateway.log.read_text()
