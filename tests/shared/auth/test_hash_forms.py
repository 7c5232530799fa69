"""The forms of Django's password hashes: known answers, what is refused unread, and that each bit counts."""

from __future__ import annotations

import base64
import hashlib
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.auth import argon2
from shared.auth.hash_forms import HashCosts, read_hash

# Recorded: made by the hashers of Django 5.2, at costs that make them quick.
BY_DJANGO: Final = {
    "lètmein": {
        "pbkdf2_sha256$1000$seasalt$JgZryXe2Ga8ysg6XbzkLpTdyPQrHqsinbL9BnnhgX4A=": HashCosts(pbkdf2=1000),
        "pbkdf2_sha1$1000$seasalt$ljleU4wBmTtz/MoG5YTwxpM0d7I=": HashCosts(pbkdf2_sha1=1000),
        "scrypt$1024$seasalt$8$1$+qO2jTkVUbPNlniTkHY96ldSJKs4U0WQif8UbWlfO3wJDNhKOg+pPtDckiT6Zw0qkEvKIQ1MdONfGxsWrpoiNg==": (
            HashCosts(scrypt=8 * 1024)
        ),
        "scrypt$256$seasalt$4$3$M5giVlmR4217/Eoh8FFfgP1t/d3ey7i93urX1nhVTAQaIneBMMoc6Q68O5h5Zi4VuVZl/onXGdfYrzdHYKSEwg==": (
            HashCosts(scrypt=4 * 256 * 3)
        ),
        "argon2$argon2id$v=19$m=1024,t=2,p=4$c2Vhc2FsdDI$ohrujnnHQ1vCYX96VG/pu5MBhMwx6z4rmOEQuauRrD0": (
            HashCosts(argon2=2048)
        ),
        "bcrypt$$2b$04$WpGcyBOpI61TK9O39tLRS.8z4smv8L/cH9JoGkcEceo5J29sOqP3e": HashCosts(bcrypt=4),
        # With the costs that are Django's own
        "scrypt$16384$seasaltseasalt$8$5$nhga/E1Jr9dLSgkv9WVqdbg0lXiZbRBVktsenoH5qsLFBMhfGZRVOAhGHBwyv2SnCjIjtaS2PSzoKT3N5/ZaEg==": (
            HashCosts(scrypt=8 * 16384 * 5)
        ),
        "argon2$argon2id$v=19$m=102400,t=2,p=8$c2Vhc2FsdHNlYXNhbHQ$5X8M3A6KY2o98xsl1DnfJpaxc9OdBrgUbl3HjifV1qo": (
            HashCosts(argon2=204_800)
        ),
    },
    "пароль ☃ 日本語": {
        "pbkdf2_sha1$1000$seasalt$BmyRNGgrZTb1uG5ipPqRBP2BMmc=": HashCosts(pbkdf2_sha1=1000),
        "scrypt$1024$seasalt$8$1$GBLTf/+tKPZnz1fcqoIXGPxHfZaVN20jrtQbc9QHwHCFJbUPxVB7QVg1PQ60abFE0e9nt2jpNV/dfCTw8D2wwg==": (
            HashCosts(scrypt=8 * 1024)
        ),
        "argon2$argon2id$v=19$m=1024,t=2,p=4$c2Vhc2FsdDI$8fsyB3D7MRrrx9q45xkmQwW6cdh7MyT1saxAm9IhAEY": (
            HashCosts(argon2=2048)
        ),
        "bcrypt$$2b$04$VKFlwYiUbrdRkKQXYd7LiOID/5aYmKqm6opLLtj3wiqpOSLQs/MWu": HashCosts(bcrypt=4),
    },
    "x" * 200: {
        "pbkdf2_sha1$1000$seasalt$GNZAlaBqWw/dNwrPgE3UOM7gE4Q=": HashCosts(pbkdf2_sha1=1000),
        "scrypt$1024$seasalt$8$1$/H7kuH5ed66pXjfuOh5LK1MYq7k/WjWKhJCCFzw+l0SRdVADdRk69+kWmtHY4twXmPxSTKQZe8O7jSQyK8cC/Q==": (
            HashCosts(scrypt=8 * 1024)
        ),
        "argon2$argon2id$v=19$m=1024,t=2,p=4$c2Vhc2FsdDI$VaTkAXYAVv+N47Opdn48WjtoNB5DnaZ/xHzirh6Xx1E": (
            HashCosts(argon2=2048)
        ),
    },
    # Argon2's other variants and its old version, which Django's check_password takes too
    "letmein": {
        "argon2$argon2i$v=16$m=512,t=2,p=2$c2Vhc2FsdHNlYXNhbHQ$erJ0UucvM/6GZoplR05KK3C9JlRKf6rOIwj3kRrpJ/4": (
            HashCosts(argon2=1024)
        ),
        "argon2$argon2i$m=512,t=2,p=2$c2Vhc2FsdHNlYXNhbHQ$erJ0UucvM/6GZoplR05KK3C9JlRKf6rOIwj3kRrpJ/4": (
            HashCosts(argon2=1024)
        ),
        "argon2$argon2d$v=16$m=512,t=2,p=2$c2Vhc2FsdHNlYXNhbHQ$WjRaLUm9Y4urF8ZfGHxhroJYNzwkp0oAEb05zujS/Ao": (
            HashCosts(argon2=1024)
        ),
        "argon2$argon2i$v=19$m=512,t=2,p=2$c2Vhc2FsdHNlYXNhbHQ$9fXhAUbiM4iaCa7MgevuYlvBC+S58nN0QUPun/QOZWU": (
            HashCosts(argon2=1024)
        ),
        "argon2$argon2d$v=19$m=512,t=2,p=2$c2Vhc2FsdHNlYXNhbHQ$QLreJaJsGU62Vtol8y6Dfz5zAsqUlxqGSQNyfDM3ImY": (
            HashCosts(argon2=1024)
        ),
    },
}
_CASES: Final = [(password, *case) for password, cases in BY_DJANGO.items() for case in cases.items()]
_TAG: Final = "A" * 43
_SCRYPT_TAG: Final = "A" * 86 + "=="


@pytest.mark.parametrize(("password", "encoded", "costs"), _CASES)
def test_hash_of_djangos_matches_its_password_alone(password: str, encoded: str, costs: HashCosts) -> None:
    stored = read_hash(encoded)
    assert stored is not None
    assert stored.costs == costs
    assert stored.matches(password.encode())
    for other in ("x" + password, password[:-1], password.upper() + "!", ""):
        assert not stored.matches(other.encode())


@pytest.mark.parametrize(
    "encoded",
    [
        "!0oIFYsnHTalp5Hxfl7hTHMNf8uukyjVrkARjUGzM",
        "md5$salt$5f4dcc3b5aa765d61d8327deb882cf99",
        "pbkdf2_sha1$1000$seasalt$JgZryXe2Ga8ysg6XbzkLpTdyPQrHqsinbL9BnnhgX4A=",
        "pbkdf2_sha256$1000$seasalt$ljleU4wBmTtz/MoG5YTwxpM0d7I=",
        "pbkdf2_sha1$99999999$seasalt$ljleU4wBmTtz/MoG5YTwxpM0d7I=",
        f"scrypt$1000$salt$8$1${_SCRYPT_TAG}",  # no power of two
        f"scrypt$1$salt$8$1${_SCRYPT_TAG}",
        f"scrypt$65536$salt$1$1${_SCRYPT_TAG}",  # too large for its blocks
        f"scrypt$1024$salt$8$1${_TAG}=",
        f"scrypt$262144$salt$8$1${_SCRYPT_TAG}",  # 256 MiB
        f"scrypt$16384$salt$8$99${_SCRYPT_TAG}",  # 99 times 16 MiB, one after the other
        f"argon2$argon2id$v=19$m=999999,t=1,p=1$c2Vhc2FsdDI${_TAG}",  # nearly a GiB
        f"argon2$argon2id$v=19$m=65536,t=999,p=1$c2Vhc2FsdDI${_TAG}",
        f"argon2$argon2id$v=19$m=8,t=1,p=2$c2Vhc2FsdDI${_TAG}",  # less than its lanes take
        f"argon2$argon2id$v=18$m=1024,t=1,p=1$c2Vhc2FsdDI${_TAG}",
        f"argon2$argon2x$v=19$m=1024,t=1,p=1$c2Vhc2FsdDI${_TAG}",
        f"argon2$argon2id$v=19$m=1024,t=1,p=1$c2Fs${_TAG}",  # a short salt
        "argon2$argon2id$v=19$m=1024,t=1,p=1$c2Vhc2FsdDI$AAAAA",
        f"argon2$argon2id$v=19$m=1024,t=1,p=1$c2Vhc2FsdDI${_TAG}AA",
    ],
)
def test_what_is_unreadable_or_too_dear_is_not_read(encoded: str) -> None:
    stored = read_hash(encoded)
    assert stored is None


@settings(max_examples=25, deadline=None)
@given(
    password=st.binary(max_size=200),
    salt=st.binary(min_size=8, max_size=20),
    parallelism=st.integers(1, 4),
    passes=st.integers(1, 3),
)
def test_argon2_on_one_thread_is_argon2(password: bytes, salt: bytes, parallelism: int, passes: int) -> None:
    from argon2.low_level import Type, hash_secret_raw

    made = argon2.compute(password, salt, argon2.Parameters("id", 19, 64, passes, parallelism, 32))
    assert made == hash_secret_raw(password, salt, passes, 64, parallelism, 32, Type.ID)


@settings(max_examples=25, deadline=None)
@given(
    password=st.text(max_size=50).filter(lambda text: text.isascii() or text.isprintable()),
    salt=st.text("abcABC019", max_size=20),
    power=st.integers(1, 8),
    r=st.integers(1, 8),
    p=st.integers(1, 3),
)
def test_any_scrypt_hash_within_bounds_is_read(password: str, salt: str, power: int, r: int, p: int) -> None:
    n = 1 << power
    octets = password.encode()
    tag = base64.b64encode(hashlib.scrypt(octets, salt=salt.encode(), n=n, r=r, p=p, dklen=64)).decode()
    stored = read_hash(f"scrypt${n}${salt}${r}${p}${tag}")
    assert stored is not None
    assert stored.costs == HashCosts(scrypt=n * r * p)
    assert stored.matches(octets)
    assert not stored.matches(octets + b".")


@settings(max_examples=300, deadline=None)
@given(
    st.from_regex(r"\A(bcrypt|bcrypt_sha256|pbkdf2_sha1|pbkdf2_sha256|scrypt|argon2|!)?\$?[$a-z0-9=,./+]*\Z")
)
def test_any_text_is_read_or_refused(encoded: str) -> None:
    stored = read_hash(encoded)
    assert stored is None or max(stored.costs) > 0
