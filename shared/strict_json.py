"""JSON as the standard has it: no NaN, no lone surrogates, bounded nesting, and DRF's error texts."""

from __future__ import annotations

import json
from typing import Any, NoReturn

import msgspec

_decode = msgspec.json.Decoder().decode


class MalformedJSON(ValueError):
    """The text is no JSON; ``str()`` says where and why, in the words of Python's ``json``, as DRF does."""


def decode(text: str | bytes) -> Any:
    """Decode a JSON document.

    Raises:
        MalformedJSON: not JSON, NaN or Infinity, a lone surrogate, or nested too deeply.
    """
    try:
        return _decode(text)
    except RecursionError:
        raise MalformedJSON("nested too deeply") from None
    except (msgspec.DecodeError, UnicodeError):
        return _decode_slowly(text)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"Out of range float values are not JSON compliant: {name!r}")  # DRF's own words


def _decode_slowly(text: str | bytes) -> Any:
    """With the standard library: for its words, and for numbers that the fast decoder finds too large."""
    try:
        document = json.loads(
            text if isinstance(text, str) else text.decode(), parse_constant=_refuse_constant
        )
        json.dumps(document, ensure_ascii=False).encode()
    except RecursionError:
        raise MalformedJSON("nested too deeply") from None
    except UnicodeEncodeError:
        raise MalformedJSON("lone surrogates are no characters") from None
    except ValueError as reason:
        raise MalformedJSON(str(reason)) from None
    return document
