"""``taskbeam user``: accounts, by an operator."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from taskbeam.commands.user_data import export, import_
from taskbeam.errors import CommandError
from taskbeam.operator import open_store, run, with_settings
from taskbeam.output import json_option, write_json, write_table
from taskbeam.passwords import read_secret

if TYPE_CHECKING:
    from shared.auth.administration import Administration
    from shared.models import User
    from shared.settings import Settings
    from shared.store.records import AccountRecord

T = TypeVar("T")

_PAGE: Final = 1000


@click.group
def user() -> None:
    """Accounts: add, list, disable, enable, set a password, remove, export, import."""


user.add_command(export)
user.add_command(import_)


@user.command
@click.argument("username")
@with_settings
@json_option
def add(settings: Settings, username: str, as_json: bool) -> None:
    """Make an account.

    The password is asked at the terminal, or is the first line of standard input.
    """
    password = read_secret("Password", twice=True)

    async def work(accounts: Administration) -> User:
        return await accounts.add(username, password)

    made = _administer(settings, work, make=True)
    if as_json:
        write_json({"id": made.id, "username": made.username})
    else:
        click.echo(f"User {made.username} is made.")


@user.command("list")
@with_settings
@json_option
def list_(settings: Settings, as_json: bool) -> None:
    """List all users."""

    async def work() -> list[AccountRecord]:
        found: list[AccountRecord] = []
        async with open_store(settings) as store:
            while page := await store.accounts(found[-1].user.id if found else 0, _PAGE):
                found += page
        return found

    rows: list[dict[str, Any]] = [
        {
            "id": account.user.id,
            "username": account.user.username,
            "is_active": account.user.is_active,
            "date_joined": account.user.date_joined,
            "tasks": account.tasks,
            "seq": account.seq,
        }
        for account in run(work())
    ]
    if as_json:
        write_json(rows)
    else:
        shown = [
            {**row, "is_active": "yes" if row["is_active"] else "no", "date_joined": row["date_joined"][:10]}
            for row in rows
        ]
        write_table(
            ("id", "username", "active", "joined", "tasks", "seq"), [list(row.values()) for row in shown]
        )


@user.command
@click.argument("username")
@with_settings
@json_option
def disable(settings: Settings, username: str, as_json: bool) -> None:
    """Disable a user: their tokens and sockets end within a second."""
    _change(settings, username, lambda accounts: accounts.set_active(username, False), "is disabled", as_json)


@user.command
@click.argument("username")
@with_settings
@json_option
def enable(settings: Settings, username: str, as_json: bool) -> None:
    """Enable a user again, who has to log in anew."""
    _change(settings, username, lambda accounts: accounts.set_active(username, True), "is enabled", as_json)


@user.command
@click.argument("username")
@with_settings
@json_option
def passwd(settings: Settings, username: str, as_json: bool) -> None:
    """Set a user's password: all their tokens end.

    The password is asked at the terminal, or is the first line of standard input.
    """
    password = read_secret("New password", twice=True)
    _change(
        settings,
        username,
        lambda accounts: accounts.set_password(username, password),
        "has a new password",
        as_json,
    )


@user.command
@click.argument("username")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_settings
@json_option
def rm(settings: Settings, username: str, yes: bool, as_json: bool) -> None:
    """Remove a user with all their tasks."""
    if not yes:
        click.confirm(f"Remove {username} and all their tasks?", abort=True, err=True)
    _change(settings, username, lambda accounts: accounts.delete(username), "is removed", as_json)


def _change(
    settings: Settings,
    username: str,
    change: Callable[[Administration], Awaitable[bool]],
    done: str,
    as_json: bool,
) -> None:
    if not _administer(settings, change):
        raise CommandError(f"there is no user {username}")
    if as_json:
        write_json({"username": username})
    else:
        click.echo(f"User {username} {done}.")


def _administer(
    settings: Settings, work: Callable[[Administration], Awaitable[T]], *, make: bool = False
) -> T:
    from shared.auth.administration import Administration
    from shared.auth.password_hasher import PasswordHasher

    async def administer() -> T:
        hasher = PasswordHasher(settings.bcrypt_rounds)
        try:
            async with open_store(settings, make=make) as store:
                return await work(Administration(store, hasher, settings.password_min_length))
        finally:
            hasher.close()

    return run(administer())
