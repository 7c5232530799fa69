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
def test_a_proxy_that_the_settings_do_not_know_is_told_once(
    caplog: pytest.LogCaptureFixture, remote: str
) -> None:
    forwarded = _forwarded("192.168.0.0/16")
    forwarded.warn_of_untrusted_proxy(_Request(remote))  # type: ignore[arg-type]
    assert not caplog.records
    for _ in range(3):
        forwarded.warn_of_untrusted_proxy(_Request(remote, "192.0.2.1"))  # type: ignore[arg-type]
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "TASKBEAM_TRUSTED_PROXIES" in record.getMessage()


@pytest.mark.parametrize(("trusted", "remote"), [("127.0.0.1", "127.0.0.1"), ("unix", ""), ("", "8.8.8.8")])
def test_no_warning_for_a_trusted_proxy_nor_for_what_a_stranger_sends(
    caplog: pytest.LogCaptureFixture, trusted: str, remote: str
) -> None:
    _forwarded(trusted).warn_of_untrusted_proxy(_Request(remote, "192.0.2.1"))  # type: ignore[arg-type]
    assert not caplog.records
