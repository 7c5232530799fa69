"""Whom a request is counted for, with and without proxies in front."""

from __future__ import annotations

import logging

import pytest
from multidict import CIMultiDict

from rest_gateway.forwarded import Forwarded
from shared.settings import load_settings

PROXIES = "127.0.0.1, 10.0.0.0/8, fd00::/8"


def _forwarded(trusted: str) -> Forwarded:
    return Forwarded(load_settings({"TASKBEAM_TRUSTED_PROXIES": trusted}).trusted_proxies)


class _Request:
    """As aiohttp's, with what is read of it."""

    def __init__(self, remote: str | None, *lines: str) -> None:
        self.remote = remote
        self.headers = CIMultiDict([("x-forwarded-for", line) for line in lines])


def _subscriber(trusted: str, remote: str | None, *lines: str) -> str:
    return _forwarded(trusted).subscriber(_Request(remote, *lines))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("remote", "lines", "expected"),
    [
        ("127.0.0.1", (), "127.0.0.1"),
        ("127.0.0.1", ("192.0.2.1",), "192.0.2.1"),
        ("::ffff:127.0.0.1", ("192.0.2.1:1234",), "192.0.2.1"),
        ("127.0.0.1", ("192.0.2.9, 192.0.2.1",), "192.0.2.1"),
        ("127.0.0.1", ("192.0.2.9", "192.0.2.1"), "192.0.2.1"),
        ("127.0.0.1", ("192.0.2.1, 10.1.2.3, ::ffff:10.9.9.9",), "192.0.2.1"),
        ("127.0.0.1", ("192.0.2.1, [fd00::7]:80 , ,",), "192.0.2.1"),
        ("127.0.0.1", ("10.1.2.3",), "10.1.2.3"),
        ("127.0.0.1", ("[2001:DB8::7]:80",), "2001:db8::/64"),
        ("127.0.0.1", ("192.0.2.1, unknown",), "127.0.0.1"),
        ("127.0.0.1", ("192.0.2.1, garbage, 10.1.2.3",), "10.1.2.3"),
        ("127.0.0.1", ("", " , "), "127.0.0.1"),
        ("192.0.2.77", ("192.0.2.1",), "192.0.2.77"),
        ("2001:db8::9", ("192.0.2.1",), "2001:db8::/64"),
        ("", ("192.0.2.1",), "unix"),
        (None, ("192.0.2.1",), "unix"),
    ],
)
def test_the_last_hop_that_is_no_trusted_proxy_counts(
    remote: str | None, lines: tuple[str, ...], expected: str
) -> None:
    assert _subscriber(PROXIES, remote, *lines) == expected


def test_a_peer_on_a_unix_socket_can_be_trusted() -> None:
    assert _subscriber("unix", "", "192.0.2.1") == "192.0.2.1"
    assert _subscriber("unix", "127.0.0.1", "192.0.2.1") == "127.0.0.1"


@pytest.mark.parametrize(
    "remote", ["127.0.0.1", "::1", "10.0.0.2", "172.17.0.1", "fd00::1", "fe80::1%eth0", ""]
)
def test_an_unknown_proxy_is_logged_once(caplog: pytest.LogCaptureFixture, remote: str) -> None:
    forwarded = _forwarded("192.168.0.0/16")
    forwarded.warn_of_untrusted_proxy(_Request(remote))  # type: ignore[arg-type]
    assert not caplog.records
    for _ in range(3):
        forwarded.warn_of_untrusted_proxy(_Request(remote, "192.0.2.1"))  # type: ignore[arg-type]
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "TASKBEAM_TRUSTED_PROXIES" in record.getMessage()


@pytest.mark.parametrize(("trusted", "remote"), [("127.0.0.1", "127.0.0.1"), ("unix", ""), ("", "8.8.8.8")])
def test_no_warning_for_a_trusted_proxy_nor_for_forged_headers(
    caplog: pytest.LogCaptureFixture, trusted: str, remote: str
) -> None:
    _forwarded(trusted).warn_of_untrusted_proxy(_Request(remote, "192.0.2.1"))  # type: ignore[arg-type]
    assert not caplog.records


@pytest.mark.parametrize(
    ("headers", "base"),
    [
        ((), "http://inner:8001"),
        (("Proto: https",), "https://inner:8001"),
        (("Proto: HTTPS", "Host: tasks.example.org"), "https://tasks.example.org"),
        (("Host: tasks.example.org:8443",), "http://tasks.example.org:8443"),
        (("Host: [2001:db8::1]:8443",), "http://[2001:db8::1]:8443"),
        (("Prefix: /api",), "http://inner:8001/api"),
        (("Prefix: /api/v1/",), "http://inner:8001/api/v1"),
        (("Prefix: /",), "http://inner:8001"),
        # Of a list, what the trusted proxies have added: here one, and then two.
        (("Proto: http, https", "Host: evil.example, tasks.example.org"), "https://tasks.example.org"),
        (("Prefix: /evil, /api",), "http://inner:8001/api"),
        (("Prefix: /evil", "Prefix: /api"), "http://inner:8001/api"),
        (("For: 192.0.2.1, 10.0.0.1", "Proto: gopher, https, http", "Host: a, b, c"), "https://b"),
        (("For: 192.0.2.1, 10.0.0.1", "Prefix: /evil, /outer/, /inner"), "http://inner:8001/outer/inner"),
        (("For: 192.0.2.1, 10.0.0.1", "Proto: https"), "https://inner:8001"),
        # What is none is not believed.
        (("Proto: javascript", "Host: a b", "Prefix: api"), "http://inner:8001"),
        (("Host: evil/x",), "http://inner:8001"),
        (("Host: user@evil",), "http://inner:8001"),
        (("Host: evil:65536",), "http://inner:8001"),
        (("Host: evil:",), "http://inner:8001"),
        (('Host: "evil"',), "http://inner:8001"),
        (("Prefix: /a?b", "Proto: "), "http://inner:8001"),
        (("Prefix: //evil",), "http://inner:8001"),
        (("Prefix: /a\\b",), "http://inner:8001"),
    ],
)
def test_links_begin_where_the_client_reached_the_trusted_proxy(headers: tuple[str, ...], base: str) -> None:
    request = _LinkRequest("127.0.0.1", headers)
    assert _forwarded(PROXIES).base_url(request) == base  # type: ignore[arg-type]
    for remote in ("192.0.2.77", ""):
        stranger = _LinkRequest(remote, headers)
        assert _forwarded(PROXIES).base_url(stranger) == "http://inner:8001"  # type: ignore[arg-type]


class _LinkRequest:
    """As aiohttp's, with what is read of it."""

    scheme = "http"

    def __init__(self, remote: str, headers: tuple[str, ...], host: str = "inner:8001") -> None:
        self.remote = remote
        self.host = host
        pairs = (header.split(": ") for header in headers)
        lines = [(f"x-forwarded-{name}", value) for name, value in pairs]
        self.headers = CIMultiDict([("host", host), *lines])

    def get_extra_info(self, name: str) -> object:
        return {"sockname": ("::1", 8001, 0, 0)}[name]


@pytest.mark.parametrize(
    "host", ["evil/x", "a:99999", "a b", "", "\udce9.example", "user@evil", "[::1", "a?b", 'a"b']
)
def test_links_never_hold_a_host_that_is_none(host: str) -> None:
    request = _LinkRequest("192.0.2.77", (), host)
    assert _forwarded(PROXIES).base_url(request) == "http://[::1]:8001"  # type: ignore[arg-type]
