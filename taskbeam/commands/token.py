"""``taskbeam token``: tokens by an operator."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from taskbeam.errors import CommandError, ExitStatus
from taskbeam.operator import open_services, run, with_settings
from taskbeam.output import json_option, write_json, write_table
from taskbeam.passwords import read_secret

if TYPE_CHECKING:
    from shared.settings import Settings


@click.group
def token() -> None:
    """Tokens: hand out a pair, look at one."""


@token.command
@click.argument("username")
@with_settings
@json_option
def issue(settings: Settings, username: str, as_json: bool) -> None:
    """Issue an access and a refresh token for a user, as a login does."""
    from shared.rules.accounts import username_key

    async def work() -> dict[str, str | None]:
        async with open_services(settings) as services:
            key = username_key(username)
            user = None if key is None else await services.store.user_by_key(key)
            if user is None:
                raise CommandError(f"there is no user {username}")
            if not user.is_active:
                raise CommandError(f"user {username} is disabled")
            return (await services.sessions.issue(user))._asdict()

    issued = run(work())
    if as_json:
        write_json(issued)
    else:
        for name, value in issued.items():  # no table, which would fold what is to be copied
            click.echo(f"{name}  {value}")


@token.command
@with_settings
@json_option
def inspect(settings: Settings, as_json: bool) -> None:
    """Say what a token claims, and whether it is accepted.

    The token is asked at the terminal, or is the first line of standard input. The exit status is 1 where it is not accepted.
    """
    import jwt

    encoded = read_secret("Token").strip()
    try:
        claims: dict[str, Any] = jwt.decode(encoded, options={"verify_signature": False})
    except jwt.PyJWTError as error:
        raise CommandError("this is no token") from error

    async def work() -> str | None:
        from shared.errors import TokenRejected

        async with open_services(settings) as services:
            try:
                await services.sessions.verify(encoded)
            except TokenRejected as rejected:
                return rejected.message
        return None

    reason = run(work())
    if as_json:
        write_json({"accepted": reason is None, "reason": reason, "claims": claims})
    else:
        verdict = "accepted" if reason is None else f"not accepted: {reason}"
        write_table(
            ("claim", "value"), [*((name, str(value)) for name, value in claims.items()), ("", verdict)]
        )
    if reason is not None:
        sys.exit(ExitStatus.FAILED)
