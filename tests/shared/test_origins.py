"""Origins of the setting mean what browsers send for them."""

from __future__ import annotations

import logging

import pytest

from shared.origins import OriginPolicy, as_browsers_write
from shared.settings import load_settings
from shared.telemetry import SeldomEach


def _policy(setting: str) -> OriginPolicy:
    return OriginPolicy(load_settings({"TASKBEAM_ALLOWED_ORIGINS": setting}).allowed_origins)


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("https://example.org", "https://example.org"),
        ("HTTPS://Example.ORG:443", "https://example.org"),
        ("http://example.org:80", "http://example.org"),
        ("http://example.org:0080", "http://example.org"),
        ("https://example.org:80", "https://example.org:80"),
        ("http://example.org:443", "http://example.org:443"),
        # What Chromium and Firefox make of these is what the URL standard says.
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("https://BÜCHER.example:443", "https://xn--bcher-kva.example"),
        ("https://bu\u0308cher.example", "https://xn--bcher-kva.example"),
        ("https://straße.example", "https://xn--strae-oqa.example"),
        ("https://例え。テスト", "https://xn--r8jz45g.xn--zckzah"),
        ("https://☃.example", "https://xn--n3h.example"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("https://a_b.ab--c.example", "https://a_b.ab--c.example"),
        ("http://[0:0:0:0:0:0:0:1]:3000", "http://[::1]:3000"),
        ("http://[2001:DB8::00ff]", "http://[2001:db8::ff]"),
        ("http://127.0.0.1:5173", "http://127.0.0.1:5173"),
        ("chrome-extension://abcdefgh", "chrome-extension://abcdefgh"),
    ],
)
def test_origin_is_compared_as_browsers_write_it(written: str, sent: str) -> None:
    assert as_browsers_write(written) == sent
    assert _policy(written).allows(sent)
    assert not _policy(written).allows(f"{sent}.evil.example")
    assert not _policy(written).allows(f"{sent}:1")


@pytest.mark.parametrize("sent", ["https://xn--bcher-kva.example", "https://xn--bcher-kva.example:8443"])
def test_any_port_is_of_the_same_host(sent: str) -> None:
    policy = _policy("https://Bücher.example:*")
    assert policy.allows(sent)
    assert not policy.allows(sent.replace("https", "http"))
    assert not policy.allows("https://bücher.example")  # no browser sends it


def test_each_refused_origin_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    policy = _policy("https://example.org")
    for origin in ("https://one.example", "https://two.example", "null", "https://one.example"):
        policy.tell_refused(origin)
    assert [record.getMessage() for record in caplog.records] == [
        f"pages of the origin {origin} are refused: it is not in ALLOWED_ORIGINS"
        for origin in ("https://one.example", "https://two.example", "null")
    ]


@pytest.mark.parametrize(
    "origin", ["a secret", "Bearer x.y.z", "https://user:secret@a.example", "x" * 5000, "\n"]
)
def test_what_is_no_origin_is_not_shown(origin: str, caplog: pytest.LogCaptureFixture) -> None:
    _policy("https://example.org").tell_refused(origin)
    [record] = caplog.records
    assert record.getMessage() == "pages of the origin (none) are refused: it is not in ALLOWED_ORIGINS"


def test_lines_about_what_strangers_name_are_bounded(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("shared.telemetry.time.monotonic", lambda: now)
    says = SeldomEach(logging.getLogger("test"))
    for number in range(1000):
        says.warning(f"thing {number}", "%d", number)
    assert len(caplog.records) == 20
    now = 61.0
    says.warning("thing 0", "again")
    says.warning("thing 2000", "new")
    assert caplog.records[-1].getMessage() == "new"
    assert len(caplog.records) == 21
    now = 3601.0
    says.warning("thing 0", "again")
    assert caplog.records[-1].getMessage() == "again"
    for number in range(1000):
        now += 60
        says.warning(f"other {number}", "x")
    assert len(says._told) == 100
