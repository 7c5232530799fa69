"""The character sets that bodies may be in, by the names that clients declare.

A name that a client sends never reaches `codecs.lookup`, which keeps every name in memory.
"""

from __future__ import annotations

from encodings.aliases import aliases
from typing import Final

from rest_gateway.errors import HttpError

# Python's own notations. Some take quadratic time.
_NOTATIONS: Final = {
    "idna",
    "mbcs",
    "oem",
    "punycode",
    "raw_unicode_escape",
    "undefined",
    "unicode_escape",
    "utf_7",
}
_NO_TEXT: Final = {
    "base64_codec",
    "bz2_codec",
    "hex_codec",
    "quopri_codec",
    "rot_13",
    "uu_codec",
    "zlib_codec",
}
_CODECS: Final = aliases | {codec: codec for codec in aliases.values()}
UTF_8: Final = "utf_8"


def known_codec(charset: str | None) -> str | None:
    """Python's codec for a charset; ``None`` for an unknown one.

    Raises:
        HttpError: 400, it is no encoding of text.
    """
    if charset is None:
        return None
    codec = _CODECS.get(charset.strip().lower().replace("-", "_").replace(" ", "_"))
    if codec in _NO_TEXT:
        raise HttpError(400, f'Unsupported charset "{charset}" in request Content-Type header.')
    return None if codec in _NOTATIONS else codec
