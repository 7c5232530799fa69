"""Form bodies, urlencoded and multipart."""

from ..shapes import Case
from .build import FORM, case

_TASK = "/task/{task}/"
_MULTIPART = "multipart/form-data; boundary=XX"

_CREATE = {
    "all fields": "task=Buy+milk&description=2%20litres&completed=true",
    "task alone": "task=Buy+milk",
    "no task": "description=x",
    "blank task": "task=",
    "spaces": "task=++",
    "name without value": "task",
    "blank description": "task=t&description=",
    "blank completed": "task=t&completed=",
    "completed on": "task=t&completed=on",
    "completed false": "task=t&completed=false",
    "completed 0": "task=t&completed=0",
    "completed null": "task=t&completed=null",
    "completed maybe": "task=t&completed=maybe",
    "task twice": "task=one&task=two",
    "completed twice": "task=t&completed=true&completed=false",
    "spaces around": "task=++padded++",
    "UTF-8": "task=%C3%A9%F0%9F%98%80",
    "raw UTF-8": "task=é😀",
    "bad UTF-8": "task=a%FFb",
    "bad percent": "task=100%&description=%zz",
    "NUL": "task=a%00b",
    "semicolon": "task=a;description=b",
    "equals sign in the value": "task=a=b",
    "empty pairs": "&&task=t&&",
    "read-only fields": "task=t&user_id=9&rev=9&time_created=x",
    "JSON text": '{"task": "t"}',
    "number": "task=007",
    "256 characters": "task=" + "a" * 256,
    "two errors": "task=&completed=x",
    "white space alone": " ",
}


def _part(name: str, value: str, more: str = "") -> str:
    return f'--XX\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n{value}\r\n'


_END = "--XX--\r\n"
_MULTIPART_CREATE = {
    "all fields": _part("task", "Buy milk")
    + _part("description", "2 litres")
    + _part("completed", "true")
    + _END,
    "task alone": _part("task", "  Zażółć 😀 ") + _END,
    "no task": _part("description", "x") + _END,
    "blank task": _part("task", "") + _END,
    "blank completed": _part("task", "t") + _part("completed", "") + _END,
    "completed off": _part("task", "t") + _part("completed", "off") + _END,
    "completed maybe": _part("task", "t") + _part("completed", "maybe") + _END,
    "task twice": _part("task", "one") + _part("task", "two") + _END,
    "line ends inside": _part("task", "t") + _part("description", "one\r\ntwo") + _END,
    "a file as task": _part("task", "content", '; filename="a.txt"\r\nContent-Type: text/plain') + _END,
    "a file beside": _part("task", "t") + _part("file", "x", '; filename="a.txt"') + _END,
    "no parts": _END,
    "NUL": _part("task", "a\x00b") + _END,
}

_UPDATES = [("put", "PUT", _TASK), ("patch", "PATCH", _TASK)]

CASES: list[Case] = [
    *(case(f"form: {name}", "POST", "/", raw=raw, media=FORM) for name, raw in _CREATE.items()),
    *(
        case(f"multipart: {name}", "POST", "/", raw=raw, media=_MULTIPART)
        for name, raw in _MULTIPART_CREATE.items()
    ),
    case("form: empty", "POST", "/", media=FORM),
    case("form: with charset", "POST", "/", raw="task=%C3%A9", media=FORM + "; charset=UTF-8"),
    case("form: upper case type", "POST", "/", raw="task=t", media=FORM.upper()),
    case("multipart: empty", "POST", "/", media=_MULTIPART),
    case("multipart: no boundary", "POST", "/", raw=_part("task", "t") + _END, media="multipart/form-data"),
    case(
        "multipart: quoted boundary",
        "POST",
        "/",
        raw=_part("task", "t") + _END,
        media='multipart/form-data; boundary="XX"',
    ),
    *(
        made
        for label, method, path in _UPDATES
        for made in (
            case(f"form: {label} description alone", method, path, raw="description=x", media=FORM),
            case(f"form: {label} completed alone", method, path, raw="completed=on", media=FORM),
            case(f"form: {label} blank completed", method, path, raw="completed=", media=FORM),
            case(f"form: {label} blank task", method, path, raw="task=", media=FORM),
            case(f"form: {label} keeps completed", method, "/task/{task2}/", raw="task=x", media=FORM),
            case(
                f"multipart: {label} keeps completed",
                method,
                "/task/{task2}/",
                raw=_part("task", "x") + _END,
                media=_MULTIPART,
            ),
            case(f"form: {label} empty", method, path, media=FORM),
        )
    ),
    case(
        "form: login", "POST", "/login/", raw="username={username}&password={password}", media=FORM, auth=None
    ),
    case("form: login, blank", "POST", "/login/", raw="username=&password=", media=FORM, auth=None),
    case("form: login, empty", "POST", "/login/", media=FORM, auth=None),
    case(
        "multipart: login",
        "POST",
        "/login/",
        raw=_part("username", "{username}") + _part("password", "{password}") + _END,
        media=_MULTIPART,
        auth=None,
    ),
    case(
        "form: register",
        "POST",
        "/register/",
        raw="username={new}&password=long+enough",
        media=FORM,
        auth=None,
        fresh=True,
    ),
    case("form: register, blank", "POST", "/register/", raw="username=&password=", media=FORM, auth=None),
    case(
        "form: refresh", "POST", "/token-refresh/", raw="refresh={refresh}", media=FORM, auth=None, fresh=True
    ),
    case("form: verify", "POST", "/token-verify/", raw="token={access}", media=FORM, auth=None),
]
