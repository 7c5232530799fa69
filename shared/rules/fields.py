"""The rules of single fields, and their texts: those of Django REST Framework's serializer fields.

So clients that were written against the original see the same answers.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from shared.errors import ValidationFailed

# DRF's BooleanField takes these spellings, in any case.
_TRUE: Final = frozenset({"t", "y", "yes", "true", "on", "1"})
_FALSE: Final = frozenset({"f", "n", "no", "false", "off", "0"})
_HEX_32: Final = re.compile(r"[0-9a-fA-F]{32}")
_CANONICAL_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class FieldError(ValueError):
    """What is wrong with one field's value, as messages for the client."""

    def __init__(self, *messages: str) -> None:
        super().__init__(*messages)
        self.messages = list(messages)


Rule = Callable[[object], Any]
"""Makes a clean value of what a client sent. Raises FieldError."""

Check = Callable[[str], str | None]
"""Says what is wrong with a text; ``None`` where nothing is."""


def clean_fields(
    data: Mapping[str, object], rules: Mapping[str, Rule], required: Collection[str] = ()
) -> dict[str, Any]:
    """Apply the rules to the keys that are there; other keys are ignored.

    Raises:
        ValidationFailed: with the messages of all bad fields at once.
    """
    cleaned: dict[str, Any] = {}
    errors: dict[str, list[str]] = {}
    for name, rule in rules.items():
        if name in data:
            try:
                cleaned[name] = rule(data[name])
            except FieldError as error:
                errors[name] = error.messages
        elif name in required:
            errors[name] = ["This field is required."]
    if errors:
        raise ValidationFailed(errors)
    return cleaned


def clean_text(value: object, *checks: Check, allow_blank: bool = False, trim: bool = True) -> str:
    """DRF's CharField. Raises FieldError with the messages of all checks that fail."""
    text = value if isinstance(value, str) else _number_as_text(value)
    if trim:
        text = text.strip()
    if not text:
        if allow_blank:
            return ""
        raise FieldError("This field may not be blank.")
    messages = [message for check in checks if (message := check(text)) is not None]
    if "\0" in text:
        messages.append("Null characters are not allowed.")
    if messages:
        raise FieldError(*messages)
    return text


def _number_as_text(value: object) -> str:
    if value is None:
        raise FieldError("This field may not be null.")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise FieldError("Not a valid string.")
    try:
        return str(value)
    except ValueError:  # an integer of more digits than Python turns into text
        raise FieldError("Not a valid string.") from None


def no_longer_than(length: int) -> Check:
    """DRF's MaxLengthValidator; the length is in characters."""
    message = f"Ensure this field has no more than {length} characters."

    def check(text: str) -> str | None:
        return message if len(text) > length else None

    return check


def text_up_to(length: int, *, allow_blank: bool = False) -> Rule:
    """``clean_text`` for a text of that length at most. Nearly every value is good, and costs one look."""
    check = no_longer_than(length)

    def clean(value: object) -> str:
        if isinstance(value, str):
            text = value.strip()
            if len(text) <= length and (text or allow_blank) and "\0" not in text:
                return text
        return clean_text(value, check, allow_blank=allow_blank)

    return clean


def clean_boolean(value: object) -> bool:
    """DRF's BooleanField. Raises FieldError."""
    if value is None:
        raise FieldError("This field may not be null.")
    if isinstance(value, str):
        if value.lower() in _TRUE:
            return True
        if value.lower() in _FALSE:
            return False
    elif isinstance(value, (bool, int, float)) and value in (0, 1):
        return bool(value)
    raise FieldError("Must be a valid boolean.")


def clean_uuid(value: object) -> str:
    """DRF's UUIDField, but for integers: the canonical form. Raises FieldError."""
    canonical = canonical_uuid(value) if isinstance(value, str) else None
    if canonical is None:
        raise FieldError("Must be a valid UUID.")
    return canonical


def as_integer(value: object) -> object:
    """A number without a fraction as an integer: JSON knows one kind of number, and some clients write 3 as 3.0.

    Anything else comes back as it is.
    """
    return int(value) if isinstance(value, float) and value.is_integer() else value


def canonical_uuid(text: str) -> str | None:
    """The lower-case dashed form, or ``None`` where the text is no UUID.

    Takes what Python's ``uuid.UUID`` does, and so Django: any case, no dashes, braces, a URN.
    """
    if _CANONICAL_UUID.fullmatch(text):
        return text
    digits = text.removeprefix("urn:").removeprefix("uuid:").strip("{}").replace("-", "")
    return str(uuid.UUID(digits)) if _HEX_32.fullmatch(digits) else None
