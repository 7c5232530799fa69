"""Form bodies: the last value of each field, as Django's form parsers find it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from contextlib import suppress
from typing import Final
from urllib.parse import parse_qsl

from multipart import MultipartError, MultipartSegment, PushMultipartParser

from rest_gateway.charsets import UTF_8, known_codec
from rest_gateway.errors import HttpError
from shared.rules.tasks import BLANK_IS_ABSENT

_FIELDS_MAX: Final = 1000
_CHARSET_FIELD: Final = (
    "_charset_"  # browsers fill it in with the charset of the form (RFC 7578, section 4.6)
)


class File:
    """The value of a field that is a file; no rule takes it."""


def urlencoded(body: bytes, charset: str | None) -> dict[str, object]:
    """``application/x-www-form-urlencoded``. Raises HttpError 400."""
    codec = known_codec(charset) or UTF_8
    try:
        text = body.decode(codec)
    except UnicodeError:
        text = body.decode("latin-1")  # Django's rule
    fields = _pairs(text, codec)
    if charset is None and (named := known_codec(fields.get(_CHARSET_FIELD))) not in (None, codec):
        fields = _pairs(text, named or codec)
    return _present(fields)


def _pairs(text: str, codec: str) -> dict[str, str]:
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_FIELDS_MAX, encoding=codec))
    except ValueError as error:
        raise HttpError(400, f"Form parse error - {error}") from None


def multipart(body: bytes, parameters: Mapping[str, str]) -> dict[str, object]:
    """``multipart/form-data``, with the parameters of its media type. Raises HttpError 400."""
    boundary = parameters.get("boundary", "")
    if not boundary or not boundary.isascii() or len(boundary) > 200:
        raise _malformed(f"Invalid boundary in multipart: {boundary[:200] or None}")
    try:
        parts = _parts(body, boundary)
    except MultipartError as error:
        raise _malformed(str(error)) from None
    charset = parameters.get("charset")
    for part, content in parts:
        if part.name == _CHARSET_FIELD:
            charset = content.decode("latin-1").strip()
    codec = known_codec(charset) or UTF_8
    return _present({part.name or "": _value(part, content, codec) for part, content in parts})


def _parts(body: bytes, boundary: str) -> list[tuple[MultipartSegment, bytes]]:
    """Parts that have a name, in their order. Raises MultipartError."""
    parts: list[tuple[MultipartSegment, bytes]] = []
    content: list[bytes] = []
    with PushMultipartParser(boundary, max_segment_count=_FIELDS_MAX) as parser:
        for event in parser.parse(body):
            if isinstance(event, MultipartSegment):
                part, content = event, []
            elif event is not None:
                content.append(bytes(event))
            elif part.name and (part.filename is None or part.filename):
                parts.append((part, b"".join(content)))
    return parts


def _value(part: MultipartSegment, content: bytes, codec: str) -> str | File:
    if part.filename is not None:
        return File()
    if (part.header("Content-Transfer-Encoding") or "").strip().lower() == "base64":
        with suppress(binascii.Error):  # Django takes a value that is no base64 as it stands
            content = base64.b64decode(content)
    if part.charset is not None:
        own = known_codec(part.charset)
        if own is None:
            raise _malformed("Unsupported charset of a part")
        codec = own
    try:
        return content.decode(codec)
    except UnicodeError as error:
        raise _malformed(str(error)) from None


def _malformed(why: str) -> HttpError:
    return HttpError(400, f"Multipart form parse error - {why}")


def _present(fields: Mapping[str, object]) -> dict[str, object]:
    """Without the blank fields that count as left out."""
    return {name: value for name, value in fields.items() if not (value == "" and name in BLANK_IS_ABSENT)}
