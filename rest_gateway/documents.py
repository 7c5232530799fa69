"""The documents of the API, and the pages that show them: made once, then sent from memory.

Nothing in them depends on who asks. The pages need nothing from other hosts, and their Content-Security-Policy lets them
load nothing from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from aiohttp import hdrs, web

from rest_gateway.bodies import JSON
from rest_gateway.endpoint import Endpoint, any_media_type
from rest_gateway.openapi.document import make_document
from rest_gateway.static_files import MEDIA_TYPES, StaticFile, page_headers
from shared.settings import Settings

_HERE: Final = Path(__file__).parent
_PAGES: Final = _HERE / "pages"
ASYNCAPI: Final = _HERE / "asyncapi.json"
"""Made of the WebSocket server's types: ``ws_server.asyncapi``."""

_WAY: Final = b"{docs}"  # stands in a page for the way from its own address to /docs/
_HEADERS: Final = page_headers(images="'self' data:")
_ANYWHERE: Final = ("0.0.0.0", "::")  # listens on all addresses, and is none itself


def make_endpoints(others: Mapping[str, Endpoint], settings: Settings) -> dict[str, Endpoint]:
    """The endpoints of the documents and pages. ``others``: the rest of the gateway's, which the documents describe too."""
    files = _pages()
    files |= _both("/asyncapi.json", StaticFile(_asyncapi(settings), JSON, _HEADERS))
    endpoints = {path.rstrip("/"): _endpoint(files) for path in (*files, "/openapi.json")}
    document = make_document({**others, **endpoints}, settings)
    files |= _both("/openapi.json", StaticFile(msgspec.json.encode(document), JSON, _HEADERS))
    return endpoints


def _endpoint(files: Mapping[str, StaticFile]) -> Endpoint:
    async def get(request: web.Request) -> web.StreamResponse:
        return await files[request.path].send(request)

    return Endpoint("Documentation", {hdrs.METH_GET: get}, public=True, accepts=any_media_type)


def _both(path: str, file: StaticFile) -> dict[str, StaticFile]:
    """The path without and with the slash at its end."""
    return {path: file, f"{path}/": file}


def _pages() -> dict[str, StaticFile]:
    """By path: ``index.html`` at ``/docs``, other pages by their names without the suffix, all else by its name."""
    files: dict[str, StaticFile] = {}
    for source in sorted(_PAGES.rglob("*")):
        if not source.is_file():
            continue
        content, media_type = source.read_bytes(), MEDIA_TYPES.get(source.suffix, "text/plain")
        if source == _PAGES / "index.html":
            files["/docs"] = StaticFile(content.replace(_WAY, b"docs/"), media_type, _HEADERS)
            files["/docs/"] = StaticFile(content.replace(_WAY, b""), media_type, _HEADERS)
        elif source.suffix == ".html":
            path = f"/docs/{source.stem}"
            files[path] = StaticFile(content.replace(_WAY, b""), media_type, _HEADERS)
            files[f"{path}/"] = StaticFile(content.replace(_WAY, b"../"), media_type, _HEADERS)
        else:
            files |= _both(
                f"/docs/{source.relative_to(_PAGES).as_posix()}", StaticFile(content, media_type, _HEADERS)
            )
    return files


def _asyncapi(settings: Settings) -> bytes:
    """The document, with the address that the settings give the WebSocket server."""
    document = msgspec.json.decode(ASYNCAPI.read_bytes())
    host = settings.ws_host[0]
    host = "localhost" if host in _ANYWHERE else f"[{host}]" if ":" in host else host
    document["servers"]["websocket"]["host"] = f"{host}:{settings.ws_port}"
    return msgspec.json.encode(document)
