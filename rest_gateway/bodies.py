"""The body of a request as an object: JSON or a form, compressed or not, within the limit of its size."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from aiohttp import hdrs, web
from multipart import parse_options_header

from rest_gateway.charsets import UTF_8, known_codec
from rest_gateway.content_codings import coding_of, unpacked
from rest_gateway.errors import BodyRefused, HttpError, Refusal
from rest_gateway.forms import multipart, urlencoded
from shared.errors import ValidationFailed
from shared.strict_json import MalformedJSON, decode

JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"
PARSED: Final = (JSON, FORM, MULTIPART)


async def read_data(request: web.Request) -> dict[str, object]:
    """The body as a JSON object; of a form, the last value of each field.

    Raises:
        HttpError: 400 for malformed bodies, 408 for one that comes too slowly, 413 above the application's
            ``client_max_size``, before and after unpacking; 415 for other media types and codings.
        ValidationFailed: the JSON is no object.
    """
    if not request.can_read_body:
        return {}
    try:
        body = await _read(request)
        if body and hdrs.CONTENT_ENCODING in request.headers:
            coding = coding_of(request.headers.getall(hdrs.CONTENT_ENCODING))
            if coding is not None:
                body = await unpacked(body, coding, request.client_max_size)
    except BodyRefused as error:
        error.__traceback__ = None  # it would keep the request, which keeps the error
        status, detail = error.refusal.value
        raise HttpError(status, detail, closes=True) from None
    except ConnectionError as error:  # the client has gone; nobody will read this
        error.__traceback__ = None
        status, detail = Refusal.CUT_OFF.value
        raise HttpError(status, detail, closes=True) from None
    return _parsed(body, request.headers.get(hdrs.CONTENT_TYPE, "")) if body else {}


async def _read(request: web.Request) -> bytes:
    """All of the body, as it was sent. Raises BodyRefused."""
    content, max_bytes = request.content, request.client_max_size
    if is_too_large(request):
        raise BodyRefused(Refusal.TOO_LARGE)
    if content.is_eof():
        body = content.read_nowait()  # a small body comes with the head
    else:
        pieces, size = [], 0
        while piece := await content.readany():
            pieces.append(piece)
            size += len(piece)
            if size > max_bytes:
                break
        body = b"".join(pieces)
    if len(body) > max_bytes:
        raise BodyRefused(Refusal.TOO_LARGE)
    return body


def is_too_large(request: web.Request) -> bool:
    """Whether its Content-Length is above the limit."""
    length = request.content_length
    return length is not None and length > request.client_max_size


def _parsed(body: bytes, content_type: str) -> dict[str, object]:
    media_type, parameters = _media_type(content_type)
    if media_type == JSON:
        return _json_object(_utf8(body, parameters.get("charset")))
    if media_type == FORM:
        return urlencoded(body, parameters.get("charset"))
    if media_type == MULTIPART:
        return multipart(body, parameters)
    # Header values that are no UTF-8 have surrogates, which JSON cannot have.
    shown = content_type.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    raise HttpError(415, f'Unsupported media type "{shown}" in request.')


@lru_cache(maxsize=256)
def _media_type(content_type: str) -> tuple[str, dict[str, str]]:
    """In lower case, with its parameters, whose names are in lower case too."""
    media_type, parameters = parse_options_header(content_type.replace("\t", " "))  # type: ignore[no-untyped-call]
    return media_type, parameters


def _utf8(body: bytes, charset: str | None) -> bytes:
    """DRF's rule: an unknown charset is taken for UTF-8."""
    codec = known_codec(charset)
    if codec is None or codec == UTF_8:
        return body
    try:
        return body.decode(codec).encode()
    except UnicodeError as error:
        raise HttpError(400, f"JSON parse error - {error}") from None


def _json_object(body: bytes) -> dict[str, object]:
    try:
        document = decode(body)
    except MalformedJSON as error:
        raise HttpError(400, f"JSON parse error - {error}") from None
    if document is None:
        raise ValidationFailed({"non_field_errors": ["No data provided"]})
    if not isinstance(document, dict):
        message = f"Invalid data. Expected a dictionary, but got {type(document).__name__}."
        raise ValidationFailed({"non_field_errors": [message]})
    return document
