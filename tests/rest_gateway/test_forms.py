"""Form bodies: charsets, boundaries and parts as browsers and others send them."""

from __future__ import annotations

import json

import pytest

from tests.support.clients import Account
from tests.support.exact_http import Reply, send
from tests.support.processes import System

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=XX"
PART = b'--XX\r\nContent-Disposition: form-data; name="task"\r\n'
END = b"\r\n--XX--\r\n"


def _post(system: System, account: Account, media: str, body: bytes) -> Reply:
    headers = {"Authorization": f"Bearer {account.access}", "Content-Type": media}
    return send(system.gateway.port, "POST", "/", headers, body)


@pytest.mark.parametrize(
    ("media", "body"),
    [
        (FORM, "task=café".encode()),
        (FORM, b"task=caf%C3%A9"),
        (FORM + "; charset=iso-8859-1", b"task=caf\xe9"),
        (FORM + "; charset=ISO-8859-1", b"task=caf%E9"),
        (FORM + "; Charset=windows-1252", b"task=caf%E9"),
        (FORM + "; charset=utf-16", "task=café".encode("utf-16")),
        (FORM, b"_charset_=iso-8859-1&task=caf%E9"),
        (FORM, b"task=caf\xe9"),  # Django's rule: what is no UTF-8 is Latin-1
        (FORM + "; charset=nonsense", b"task=caf%C3%A9"),
        (MULTIPART, PART + "\r\ncafé".encode() + END),
        (MULTIPART + "; charset=iso-8859-1", PART + b"\r\ncaf\xe9" + END),
        (MULTIPART, PART + b"Content-Type: text/plain; charset=ISO-8859-1\r\n\r\ncaf\xe9" + END),
        (
            MULTIPART,
            PART.replace(b"task", b"_charset_") + b"\r\niso-8859-1\r\n" + PART + b"\r\ncaf\xe9" + END,
        ),
        (MULTIPART, PART + b"Content-Transfer-Encoding: base64\r\n\r\nY2Fmw6k=" + END),
        ("multipart/form-data; Boundary=XX", PART + "\r\ncafé".encode() + END),
        ('Multipart/Form-Data; a=b; BOUNDARY="XX"', PART + "\r\ncafé".encode() + END),
        ("multipart/form-data;boundary=XX", PART + "\r\ncafé".encode() + END),
        (MULTIPART, b"preamble\r\n" + PART + "\r\ncafé".encode() + END + b"epilogue"),
    ],
)
def test_text_arrives_as_it_was_meant(system: System, account: Account, media: str, body: bytes) -> None:
    reply = _post(system, account, media, body)
    assert (reply.status, json.loads(reply.body).get("task")) == (201, "café"), reply


@pytest.mark.parametrize(
    ("media", "body"),
    [
        (FORM, b"a=b&" * 1001),
        (FORM + "; charset=bz2", b"task=t"),
        (FORM, b"_charset_=bz2&task=t"),
        (MULTIPART, PART + b"Content-Type: text/plain; charset=foo\r\n\r\nt" + END),
        (MULTIPART, PART + b"Content-Type: text/plain; charset=bz2\r\n\r\nt" + END),
        (MULTIPART, PART + b"\r\ncaf\xe9" + END),
        (MULTIPART, PART + b"A: b\r\n" * 50 + b"\r\nt" + END),
        (MULTIPART, PART + b"A: " + b"b" * 9000 + b"\r\n\r\nt" + END),
        (MULTIPART, PART + b"no colon\r\n\r\nt" + END),
        (MULTIPART, PART + b"\r\ncut short"),
        (MULTIPART, PART.replace(b"form-data", b"\xff") + b"\r\nt" + END),
        (MULTIPART, (PART + b"\r\nt\r\n") * 1001 + END[2:]),
        (MULTIPART, b"no boundary"),
        ("multipart/form-data", PART + b"\r\nt" + END),
        ("multipart/form-data; boundary=", PART + b"\r\nt" + END),
        ('multipart/form-data; boundary=""', PART + b"\r\nt" + END),
        ("multipart/form-data; xboundary=XX", PART + b"\r\nt" + END),
    ],
)
def test_a_malformed_form_is_refused_with_the_reason(
    system: System, account: Account, media: str, body: bytes
) -> None:
    before = system.gateway.log.read_text()
    reply = _post(system, account, media, body)
    assert (reply.status, list(json.loads(reply.body))) == (400, ["detail"]), reply
    assert system.gateway.log.read_text() == before


def test_of_a_field_given_twice_the_last_counts_and_a_file_is_no_text(
    system: System, account: Account
) -> None:
    reply = _post(system, account, MULTIPART, PART + b"\r\none\r\n" + PART + b"\r\ntwo" + END)
    assert json.loads(reply.body)["task"] == "two"
    file = PART.replace(b'"\r\n', b'"; filename="f"\r\n')
    reply = _post(system, account, MULTIPART, file + b"\r\nt" + END)
    assert (reply.status, json.loads(reply.body)) == (400, {"task": ["Not a valid string."]})
    reply = _post(
        system, account, MULTIPART, file.replace(b'"f"', b'""') + b"\r\n\r\n" + PART + b"\r\nt" + END
    )
    assert reply.status == 201, "a browser sends an empty file where none was chosen"
