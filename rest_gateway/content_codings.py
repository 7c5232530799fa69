"""Compressed bodies (RFC 9110, section 8.4), unpacked up to a limit."""

from __future__ import annotations

import asyncio
import zlib
from typing import Final

from rest_gateway.errors import BodyRefused, HttpError, Refusal

_SLICE_BYTES: Final = 65_536  # unpacked in one turn of the event loop
_MEMBERS_MAX: Final = 64  # of a gzip file; each costs its own time, however little is in it
_GZIP: Final = 16 + zlib.MAX_WBITS
_CODINGS: Final = {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate"}
ACCEPTED: Final = "gzip, deflate"


def coding_of(lines: list[str]) -> str | None:
    """The coding that ``Content-Encoding`` names, gzip or deflate; ``None`` where there is none.

    Raises:
        HttpError: 415, it is another one, or there are several.
    """
    names = [name.strip().lower() for line in lines for name in line.split(",")]
    names = [name for name in names if name not in ("", "identity")]
    if not names:
        return None
    if len(names) > 1 or names[0] not in _CODINGS:
        raise HttpError(
            415,
            f"Unsupported Content-Encoding in request; supported: {ACCEPTED}.",
            {"Accept-Encoding": ACCEPTED},
        )
    return _CODINGS[names[0]]


async def unpacked(body: bytes, coding: str, max_bytes: int) -> bytes:
    """The body as it was before it was compressed.

    Raises:
        BodyRefused: it has more than ``max_bytes``.
        HttpError: 400, it is corrupt, cut short, or something follows it.
    """
    found = bytearray()
    members = 0
    while body or not members:
        members += 1
        if members > 1 and (coding != "gzip" or members > _MEMBERS_MAX):
            raise _corrupt(coding)
        body = await _unpack_member(body, coding, found, max_bytes)
    return bytes(found)


async def _unpack_member(body: bytes, coding: str, found: bytearray, max_bytes: int) -> bytes:
    """Append one compressed stream, unpacked; returns what follows it."""
    stream = zlib.decompressobj(_GZIP if coding == "gzip" else _deflate_bits(body))
    while True:
        try:
            piece = stream.decompress(body, _SLICE_BYTES)
        except zlib.error:
            raise _corrupt(coding) from None
        found += piece
        if len(found) > max_bytes:
            raise BodyRefused(Refusal.TOO_LARGE)
        if stream.eof:
            return stream.unused_data
        body = stream.unconsumed_tail
        if not body and len(piece) < _SLICE_BYTES:
            raise _corrupt(coding)
        await asyncio.sleep(0)


def _deflate_bits(body: bytes) -> int:
    """Some clients send deflate without the zlib header that RFC 9110 asks for."""
    has_header = body[:1] and body[0] & 0x0F == zlib.DEFLATED and int.from_bytes(body[:2]) % 31 == 0
    return zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS


def _corrupt(coding: str) -> HttpError:
    return HttpError(400, f"Content-Encoding error - the body is no valid {coding}.")
