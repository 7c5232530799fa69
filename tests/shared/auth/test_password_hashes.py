"""Password hashes: Django's encodings, of any length, and how much work a mismatch is."""

from __future__ import annotations

import base64
import hashlib
import re

import bcrypt
import pytest

from shared.auth.hash_forms import HashCosts
from shared.auth.password_hashes import (
    check_password,
    check_password_padded,
    greatest_work,
    hash_password,
    is_current,
)

# Recorded: made by Django 5.2's BCryptSHA256PasswordHasher, at four rounds.
BY_DJANGO = {
    "correct horse battery staple": (
        "bcrypt_sha256$$2b$04$oQviFku59EdVnUHQVPrm3OEgXowJVxZeERbwQbtqeX3OHl5g1bywe"
    ),
    "пароль ☃ 日本語": "bcrypt_sha256$$2b$04$unuGV46quJpBKmer9Wwx2upE4VS3PvRatPmO5P34NPA/ZEYJ2TIPy",
    "x" * 200: "bcrypt_sha256$$2b$04$xQXBD.WN6LuIweH1FVRwte.2hWritBHqTX30dKOjtCef3UDjt84Rq",
}
# Recorded: made by ours; Django's check_password said True to each, and False with another letter at the end.
ACCEPTED_BY_DJANGO = {
    "correct horse battery staple": (
        "bcrypt_sha256$$2b$04$12OCvFwYFqrBRnV6pJ8pEukwrThs1PbbTU/5fVDItVdddcms8cqoe"
    ),
    "пароль ☃ 日本語": "bcrypt_sha256$$2b$04$eYqPVrvGhr6vgY7Hyq2RK.FGuqRL81KlGnG3ILGVyjgGOa.G85KhS",
    "x" * 200: "bcrypt_sha256$$2b$04$qhhn/qcCTT5334fPgFpNUOmKGYcGqZax75nlWl3fSo8YIZUI1wBSG",
}


@pytest.mark.parametrize("password", BY_DJANGO)
def test_hash_of_djangos_is_accepted(password: str) -> None:
    assert check_password(password, BY_DJANGO[password])
    assert not check_password(password + "x", BY_DJANGO[password])


@pytest.mark.parametrize("password", ACCEPTED_BY_DJANGO)
def test_hash_is_written_as_in_those_that_django_accepted(password: str) -> None:
    assert check_password(password, ACCEPTED_BY_DJANGO[password])
    form = r"bcrypt_sha256\$\$2b\$04\$[./A-Za-z0-9]{53}"
    assert re.fullmatch(form, ACCEPTED_BY_DJANGO[password])
    assert re.fullmatch(form, hash_password(password, 4))


@pytest.mark.parametrize(
    "password",
    ["a", " ", "  spaces count ", "a\0b", "é", "e\u0301", "\N{PILE OF POO}" * 50, "x" * 200, "\n"],
)
def test_any_password_matches_itself_alone(password: str) -> None:
    encoded = hash_password(password, 4)
    assert check_password(password, encoded)
    for other in (password + "x", password[:-1], password.strip() + "!", password + "\0"):
        assert not check_password(other, encoded)


def test_passwords_that_differ_after_72_bytes_differ() -> None:
    encoded = hash_password("x" * 100 + "a", 4)
    assert not check_password("x" * 100 + "b", encoded)
    assert not check_password("x" * 72, encoded)


def test_passwords_that_differ_after_nul_differ() -> None:
    encoded = hash_password("before\0after", 4)
    assert not check_password("before\0other", encoded)
    assert not check_password("before", encoded)


def test_one_password_has_many_hashes() -> None:
    assert len({hash_password("a", 4) for _ in range(5)}) == 5


@pytest.mark.parametrize(
    "encoded",
    [
        "",
        "!",
        "plain",
        "bcrypt_sha256$",
        "bcrypt_sha256$$2b$04$short",
        "bcrypt_sha256$\0",
        "bcrypt_sha256$☃",
        "pbkdf2_sha256$1000000$salt$hash",
        "bcrypt$$2b$04$oQviFku59EdVnUHQVPrm3OEgXowJVxZeERbwQbtqeX3OHl5g1bywe",
        "bcrypt_sha256$$2b$31$oQviFku59EdVnUHQVPrm3OEgXowJVxZeERbwQbtqeX3OHl5g1bywe",
        "bcrypt_sha256$$2b$03$oQviFku59EdVnUHQVPrm3OEgXowJVxZeERbwQbtqeX3OHl5g1bywe",
        "bcrypt_sha256$$2z$04$oQviFku59EdVnUHQVPrm3OEgXowJVxZeERbwQbtqeX3OHl5g1bywe",
        "pbkdf2_sha256$99999999$salt$" + "A" * 43 + "=",
        "pbkdf2_sha256$600000$abc$def=",
        "pbkdf2_sha256$0$salt$" + "A" * 43 + "=",
        "argon2$argon2id$v=19$m=102400,t=2,p=8$c2FsdA$aGFzaA",
        "!AnUnusablePasswordOfDjangos",
    ],
)
def test_encoding_that_cannot_be_read_never_matches(encoded: str) -> None:
    for password in ("", "plain", "correct horse battery staple"):
        assert not check_password(password, encoded)


def _pbkdf2(password: str, iterations: int) -> str:
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), b"salt", iterations)
    return f"pbkdf2_sha256${iterations}$salt${base64.b64encode(digest).decode()}"


# Recorded: Django 5.2's make_password("lètmein", "seasalt", "pbkdf2_sha256"), as in its own tests.
PBKDF2_BY_DJANGO = "pbkdf2_sha256$1000000$seasalt$r1uLUxoxpP2Ued/qxvmje7UH9PUJBkRrvf9gGPL7Cps="


def test_other_hashes_of_djangos_are_checked() -> None:
    assert check_password("lètmein", PBKDF2_BY_DJANGO)
    assert not check_password("letmein", PBKDF2_BY_DJANGO)
    plain = "bcrypt$" + bcrypt.hashpw(("x" * 72).encode(), bcrypt.gensalt(4)).decode()
    assert check_password("x" * 72, plain)
    assert check_password("x" * 80, plain), "bcrypt reads 72 bytes; Django's BCryptPasswordHasher too"
    assert not check_password("x" * 71, plain)


def test_what_is_current() -> None:
    assert is_current(hash_password("a", 4), 4)
    for other in (
        hash_password("a", 5),
        _pbkdf2("a", 1),
        "bcrypt$$2b$04$x",
        "bcrypt_sha256$$2a$04$x",
        "",
        "!",
    ):
        assert not is_current(other, 4)


def _stored(form: str) -> str | None:
    match form:
        case "nobody's":
            return None
        case "bcrypt":
            return "bcrypt$" + bcrypt.hashpw(b"right", bcrypt.gensalt(5)).decode()
        case _ if form.isdecimal():
            return hash_password("right", int(form))
        case _:
            return form


@pytest.mark.parametrize(
    "form",
    [
        "nobody's",
        "",
        "!unusable",
        "bcrypt_sha256$$2b$06$broken",
        "bcrypt_sha256$$2b$99$oQviFku59EdVnUHQVPrm3OEgXowJVxZeERbwQbtqeX3OHl5g1bywe",
        "4",
        "7",
        "8",
        "bcrypt",
    ],
)
def test_a_mismatch_is_the_same_work_whatever_is_stored(monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    encoded = _stored(form)
    done = 0
    check, make = bcrypt.checkpw, bcrypt.hashpw

    def checked(password: bytes, stored: bytes) -> bool:
        nonlocal done
        done += 2 ** int(stored.split(b"$")[2])
        return check(password, stored)

    def made(password: bytes, salt: bytes) -> bytes:
        nonlocal done
        done += 2 ** int(salt.split(b"$")[2])
        return make(password, salt)

    monkeypatch.setattr(bcrypt, "checkpw", checked)
    monkeypatch.setattr(bcrypt, "hashpw", made)
    matches, work = check_password_padded("wrong", encoded, 8)
    assert (matches, work, done) == (False, 256, 256)


@pytest.mark.parametrize(
    "encoded",
    [
        f"pbkdf2_sha1$20000$salt${'A' * 27}=",
        f"scrypt$4096$salt$8$2${'A' * 86}==",
        f"argon2$argon2id$v=19$m=8192,t=2,p=8$c2Vhc2FsdDI${'A' * 43}",
    ],
)
def test_a_mismatch_of_an_imported_hash_is_made_up_to_the_same_work(
    monkeypatch: pytest.MonkeyPatch, encoded: str
) -> None:
    done = 0
    make = bcrypt.hashpw

    def made(password: bytes, salt: bytes) -> bytes:
        nonlocal done
        done += 2 ** int(salt.split(b"$")[2])
        return make(password, salt)

    work = check_password_padded("wrong", encoded, 4)[1]
    monkeypatch.setattr(bcrypt, "hashpw", made)
    matches, padded = check_password_padded("wrong", encoded, 11)
    assert not matches
    assert padded == 2048
    assert abs(work + done - 2048) <= 16, "bcrypt has no smaller hash than one of 16"


def test_a_match_is_no_more_work_than_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = hash_password("right", 4)
    monkeypatch.setattr(bcrypt, "hashpw", None)
    assert check_password_padded("right", encoded, 12)[0]


def test_a_dearer_hash_is_known_to_be() -> None:
    assert check_password_padded("wrong", hash_password("right", 6), 4) == (False, 64)
    for encoded, costs in (
        (_pbkdf2("right", 20_000), HashCosts(4, pbkdf2=20_000)),
        (f"pbkdf2_sha1$20000$salt${'A' * 27}=", HashCosts(4, pbkdf2_sha1=20_000)),
        (f"scrypt$4096$salt$8$2${'A' * 86}==", HashCosts(4, scrypt=2 * 8 * 4096)),
        (f"argon2$argon2id$v=19$m=8192,t=2,p=8$c2Vhc2FsdDI${'A' * 43}", HashCosts(4, argon2=2 * 8192)),
    ):
        matches, work = check_password_padded("wrong", encoded, 4)
        assert not matches
        assert 16 < work == greatest_work(costs) < 4096
    assert greatest_work(HashCosts(12, 1)) == 4096
    assert greatest_work(HashCosts(0, 0)) <= 16
