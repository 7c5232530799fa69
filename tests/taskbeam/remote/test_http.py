"""One request, and whatever may come back."""

from __future__ import annotations

import http.client
import socket
import ssl
import urllib.error
import urllib.request
from typing import Any

import pytest

from taskbeam.errors import ServerAway
from taskbeam.remote.http import Answer, LostAnswer, send
from tests.support.canned_server import Canned, answering
from tests.support.ports import free_port


def test_an_answer_is_its_status_and_json() -> None:
    with answering(Canned(200, {"a": 1}), Canned(204), Canned(400, ["no"])) as server:
        assert send(server.url, "GET", "/x") == Answer(200, {"a": 1})
        assert send(server.url, "DELETE", "/x", token="t") == Answer(204, None)
        assert send(server.url, "PATCH", "/x", {"task": "x"}, If_Match='"1"') == Answer(400, ["no"])
    assert server.requests == ["GET /x", "DELETE /x", "PATCH /x"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Canned(200, b"<html>"), " answered 200, but not as a gateway of Taskbeam does"),
        (Canned(200, b"[" * 100_000), " answered 200, but not as a gateway of Taskbeam does"),
        (Canned(404, b""), " answered 404, but not as a gateway of Taskbeam does"),
        (Canned(404, {"hint": "Go\nthere."}), " is not the REST API. Go there."),
        (Canned(502, b"<html>"), " answered 502: the server behind it seems to be away."),
        (
            Canned(302, b"", (("Location", "http://a/\tb"),)),
            " redirects to http://a/ b: if that is the server",
        ),
        (None, " does not answer: Remote end closed connection without response"),
    ],
)
def test_what_is_no_answer_of_a_gateway(answer: Canned | None, said: str) -> None:
    with answering(answer) as server, pytest.raises(ServerAway) as away:
        send(server.url, "POST", "/", {})
    assert away.value.message.startswith(f"{server.url}{said}")


def test_nobody_listens() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(ServerAway, match=f"No server answers at {url}: connection refused"):
        send(url, "GET", "/")


def test_tls_where_there_is_none() -> None:
    with answering() as server, pytest.raises(ServerAway, match="does not speak TLS"):
        send(server.url.replace("http", "https"), "GET", "/")


def _distrust() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "self-signed certificate"
    return error


@pytest.mark.parametrize(
    ("reason", "kind", "said"),
    [
        (socket.gaierror(-2, "Name or service not known"), ServerAway, "no host has this name."),
        (_distrust(), ServerAway, "the certificate is not trusted: self-signed certificate."),
        (TimeoutError("timed out"), LostAnswer, "no answer within 15 s."),
        (http.client.BadStatusLine("SSH-2.0"), ServerAway, "does not speak HTTP"),
        (ConnectionResetError(104, "Connection reset by peer"), LostAnswer, "Connection reset by peer."),
        ("unknown url type", ServerAway, "does not answer: unknown url type."),
    ],
)
def test_connections_that_fail(
    monkeypatch: pytest.MonkeyPatch, reason: Any, kind: type[ServerAway], said: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        if isinstance(reason, http.client.HTTPException):
            raise reason
        raise urllib.error.URLError(reason)

    monkeypatch.setattr(urllib.request.OpenerDirector, "open", fail)
    with pytest.raises(ServerAway) as away:
        send("http://a", "GET", "/")
    assert type(away.value) is kind
    assert said in away.value.message
