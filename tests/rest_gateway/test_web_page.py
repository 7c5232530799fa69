"""The page at ``/app/`` and its files as they are served, and who is sent there."""

from __future__ import annotations

import http.client
import re
from typing import Any

import pytest
from multidict import CIMultiDict

from rest_gateway.forwarded import Forwarded
from rest_gateway.keys import FORWARDED, WEBSOCKET_PORT
from rest_gateway.web_page import websocket_url
from shared.settings import load_settings
from tests.support.clients import Account
from tests.support.exact_http import Reply, send
from tests.support.processes import ROOT, System

PAGE = "/app/"
FILES = sorted(
    {path.name for path in (ROOT / "rest_gateway/web").iterdir()} - {"index.html"} | {"taskbeam.js"}
)
CHROMIUM = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
    "application/signed-exchange;v=b3;q=0.7"
)


def get(system: System, path: str, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return send(system.gateway.port, "GET", path, named)


def get_at(system: System, host: str, path: str) -> Reply:
    """As a browser does that knows the gateway by this name."""
    connection = http.client.HTTPConnection("127.0.0.1", system.gateway.port, timeout=20)
    try:
        connection.request("GET", path, headers={"Host": host})
        reply = connection.getresponse()
        assert reply.status == 200
        return Reply(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read())
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("accept", "is_sent"),
    [
        (CHROMIUM, True),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        ("text/html", True),
        ("Text/HTML, application/json;q=0.9", True),
        ("text/*, */*;q=0.1", True),
        ("application/json;q=0.5, text/html;q=0.50", False),
        ("text/html, application/json", False),
        ("text/html;q=0.3, application/json", False),
        ("text/html;q=0, */*;q=0.1", False),
        ("*/*", False),
        ("application/json, text/plain, */*", False),
        ("application/json", False),
        ("text/html;q=x, */*", False),
    ],
)
def test_a_browser_is_sent_to_the_page_and_an_api_client_is_not(
    system: System, account: Account, accept: str, is_sent: bool
) -> None:
    for method in ("GET", "HEAD"):
        reply = send(system.gateway.port, method, "/?limit=1", {"Accept": accept})
        assert reply.status == (302 if is_sent else 401)
        assert reply.headers.get("location") == (PAGE if is_sent else None)
        assert reply.headers["cache-control"] == "no-store"
    with_token = get(system, "/", Accept=accept, Authorization=f"Bearer {account.access}")
    assert with_token.status == (200 if re.search(r"json|\*/\*", accept) else 406), "as it always was"
    assert send(system.gateway.port, "POST", "/", {"Accept": accept}).status in (401, 406)


def test_without_accept_nobody_is_sent_anywhere(system: System) -> None:
    assert get(system, "/").status == 401


def test_the_address_without_its_slash_leads_to_the_page(system: System) -> None:
    reply = get(system, "/app", Accept="text/html")
    assert (reply.status, reply.headers["location"]) == (302, PAGE)


def test_the_page_names_the_websocket_server_and_may_talk_to_no_other(system: System) -> None:
    for host in ("localhost", "127.0.0.1", "tasks.example.org"):
        reply = get_at(system, f"{host}:8001", PAGE)
        assert reply.headers["content-type"] == "text/html; charset=utf-8"
        assert f'content="ws://{host}:{system.ws.port}/ws/tasks/"' in reply.body.decode()
        assert reply.headers["content-security-policy"] == (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
            f"connect-src 'self' ws://{host}:{system.ws.port}; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
    by_number = get_at(system, "[::1]:8001", PAGE)
    assert f'content="ws://[::1]:{system.ws.port}/ws/tasks/"' in by_number.body.decode()
    assert "connect-src 'self' ws:;" in by_number.headers["content-security-policy"]


class _Request:
    """As aiohttp's, with what is read of it."""

    def __init__(self, **headers: str) -> None:
        self.app: dict[Any, Any] = {
            FORWARDED: Forwarded(load_settings({"TASKBEAM_TRUSTED_PROXIES": "127.0.0.1"}).trusted_proxies),
            WEBSOCKET_PORT: 8000,
        }
        self.headers = CIMultiDict(
            [(f"X-Forwarded-{name}", value) for name, value in headers.items()], Host="10.0.0.7:8001"
        )
        self.remote, self.scheme, self.host = "127.0.0.1", "http", "10.0.0.7:8001"


@pytest.mark.parametrize(
    ("headers", "url"),
    [
        ({}, "ws://10.0.0.7:8000/ws/tasks/"),
        ({"Proto": "https", "Host": "tasks.example.org"}, "wss://tasks.example.org/ws/tasks/"),
        ({"Proto": "http", "Host": "tasks.example.org:81"}, "ws://tasks.example.org:81/ws/tasks/"),
        ({"Proto": "https", "Host": "x.org", "Prefix": "/t/"}, "wss://x.org/t/ws/tasks/"),
        ({"For": "192.0.2.1"}, "ws://10.0.0.7:8000/ws/tasks/"),
    ],
)
def test_behind_a_proxy_both_servers_have_one_origin(headers: dict[str, str], url: str) -> None:
    assert websocket_url(_Request(**headers)) == url  # type: ignore[arg-type]


def test_all_files_are_there_and_a_cache_asks_whether_they_have_changed(system: System) -> None:
    for name in ("", *FILES):
        reply = get(system, PAGE + name)
        assert (reply.status, reply.headers["cache-control"]) == (200, "no-cache"), name
        assert reply.headers["x-content-type-options"] == "nosniff"
        tag = reply.headers["etag"]
        again = get(system, PAGE + name, If_None_Match=tag)
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
    assert get(system, "/app/index.html").status == 404


def test_the_client_is_the_one_of_the_checkout(system: System) -> None:
    reply = get(system, "/app/taskbeam.js", Origin="http://localhost:3000")
    assert reply.body == (ROOT / "clients/js/taskbeam.js").read_bytes()
    assert reply.headers["content-type"] == "text/javascript; charset=utf-8"
    assert reply.headers["access-control-allow-origin"] == "http://localhost:3000", (
        "other pages may import it"
    )


def test_the_worker_keeps_all_files_and_has_a_version_of_them(system: System) -> None:
    worker = get(system, "/app/worker.js")
    [names] = re.findall(r"'\./', \.\.\.'([^']+)'", worker.body.decode())
    assert sorted(names.split()) == sorted(set(FILES) - {"worker.js"})
    [version] = re.findall(r"taskbeam-([0-9a-f]{16})", worker.body.decode())
    other = get_at(system, "other:8001", "/app/worker.js")
    assert version not in other.body.decode(), "another address is another page"
    assert other.headers["etag"] != worker.headers["etag"]


def test_the_page_stays_small() -> None:
    """The client comes on top."""
    assert sum(path.stat().st_size for path in (ROOT / "rest_gateway/web").iterdir()) < 60_000


def test_the_page_has_no_code_or_style_of_its_own_and_loads_nothing_from_elsewhere(system: System) -> None:
    text = get(system, PAGE).body.decode()
    assert not re.search(r"<style|<script(?![^>]* src=)|\son\w+=|\sstyle=|https?:", text)
    for name in FILES:
        if name != "taskbeam.js":
            code = get(system, PAGE + name).body.decode()
            assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|\beval\b|@import", code), name
            assert not re.findall(r"https?://(?!www\.w3\.org)", code), name
