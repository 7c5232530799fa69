"""Register and login."""

from ..shapes import Answer, Case
from .build import answer, case

_PASSWORD = "correct horse"
_TAKEN: Answer = answer(400, {"username": ["A user with that username already exists."]})
_FOLDED = "names are compared in NFKC and case-folded, at login too"
_TOKENS: Answer = answer(200, {"refresh": "*", "access": "*"})
_NO_ACCOUNT: Answer = answer(401, {"detail": "No active account found with the given credentials"})


def _register(name: str, raw: str, contract: Answer | None = None, why: str = "") -> Case:
    return case(
        f"register: {name}", "POST", "/register/", raw=raw, auth=None, fresh=True, contract=contract, why=why
    )


def _login(name: str, raw: str, contract: Answer | None = None, why: str = "") -> Case:
    return case(f"login: {name}", "POST", "/login/", raw=raw, auth=None, contract=contract, why=why)


# {new} is a name of 12 ASCII letters and digits that nobody has yet; {number} is a new number of 9 digits.
_NAMES = {
    "plain": '"{new}"',
    "allowed signs": '"@.+-_{new}"',
    "null": "null",
    "blank": '""',
    "spaces": '"   "',
    "number": "{number}",
    "float": "1.5e300",
    "true": "true",
    "list": '["{new}"]',
    "object": '{"a": 1}',
    "space inside": '"a {new}"',
    "exclamation mark": '"{new}!"',
    "slash": '"a/{new}"',
    "emoji": '"{new}😀"',
    "dash": '"{new}–"',
    "spaces around": '"  {new}\\n"',
    "NUL": r'"{new}\u0000"',
    "line end inside": r'"a\n{new}"',
    "accent": '"é{new}"',
    "combining accent": r'"e\u0301{new}"',
    "other scripts": '"任务Задача{new}"',
    "other digits": '"{new}٣"',
    "ligature": '"ﬁ{new}"',
    "full width": '"Ａ{new}"',
    "superscript": '"{new}²"',
    "Roman numeral": '"Ⅷ{new}"',
    "150 characters": f'"{{new}}{"a" * 138}"',
    "151 characters": f'"{{new}}{"a" * 139}"',
    "151 characters and a bad one": f'"{{new}}{"a" * 138}!"',
    "150 characters and spaces around": f'"  {{new}}{"a" * 138}  "',
    "taken": '"{username}"',
    "taken, spaces around": '" {username} "',
}
_PASSWORDS = {
    "8 characters": '"12345678"',
    "7 characters": '"1234567"',
    "1 character": '"a"',
    "128 characters": f'"{"p" * 128}"',
    "129 characters": f'"{"p" * 129}"',
    "128 emoji": f'"{"😀" * 128}"',
    "8 emoji": f'"{"😀" * 8}"',
    "7 emoji": f'"{"😀" * 7}"',
    "8 spaces": '"        "',
    "3 spaces": '"   "',
    "spaces around count": '" abcdef "',
    "7 with spaces around": '" abcde "',
    "common": '"password"',
    "digits alone": '"1234567890"',
    "null": "null",
    "blank": '""',
    "number": "12345678",
    "number of 7 digits": "1234567",
    "float": "12345.678",
    "false": "false",
    "list": '["abcdefgh"]',
    "object": "{}",
    "NUL": r'"abcdefgh\u0000"',
    "NUL and short": r'"a\u0000"',
    "long with NUL": rf'"{"p" * 128}\u0000"',
}

_REGISTER: list[Case] = [
    *(
        _register(f"name {label}", f'{{"username": {name}, "password": "{_PASSWORD}"}}')
        for label, name in _NAMES.items()
    ),
    *(
        _register(f"password {label}", f'{{"username": "{{new}}", "password": {word}}}')
        for label, word in _PASSWORDS.items()
    ),
    _register("empty object", "{}"),
    _register("no name", f'{{"password": "{_PASSWORD}"}}'),
    _register("no password", '{"username": "{new}"}'),
    _register("password first", f'{{"password": "{_PASSWORD}", "username": "{{new}}"}}'),
    _register("two nulls", '{"password": null, "username": null}'),
    _register("two blanks", '{"password": "", "username": ""}'),
    _register("taken and short", '{"password": "x", "username": "{username}"}'),
    _register("bad name and short", '{"password": "x", "username": "a b"}'),
    _register(
        "taken by an inactive user", f'{{"username": "{{inactive_username}}", "password": "{_PASSWORD}"}}'
    ),
    _register(
        "other fields",
        f'{{"username": "{{new}}", "password": "{_PASSWORD}", "id": 1, "is_staff": true, "is_superuser": true, "email": 5}}',
    ),
    _register("name like the password", '{"username": "{new}", "password": "{new}"}'),
    _register(
        "taken in capitals", f'{{"username": "{{USERNAME}}", "password": "{_PASSWORD}"}}', _TAKEN, _FOLDED
    ),
    _register(
        "taken in full width",
        f'{{"username": "{{wide_username}}", "password": "{_PASSWORD}"}}',
        _TAKEN,
        _FOLDED,
    ),
    _register(
        "taken in full width, short password",
        '{"username": "{wide_username}", "password": "x"}',
        answer(
            400,
            {
                "username": ["A user with that username already exists."],
                "password": ["This password is too short. It must contain at least 8 characters."],
            },
        ),
        _FOLDED,
    ),
]

_VALUES = {
    "null": "null",
    "blank": '""',
    "spaces": '"  "',
    "true": "true",
    "list": "[]",
    "object": "{}",
    "NUL": r'"a\u0000"',
}
_LOGIN: list[Case] = [
    _login("right", '{"username": "{username}", "password": "{password}"}'),
    _login("password first", '{"password": "{password}", "username": "{username}"}'),
    _login("spaces around the name", '{"username": " {username}\\n", "password": "{password}"}'),
    _login("other fields", '{"username": "{username}", "password": "{password}", "remember": true}'),
    _login("wrong password", '{"username": "{username}", "password": "wrong-password"}'),
    _login("password in capitals", '{"username": "{username}", "password": "CORRECT HORSE"}'),
    _login("unknown user", '{"username": "nobody-{missing}", "password": "{password}"}'),
    _login("unknown user with a bad name", '{"username": "no body!", "password": "x"}'),
    _login("inactive user", '{"username": "{inactive_username}", "password": "{password}"}'),
    _login("number for a name", '{"username": 12, "password": "{password}"}'),
    _login("number for a password", '{"username": "{username}", "password": 12345678}'),
    _login("name of 200 characters", f'{{"username": "{"a" * 200}", "password": "x"}}'),
    _login("password of 1000 characters", f'{{"username": "{{username}}", "password": "{"p" * 1000}"}}'),
    _login("empty object", "{}"),
    _login("no name", '{"password": "x"}'),
    _login("no password", '{"username": "x"}'),
    _login("two nulls", '{"password": null, "username": null}'),
    _login("two blanks", '{"password": "", "username": ""}'),
    *(
        _login(f"name {label}", f'{{"username": {value}, "password": "x"}}')
        for label, value in _VALUES.items()
    ),
    *(
        _login(f"password {label}", f'{{"username": "x", "password": {value}}}')
        for label, value in _VALUES.items()
        if label != "spaces"
    ),
    _login(
        "password spaces",
        '{"username": "x", "password": "  "}',
        _NO_ACCOUNT,
        "passwords are never trimmed, so spaces are not blank",
    ),
    _login(
        "spaces around the password",
        '{"username": "{username}", "password": " {password} "}',
        _NO_ACCOUNT,
        "passwords are never trimmed (simplejwt's field trims at login)",
    ),
    _login(
        "a password with spaces around it",
        '{"username": "{spaced_username}", "password": "  {password}  "}',
        _TOKENS,
        "passwords are never trimmed (simplejwt trims, so that such a user can never log in)",
    ),
    _login(
        "a password with spaces around it, trimmed",
        '{"username": "{spaced_username}", "password": "{password}"}',
    ),
    _login("name in capitals", '{"username": "{USERNAME}", "password": "{password}"}', _TOKENS, _FOLDED),
    _login(
        "name in full width", '{"username": "{wide_username}", "password": "{password}"}', _TOKENS, _FOLDED
    ),
]

CASES: list[Case] = [*_REGISTER, *_LOGIN]
