"""The documents of the API and their pages, as they are served."""

from __future__ import annotations

import json
import re
from urllib.parse import urljoin

import pytest

from rest_gateway.documents import _asyncapi
from shared.settings import load_settings
from tests.support.clients import Account
from tests.support.exact_http import Reply, send
from tests.support.processes import ROOT, System
from ws_server.asyncapi import make_document

PAGES = ("/docs/", "/docs/openapi/", "/docs/asyncapi/")
DOCUMENTS = ("/openapi.json", "/asyncapi.json")
_LINK = re.compile(r'(?:href|src)="([^"]*)"')


def get(system: System, path: str, **headers: str) -> Reply:
    return send(
        system.gateway.port, "GET", path, {name.replace("_", "-"): value for name, value in headers.items()}
    )


@pytest.mark.parametrize("path", [*PAGES, *DOCUMENTS])
def test_with_and_without_the_slash_it_is_the_same_for_everybody(system: System, path: str) -> None:
    with_slash, without = get(system, f"{path.rstrip('/')}/"), get(system, path.rstrip("/"))
    assert with_slash.status == without.status == 200
    assert with_slash.headers["content-type"] == without.headers["content-type"]
    assert with_slash.headers["content-type"] == (
        "text/html; charset=utf-8" if path in PAGES else "application/json"
    )
    if path in DOCUMENTS:
        assert with_slash.body == without.body


@pytest.mark.parametrize("path", [*PAGES, *DOCUMENTS])
def test_a_cache_asks_whether_it_has_changed(system: System, account: Account, path: str) -> None:
    reply = get(system, path)
    tag = reply.headers["etag"]
    assert reply.headers["cache-control"] == "no-cache"
    for known in (tag, f"W/{tag}", f'"other", {tag[:-1]}-gzip"', "*"):
        again = get(system, path, If_None_Match=known)
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
    assert get(system, path, If_None_Match='"other"').status == 200
    private = get(system, path, Authorization=f"Bearer {account.access}")
    assert private.headers["cache-control"] == "private, no-cache"


def test_head_and_other_methods(system: System) -> None:
    for path in (*PAGES, *DOCUMENTS):
        head = send(system.gateway.port, "HEAD", path, {})
        assert (head.status, head.body) == (200, b"")
        assert head.headers["content-length"] == str(len(get(system, path).body))
        refused = send(system.gateway.port, "POST", path, {})
        assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


def test_a_page_of_another_origin_may_read_the_documents(system: System) -> None:
    reply = get(system, "/openapi.json", Origin="http://localhost:3000")
    assert reply.headers["access-control-allow-origin"] == "http://localhost:3000"


def test_all_that_the_pages_load_is_there_whatever_the_slash(system: System) -> None:
    for page in (*PAGES, *(path.rstrip("/") for path in PAGES)):
        reply = get(system, page)
        links = _LINK.findall(reply.body.decode())
        assert len(links) > 3
        for link in links:
            target = urljoin(page, link)
            assert target.startswith("/"), link
            assert get(system, target, Accept="*/*").status == 200, (page, link)


def test_pages_have_no_code_or_style_of_their_own_and_load_none_from_elsewhere(system: System) -> None:
    for page in PAGES:
        reply = get(system, page)
        text = reply.body.decode()
        assert not re.search(r"<style|<script(?![^>]* src=)|\son\w+=|\sstyle=|https?:", text)
        policy = reply.headers["content-security-policy"]
        assert policy.startswith(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        )
        assert "unsafe" not in policy
        assert "http" not in policy


def test_what_is_vendored_has_its_licence_beside_it(system: System) -> None:
    pages = ROOT / "rest_gateway" / "pages"
    folders = {path.parent for path in pages.rglob("*") if path.is_file()} - {pages}
    assert {folder.name for folder in folders} == {"asyncapi-viewer", "swagger-ui"}
    for folder in folders:
        assert (
            get(system, f"/docs/{folder.name}/LICENSE").headers["content-type"] == "text/plain; charset=utf-8"
        )


def test_a_file_that_is_not_of_the_pages_is_not_there(system: System) -> None:
    for path in ("/docs/index.html", "/docs/../documents.py", "/docs/%2e%2e/documents.py", "/docs/nothing"):
        assert get(system, path).status == 404


@pytest.mark.parametrize(
    ("hosts", "host"),
    [
        ("", "127.0.0.1"),
        ("tasks.example.org,::", "tasks.example.org"),
        ("0.0.0.0", "localhost"),
        ("::1", "[::1]"),
    ],
)
def test_the_websocket_document_names_the_address_of_the_settings(hosts: str, host: str) -> None:
    settings = load_settings({"TASKBEAM_WS_HOST": hosts, "TASKBEAM_WS_PORT": "8123"})
    assert json.loads(_asyncapi(settings))["servers"]["websocket"]["host"] == f"{host}:8123"


def test_the_gateway_serves_the_websocket_document(system: System) -> None:
    served = json.loads(get(system, "/asyncapi.json").body)
    assert served.pop("servers")["websocket"]["host"] == f"127.0.0.1:{system.ws.port}"
    made = make_document()
    del made["servers"]
    assert served == made
