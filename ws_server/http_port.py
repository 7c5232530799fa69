"""The HTTP/1.1 of the WebSocket port, on the Sans-I/O core of h11: one request a connection.

Every connection begins here. An upgrade that is granted hands the transport, and what came behind the head,
on. Any other request is answered once its body has been read; then the connection ends.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final, cast

import h11
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHeader
from websockets.http11 import Request, Response

from shared.request_ids import choose_request_id
from ws_server.deadlines import Deadline
from ws_server.http_answers import refusal
from ws_server.open_sockets import OpenSockets

_HEAD_MAX_BYTES: Final = 16384
_REQUEST_LINE_MAX_BYTES: Final = 8192
_HEADERS_MAX: Final = 128
_BODY_MAX_BYTES: Final = 262144  # read before the answer; of a larger body the rest follows it
_LEFT_OVER_MAX_BYTES: Final = 16 * 1024 * 1024  # dropped after the answer, while its reader still sends
_HEAD_SECONDS: Final = 1.0  # for the request, where connections run out
_CUT_AT_ONCE: Final = 64
_EVENTS_AT_ONCE: Final = 64  # chunks of a body, before it is another connection's turn

Answer = Callable[[Request], Response | Awaitable[Response]]
"""Answers a request. Status 101 grants an upgrade."""

OpenSocket = Callable[[asyncio.Transport, float, str, bytes], None]
"""Takes over the transport of an upgraded connection, with the ``loop.time()`` of its beginning, the id of its request,
and what came behind the head."""

log = logging.getLogger(__name__)


class HttpPort:
    """The protocol factory of the listening sockets.

    Args:
        open_seconds: from the TCP connection to the end of the request.
    """

    def __init__(
        self, sockets: OpenSockets, answer: Answer, open_socket: OpenSocket, open_seconds: float
    ) -> None:
        self.sockets = sockets
        self.answer = answer
        self.open_socket = open_socket
        self.open_seconds = open_seconds
        self.connections: dict[HttpConnection, None] = {}  # the oldest first
        self.is_serving = True

    def __call__(self) -> HttpConnection:
        return HttpConnection(self)

    def make_room(self) -> None:
        """Cut the connections that have been sending a request for longest, so that silent ones do not keep all others out."""
        late = self.sockets.loop.time() - _HEAD_SECONDS
        for connection in itertools.islice(self.connections, _CUT_AT_ONCE):
            if connection.opened < late:
                connection.abort()

    def stop(self) -> None:
        """Open no more sockets; cut connections that have not been answered yet."""
        self.is_serving = False
        for connection in list(self.connections):
            connection.abort()


class HttpConnection(asyncio.Protocol):
    """One connection until it is upgraded, or answered and closed. ``opened`` is its beginning, as ``loop.time()``."""

    __slots__ = (
        "_answering",
        "_body_bytes",
        "_deadline",
        "_dropped",
        "_head_bytes",
        "_http",
        "_port",
        "_request",
        "_transport",
        "opened",
    )

    _transport: asyncio.Transport
    opened: float

    def __init__(self, port: HttpPort) -> None:
        self._port = port
        self._http: h11.Connection | None = h11.Connection(h11.SERVER, _HEAD_MAX_BYTES)
        self._request: Request | None = None  # its head is complete
        self._head_bytes = 0
        self._body_bytes = 0
        self._dropped = 0  # bytes that came behind the request, or after the answer
        self._answering: asyncio.Task[None] | None = None
        self._deadline: Deadline | None = None

    def abort(self) -> None:
        """Cut the connection."""
        self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        sockets = self._port.sockets
        self.opened = sockets.loop.time()
        self._deadline = sockets.deadlines.set(self.opened + self._port.open_seconds, self._on_late)
        self._port.connections[self] = None
        if not self._port.is_serving:
            self.abort()

    def data_received(self, data: bytes) -> None:
        if self._http is None:
            self._drop(len(data))
        elif self._request is not None:
            self._take_body(self._http, data)
        else:
            self._take_head(self._http, data)

    def eof_received(self) -> bool:
        """A client may close its side behind the head, and still read the answer; within it, it has gone."""
        if self._request is not None and self._answering is None:
            self._answer(self._request, b"")
        return self._answering is not None

    def connection_lost(self, exc: Exception | None) -> None:
        self._remove()
        if self._answering is not None:
            self._answering.cancel()

    def _on_late(self) -> None:
        """Time is up. A body that does not come is no reason to leave its request without an answer."""
        if self._request is not None and self._answering is None:
            self._answer(self._request, b"")
        else:
            self.abort()

    def _remove(self) -> None:
        self._port.connections.pop(self, None)
        self._port.sockets.deadlines.cancel(self._deadline)

    # The request

    def _take_head(self, http: h11.Connection, data: bytes) -> None:
        room = _HEAD_MAX_BYTES - self._head_bytes
        self._head_bytes += len(data)
        http.receive_data(data[:room])
        try:
            event = http.next_event()
        except h11.RemoteProtocolError as error:
            _free(error)
            self._refuse(HTTPStatus(error.error_status_hint))
            return
        if isinstance(event, h11.Request):
            try:
                self._request = _request(event)
            except _Refused as refused:
                self._refuse(refused.status)
            else:
                self._take_body(http, data[room:])
        elif b"\n" not in http.trailing_data[0][: _REQUEST_LINE_MAX_BYTES + 1]:
            if self._head_bytes > _REQUEST_LINE_MAX_BYTES:
                self._refuse(HTTPStatus.REQUEST_URI_TOO_LONG)
        elif self._head_bytes >= _HEAD_MAX_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def _take_body(self, http: h11.Connection, data: bytes) -> None:
        if data:
            self._body_bytes += len(data)
            http.receive_data(data)
        self._read_body()

    def _read_body(self) -> None:
        """Read to the end of the body, or of as much of it as we care for."""
        http, request = self._http, self._request
        if http is None or request is None or self._transport.is_closing():
            return
        for _ in range(_EVENTS_AT_ONCE):
            try:
                event = http.next_event()
            except h11.RemoteProtocolError as error:
                _free(error)
                self._refuse(HTTPStatus.BAD_REQUEST)
                return
            if isinstance(event, h11.EndOfMessage):
                self._answer(request, http.trailing_data[0])
                return
            if event is h11.NEED_DATA:
                if self._body_bytes > _BODY_MAX_BYTES or http.they_are_waiting_for_100_continue:
                    self._answer(request, b"")
                else:
                    self._transport.resume_reading()
                return
        self._transport.pause_reading()
        self._port.sockets.loop.call_soon(self._read_body)

    # The answer

    def _refuse(self, status: HTTPStatus) -> None:
        log.debug("refused what was no request: %d", status)
        self._respond(refusal(status), b"")

    def _answer(self, request: Request, rest: bytes) -> None:
        try:
            answer = self._port.answer(request)
        except Exception:
            log.exception("a request failed")
            answer = refusal(HTTPStatus.INTERNAL_SERVER_ERROR)
        if isinstance(answer, Response):
            self._respond(answer, rest)
        else:
            self._transport.pause_reading()
            self._answering = self._port.sockets.loop.create_task(self._respond_later(answer))

    async def _respond_later(self, answer: Awaitable[Response]) -> None:
        try:
            response = await answer
        except Exception:
            log.exception("a request failed")
            response = refusal(HTTPStatus.INTERNAL_SERVER_ERROR)
        self._answering = None
        self._respond(response, b"")

    def _respond(self, response: Response, rest: bytes) -> None:
        request, self._http, self._request = self._request, None, None
        if self._transport.is_closing():
            return
        if response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            if self._port.is_serving and request is not None:
                self._upgrade(request, response, rest)
                return
            response = refusal(HTTPStatus.SERVICE_UNAVAILABLE)
        self._transport.write(response.serialize())
        self._dropped = len(rest)
        try:
            self._transport.write_eof()
        except (OSError, RuntimeError):  # the peer was faster
            self._transport.abort()
            return
        # To close while the peer still sends would reset the connection, and the answer with it.
        self._transport.resume_reading()
        deadlines = self._port.sockets.deadlines
        deadlines.cancel(self._deadline)
        self._deadline = deadlines.after(self._port.sockets.timeouts.close, self.abort)

    def _drop(self, count: int) -> None:
        self._dropped += count
        if self._dropped > _LEFT_OVER_MAX_BYTES:
            self.abort()

    def _upgrade(self, request: Request, response: Response, rest: bytes) -> None:
        self._remove()
        self._transport.write(response.serialize())
        given = request.headers.get_all("X-Request-ID")
        request_id = choose_request_id(given[0] if len(given) == 1 else None)
        self._port.open_socket(self._transport, self.opened, request_id, rest)


def _free(error: h11.RemoteProtocolError) -> None:
    """Its traceback keeps the connection, and h11 has it keep itself: only the garbage collector would free them."""
    error.__traceback__ = error.__context__ = None


class _Refused(Exception):
    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status)
        self.status = status


def _request(event: h11.Request) -> Request:
    """Raises _Refused for what h11 lets pass."""
    if len(event.target) > _REQUEST_LINE_MAX_BYTES:
        raise _Refused(HTTPStatus.REQUEST_URI_TOO_LONG)
    if event.http_version not in (b"1.1", b"1.0"):
        raise _Refused(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)
    if len(list(event.headers)) > _HEADERS_MAX:
        raise _Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
    headers = Headers()
    try:
        for name, value in event.headers:
            headers[name.decode("ascii")] = value.decode("latin-1")
    except InvalidHeader:  # a control character in a value
        raise _Refused(HTTPStatus.BAD_REQUEST) from None
    version = event.http_version.decode("ascii")
    return Request(event.target.decode("ascii"), headers, event.method.decode("ascii"), f"HTTP/{version}")
