"""Mutations of valid input."""

from __future__ import annotations

import itertools
from random import Random
from typing import Final

# Bytes that parsers often handle wrongly: line ends, invalid text, limits of numbers, lengths.
_FRAGMENTS: Final = (
    b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\0", b" ", b"\t", b":", b";", b",", b'"', b"=", b"%", b"/", b"?", b"#", b"@",
    b"[", b"]", b"{", b"}", b"\\", b"\x7f", b"\x80", b"\xff", b"\xed\xa0\x80", b"\xc3", b"\xe2\x80\xa8", b"\\ud800",
    b"-1", b"0", b"1e999", b"NaN", b"9" * 30, b"99999", b"0x10", b"true", b"null", b"[[[[[[[[", b"HTTP/1.1", b"HTTP/9.9",
    b"GET ", b"Host: ", b"Content-Length: ", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n", b"\x88\x80\0\0\0\0",
    b"\x81", b"\x89\x80\0\0\0\0", b"\x00", b"\xfe\xff\xff", b"\x80\x80\0\0\0\0", b"a" * 300, b" " * 300, b"\r\n " * 50,
)  # fmt: skip


def mutated(data: bytes, random: Random) -> bytes:
    """``data`` with one to four mutations."""
    for _ in range(random.randint(1, 4)):
        data = _mutated_once(data, random)
    return data


def _mutated_once(data: bytes, random: Random) -> bytes:
    start = random.randrange(len(data) + 1)
    end = min(len(data), start + random.choice((0, 1, 1, 2, 4, 16, 200)))
    match random.randrange(7):
        case 0:  # replace
            return data[:start] + random.choice(_FRAGMENTS) + data[end:]
        case 1:  # insert
            return data[:start] + random.choice(_FRAGMENTS) + data[start:]
        case 2:  # delete
            return data[:start] + data[end:]
        case 3:  # repeat
            return data[:end] + data[start:end] * random.choice((1, 1, 2, 50)) + data[end:]
        case 4:  # copy to another place
            there = random.randrange(len(data) + 1)
            return data[:there] + data[start:end] + data[there:]
        case 5:  # truncate
            return data[:start]
        case _:  # flip bits
            noise = bytes(byte ^ 1 << random.randrange(8) for byte in data[start:end])
            return data[:start] + noise + data[end:]


def split(data: bytes, random: Random) -> tuple[bytes, ...]:
    """``data`` in one piece, mostly, or in two to five."""
    if random.random() < 0.6 or len(data) < 2:
        return (data,)
    cuts = sorted({0, len(data), *(random.randrange(1, len(data)) for _ in range(random.randint(1, 4)))})
    return tuple(data[start:end] for start, end in itertools.pairwise(cuts))


def maybe_mutated(chance: float, random: Random, data: bytes) -> bytes:
    """``mutated``, with the given probability."""
    return mutated(data, random) if random.random() < chance else data
