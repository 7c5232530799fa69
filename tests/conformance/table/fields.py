"""What the fields of a task accept, on create and on update."""

from ..shapes import Answer, Case
from .build import FIRST_TASK, answer, case

_TASK = "/task/{task}/"
_PARSE_ERROR: Answer = answer(400, {"detail": "JSON parse error - …"})
_SURROGATE = "a lone surrogate anywhere in a body is malformed JSON, not a field error"

# JSON texts, not Python values: the point is what the text becomes.
_TASK_VALUES = {
    "null": "null",
    "blank": '""',
    "spaces": '"   "',
    "unicode spaces": r'"\u00a0\u2003\u3000"',
    "integer": "7",
    "negative": "-3",
    "minus zero": "-0",
    "float": "3.50",
    "float whole": "2.0",
    "float exponent": "1e5",
    "float large exponent": "1e22",
    "float small": "0.00001",
    "float overflow": "1e400",
    "big integer": "1" + "0" * 30,
    "integer of 256 digits": "9" * 256,
    "true": "true",
    "false": "false",
    "empty list": "[]",
    "list": '["a"]',
    "empty object": "{}",
    "object": '{"a": 1}',
    "255 characters": f'"{"a" * 255}"',
    "256 characters": f'"{"a" * 256}"',
    "255 emoji": f'"{"😀" * 255}"',
    "256 emoji": f'"{"😀" * 256}"',
    "255 characters and spaces around": f'"  {"a" * 255}  "',
    "spaces around": '"  milk  "',
    "line ends around": r'"\n\tmilk\r\n"',
    "unicode spaces around": r'"\u00a0\u2003milk\u3000\u0085"',
    "separators around": r'"\u001c\u001fmilk\u2028\u2029"',
    "zero-width around": r'"\u200bmilk\ufeff"',
    "line end inside": r'"one\ntwo"',
    "control characters": r'"a\u0001\u001b\u007fb"',
    "NUL": r'"\u0000"',
    "NUL inside": r'"a\u0000b"',
    "NUL and too long": rf'"{"a" * 255}\u0000"',
    "escaped emoji": r'"\ud83d\ude00"',
    "unicode": '"Zażółć גם 任务 👩‍👩‍👧"',
    "decomposed": r'"e\u0301"',
    "markup": '"<b>&amp;\'</b>"',
    "escapes": r'"\"\\\/\b\f"',
}
_DESCRIPTION_VALUES = {
    "null": "null",
    "blank": '""',
    "spaces": '"   "',
    "spaces around": r'"  two litres\n"',
    "line ends inside": r'"one\r\ntwo\n\nthree"',
    "integer": "5",
    "float": "1.50",
    "true": "true",
    "list": "[]",
    "object": '{"a": "b"}',
    "10000 characters": f'"{"d" * 10000}"',
    "10001 characters": f'"{"d" * 10001}"',
    "NUL": r'"a\u0000"',
}
_COMPLETED_VALUES = {
    "true": "true",
    "false": "false",
    "null": "null",
    **{f"text {text or 'blank'}": f'"{text}"' for text in (
        "true", "True", "TRUE", "tRuE", "t", "T", "yes", "Yes", "y", "Y", "on", "ON", "1",
        "false", "False", "FALSE", "f", "no", "No", "n", "off", "Off", "0",
        "", " ", " true ", "null", "Null", "None", "2", "maybe", "1.0", "ja",
    )},
    **{f"number {text}": text for text in ("1", "0", "1.0", "0.0", "-0", "2", "-1", "0.5")},
    "empty list": "[]",
    "list": "[true]",
    "empty object": "{}",
    "NUL": r'"true\u0000"',
}  # fmt: skip

_BY_VALUE: list[Case] = [
    *(
        case(f"create: task {name}", "POST", "/", raw=f'{{"task": {value}}}')
        for name, value in _TASK_VALUES.items()
    ),
    *(
        case(f"create: description {name}", "POST", "/", raw=f'{{"task": "t", "description": {value}}}')
        for name, value in _DESCRIPTION_VALUES.items()
    ),
    *(
        case(f"create: completed {name}", "POST", "/", raw=f'{{"task": "t", "completed": {value}}}')
        for name, value in _COMPLETED_VALUES.items()
    ),
]

_CREATE: list[Case] = [
    case("create: empty object", "POST", "/", {}),
    case("create: task alone", "POST", "/", {"task": "Buy milk"}),
    case(
        "create: all fields", "POST", "/", {"task": "Buy milk", "description": "2 litres", "completed": True}
    ),
    case("create: description alone", "POST", "/", {"description": "d"}),
    case("create: three nulls", "POST", "/", raw='{"completed": null, "description": null, "task": null}'),
    case("create: three wrong types", "POST", "/", {"completed": "maybe", "description": {}, "task": []}),
    case(
        "create: three limits", "POST", "/", {"task": "a" * 300, "description": "d" * 10001, "completed": 2}
    ),
    case("create: missing task and bad completed", "POST", "/", {"completed": ""}),
    case("create: unknown fields", "POST", "/", {"task": "t", "priority": 3, "owner": {"id": 1}, "": None}),
    case("create: unknown fields alone", "POST", "/", {"title": "t"}),
    case("create: keys differ in case", "POST", "/", {"Task": "t", "TASK": "t"}),
    case(
        "create: read-only fields",
        "POST",
        "/",
        {
            "task": "t",
            "user_id": 999,
            "user": 999,
            "rev": 77,
            "id": 5,
            "time_created": "x",
            "time_modified": None,
        },
    ),
    case("create: uuid null", "POST", "/", {"task": "t", "uuid": None}),
    case(
        "create: own uuid",
        "POST",
        "/",
        {"task": "t", "uuid": "{missing}"},
        fresh=True,
        contract=answer(
            201, {**FIRST_TASK, "uuid": "{missing}", "task": "t", "description": "", "completed": False}
        ),
        why="a create may bring its own uuid (idempotent create)",
    ),
    case("create: the same key twice", "POST", "/", raw='{"task": "one", "task": "two"}'),
    case("create: the same key twice, the last null", "POST", "/", raw='{"task": "one", "task": null}'),
    case(
        "create: task lone high surrogate",
        "POST",
        "/",
        raw=r'{"task": "a\ud800"}',
        contract=_PARSE_ERROR,
        why=_SURROGATE,
    ),
    case(
        "create: task lone low surrogate",
        "POST",
        "/",
        raw=r'{"task": "\udc00a"}',
        contract=_PARSE_ERROR,
        why=_SURROGATE,
    ),
    case(
        "create: task swapped surrogates",
        "POST",
        "/",
        raw=r'{"task": "\ude00\ud83d"}',
        contract=_PARSE_ERROR,
        why=_SURROGATE,
    ),
    case(
        "create: lone surrogate in an unknown key",
        "POST",
        "/",
        raw=r'{"task": "t", "\ud800": 1}',
        contract=_PARSE_ERROR,
        why=_SURROGATE,
    ),
]

_UPDATE: list[Case] = [
    case("put: all fields", "PUT", _TASK, {"task": "New", "description": "Text", "completed": True}),
    case("put: task alone", "PUT", _TASK, {"task": "New"}),
    case("put: description alone", "PUT", _TASK, {"description": "New"}),
    case("put: completed alone", "PUT", _TASK, {"completed": True}),
    case("put: completed is kept", "PUT", "/task/{task2}/", {"task": "New"}),
    case("put: empty object", "PUT", _TASK, {}),
    case("put: no body", "PUT", _TASK),
    case(
        "put: same values",
        "PUT",
        _TASK,
        {"task": "First task", "description": "Some words", "completed": False},
    ),
    case(
        "put: read-only fields",
        "PUT",
        _TASK,
        {"uuid": "{missing}", "user_id": 9, "time_created": 1, "rev": 9},
    ),
    case("put: unknown fields", "PUT", _TASK, {"title": "x", "done": True}),
    case("put: task null", "PUT", _TASK, {"task": None}),
    case("put: task blank", "PUT", _TASK, {"task": "  "}),
    case("put: task too long", "PUT", _TASK, {"task": "a" * 256}),
    case("put: several errors", "PUT", _TASK, {"task": True, "description": None, "completed": "x"}),
    case("patch: all fields", "PATCH", _TASK, {"task": "New", "description": "Text", "completed": True}),
    case("patch: task alone", "PATCH", _TASK, {"task": "  New  "}),
    case("patch: description blank", "PATCH", _TASK, {"description": ""}),
    case("patch: completed alone", "PATCH", _TASK, {"completed": "yes"}),
    case("patch: completed is kept", "PATCH", "/task/{task2}/", {"description": "New"}),
    case("patch: empty object", "PATCH", _TASK, {}),
    case("patch: no body", "PATCH", _TASK),
    case("patch: unknown fields", "PATCH", _TASK, {"title": "x"}),
    case("patch: task null", "PATCH", _TASK, {"task": None}),
    case("patch: completed null", "PATCH", _TASK, {"completed": None}),
    case("patch: NUL", "PATCH", _TASK, raw=r'{"task": "\u0000", "description": "\u0000"}'),
]

CASES: list[Case] = [*_BY_VALUE, *_CREATE, *_UPDATE]
