"""Origins in the setting match what browsers send."""

from __future__ import annotations

import pytest

from shared.origins import OriginPolicy, normalized_origin
from shared.settings import load_settings


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
def test_origin_is_normalized_as_browsers_send_it(written: str, sent: str) -> None:
    assert normalized_origin(written) == sent
    assert _policy(written).allows(sent)
    assert not _policy(written).allows(f"{sent}.evil.example")
    assert not _policy(written).allows(f"{sent}:1")


@pytest.mark.parametrize("sent", ["https://xn--bcher-kva.example", "https://xn--bcher-kva.example:8443"])
def test_any_port_of_the_same_host_is_allowed(sent: str) -> None:
    policy = _policy("https://Bücher.example:*")
    assert policy.allows(sent)
    assert not policy.allows(sent.replace("https", "http"))
    assert not policy.allows("https://bücher.example")  # no browser sends it


def test_each_refused_origin_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    policy = _policy("https://example.org")
    for origin in ("https://one.example", "https://two.example", "null", "https://one.example"):
        policy.log_refused(origin)
    assert [record.getMessage() for record in caplog.records] == [
        f"pages of the origin {origin} are refused: it is not in ALLOWED_ORIGINS"
        for origin in ("https://one.example", "https://two.example", "null")
    ]


@pytest.mark.parametrize(
    "origin", ["a secret", "Bearer x.y.z", "https://user:secret@a.example", "x" * 5000, "\n"]
)
def test_a_value_that_is_not_an_origin_is_not_logged(origin: str, caplog: pytest.LogCaptureFixture) -> None:
    _policy("https://example.org").log_refused(origin)
    [record] = caplog.records
    assert record.getMessage() == "pages of the origin (none) are refused: it is not in ALLOWED_ORIGINS"
