"""JSON as the standard has it, and one error for all else."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.strict_json import MalformedJSON, decode
from tests.shared.json_values import scalars, texts, values


def refusal(text: str | bytes) -> str:
    with pytest.raises(MalformedJSON) as refused:
        decode(text)
    return str(refused.value)


def _same(left: Any, right: Any) -> bool:
    """Equal, and of equal types all the way down: JSON's 1, 1.0 and true are three things."""
    return repr(left) == repr(right)


@given(values, st.booleans())
def test_document_is_what_the_standard_library_says(document: object, ascii_only: bool) -> None:
    text = json.dumps(document, ensure_ascii=ascii_only)
    assert _same(decode(text), document)
    assert _same(decode(text.encode()), document)


@given(values, st.sampled_from([" ", "\t", "\r\n", "\n \n"]))
def test_white_space_means_nothing(document: object, space: str) -> None:
    text = json.dumps(document, indent=2)
    assert _same(decode(space + text + space), document)


@given(st.text() | st.binary() | st.text(alphabet='[]{}",:0123456789.eE+-\\untrfalsbdNI \n\ud800\ufeff'))
@settings(max_examples=400)
def test_any_text_is_json_or_malformed_as_the_standard_library_has_it(text: str | bytes) -> None:
    try:
        document = decode(text)
    except MalformedJSON:
        return
    assert _same(document, json.loads(text))
    json.dumps(document, ensure_ascii=False).encode()  # no lone surrogates in it


@pytest.mark.parametrize("name", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("form", ["{}", "[{}]", '{{"a": {}}}', '{{"a": [1, {}]}}'])
def test_numbers_that_json_does_not_have_are_malformed(name: str, form: str) -> None:
    assert name in refusal(form.format(name))
    assert name in refusal(form.format(name).encode())


@pytest.mark.parametrize(
    "text",
    [
        r'"\ud800"',
        r'"\udc00"',
        r'"\udc00\ud800"',
        r'{"\ud800": 1}',
        r'["a", {"b": "\ud83d"}]',
        '"\ud800"',
        "\ud800",
        '{"a": "\udfff"}',
    ],
)
def test_lone_surrogates_are_malformed(text: str) -> None:
    refusal(text)


def test_surrogate_pairs_are_characters() -> None:
    assert decode(r'"\ud83d\ude00"') == "\N{GRINNING FACE}"


def _nested(levels: list[str], depth: int, inner: str = "1") -> str:
    """``inner`` within so many levels, each of which is written with ``%`` for what is in it."""
    before, after = zip(*(level.split("%") for level in levels), strict=True)
    opening = "".join(itertools.islice(itertools.cycle(before), depth))
    closing = list(itertools.islice(itertools.cycle(after), depth))
    return opening + inner + "".join(reversed(closing))


KINDS = pytest.mark.parametrize(
    "levels",
    [
        ["[%]"],
        ['{"a":%}'],
        ["[%]", '{"a":%}'],
        ['{"a": 1, "b": %, "c": "]"}'],
        [" [ 1, %]\n", '[% , "[{"]'],
        [r'{"\"[":%}', r'["\\",%]', r'["\\\"]]", %, "[\\"]'],
    ],
)


@KINDS
def test_sixty_four_levels_are_json(levels: list[str]) -> None:
    for text in (_nested(levels, 64), _nested(levels, 63, "[]"), _nested(levels, 63, "{}")):
        assert decode(text) == decode(text.encode()) == json.loads(text)


@KINDS
@pytest.mark.parametrize("depth", [65, 66, 500, 2_000, 100_000])
def test_deeper_ones_are_malformed(levels: list[str], depth: int) -> None:
    for text in (_nested(levels, depth), _nested(levels, depth - 1, "[]"), _nested(levels, depth - 1, "{}")):
        assert refusal(text) == refusal(text.encode()) == "nested too deeply"


@pytest.mark.parametrize("depth", [200, 2_000, 100_000])
def test_deep_ones_are_malformed_whatever_else_is_wrong(depth: int) -> None:
    for text in (
        "[" * depth,
        '{"a":' * depth,
        "[" * depth + "x",
        _nested(["[%]"], depth, "NaN"),
        "[}" + "[" * depth,
    ):
        assert refusal(text) == refusal(text.encode()) == "nested too deeply"


def test_brackets_in_strings_are_no_levels() -> None:
    for string in ("[{" * 500, '"[' * 500, "\\[" * 500, '\\"{' * 500, "]" * 500 + "[" * 500):
        document = {string: [string, {"a": string}]}
        text = json.dumps(document)
        assert decode(text) == decode(text.encode()) == document


def test_many_levels_beside_one_another_are_not_deep() -> None:
    tower = _nested(["[%]"], 63)
    text = f"[{','.join([tower] * 500)}]"
    assert decode(text) == json.loads(text)


@given(
    st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2)
    ),
    st.integers(55, 70),
)
def test_levels_are_counted_exactly(document: object, around: int) -> None:
    def levels(value: object) -> int:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
        return 0 if inner is None else 1 + max(map(levels, inner), default=0)

    text = "[" * around + json.dumps(document) + "]" * around
    try:
        decode(text)
    except MalformedJSON:
        assert around + levels(document) > 64
    else:
        assert around + levels(document) <= 64


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\ufeff{}",
        b"\xef\xbb\xbf{}",
        '{"a": 1}'.encode("utf-16"),
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b'"\xc0\x80"',
        "{} {}",
        "{}x",
        "{}\0",
        "[1,]",
        '{"a": 1,}',
        "{'a': 1}",
        "{a: 1}",
        "01",
        "1.",
        ".5",
        "+1",
        "0x10",
        "1_000",
        "\u0663",
        "[1 2]",
        '"\t"',
        '"\x00"',
        r'"\x41"',
        r'"\u12"',
        "// comment\n1",
        "\u00a01",
        "undefined",
        "True",
        "1" * 5000,
    ],
)
def test_near_misses_are_malformed(text: str | bytes) -> None:
    assert refusal(text)


@pytest.mark.parametrize("digits", [18, 19, 20, 30, 400])
def test_integers_keep_all_their_digits(digits: int) -> None:
    number = int("9" * digits)
    for signed in (number, -number):
        assert decode(str(signed)) == signed


def test_numbers_are_never_nan_on_the_way() -> None:
    assert decode("[1e308, -0.0, 5e-324]") == [1e308, 0.0, 5e-324]
    assert math.copysign(1, decode("-0.0")) == -1


def test_last_of_equal_keys_wins() -> None:
    assert decode('{"a": 1, "a": 2}') == {"a": 2}


def test_refusal_says_where() -> None:
    assert refusal('{"a": }') == "Expecting value: line 1 column 7 (char 6)"
