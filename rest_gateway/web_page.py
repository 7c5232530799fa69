"""The page at ``/app/``: a live list of tasks in the browser, made of the files in ``web/`` and of the JavaScript client.

It has no other way to the tasks than the public API. The page and its Content-Security-Policy name the address of the WebSocket
server, as the browser reaches it.
"""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from rest_gateway.endpoint import Endpoint, any_media_type
from rest_gateway.errors import HttpError
from rest_gateway.keys import FORWARDED, WEBSOCKET_PORT
from rest_gateway.static_files import MEDIA_TYPES, StaticFile, page_headers

PATH: Final = "/app/"
_FOLDER: Final = Path(__file__).resolve().parent / "web"
_CLIENT: Final = "taskbeam.js"
_PLAIN_HOST: Final = re.compile(r"[a-z0-9._-]+")
_WEBSOCKET: Final = b"{websocket}"  # in the page: the address of the WebSocket server
_VERSION: Final = b"{version}"  # in the service worker: changes with every file, and with the address
_NAMES: Final = b"{names}"  # in the service worker: the files that it keeps
_PAGE: Final = "index.html"
_WORKER: Final = "worker.js"


def sent_to_page(request: web.Request) -> HttpError:
    """The answer that sends a browser to the page."""
    location = request.app[FORWARDED].path_prefix(request) + PATH
    return HttpError(302, f"The page is at {location}.", {hdrs.LOCATION: location})


def _sources() -> dict[str, bytes]:
    """By name. The client comes with the wheel, beside the other files, or lies elsewhere in the checkout."""
    sources = {path.name: path.read_bytes() for path in sorted(_FOLDER.iterdir())}
    if _CLIENT not in sources:
        sources[_CLIENT] = (_FOLDER.parents[1] / "clients" / "js" / _CLIENT).read_bytes()
    return sources


def websocket_url(request: web.Request) -> str:
    """Behind a proxy it has the origin of the page, otherwise the same host and a port of its own."""
    forwarded = request.app[FORWARDED]
    base = urlsplit(forwarded.base_url(request))
    if forwarded.is_on_proxy(request):
        scheme = "wss" if base.scheme == "https" else "ws"
        return f"{scheme}://{base.netloc}{base.path}/ws/tasks/"
    host = base.hostname or "localhost"
    host = f"[{host}]" if ":" in host else host
    return f"ws://{host}:{request.app[WEBSOCKET_PORT]}/ws/tasks/"


def _connect_source(url: str) -> str:
    """The origin, for connect-src; there only the scheme where the grammar of such lists has no place for the host (IPv6)."""
    split = urlsplit(url)
    if not _PLAIN_HOST.fullmatch(split.hostname or ""):
        return f"{split.scheme}:"
    return f"{split.scheme}://{split.netloc}"


_SOURCES: Final = _sources()
_DIGEST: Final = hashlib.sha256(b"".join(_SOURCES.values()))
_PLAIN_FILES: Final = {
    name: StaticFile(content, MEDIA_TYPES[Path(name).suffix], page_headers())
    for name, content in _SOURCES.items()
    if name not in (_PAGE, _WORKER)
}


async def _page(request: web.Request) -> web.StreamResponse:
    if not request.path.endswith("/"):
        raise sent_to_page(request)  # the page's own links are relative
    url = websocket_url(request)
    content = _SOURCES[_PAGE].replace(_WEBSOCKET, html.escape(url).encode())
    headers = page_headers(connect=f"'self' {_connect_source(url)}")
    return await StaticFile(content, "text/html", headers).send(request)


async def _worker(request: web.Request) -> web.StreamResponse:
    """A browser fetches it again at each visit: a new version, and it fetches all files anew."""
    digest = _DIGEST.copy()
    digest.update(websocket_url(request).encode())
    names = " ".join(_PLAIN_FILES).encode()
    content = _SOURCES[_WORKER].replace(_VERSION, digest.hexdigest()[:16].encode()).replace(_NAMES, names)
    return await StaticFile(content, "text/javascript", page_headers()).send(request)


def _endpoint(get: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Endpoint:
    return Endpoint("Page", {hdrs.METH_GET: get}, public=True, accepts=any_media_type)


ENDPOINTS: Final = {
    PATH.rstrip("/"): _endpoint(_page),
    PATH + _WORKER: _endpoint(_worker),
    **{PATH + name: _endpoint(file.send) for name, file in _PLAIN_FILES.items()},
}
