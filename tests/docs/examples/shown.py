"""How an answer is shown: what differs from run to run has one value on the page, and what is long is shortened."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import jwt

_WIDTH: Final = 84
_LONGEST: Final = 2400
_BEGINNING: Final = 3

EPOCH: Final = "k3Jd9f0a"
ACCESS: Final = "eyJhbGciOiJIUzI1NiIs…access"
REFRESH: Final = "eyJhbGciOiJIUzI1NiIs…refresh"
_REF: Final = "5f0c1d8e9a7b4c32"
_EXPIRES: Final = "2026-11-22T12:57:25.000000Z"
_FILE_TAG: Final = "1f3870be274f6c49b3e31a0c6728957f"
_FIRST_TIME: Final = datetime(2026, 11, 22, 11, 57, 25, 175297, tzinfo=UTC)
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Shown:
    """The values of one page, by those that the servers gave: the same value is shown alike in all its examples."""

    def __init__(self, epoch: str, page: str) -> None:
        self._epoch = epoch
        self._times: dict[str, str] = {}
        self._given = set(_UUID.findall(page))
        self._uuids: dict[str, str] = {}

    def text(self, text: str) -> str:
        text = re.sub(r"eyJ[\w-]+\.[\w-]+\.[\w-]+", self._token, text.replace(self._epoch, EPOCH))
        text = _TIME.sub(lambda found: self._time(found[0]), text)
        text = _UUID.sub(lambda found: self._uuid(found[0]), text)
        text = re.sub(r'("ref":\s*")[^"]+', rf"\g<1>{_REF}", text)
        text = re.sub(r'("retry_after":\s*)0\.\d+', r"\g<1>0.125", text)
        text = re.sub(r'("in":\s*)(59|60)\b', r"\g<1>60", text)
        text = re.sub(r'("in":\s*)[23]\b', r"\g<1>3", text)
        text = re.sub(r'("expires":\s*)"[^"]+"', rf'\g<1>"{_EXPIRES}"', text)
        text = re.sub(r'(?i)\betag: "[0-9a-f]{32}"', f'ETag: "{_FILE_TAG}"', text)
        text = text.replace(
            "413 Request Entity Too Large", "413 Content Too Large"
        )  # Python's words until 3.13
        return re.sub(r"(available in |Retry-After: )[3-6]\d\b", r"\g<1>30", text)

    def _token(self, found: re.Match[str]) -> str:
        kind = jwt.decode(found[0], options={"verify_signature": False}).get("token_type")
        return REFRESH if kind == "refresh" else ACCESS

    def _time(self, time: str) -> str:
        """Later times look later; the first of a page is the one that the reference shows elsewhere."""
        shown = _FIRST_TIME + timedelta(seconds=len(self._times) * 7.250113)
        return self._times.setdefault(time, shown.isoformat(timespec="microseconds").replace("+00:00", "Z"))

    def _uuid(self, uuid: str) -> str:
        """One that the page's requests give stays as it is."""
        if uuid in self._given and uuid not in self._uuids.values():
            return uuid
        return self._uuids.setdefault(uuid, f"7d1e5b90-3c4f-4a2b-8e61-{len(self._uuids) + 1:012x}")

    def real(self, request: str) -> str:
        """A request of the page, with the values that the servers know."""
        for uuid, shown in self._uuids.items():
            request = request.replace(shown, uuid)
        return request.replace(EPOCH, self._epoch)


def pretty(value: Any, first: int = 0, indent: int = 0) -> str:
    """JSON in lines of the page's width: what fits in one line stands in one. ``first``: where its first line begins."""
    line = json.dumps(value, ensure_ascii=False)
    if first + len(line) <= _WIDTH or not isinstance(value, dict | list) or not value:
        return line
    inner = " " * (indent + 2)
    if isinstance(value, dict):
        names = {json.dumps(key, ensure_ascii=False) + ": ": item for key, item in value.items()}
        items = [name + pretty(item, len(inner) + len(name), indent + 2) for name, item in names.items()]
        begin, end = "{", "}"
    else:
        items = [pretty(item, len(inner), indent + 2) for item in value]
        begin, end = "[", "]"
    return f"{begin}\n{inner}" + f",\n{inner}".join(items) + f"\n{' ' * indent}{end}"


def body(text: str, *, is_json: bool) -> str:
    """A body as it is shown; of a document or a page, its beginning."""
    if is_json and len(text) <= _LONGEST:
        return pretty(json.loads(text))
    lines = text.rstrip("\n").splitlines()
    if text.startswith("event: "):
        return "\n".join(lines)
    cut = [line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…" for line in lines[:_BEGINNING]]
    return "\n".join([*cut, *(["…"] if len(lines) > _BEGINNING else [])])
