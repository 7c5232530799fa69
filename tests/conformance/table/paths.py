"""Which task, which path, which method."""

from ..shapes import Answer, Case
from .build import FIRST_TASK, NOT_FOUND, answer, case

_TASK = "/task/{task}/"
_LIST_ALLOW = "GET, POST, HEAD, OPTIONS"
_TASK_ALLOW = "GET, PUT, PATCH, DELETE, HEAD, OPTIONS"
_POST_ALLOW = "POST, OPTIONS"
_JSON_404 = "an unknown path answers in JSON, not with Django's page"
_SLASH = "paths with and without the slash answer alike (Django redirects)"
_OPTIONS = "OPTIONS is 200 with Allow for everyone; what its body says is not promised"

_IDS = {
    "missing": "{missing}",
    "of someone else": "{other_task}",
    "word": "abc",
    "number": "1",
    "zero": "0",
    "cut off": "16f894b8-cb89-4672-9561-0b80cc75ae1",
    "capitals": "{TASK}",
    "without dashes": "{task_hex}",
    "in braces": "%7B{task}%7D",
    "as a URN": "urn:uuid:{task}",
    "of zeros": "00000000-0000-0000-0000-000000000000",
    "with a space": "{task}%20",
    "with a dot": "{task}.json",
    "with NUL": "abc%00",
    "accented": "%C3%A9",
    "long": "a" * 1000,
    "null": "null",
}

_READ: list[Case] = [
    *(case(f"id: {name}", "GET", f"/task/{value}/") for name, value in _IDS.items()),
    *(
        case(
            f"id: {label} to {method.lower()}",
            method,
            f"/task/{value}/",
            {"task": "t"} if method != "DELETE" else {},
        )
        for method in ("PUT", "PATCH", "DELETE")
        for label, value in (("missing", "{missing}"), ("of someone else", "{other_task}"), ("word", "abc"))
    ),
    case("id: missing, and a bad field", "PUT", "/task/{missing}/", {"task": None}),
    case("id: capitals to patch", "PATCH", "/task/{TASK}/", {"completed": True}),
    case("id: without dashes to delete", "DELETE", "/task/{task_hex}/"),
    case("list: two tasks", "GET", "/", fresh=True),
    case("list: none", "GET", "/", auth="Bearer {lonely_access}"),
    case("list: unknown parameter", "GET", "/?colour=red", fresh=True),
    case("read", "GET", _TASK),
    case("read: second", "GET", "/task/{task2}/"),
    case("read: with a parameter", "GET", _TASK + "?x=1"),
    case("delete", "DELETE", _TASK),
    case("delete: body is ignored", "DELETE", _TASK, {"task": "t"}),
    case("head: list", "HEAD", "/"),
    case("head: task", "HEAD", _TASK),
    case("head: missing task", "HEAD", "/task/{missing}/"),
    case("head: no token", "HEAD", "/", auth=None),
    case("head: login", "HEAD", "/login/", auth=None),
]

_PARAMETERS: list[Case] = [
    case(
        f"list: {name}={value}",
        "GET",
        f"/?{name}={value}",
        contract=answer(400, {name: ["…"]}),
        why="the list takes parameters here; a bad one is an error",
    )
    for name, value in (
        ("limit", "abc"),
        ("limit", "-1"),
        ("offset", "x"),
        ("completed", "maybe"),
        ("ordering", "colour"),
    )
]


def _no_slash(name: str, method: str, path: str, ours: Answer, body: object = None) -> Case:
    auth = "Bearer {access}" if path.startswith("/task") else None
    if method in ("GET", "DELETE"):
        return case(f"no slash: {name}", method, path, auth=auth, contract=ours, why=_SLASH)
    return case(f"no slash: {name}", method, path, body, auth=auth, contract=ours, why=_SLASH)


_REQUIRED = ["This field is required."]
_SLASHES: list[Case] = [
    _no_slash("read", "GET", "/task/{task}", answer(200, FIRST_TASK)),
    _no_slash(
        "put", "PUT", "/task/{task}", answer(200, {**FIRST_TASK, "task": "t", "rev": 2}), {"task": "t"}
    ),
    _no_slash(
        "patch",
        "PATCH",
        "/task/{task}",
        answer(200, {**FIRST_TASK, "completed": True, "rev": 2}),
        {"completed": 1},
    ),
    _no_slash("delete", "DELETE", "/task/{task}", answer(204)),
    _no_slash("bad task id", "GET", "/task/abc", NOT_FOUND),
    _no_slash("login", "POST", "/login", answer(400, {"username": _REQUIRED, "password": _REQUIRED}), {}),
    _no_slash(
        "register", "POST", "/register", answer(400, {"username": _REQUIRED, "password": _REQUIRED}), {}
    ),
    _no_slash("refresh", "POST", "/token-refresh", answer(400, {"refresh": _REQUIRED}), {}),
    _no_slash("verify", "POST", "/token-verify", answer(400, {"token": _REQUIRED}), {}),
    _no_slash(
        "wrong method",
        "GET",
        "/login",
        answer(405, {"detail": 'Method "GET" not allowed.'}, allow=_POST_ALLOW),
    ),
]

_UNKNOWN: list[Case] = [
    case(f"unknown path: {method} {path}", method, path, auth=auth, contract=NOT_FOUND, why=_JSON_404)
    for method, path, auth in (
        ("GET", "/nothing/", None),
        ("GET", "/nothing", None),
        ("GET", "/nothing/here/", "Bearer {access}"),
        ("POST", "/nothing/", None),
        ("PUT", "/nothing/", "Bearer x"),
        ("DELETE", "/tasks/", None),
        ("GET", "/task/", "Bearer {access}"),
        ("GET", "/task", None),
        ("GET", "/task/{task}/more/", "Bearer {access}"),
        ("GET", "/task/a%2Fb/", "Bearer {access}"),
        ("POST", "/LOGIN/", None),
        ("POST", "/login/x/", None),
    )
]

_METHODS: list[Case] = [
    *(case(f"method: {method} /", method, "/", {}) for method in ("PUT", "PATCH", "DELETE", "TRACE")),
    *(
        case(f"method: {method} / without a token", method, "/", {}, auth=None)
        for method in ("PUT", "PATCH", "DELETE")
    ),
    *(case(f"method: {method} task", method, _TASK) for method in ("POST", "TRACE")),
    case("method: POST task without a token", "POST", _TASK, {}, auth=None),
    case("method: POST task, bad token", "POST", _TASK, {}, auth="Bearer {expired}"),
    case("method: POST task, malformed body", "POST", _TASK, raw="{"),
    case("method: POST missing task", "POST", "/task/{missing}/", {}),
    case("method: POST bad task id", "POST", "/task/abc/", {}),
    *(
        case(f"method: {method} {path}", method, path, auth=None)
        for path in ("/login/", "/register/", "/token-refresh/", "/token-verify/")
        for method in ("GET", "PUT", "PATCH", "DELETE")
    ),
    case("method: GET /login/ with a token", "GET", "/login/"),
    case("method: GET /register/ with a token", "GET", "/register/"),
]

_OPTIONS_CASES: list[Case] = [
    case(
        f"options: {path}{' without a token' if auth is None else ''}",
        "OPTIONS",
        path,
        auth=auth,
        media=None,
        contract=answer(200, "…", allow=allow),
        why=_OPTIONS,
    )
    for path, allow, auth in (
        ("/", _LIST_ALLOW, "Bearer {access}"),
        ("/", _LIST_ALLOW, None),
        (_TASK, _TASK_ALLOW, "Bearer {access}"),
        (_TASK, _TASK_ALLOW, None),
        ("/task/{missing}/", _TASK_ALLOW, None),
        ("/login/", _POST_ALLOW, None),
        ("/register/", _POST_ALLOW, None),
        ("/token-refresh/", _POST_ALLOW, None),
        ("/token-verify/", _POST_ALLOW, None),
    )
]

CASES: list[Case] = [*_READ, *_PARAMETERS, *_SLASHES, *_UNKNOWN, *_METHODS, *_OPTIONS_CASES]
