"""JSON as the standard has it: no NaN, no lone surrogates, bounded nesting, and DRF's error texts."""

from __future__ import annotations

import json
from array import array
from itertools import accumulate
from typing import Any, Final, NoReturn

import msgspec

DEPTH_MAX: Final = 64
"""Arrays and objects within one another. Our own bound: that of an interpreter differs from version to version."""
_SHORTEST_TOO_DEEP: Final = 2 * (DEPTH_MAX + 1)  # as JSON; what is shorter fails for another reason
_STEPS: Final = bytes.maketrans(b"[{]}", b"\1\1\xff\xff")  # 1 and -1, as signed bytes
_NO_STEPS: Final = bytes(set(range(256)) - set(b"[{]}"))

_decode = msgspec.json.Decoder().decode


class MalformedJSON(ValueError):
    """The text is no JSON; ``str()`` says where and why, in the words of Python's ``json``, as DRF does."""


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
        return _decode_slowly(text)


def _check_depth(text: str | bytes) -> None:
    """Raise MalformedJSON where it is nested too deeply, be it JSON otherwise or not. First of all: it bounds the rest."""
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
    raise ValueError(f"Out of range float values are not JSON compliant: {name!r}")  # DRF's own words


def _decode_slowly(text: str | bytes) -> Any:
    """With the standard library: for its words, and for numbers that the fast decoder finds too large."""
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
