"""/metrics on both ports: whichever process is asked, it answers for all, also for one that was killed."""

from __future__ import annotations

import shutil
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from shared.metrics.catalogue import FAMILIES
from tests.support.clients import Rest, connected, new_account
from tests.support.metric_series import series
from tests.support.processes import System, running
from tests.support.raw_http import exchange
from tests.support.waiting import until, wait_until
from tests.support.workers import on_every_worker

Samples = dict[str, dict[tuple[str, ...], float]]


def scrape(port: int) -> Samples:
    """By name, the values by labels, which are in the order of their names."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert response.headers["Cache-Control"] == "no-store"
        text = response.read().decode()
    samples: Samples = defaultdict(dict)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            samples[sample.name][tuple(sample.labels.values())] = sample.value
    return samples


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running(tmp_path_factory.mktemp("metrics"), workers=2, LOGIN_ATTEMPTS_PER_MINUTE="1") as system:
        yield system


def _counted(system: System, name: str, *labels: str) -> float:
    """As the gateway says."""
    return scrape(system.gateway.port).get(name, {}).get(labels, 0.0)


async def test_what_the_workers_count_is_added_up_on_either_port(measured: System) -> None:
    account = new_account(measured)
    async with on_every_worker(measured, account.access) as sockets:
        for socket in sockets:
            await socket.ask({"mode": "ping"})
            assert (await socket.ask({"mode": "read", "task_id": "nothing"}))["code"] == "not_found"
            await socket.ask({"mode": "made-up"})

        def is_published() -> bool:
            samples = [scrape(port) for port in (measured.gateway.port, measured.ws.port)]
            return all(
                (
                    found["taskbeam_message_seconds_count"].get(("ping",)),
                    found["taskbeam_message_seconds_count"].get(("auth",), 0) >= 2,
                    found["taskbeam_message_errors_total"].get(("not_found", "read")),
                    found["taskbeam_message_errors_total"].get(("invalid_request", "none")),
                    found["taskbeam_requests_total"].get(("POST", "/login/", "200")),
                )
                == (2, True, 2, 2, 1)
                and {worker for (worker,) in found["taskbeam_connections"]}
                == {"ws_server-0", "ws_server-1", "rest_gateway-0"}
                for found in samples
            )

        await until(is_published, 10, "both ports answer for all processes")
    found = scrape(measured.ws.port)
    assert all(value > 10_000_000 for value in found["taskbeam_memory_bytes"].values())
    assert (found["taskbeam_database_log_bytes"][()] > 0) == measured.database_url.startswith("sqlite:")
    assert found["taskbeam_commit_group_size_count"][()] >= 2
    assert found["taskbeam_commit_seconds_count"] == found["taskbeam_commit_group_size_count"]


def test_what_is_answered_is_what_the_documents_have(measured: System) -> None:
    named = {name for family in FAMILIES.values() for name in series(family)}
    assert scrape(measured.ws.port).keys() <= named


def test_every_metric_that_has_no_labels_of_events_is_there_at_once(measured: System) -> None:
    found = scrape(measured.gateway.port)
    for family in FAMILIES.values():
        if family.labels in ((), ("worker",)):
            assert any(name.startswith(family.name) for name in found), family.name


async def test_pushes_closes_and_refusals(measured: System) -> None:
    account = new_account(measured)
    pushes = _counted(measured, "taskbeam_pushes_total")
    async with connected(measured, account.access) as socket:
        account.rest("POST", "/", {"task": "x"})
        await socket.receive()
    async with connected(measured) as socket:
        await socket.send("no JSON")
        assert await socket.closed() == 4003
    for _ in range(2):
        Rest(measured)("POST", "/login/", {"username": account.username, "password": "wrong"})
    account.rest("GET", "/", Origin="https://elsewhere.example")
    account.rest("GET", "/nowhere/")
    account.rest("PROPFIND", "/")
    exchange(measured.gateway.port, b"no HTTP\r\n\r\n")

    def is_counted() -> bool:
        found = scrape(measured.gateway.port)
        return (
            found["taskbeam_pushes_total"][()] > pushes
            and ("client", "1000") in found["taskbeam_closes_total"]
            and ("server", "4003") in found["taskbeam_closes_total"]
            and found["taskbeam_failed_logins_total"][()] >= 1
            and found["taskbeam_throttled_total"].get(("account",), 0) >= 1
            and found["taskbeam_refused_origins_total"][()] >= 1
            and found["taskbeam_refused_connections_total"].get(("not_http",), 0) >= 1
            and found["taskbeam_requests_total"].get(("GET", "none", "404"), 0) >= 1
            and found["taskbeam_requests_total"].get(("other", "/", "405"), 0) >= 1
        )

    await until(is_counted, 10, "all of it is counted")


def test_a_folder_that_somebody_deletes_is_made_anew(measured: System) -> None:
    logins = _counted(measured, "taskbeam_requests_total", "POST", "/login/", "200")
    shutil.rmtree(measured.beside("-metrics"))

    def is_whole() -> bool:
        return all(
            len(found["taskbeam_memory_bytes"]) == 3
            and found["taskbeam_requests_total"].get(("POST", "/login/", "200")) == logins
            for found in map(scrape, (measured.gateway.port, measured.ws.port))
        )

    wait_until(is_whole, 20, "both ports answer for all processes again")


def test_a_worker_that_was_killed_counts_on_where_it_ended(tmp_path: Path) -> None:
    with running(tmp_path) as system:
        new_account(system).rest("POST", "/", {"task": "x"})
        name, labels = "taskbeam_requests_total", ("POST", "/login/", "200")

        def seen_by_ws() -> float:
            return scrape(system.ws.port).get(name, {}).get(labels, 0.0)

        wait_until(lambda: seen_by_ws() == 1, 10, "the gateway has published")
        system.gateway.kill()
        found = scrape(system.ws.port)
        assert found[name][labels] == 1
        assert ("rest_gateway-0",) not in found["taskbeam_memory_bytes"]
        system.gateway.start()
        new_account(system)
        assert _counted(system, name, *labels) == 2
        wait_until(lambda: _counted(system, "taskbeam_change_log_changes") == 1, 10, "the log is counted")


def test_all_begin_at_0_when_all_are_started_anew(tmp_path: Path) -> None:
    for _ in range(2):
        with running(tmp_path) as system:
            new_account(system)
            assert _counted(system, "taskbeam_requests_total", "POST", "/login/", "200") == 1


def test_without_its_folder_a_process_answers_for_itself(tmp_path: Path) -> None:
    System(tmp_path).beside("-metrics").write_text("no folder")
    with running(tmp_path) as system:
        assert set(scrape(system.ws.port)["taskbeam_connections"]) == {("ws_server",)}
