"""One host is one address, however it is spelled."""

from __future__ import annotations

import time

import pytest

from rest_gateway.addresses import parse_address, subscriber


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1 ", "192.0.2.1"),
        ("192.0.2.1:65535", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:C000:201", "192.0.2.1"),
        ("[::ffff:192.0.2.1]:80", "192.0.2.1"),
        ("0:0:0:0:0:ffff:192.0.2.1", "192.0.2.1"),
        ("2001:DB8::1", "2001:db8::/64"),
        ("2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::/64"),
        ("[2001:db8::ffff]", "2001:db8::/64"),
        ("[2001:db8::2]:443", "2001:db8::/64"),
        ("2001:db8:0:1::2", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("[fe80::2%25]:1", "fe80::/64"),
        ("::1", "::/64"),
    ],
)
def test_spellings_of_one_subscriber(text: str, expected: str) -> None:
    address = parse_address(text)
    assert address is not None
    assert subscriber(address) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "unknown",
        "_hidden",
        "192.0.2.256",
        "192.0.2.1:port",
        "192.0.2.1:",
        "192.0.2.1:٣",
        "192.0.02.1",
        "[2001:db8::1",
        "2001:db8::1]",
        "[2001:db8::1]x",
        ":80",
        "example.org:80",
        "192.0.2.1/8",
        "\0",
        "☃",
    ],
)
def test_what_is_no_address(text: str) -> None:
    assert parse_address(text) is None


def test_a_long_text_costs_nothing() -> None:
    started = time.perf_counter()
    for text in ("1" * 10_000_000, "[" * 10_000_000, ":" * 10_000_000, "f:" * 5_000_000):
        assert parse_address(text) is None
    assert time.perf_counter() - started < 1
