"""What ``rest_gateway.accounts`` takes and answers."""

from __future__ import annotations

from typing import Final

from rest_gateway.answers import Account, Empty, Me, Refreshed, Tokens
from rest_gateway.openapi.common import LEFT_OUT, THROTTLED, TOKEN_REFUSED, invalid
from rest_gateway.openapi.error_types import Detail
from rest_gateway.openapi.operation import Answer, Body, Operation, Operations
from rest_gateway.openapi.request_types import (
    AnyToken,
    Credentials,
    CurrentPassword,
    PasswordChange,
    RefreshToken,
    Registration,
)
from shared.errors import CredentialsRejected, RegistrationClosed
from shared.rules.accounts import USERNAME_INVALID, USERNAME_TAKEN

_PASSWORD: Final = "correct horse battery staple"
_TOKEN: Final = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.c2lnbmF0dXJl"
_CREDENTIALS: Final = {"username": "ann", "password": _PASSWORD}
_ME: Final = {"id": 1, "username": "ann", "date_joined": "2026-11-22T11:57:25.175297Z"}
_NO_REFRESH: Final = invalid({"a field is left out": {"refresh": LEFT_OUT}})
_WRONG_PASSWORD: Final = invalid({"the current password is wrong": {"current_password": "Wrong password."}})

OPERATIONS: Final[Operations] = {
    ("POST", "/register/"): Operation(
        "register",
        "Make an account",
        {
            201: Answer("The account.", Account, example={"id": 1, "username": "ann"}),
            400: invalid(
                {
                    "the name is taken": {"username": USERNAME_TAKEN},
                    "the name has other characters": {"username": USERNAME_INVALID},
                    "the password is shorter than `PASSWORD_MIN_LENGTH`": {
                        "password": "This password is too short. It must contain at least 8 characters."
                    },
                }
            ),
            403: Answer(
                "The server takes no new accounts.",
                Detail,
                cases={"`ALLOW_REGISTRATION` is `false`": {"detail": RegistrationClosed().message}},
            ),
            429: THROTTLED,
        },
        body=Body(Registration, _CREDENTIALS),
    ),
    ("POST", "/login/"): Operation(
        "logIn",
        "Get tokens",
        {
            200: Answer("The tokens.", Tokens, example={"refresh": _TOKEN, "access": _TOKEN}),
            400: invalid({"a field is left out": {"password": LEFT_OUT}}),
            401: TOKEN_REFUSED._replace(
                description="Wrong name or password, or the account is disabled.",
                cases={
                    "wrong name or password, or a disabled account": {"detail": CredentialsRejected().message}
                },
            ),
            429: THROTTLED,
        },
        body=Body(Credentials, _CREDENTIALS),
    ),
    ("POST", "/token-refresh/"): Operation(
        "refreshToken",
        "Get a new access token",
        {
            200: Answer("The token.", Refreshed, example={"access": _TOKEN}),
            400: _NO_REFRESH,
            401: TOKEN_REFUSED,
        },
        body=Body(RefreshToken, {"refresh": _TOKEN}),
    ),
    ("POST", "/token-verify/"): Operation(
        "verifyToken",
        "Ask whether a token is accepted",
        {
            200: Answer("It is.", Empty, example={}),
            400: invalid({"a field is left out": {"token": LEFT_OUT}}),
            401: TOKEN_REFUSED._replace(
                cases={case: body for case, body in TOKEN_REFUSED.cases.items() if "wrong" not in str(body)}
            ),
        },
        body=Body(AnyToken, {"token": _TOKEN}),
    ),
    ("POST", "/logout/"): Operation(
        "logOut",
        "End a session",
        {
            200: Answer("The refresh token and all tokens that came of it have ended.", Empty, example={}),
            400: _NO_REFRESH,
            401: TOKEN_REFUSED,
        },
        body=Body(RefreshToken, {"refresh": _TOKEN}),
    ),
    ("GET", "/me/"): Operation("getMe", "Your own account", {200: Answer("The account.", Me, example=_ME)}),
    ("PATCH", "/me/"): Operation(
        "changePassword",
        "Change your password",
        {
            200: Answer("All your tokens have ended: log in again.", Me, example=_ME),
            400: _WRONG_PASSWORD,
            429: THROTTLED,
        },
        body=Body(PasswordChange, {"current_password": _PASSWORD, "password": f"another {_PASSWORD}"}),
    ),
    ("DELETE", "/me/"): Operation(
        "deleteMe",
        "Delete your account and all your tasks",
        {204: Answer("They are gone."), 400: _WRONG_PASSWORD, 429: THROTTLED},
        body=Body(CurrentPassword, {"current_password": _PASSWORD}),
    ),
}
