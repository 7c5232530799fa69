"""Both processes behind nginx, Caddy and HAProxy, on one origin, with the settings in ``deploy/``."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Final, NamedTuple

import pytest
import websockets

from tests.deploy.proxies import NAME, Proxy, proxied
from tests.support.clients import Account, Rest, new_account
from tests.support.processes import ROOT, Process, System, running
from tests.support.waiting import wait_until

_ADDRESS_LIMIT: Final = 10  # failed logins from one address: five times the setting


class Site(NamedTuple):
    proxy: Proxy
    system: System
    account: Account

    def headers(self, **more: str) -> dict[str, str]:
        given = {name.replace("_", "-"): value for name, value in more.items()}
        return {"Authorization": f"Bearer {self.account.access}", **given}


@pytest.fixture(scope="module", params=["nginx", "caddy", "haproxy"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp(request.param)
    with (
        running(
            folder,
            TRUSTED_PROXIES="127.0.0.1",
            ALLOWED_ORIGINS=f"https://{NAME}:*",
            LOGIN_ATTEMPTS_PER_MINUTE=str(_ADDRESS_LIMIT // 5),
        ) as system,
        proxied(request.param, system, folder) as proxy,
    ):
        yield Site(proxy, system, new_account(system))


def test_the_page_for_browsers_finds_the_websocket_on_its_own_origin(site: Site) -> None:
    sent = site.proxy.ask("GET", "/", headers={"Accept": "text/html"})
    assert (sent.status, sent.headers["location"]) == (302, "/app/")
    policy = site.proxy.ask("GET", "/app/").headers["content-security-policy"]
    assert f"connect-src 'self' {site.proxy.origin.replace('https', 'wss')};" in policy


SPOOFED = {
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Prefix": "/evil",
}


@pytest.mark.parametrize("spoofed", [{}, SPOOFED], ids=["plain", "spoofed"])
def test_links_lead_back_through_the_proxy(site: Site, spoofed: dict[str, str]) -> None:
    for _ in range(2):
        site.proxy.ask("POST", "/", {"task": "x"}, site.headers())
    page = site.proxy.ask("GET", "/?limit=1", headers={**site.headers(), **spoofed}).body
    assert page["next"] == f"{site.proxy.origin}/?limit=1&offset=1"
    following = site.proxy.ask(
        "GET", page["next"].removeprefix(site.proxy.origin), headers=site.headers()
    ).body
    assert following["previous"] == f"{site.proxy.origin}/?limit=1"


def test_clients_are_counted_by_their_real_address(site: Site) -> None:
    def log_in(client: str, number: int) -> int:
        body = {"username": f"nobody-{number}", "password": "wrong password"}
        spoofed = {**SPOOFED, "X-Forwarded-For": f"203.0.113.{number}"}
        return site.proxy.ask("POST", "/login/", body, spoofed, client=client).status

    statuses = [log_in("127.0.0.2", number) for number in range(_ADDRESS_LIMIT + 1)]
    assert statuses == [401] * _ADDRESS_LIMIT + [429]
    assert log_in("127.0.0.3", 0) == 401, "another client"


async def test_a_socket_gets_changes_over_rest(site: Site) -> None:
    async with _connect(site, origin=site.proxy.origin) as client:
        await client.send(json.dumps({"type": "auth", "token": site.account.access}))
        assert json.loads(await client.recv())["type"] == "auth"
        answer = await asyncio.to_thread(site.proxy.ask, "POST", "/", {"task": "x"}, site.headers())
        async with asyncio.timeout(10):
            assert json.loads(await client.recv())["task"] == answer.body


async def test_a_page_of_another_origin_gets_no_connect(site: Site) -> None:
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with _connect(site, origin="https://evil.example"):
            pass
    assert refused.value.response.status_code == 403


def _connect(site: Site, origin: str) -> websockets.connect:
    return websockets.connect(
        f"wss://{NAME}:{site.proxy.port}/ws/tasks/",
        host="127.0.0.1",
        ssl=site.proxy.tls,
        origin=websockets.Origin(origin),
        proxy=None,
    )


def test_events_arrive_at_once(site: Site) -> None:
    connection = site.proxy.connect()
    headers = site.headers(Accept="text/event-stream", Accept_Encoding="gzip, br, zstd")
    connection.request("GET", "/events/", headers=headers)
    stream = connection.getresponse()
    assert stream.headers["Content-Type"].startswith("text/event-stream")
    assert stream.headers.get("Content-Encoding") is None
    assert stream.readline() == b"event: ready\n"
    for number in range(3):
        started = time.monotonic()
        Rest(site.system, site.account.access)("POST", "/", {"task": f"Live {number}"})
        while f"Live {number}".encode() not in stream.readline():
            pass
        assert time.monotonic() - started < 5
    connection.close()


def test_a_long_poll_is_answered_at_the_next_change(site: Site) -> None:
    seq = int(site.proxy.ask("GET", "/", headers=site.headers()).headers["x-taskbeam-seq"])
    epoch = site.proxy.ask("GET", "/", headers=site.headers()).headers["x-taskbeam-epoch"]
    answer = site.proxy.ask("GET", f"/changes/?epoch={epoch}&since={seq}&wait=1", headers=site.headers())
    assert (answer.status, answer.body["changes"]) == (200, [])


def test_an_etag_of_a_compressed_answer_is_accepted(site: Site) -> None:
    created = site.proxy.ask("POST", "/", {"task": "x", "description": "long " * 500}, site.headers()).body
    path = f"/task/{created['uuid']}/"
    answer = site.proxy.ask("GET", path, headers=site.headers(Accept_Encoding="gzip"))
    assert answer.headers["content-encoding"] == "gzip"
    tag = answer.headers["etag"]
    assert site.proxy.ask("GET", path, headers=site.headers(If_None_Match=tag)).status == 304
    assert site.proxy.ask("PATCH", path, {}, site.headers(If_Match=tag)).status == 200
    assert site.proxy.ask("PATCH", path, {}, site.headers(If_Match=tag)).status == 412


def test_refusals_are_those_of_taskbeam(site: Site) -> None:
    answer = site.proxy.ask("GET", "/")
    assert (answer.status, answer.body["detail"]) == (401, "Authentication credentials were not provided.")
    too_large = site.proxy.ask("POST", "/", {"task": "x" * 300_000}, site.headers())
    assert (too_large.status, list(too_large.body)) == (413, ["detail"])


def test_a_restarted_gateway_is_found_again(site: Site) -> None:
    assert site.system.gateway.stop() == 0
    assert site.proxy.ask("GET", "/", headers=site.headers()).status in (502, 503)
    site.system.gateway.start()
    wait_until(lambda: _status(site) == 200, 20, "it is found")


def test_clients_do_not_notice_a_restart_over_an_inherited_socket(site: Site) -> None:
    gateway = site.system.gateway
    assert gateway.stop() == 0
    with socket.create_server(("127.0.0.1", gateway.port)) as listening:
        process = _start_over(listening, gateway)
        wait_until(lambda: _status(site) == 200, 20, "it is found")
        seen: list[int] = []
        is_over = threading.Event()

        def ask() -> None:
            while not is_over.is_set():
                seen.append(_status(site))

        asking = threading.Thread(target=ask)
        asking.start()
        wait_until(lambda: len(seen) > 5, 20, "it answers")
        process.terminate()
        assert process.wait(20) == 0
        process = _start_over(listening, gateway)
        seen_enough = len(seen) + 5
        wait_until(lambda: len(seen) > seen_enough, 20, "it answers again")
        is_over.set()
        asking.join()
        process.terminate()
        assert process.wait(20) == 0
    assert set(seen) == {200}
    gateway.start()


def _status(site: Site) -> int:
    return site.proxy.ask("GET", "/", headers=site.headers()).status


def _start_over(listening: socket.socket, gateway: Process) -> subprocess.Popen[bytes]:
    descriptor = listening.fileno()
    with gateway.log.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "rest_gateway"],
            cwd=ROOT,
            env={**gateway.environ, "TASKBEAM_REST_FD": str(descriptor)},
            pass_fds=[descriptor],
            stdout=log,
            stderr=log,
        )
