"""Password hashes: Django's encoding both ways, of any length, off the loop and bounded."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import AsyncIterator

import bcrypt
import pytest

from shared import passwords
from shared.errors import Unavailable
from shared.passwords import PasswordHasher, check_password, hash_password

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


@pytest.fixture
async def hasher() -> AsyncIterator[PasswordHasher]:
    hasher = PasswordHasher(4, workers=2)
    yield hasher
    hasher.close()


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
    ],
)
def test_encoding_that_is_not_ours_never_matches(encoded: str) -> None:
    for password in ("", "plain", "correct horse battery staple"):
        assert not check_password(password, encoded)


async def test_hasher_hashes_and_checks(hasher: PasswordHasher) -> None:
    encoded = await hasher.hash("right")
    assert encoded.startswith("bcrypt_sha256$$2b$04$")
    assert await hasher.check("right", encoded)
    assert not await hasher.check("wrong", encoded)


async def test_nobodys_password_never_matches(hasher: PasswordHasher) -> None:
    for password in ("", ".", "anything"):
        assert not await hasher.check(password, None)


async def test_loop_goes_on_while_passwords_are_hashed_at_the_default_cost() -> None:
    hasher = PasswordHasher(12, workers=2)
    try:
        hashing = asyncio.ensure_future(asyncio.gather(*(hasher.hash(f"{number}") for number in range(4))))
        ticks, latest, began = 0, 0.0, time.perf_counter()
        while not hashing.done():
            before = time.perf_counter()
            await asyncio.sleep(0.005)
            latest = max(latest, time.perf_counter() - before - 0.005)
            ticks += 1
        took = time.perf_counter() - began
        await hashing
    finally:
        hasher.close()
    assert took > 0.1, "too little work to say anything"
    assert ticks > 10
    assert latest < took / 4, f"the loop stood still for {latest:.3f} s"


async def test_unknown_user_takes_the_same_work_as_a_wrong_password(monkeypatch: pytest.MonkeyPatch) -> None:
    costs: list[bytes] = []
    check = bcrypt.checkpw

    def counted(password: bytes, encoded: bytes) -> bool:
        costs.append(encoded[:7])
        return check(password, encoded)

    monkeypatch.setattr(bcrypt, "checkpw", counted)
    hasher = PasswordHasher(6, workers=1)
    try:
        encoded = await hasher.hash("right")
        for known in (encoded, None, ""):
            assert not await hasher.check("wrong", known)
    finally:
        hasher.close()
    assert costs == [b"$2b$06$"] * 3


async def test_too_many_waiting_are_refused_and_places_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()

    def slow(password: str, encoded: str) -> bool:
        assert go_on.wait(20)
        return True

    monkeypatch.setattr(passwords, "check_password", slow)
    monkeypatch.setattr(passwords, "_WAITING_PER_WORKER", 5)
    hasher = PasswordHasher(4, workers=2)
    try:
        waiting = [asyncio.create_task(hasher.check("a", "b")) for _ in range(10)]
        await asyncio.sleep(0)
        for _ in range(3):
            with pytest.raises(Unavailable):
                await hasher.check("a", "b")
        with pytest.raises(Unavailable):
            await hasher.hash("a")
        go_on.set()
        assert await asyncio.wait_for(asyncio.gather(*waiting), 20) == [True] * 10
        assert await hasher.check("a", "b")
    finally:
        go_on.set()
        hasher.close()


async def test_caller_that_gives_up_gives_its_place_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_WAITING_PER_WORKER", 3)
    hasher = PasswordHasher(4, workers=1)
    try:
        for _ in range(20):
            waiting = [asyncio.create_task(hasher.hash("a")) for _ in range(3)]
            await asyncio.sleep(0)
            for task in waiting:
                task.cancel()
            await asyncio.wait(waiting)
        assert (await hasher.hash("a")).startswith("bcrypt_sha256$")
    finally:
        hasher.close()
