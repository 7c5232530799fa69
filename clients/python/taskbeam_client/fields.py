"""What an application gives for a task's fields, checked before it waits in a queue.

A wrong type is a defect of the application, and told at once (``TypeError``, ``ValueError``). A value that the server
would end the connection for, and every write behind it with it, fails alone, as one that the server refuses does
(``Invalid``, in the server's words). Everything else is the server's to judge.
"""

from __future__ import annotations

import math
import uuid as uuids
from collections.abc import Mapping
from typing import Any, Final

_REVISION_MOST: Final = 2**53  # what every JSON reader takes as it is
_MAX_LENGTHS: Final = {"task": 255, "description": 10_000}  # the server's; a test holds them equal


def canonical_uuid(uuid: object) -> str:
    """Lower-case and dashed. Raises TypeError, ValueError."""
    if isinstance(uuid, uuids.UUID):
        return str(uuid)
    if not isinstance(uuid, str):
        raise TypeError(f"uuid: a string is expected, not {type(uuid).__name__}")
    try:
        return str(uuids.UUID(uuid))
    except ValueError:
        raise ValueError(f"uuid: a UUID is expected, not {uuid[:50]!r}") from None


def require_revision(rev: object) -> None:
    """Raises TypeError; ValueError for a number that no revision has. ``None`` stands for the one that is known."""
    if rev is None:
        return
    if isinstance(rev, bool) or not isinstance(rev, int):
        raise TypeError(f"rev: an integer is expected, not {type(rev).__name__}")
    if not 0 <= rev < _REVISION_MOST:
        raise ValueError("rev: a revision is expected, a number from 1 on")


def trimmed(fields: Mapping[str, object]) -> dict[str, Any]:
    """The fields as the server keeps them. Raises TypeError that names the field."""
    for name, value in fields.items():
        expected = bool if name == "completed" else str
        if not isinstance(value, expected) and not _is_no_number(value):
            wanted = "True or False" if expected is bool else "a string"
            raise TypeError(f"{name}: {wanted} is expected, not {type(value).__name__}")
    return {name: value.strip() if isinstance(value, str) else value for name, value in fields.items()}


def unsayable(fields: Mapping[str, object]) -> dict[str, list[str]]:
    """The errors of the fields that cannot be sent, in the form of ``Invalid``."""
    errors = {}
    for name, value in fields.items():
        if isinstance(value, str):
            most = _MAX_LENGTHS[name]
            if len(value) > most:
                errors[name] = [f"Ensure this field has no more than {most} characters."]
            elif not _is_unicode(value):
                errors[name] = ["Not a valid string."]
        elif _is_no_number(value):
            errors[name] = ["Must be a valid boolean." if name == "completed" else "Not a valid string."]
    return errors


def _is_unicode(text: str) -> bool:
    """Half a surrogate pair is a letter in Python, and none in UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_no_number(value: object) -> bool:
    """NaN and the infinities are numbers in Python, and nothing in JSON."""
    return isinstance(value, float) and not math.isfinite(value)
