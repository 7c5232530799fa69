"""How a search is split: the answers of ``search_smart_split`` of Django REST Framework 3.18, recorded."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidRequest
from shared.rules.search_terms import SEARCH_MAX_LENGTH, SEARCH_TERMS_MAX, has_all, search_terms

# A blank term, which DRF has of empty quotes, is in every task.
RECORDED = [
    ("milk", ["milk"]),
    ("buy milk", ["buy", "milk"]),
    ("milk,bread", ["milk", "bread"]),
    ("milk, bread", ["milk", "bread"]),
    (",,milk,, bread,,", ["milk", "bread"]),
    ('"buy milk"', ["buy milk"]),
    ("'buy milk'", ["buy milk"]),
    (',,"hello, world",,', ["hello, world"]),
    ('"hello, world",found', ['"hello', 'world"', "found"]),
    ('found "hello, world"', ["found", "hello, world"]),
    ('a "b c" d', ["a", "b c", "d"]),
    ('say "hi', ["say", '"hi']),
    ('"hi', ['"hi']),
    ("it's", ["it's"]),
    ("it's 'it s'", ["it's 'it", "s'"]),
    ('"it\'s here"', ["it's here"]),
    ('"a \\"b\\" c"', ['a "b" c']),
    ('"a \\\\ b"', ["a \\ b"]),
    ('\\" \\" x', ['\\"', '\\"', "x"]),
    ('a"b c"d', ['a"b c"d']),
    ('a"b,c"d', ['a"b', 'c"d']),
    ('"a""b"', ['a""b']),
    ('"a" "b"', ["a", "b"]),
    ('"a"x', ['"a"x']),
    ('x"a b"', ['x"a b"']),
    ('""', [""]),
    ('"', [""]),
    ('"\'"', ["'"]),
    (" \t\u2003milk\xa0bread\n", ["milk", "bread"]),
    ('"two  blanks"', ["two  blanks"]),
    ('" edge "', [" edge "]),
    ('"a,b" c,d', ["a,b", "c", "d"]),
    ("'a' \"b", ["a", '"b']),
    ('"multi\nline"', ["multi\nline"]),
    ('"a\\\nb"', ['"a\\', 'b"']),
    ('a,"b c",d', ["a", '"b c"', "d"]),
    (",", []),
    ('"a b', ['"a', "b"]),
    ("\\", ["\\"]),
    ('" ,"', [" ,"]),
    ('x" , "y', ['x"', '"y']),
]


@pytest.mark.parametrize(("text", "terms"), RECORDED)
def test_it_is_split_as_by_drf(text: str, terms: list[str]) -> None:
    assert search_terms(text) == tuple(dict.fromkeys(term for term in terms if term))


def test_terms_are_case_folded_and_each_is_there_once() -> None:
    assert search_terms("STRASSE straße 'Straße' ΩΣ ως") == ("strasse", "ωσ")


@pytest.mark.parametrize(
    "text", [None, 5, ["x"], "a\0b", "x" * (SEARCH_MAX_LENGTH + 1), "x " * 101, "x," * 101]
)
def test_what_is_no_search_or_too_much_is_refused(text: object) -> None:
    with pytest.raises(InvalidRequest) as refused:
        search_terms(text)
    assert refused.value.key == "search"


def test_a_search_has_up_to_a_hundred_words() -> None:
    words = [f"w{number}" for number in range(SEARCH_TERMS_MAX)]
    assert search_terms(" ".join(words)) == search_terms(",".join(words)) == tuple(words)


@pytest.mark.parametrize(
    "piece", ['\\" ', "\\' ", '" ', "\"' ", '"\\', "a'", ",", " ", '"" ', "'\\\\ ", 'x"\\" ,']
)
@pytest.mark.parametrize("length", [SEARCH_MAX_LENGTH, 262_144])
def test_the_worst_of_texts_costs_milliseconds(piece: str, length: int) -> None:
    text = (piece * length)[:length]
    fastest = min(_seconds(text) for _ in range(5))
    assert fastest < 0.05  # a few milliseconds on a quiet machine; quadratic, the longer text takes minutes


def _seconds(text: str) -> float:
    started = time.thread_time()
    with contextlib.suppress(InvalidRequest):
        search_terms(text)
    return time.thread_time() - started


@given(st.text(alphabet="ab\"'\\, \n", max_size=30))
def test_every_letter_of_a_term_comes_from_the_text(text: str) -> None:
    for term in search_terms(text):
        assert set(term) <= set(text)
        assert len(term) <= len(text)


def test_all_terms_must_be_in_either_text() -> None:
    assert has_all("Buy MILK", "two\nLitres", "milk\0two\nlitres\0buy")
    assert not has_all("Buy MILK", "two litres", "milk two")
    assert not has_all("Buy MILK", "two litres", "milk\0bread")
