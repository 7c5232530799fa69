"""How a search is split into terms: as by the SearchFilter of Django REST Framework, whose rules these are.

Blanks part terms, except within quotes, single or double; commas part what is not quoted. A phrase that is quoted as
a whole is one term, without its quotes, in which a backslash escapes a quote. Quotes that are not closed, or stand
within a word, are letters like others.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Final

from shared.errors import InvalidRequest

SEARCH_MAX_LENGTH: Final = 4000
SEARCH_TERMS_MAX: Final = 100

# Django's smart_split: letters and closed quotes in any order, with at least one quote; or whatever is no blank.
_QUOTED: Final = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
_PIECE: Final = re.compile(rf"""[^\s'"]*(?:{_QUOTED}[^\s'"]*)+|\S+""")
_QUOTES: Final = ('"', "'")


def search_terms(text: object) -> tuple[str, ...]:
    """The terms, case-folded, each once; all of them must be found.

    Raises:
        InvalidRequest: with ``key`` search, it is no text without NUL, or too much.
    """
    if not isinstance(text, str) or "\0" in text:
        raise InvalidRequest("Not a valid string.", key="search")
    # Before any work: where quotes are not closed, each piece costs a look at all that follows.
    if len(text) > SEARCH_MAX_LENGTH:
        raise InvalidRequest(f"Must have no more than {SEARCH_MAX_LENGTH} characters.", key="search")
    terms = list(itertools.islice(filter(None, _split(text)), SEARCH_TERMS_MAX + 1))
    if len(terms) > SEARCH_TERMS_MAX:
        raise InvalidRequest(f"Must have no more than {SEARCH_TERMS_MAX} words.", key="search")
    return tuple(dict.fromkeys(term.casefold() for term in terms))


def has_all(task: str, description: str, terms: str) -> bool:
    """Whether each of the terms, parted by NUL, stands in one of the texts, whatever the case."""
    text = f"{task}\0{description}".casefold()  # no term reaches over the NUL
    for term in terms.split("\0"):  # noqa: SIM110 - it is done for every task, and a generator costs more than the rest
        if term not in text:
            return False
    return True


def _split(text: str) -> Iterator[str]:
    for match in _PIECE.finditer(text):
        piece = match[0].strip(",")
        if piece.startswith(_QUOTES) and piece[0] == piece[-1]:
            quote = piece[0]
            yield piece[1:-1].replace(f"\\{quote}", quote).replace("\\\\", "\\")
        else:
            for term in piece.split(","):
                yield term.strip()
