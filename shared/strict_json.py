"""JSON by the standard: no NaN, no lone surrogates, bounded nesting; with DRF's error messages."""

from __future__ import annotations

import json
from array import array
from itertools import accumulate
from typing import Any, Final, NoReturn

import msgspec

DEPTH_MAX: Final = 64
"""How deep arrays and objects may nest. Our own limit: the interpreter's differs between versions."""
_SHORTEST_TOO_DEEP: Final = 2 * (DEPTH_MAX + 1)  # a shorter text cannot be valid JSON and too deep
_STEPS: Final = bytes.maketrans(b"[{]}", b"\1\1\xff\xff")  # 1 and -1, as signed bytes
_NO_STEPS: Final = bytes(set(range(256)) - set(b"[{]}"))

_decode = msgspec.json.Decoder().decode


class MalformedJSON(ValueError):
    """Not JSON. ``str()`` says where and why, in the words of Python's ``json``, like DRF."""


def decode(text: str | bytes) -> Any:
    """Decode a JSON document.

    Raises:
        MalformedJSON: not JSON, NaN or Infinity, a lone surrogate, or nested deeper than `DEPTH_MAX`.
    """
    if len(text) >= _SHORTEST_TOO_DEEP:
        _check_depth(text)
    try:
        return _decode(text)
    except (msgspec.DecodeError, UnicodeError):
        return _decode_with_stdlib(text)


def _check_depth(text: str | bytes) -> None:
    """Raise MalformedJSON where the text nests too deeply, valid or not. Done first, since it bounds the decoders' work."""
    if isinstance(text, str):
        if text.count("[") + text.count("{") <= DEPTH_MAX:
            return
        text = text.encode(errors="surrogatepass")
    elif text.count(b"[") + text.count(b"{") <= DEPTH_MAX:
        return
    without_strings = b"".join(text.replace(rb"\\", b"").replace(rb"\"", b"").split(b'"')[::2])
    steps = array("b", without_strings.translate(_STEPS, _NO_STEPS))
    if max(accumulate(steps), default=0) > DEPTH_MAX:
        raise MalformedJSON("nested too deeply")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"Out of range float values are not JSON compliant: {name!r}")  # DRF's message


def _decode_with_stdlib(text: str | bytes) -> Any:
    """Decode with ``json``: for its error messages, and for numbers that are too large for msgspec."""
    try:
        document = json.loads(
            text if isinstance(text, str) else text.decode(), parse_constant=_refuse_constant
        )
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise MalformedJSON("lone surrogates are no characters") from None
    except ValueError as reason:
        raise MalformedJSON(str(reason)) from None
    return document
