"""What clients may send, for Hypothesis, and what they may be told of it."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st

from shared.errors import InvalidRequest
from tests.shared.json_values import values

UUID: Final = "16f894b8-cb89-4672-9561-0b80cc75ae1b"
NEAR: Final[st.SearchStrategy[object]] = st.sampled_from(
    ["", " ", "a", " a ", "\0", "a\0", "x" * 255, "x" * 256, "true", "0", 0, 1, 1.5, True, None, [], {}, UUID]
)


def objects(*keys: str) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with any value under any of the keys, and with other keys too."""
    return st.fixed_dictionaries({"other": values}, optional=dict.fromkeys(keys, NEAR | values))


def check_key(refused: InvalidRequest, *keys: str) -> None:
    assert refused.key in keys
    assert refused.detail
