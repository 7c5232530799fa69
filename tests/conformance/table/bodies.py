"""Bodies as a whole: not an object, not JSON, not of a type that is read."""

from ..shapes import Answer, Case
from .build import answer, case

_TASK = "/task/{task}/"
_PARSE_ERROR: Answer = answer(400, {"detail": "JSON parse error - …"})
_CUT_OFF = "bytes that are not UTF-8 are malformed JSON (DRF overlooks a character cut off at the end)"
_DEEP = "nesting that is too deep is malformed JSON (the original ran out of stack: status 500)"

_NOT_OBJECTS = {
    "empty list": "[]",
    "list": '[{"task": "t"}]',
    "text": '"task"',
    "empty text": '""',
    "integer": "1",
    "zero": "0",
    "float": "1.5",
    "true": "true",
    "false": "false",
    "null": "null",
}
_MALFORMED: dict[str, str | bytes] = {
    "open brace": "{",
    "open bracket": "[",
    "close brace": "}",
    "not closed": '{"task": "a"',
    "text not closed": '{"task": "a',
    "key not closed": '{"task',
    "trailing comma": '{"task": "a",}',
    "trailing comma in a list": "[1,]",
    "two commas": '{"task": "a",, "b": 1}',
    "single quotes": "{'task': 'a'}",
    "value in single quotes": "{\"task\": 'a'}",
    "bare key": '{task: "a"}',
    "number key": '{1: "a"}',
    "no colon": '{"task" "a"}',
    "no value": '{"task": }',
    "no comma": '{"task": "a" "b": 1}',
    "extra word": '{"task": "a"} x',
    "two objects": '{"task": "a"}{"task": "b"}',
    "two lines": '{"task": "a"}\n{"task": "b"}',
    "late in a text of lines": '{\n  "task": "a",\n  "é": oops\n}',
    "comment": '// c\n{"task": "a"}',
    "raw line end in a text": '{"task": "a\nb"}',
    "raw tab in a text": '{"task": "a\tb"}',
    "raw NUL in a text": '{"task": "a\x00b"}',
    "bad escape": r'{"task": "\x41"}',
    "short unicode escape": r'{"task": "\u12"}',
    "unicode escape without digits": r'{"task": "\uzzzz"}',
    "half a word": "nul",
    "Python words": '{"task": True}',
    "undefined": '{"task": undefined}',
    "leading zero": '{"task": 01}',
    "number ends in a point": '{"task": 1.}',
    "number begins with a point": '{"task": .5}',
    "plus sign": '{"task": +1}',
    "minus alone": '{"task": -}',
    "hexadecimal": '{"task": 0x1F}',
    "form body": "task=a&completed=true",
    "comma": ",",
    "NUL": "\x00",
    "form feed": "\x0c{}",
    "no-break space": "\u00a0{}",
    "spaces": "   ",
    "line end": "\n",
    "NaN": "NaN",
    "NaN as a value": '{"task": NaN}',
    "Infinity as a value": '{"task": Infinity}',
    "minus Infinity as a value": '{"task": -Infinity}',
    "NaN in an unknown key": '{"task": "t", "x": [NaN]}',
    "nan in small letters": '{"task": nan}',
    "integer of 5000 digits": '{"task": ' + "9" * 5000 + "}",
    "BOM": '\ufeff{"task": "a"}',
    "bad UTF-8 first": b'\xff{"task": "a"}',
    "bad UTF-8 inside": b'{"task": "a\xe9b"}',
    "UTF-8 overlong": b'{"task": "\xc0\x80"}',
    "UTF-8 surrogate": b'{"task": "\xed\xa0\x80"}',
    "UTF-16": '{"task": "a"}'.encode("utf-16"),
}
_UNREAD_TYPES = {
    "text": "text/plain",
    "text with charset": "text/plain; charset=utf-8",
    "text/json": "text/json",
    "XML": "application/xml",
    "JSON API": "application/vnd.api+json",
    "merge patch": "application/merge-patch+json",
    "octets": "application/octet-stream",
    "jsonx": "application/jsonx",
    "no slash": "json",
    "upper case": "Text/Plain",
}
_READ_TYPES = {
    "upper case": "APPLICATION/JSON",
    "charset": "application/json; charset=utf-8",
    "charset without space": "application/json;charset=UTF-8",
    "quoted charset": 'application/json; charset="utf-8"',
    "unknown charset": "application/json; charset=nonsense",
    "other parameter": "application/json; version=2",
    "spaces around": " application/json ; charset=utf-8",
}

_KINDS: list[Case] = [
    *(case(f"body: {name} to create", "POST", "/", raw=raw) for name, raw in _NOT_OBJECTS.items()),
    *(
        case(
            f"body: {name} to {label}",
            method,
            path,
            raw=_NOT_OBJECTS[name],
            auth=None if path != _TASK else "Bearer {access}",
        )
        for label, method, path in (
            ("put", "PUT", _TASK),
            ("patch", "PATCH", _TASK),
            ("login", "POST", "/login/"),
            ("register", "POST", "/register/"),
            ("refresh", "POST", "/token-refresh/"),
            ("verify", "POST", "/token-verify/"),
        )
        for name in ("list", "text", "null")
    ),
    *(case(f"malformed: {name}", "POST", "/", raw=raw) for name, raw in _MALFORMED.items()),
    case(
        "malformed: UTF-8 cut off inside",
        "POST",
        "/",
        raw=b'{"task": "a\xf0\x9f\x98',
        contract=_PARSE_ERROR,
        why=_CUT_OFF,
    ),
    case(
        "malformed: UTF-8 cut off after the end",
        "POST",
        "/",
        raw=b'{"task": "a"}\xf0\x9f',
        contract=_PARSE_ERROR,
        why=_CUT_OFF,
    ),
    case("malformed: to put", "PUT", _TASK, raw="{"),
    case("malformed: to patch", "PATCH", _TASK, raw="{"),
    case("malformed: to login", "POST", "/login/", raw="{", auth=None),
    case("malformed: to register", "POST", "/register/", raw="{", auth=None),
    case("malformed: to refresh", "POST", "/token-refresh/", raw="{", auth=None),
    case("malformed: to verify", "POST", "/token-verify/", raw="{", auth=None),
    case("malformed: no token wins", "POST", "/", raw="{", auth=None),
    case("malformed: missing task wins", "PUT", "/task/{missing}/", raw="{"),
    case(
        "malformed: read of a body that is not used",
        "GET",
        _TASK,
        raw="{",
        headers={"Content-Type": "application/json"},
    ),
    case("malformed: delete does not read it", "DELETE", _TASK, raw="{"),
    case("nesting: lists", "POST", "/", raw="[" * 3000, contract=_PARSE_ERROR, why=_DEEP),
    case("nesting: closed lists", "POST", "/", raw="[" * 3000 + "]" * 3000, contract=_PARSE_ERROR, why=_DEEP),
    case(
        "nesting: objects in an unknown key",
        "POST",
        "/",
        raw='{"task": "t", "x": ' + '{"x":' * 1500 + "1" + "}" * 1501,
        contract=_PARSE_ERROR,
        why=_DEEP,
    ),
    case("nesting: a little", "POST", "/", raw='{"task": "t", "x": ' + "[" * 20 + "]" * 20 + "}"),
    case("body: white space around", "POST", "/", raw=' \r\n\t{ "task" : "t" } \n'),
]

_EMPTY: list[Case] = [
    case("empty: create", "POST", "/"),
    case("empty: create without a type", "POST", "/", media=None),
    case("empty: create as text", "POST", "/", media="text/plain"),
    case("empty: login", "POST", "/login/", auth=None),
    case("empty: login without a type", "POST", "/login/", auth=None, media=None),
    case("empty: register", "POST", "/register/", auth=None),
    case("empty: refresh", "POST", "/token-refresh/", auth=None),
    case("empty: verify", "POST", "/token-verify/", auth=None),
    case("empty: put without a type", "PUT", _TASK, media=None),
]

_TYPES: list[Case] = [
    *(
        case(f"type: {name}", "POST", "/", {"task": "t"}, media=media)
        for name, media in _UNREAD_TYPES.items()
    ),
    *(
        case(f"type: JSON, {name}", "POST", "/", {"task": "é"}, media=media)
        for name, media in _READ_TYPES.items()
    ),
    case("type: none", "POST", "/", {"task": "t"}, media=None),
    case("type: empty", "POST", "/", {"task": "t"}, media=""),
    case("type: text to put", "PUT", _TASK, {"task": "t"}, media="text/plain"),
    case("type: text to patch", "PATCH", _TASK, {"task": "t"}, media="text/plain"),
    case("type: text to login", "POST", "/login/", {"username": "x"}, media="text/plain", auth=None),
    case("type: text to register", "POST", "/register/", {"username": "x"}, media="text/plain", auth=None),
    case("type: text to refresh", "POST", "/token-refresh/", {"refresh": "x"}, media="text/plain", auth=None),
    case("type: text to verify", "POST", "/token-verify/", {"token": "x"}, media="text/plain", auth=None),
    case("type: text, no token wins", "POST", "/", {"task": "t"}, media="text/plain", auth=None),
    case("type: text, missing task wins", "PUT", "/task/{missing}/", {"task": "t"}, media="text/plain"),
    case("type: text, wrong method wins", "PUT", "/", {"task": "t"}, media="text/plain"),
    case("type: delete does not read it", "DELETE", _TASK, raw="x", media="text/plain"),
    case(
        "type: JSON in latin-1",
        "POST",
        "/",
        raw='{"task": "é"}'.encode("latin-1"),
        media="application/json; charset=latin-1",
    ),
    case("type: JSON in no text encoding", "POST", "/", {"task": "t"}, media="application/json; charset=bz2"),
    case(
        "type: JSON in UTF-16",
        "POST",
        "/",
        raw='{"task": "é"}'.encode("utf-16"),
        media="application/json; charset=utf-16",
    ),
]

CASES: list[Case] = [*_KINDS, *_EMPTY, *_TYPES]
