"""Which texts can be a key of HS256."""

from __future__ import annotations

from typing import Final

import jwt
from jwt.algorithms import HMACAlgorithm

KEY_RULE: Final = "at least 32 bytes of UTF-8, no white space at the ends, not a PEM or SSH key"
_BYTES_MIN: Final = 32  # RFC 7518, section 3.2: as long as the hash of HS256
_PEM: Final = "-----BEGIN "
_hmac: Final = HMACAlgorithm(HMACAlgorithm.SHA256)


def is_usable(key: str) -> bool:
    """Whether a key is as ``KEY_RULE`` says. A PEM or SSH key is one of another kind, often public."""
    try:
        encoded = key.encode()
        _hmac.prepare_key(encoded)
    except (UnicodeEncodeError, jwt.InvalidKeyError):
        return False
    return len(encoded) >= _BYTES_MIN and key == key.strip() and _PEM not in key
