"""Paths that are nowhere, probes, and headers that aiohttp itself looks at: all answered as everywhere."""

from __future__ import annotations

import json

import pytest

from tests.support.exact_http import send
from tests.support.processes import System

GIVEN = {"X-Request-ID": "mine"}


@pytest.mark.parametrize(
    ("method", "target"),
    [
        *(
            (method, target)
            for method in ("GET", "POST", "OPTIONS")
            for target in ("/nowhere", "/task/x/y/", "//")
        ),
        ("GET", "/a%0Ab"),
        ("OPTIONS", "*"),
    ],
)
def test_what_is_nowhere_is_not_found(system: System, method: str, target: str) -> None:
    reply = send(system.gateway.port, method, target, GIVEN)
    assert (reply.status, json.loads(reply.body)) == (404, {"detail": "Not found."})
    assert reply.headers["x-request-id"] == "mine"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/healthz/", "/readyz/"])
def test_a_probe_needs_no_token(system: System, path: str) -> None:
    for headers in ({}, {"Accept": "text/plain"}, {"Authorization": "nonsense"}):
        assert send(system.gateway.port, "GET", path, headers).status == 200
    reply = send(system.gateway.port, "HEAD", path, {})
    assert (reply.status, reply.body) == (200, b"")
    reply = send(system.gateway.port, "POST", path, {})
    assert (reply.status, json.loads(reply.body)) == (405, {"detail": 'Method "POST" not allowed.'})
    assert reply.headers["allow"] == "GET, HEAD, OPTIONS"


def test_an_expectation_that_nobody_can_meet_is_refused(system: System) -> None:
    reply = send(system.gateway.port, "GET", "/healthz", {**GIVEN, "Expect": "wonders"})
    assert (reply.status, reply.headers["x-request-id"]) == (417, "mine")


def test_every_request_has_an_id_of_its_own(system: System) -> None:
    ids = {
        send(system.gateway.port, "GET", path, {}).headers["x-request-id"]
        for path in ["/healthz", "/nowhere", "/"] * 20
    }
    assert len(ids) == 60
    assert all(len(request_id) == 32 and int(request_id, 16) >= 0 for request_id in ids)
