"""Why a command for users failed."""

from __future__ import annotations

import click


class Failure(click.ClickException):
    """Its text is what standard error says; the exit status is 1."""


class ServerAway(Failure):
    """No server answers now, or something else answers in its place."""


class LoginOver(Failure):
    """Only a password begins another login."""
