"""What a request brings and what it takes: JSON and form bodies, the Accept header."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qsl

from aiohttp import hdrs, web

from rest_gateway.errors import BodyRefused, HttpError
from shared.errors import ValidationFailed
from shared.strict_json import MalformedJSON, decode

_FORM: Final = "application/x-www-form-urlencoded"
_MULTIPART: Final = "multipart/form-data"
PARSED: Final = ("application/json", _FORM, _MULTIPART)
_FORM_FIELDS_MAX: Final = 1000
_BLANK_IS_ABSENT: Final = ("completed", "uuid")


async def read_data(request: web.Request) -> dict[str, object]:
    """The body as a JSON object; of a form, the last value of each field.

    Raises:
        HttpError: 400 for malformed bodies, 415 for other media types.
        ValidationFailed: the JSON is no object.
        web.HTTPRequestEntityTooLarge: above the application's ``client_max_size``.
    """
    if not request.can_read_body:
        return {}
    try:
        return await _read(request)
    except BodyRefused as error:
        error.__traceback__ = None  # it would keep the request, which keeps the error
        status, detail = error.refusal.value
        raise HttpError(status, detail, closes=True) from None
    except ConnectionError as error:  # the client has gone; nobody will read this
        error.__traceback__ = None
        raise HttpError(400, "The request body was cut off.") from None


async def _read(request: web.Request) -> dict[str, object]:
    content_type = request.headers.get(hdrs.CONTENT_TYPE, "")
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == _MULTIPART:
        return _form_data((await _multipart(request)).items())
    body = await _bytes(request)
    if not body:
        return {}
    if media_type == "application/json":
        return _json_object(_utf8(body, request.charset if ";" in content_type else None))
    if media_type == _FORM:
        return _form_data(_urlencoded(body))
    raise HttpError(415, f'Unsupported media type "{content_type}" in request.')


async def _bytes(request: web.Request) -> bytes:
    """The whole body. Raises web.HTTPRequestEntityTooLarge."""
    if not request.content.is_eof():
        return await request.read()
    body = request.content.read_nowait()  # it came with the head, as small ones do
    if len(body) > request.client_max_size:
        raise web.HTTPRequestEntityTooLarge(request.client_max_size)
    return body


def _utf8(body: bytes, charset: str | None) -> bytes:
    """DRF's rule: a charset that nobody knows is taken for UTF-8."""
    if charset is None or charset == "utf-8":
        return body
    try:
        return body.decode(charset).encode()
    except UnicodeError as error:
        raise HttpError(400, f"JSON parse error - {error}") from None
    except LookupError as error:
        if "text encoding" in str(error):  # bz2 and the like
            raise HttpError(400, f'Unsupported charset "{charset}" in request Content-Type header.') from None
        return body


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


def _form_data(fields: Iterable[tuple[str, object]]) -> dict[str, object]:
    """A form cannot leave a field out: a blank one that need not be there, and can't be blank, is not there."""
    return {name: value for name, value in fields if not (value == "" and name in _BLANK_IS_ABSENT)}


def _urlencoded(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_FORM_FIELDS_MAX)
    except ValueError as error:
        raise HttpError(400, f"Form parse error - {error}") from None


async def _multipart(request: web.Request) -> Mapping[str, object]:
    if "boundary=" not in request.headers.get(hdrs.CONTENT_TYPE, ""):
        raise HttpError(400, "Multipart form parse error - Invalid boundary in multipart: None")
    try:
        return await request.post()
    except (ValueError, AssertionError, RuntimeError) as error:
        raise HttpError(400, f"Multipart form parse error - {error}") from None


def require_json_accepted(request: web.Request) -> None:
    """Raises HttpError 406 when the client takes no JSON."""
    if not accepts(request, "application/json"):
        raise HttpError(406, "Could not satisfy the request Accept header.")


def accepts(request: web.Request, media_type: str) -> bool:
    """Whether the client takes it, as DRF decides: without a look at the weights."""
    lines = request.headers.getall(hdrs.ACCEPT, None)
    return lines is None or _is_among(media_type, ",".join(lines))


@lru_cache(maxsize=256)
def _is_among(media_type: str, accept: str) -> bool:
    ranges = [item.partition(";")[0].strip().lower() for item in accept.split(",")]
    group = media_type.partition("/")[0]
    return any(item in ("*/*", f"{group}/*", media_type) for item in ranges)
