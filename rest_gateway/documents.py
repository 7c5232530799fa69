"""The documents of the API, and the pages that show them: made once, then sent from memory.

Nothing in them depends on who asks. The pages need nothing from other hosts, and their Content-Security-Policy lets them
load nothing from there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from aiohttp import hdrs, web

from rest_gateway.bodies import JSON
from rest_gateway.endpoint import Endpoint, any_media_type
from rest_gateway.openapi.document import make_document
from shared.settings import Settings

_HERE: Final = Path(__file__).parent
_PAGES: Final = _HERE / "pages"
ASYNCAPI: Final = _HERE / "asyncapi.json"
"""Made of the WebSocket server's types: ``ws_server.asyncapi``."""

_MEDIA_TYPES: Final = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_WAY: Final = b"{docs}"  # stands in a page for the way from its own address to /docs/
_PIECE_BYTES: Final = 65_536  # this much of a file waits for one slow reader
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
}
_ANYWHERE: Final = ("0.0.0.0", "::")  # listens on all addresses, and is none itself


def make_endpoints(others: Mapping[str, Endpoint], settings: Settings) -> dict[str, Endpoint]:
    """The endpoints of the documents and pages. ``others``: the rest of the gateway's, which the documents describe too."""
    files = _pages()
    files |= _both("/asyncapi.json", _File(_asyncapi(settings), JSON))
    endpoints = {path.rstrip("/"): _endpoint(files) for path in (*files, "/openapi.json")}
    document = make_document({**others, **endpoints}, settings)
    files |= _both("/openapi.json", _File(msgspec.json.encode(document), JSON))
    return endpoints


class _File:
    """Content under one entity tag."""

    def __init__(self, content: bytes, media_type: str) -> None:
        self._content = content
        self._media_type = media_type
        self._tag = hashlib.sha256(content).hexdigest()[:32]

    async def send(self, request: web.Request) -> web.StreamResponse:
        """A proxy that compresses adds to the tag."""
        known = request.if_none_match or ()
        if any(tag.value == "*" or tag.value.startswith(self._tag) for tag in known):
            return self._with_headers(web.Response(status=304), request)
        response = self._with_headers(web.StreamResponse(), request)
        response.content_type = self._media_type
        response.charset = None if self._media_type == JSON else "utf-8"
        response.content_length = len(self._content)
        if request.method != hdrs.METH_HEAD:
            await response.prepare(request)
            for start in range(0, len(self._content), _PIECE_BYTES):
                await response.write(self._content[start : start + _PIECE_BYTES])
        return response

    def _with_headers(self, response: web.StreamResponse, request: web.Request) -> web.StreamResponse:
        response.headers.update(_HEADERS)
        response.etag = self._tag
        is_private = hdrs.AUTHORIZATION in request.headers
        response.headers[hdrs.CACHE_CONTROL] = "private, no-cache" if is_private else "no-cache"
        return response


def _endpoint(files: Mapping[str, _File]) -> Endpoint:
    async def get(request: web.Request) -> web.StreamResponse:
        return await files[request.path].send(request)

    return Endpoint("Documentation", {hdrs.METH_GET: get}, public=True, accepts=any_media_type)


def _both(path: str, file: _File) -> dict[str, _File]:
    """The path without and with the slash at its end."""
    return {path: file, f"{path}/": file}


def _pages() -> dict[str, _File]:
    """By path: ``index.html`` at ``/docs``, other pages by their names without the suffix, all else by its name."""
    files: dict[str, _File] = {}
    for source in sorted(_PAGES.rglob("*")):
        if not source.is_file():
            continue
        content, media_type = source.read_bytes(), _MEDIA_TYPES.get(source.suffix, "text/plain")
        if source == _PAGES / "index.html":
            files["/docs"] = _File(content.replace(_WAY, b"docs/"), media_type)
            files["/docs/"] = _File(content.replace(_WAY, b""), media_type)
        elif source.suffix == ".html":
            path = f"/docs/{source.stem}"
            files[path] = _File(content.replace(_WAY, b""), media_type)
            files[f"{path}/"] = _File(content.replace(_WAY, b"../"), media_type)
        else:
            files |= _both(f"/docs/{source.relative_to(_PAGES).as_posix()}", _File(content, media_type))
    return files


def _asyncapi(settings: Settings) -> bytes:
    """The document, with the address that the settings give the WebSocket server."""
    document = msgspec.json.decode(ASYNCAPI.read_bytes())
    host = settings.ws_host[0]
    host = "localhost" if host in _ANYWHERE else f"[{host}]" if ":" in host else host
    document["servers"]["websocket"]["host"] = f"{host}:{settings.ws_port}"
    return msgspec.json.encode(document)
