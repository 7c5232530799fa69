"""Functions to write the table of cases."""

import base64
import json
from collections.abc import Mapping

from ..shapes import ANY, Answer, Case, Request

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
BEARER = "Bearer {access}"
CHALLENGE = 'Bearer realm="api"'
_NOTHING = object()

# The two tasks that every user of a recording or a replay starts with.
FIRST_TASK: dict[str, object] = {
    "uuid": ANY,
    "user_id": ANY,
    "time_created": ANY,
    "time_modified": ANY,
    "task": "First task",
    "description": "Some words",
    "completed": False,
    "rev": 1,
}


def answer(status: int, body: object = "", **headers: str) -> Answer:
    """An answer of ours; other keyword arguments, like `allow=`, become headers."""
    found = {name.replace("_", "-"): value for name, value in headers.items()}
    if body != "":
        found["content-type"] = JSON
    if status == 401:
        found["www-authenticate"] = CHALLENGE
    return {"status": status, "headers": found, "body": body}


NOT_FOUND = answer(404, {"detail": "Not found."})


def case(
    name: str,
    method: str,
    path: str,
    body: object = _NOTHING,
    *,
    raw: str | bytes = b"",
    media: str | None = JSON,
    auth: str | None = BEARER,
    headers: Mapping[str, str] | None = None,
    fresh: bool | None = None,
    contract: Answer | None = None,
    why: str = "",
) -> Case:
    """One request. `body` is sent as JSON, `raw` unchanged; `auth` and `media` may be None for no header."""
    content = json.dumps(body, ensure_ascii=False) if body is not _NOTHING else raw
    data = content.encode() if isinstance(content, str) else content
    sent: dict[str, str] = {}
    if auth is not None:
        sent["Authorization"] = auth
    if media is not None and method not in ("GET", "HEAD"):
        sent["Content-Type"] = media
    sent.update(headers or {})
    request: Request = {"method": method, "path": path, "headers": sent, "body": ""}
    try:
        request["body"] = data.decode()
    except UnicodeDecodeError:
        request["body"] = base64.b64encode(data).decode()
        request["encoding"] = "base64"
    if fresh is None:
        fresh = method in ("PUT", "PATCH", "DELETE")
    made: Case = {"name": name, "setup": "fresh" if fresh else "shared", "request": request}
    if contract is not None:
        assert why, f"{name}: a deliberate difference needs its reason"
        made["contract"] = contract
        made["why"] = why
    return made
