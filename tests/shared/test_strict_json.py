"""JSON as the standard has it, and one error for all else."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.strict_json import MalformedJSON, decode
from tests.shared.json_values import values


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


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
@pytest.mark.parametrize("depth", [2_000, 100_000])
@pytest.mark.parametrize("closed", [True, False])
def test_deep_nesting_is_malformed(opening: str, depth: int, closed: bool) -> None:
    closing = "".join({"[": "]", "{": "}"}[sign] for sign in reversed(opening) if sign in "[{")
    text = opening * depth + "1" + closing * depth * closed
    assert "deep" in refusal(text)
    assert "deep" in refusal(text.encode())


def test_what_clients_nest_is_no_matter() -> None:
    document = decode("[" * 100 + "]" * 100)
    for _ in range(99):
        [document] = document
    assert document == []


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
