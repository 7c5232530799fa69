"""What ``rest_gateway.accounts`` takes and answers."""

from __future__ import annotations

from typing import Final

from rest_gateway.answers import Account, Empty, Me, Refreshed, Tokens
from rest_gateway.openapi.common import INVALID, THROTTLED, TOKEN_REFUSED
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

_PASSWORD: Final = "correct horse battery staple"
_TOKEN: Final = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.c2lnbmF0dXJl"
_CREDENTIALS: Final = {"username": "ann", "password": _PASSWORD}
_ME: Final = {"id": 1, "username": "ann", "date_joined": "2026-11-22T11:57:25.175297Z"}
_WRONG_PASSWORD: Final = INVALID._replace(example={"current_password": ["Wrong password."]})

OPERATIONS: Final[Operations] = {
    ("POST", "/register/"): Operation(
        "register",
        "Make an account",
        {
            201: Answer("The account.", Account, example={"id": 1, "username": "ann"}),
            400: INVALID._replace(example={"username": ["A user with that username already exists."]}),
            403: Answer(
                "The server takes no new accounts.", Detail, example={"detail": "Registration is closed."}
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
            400: INVALID,
            401: TOKEN_REFUSED._replace(
                description="Wrong name or password, or the account is disabled.",
                example={"detail": "No active account found with the given credentials"},
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
            400: INVALID,
            401: TOKEN_REFUSED,
        },
        body=Body(RefreshToken, {"refresh": _TOKEN}),
    ),
    ("POST", "/token-verify/"): Operation(
        "verifyToken",
        "Ask whether a token is accepted",
        {200: Answer("It is.", Empty, example={}), 400: INVALID, 401: TOKEN_REFUSED},
        body=Body(AnyToken, {"token": _TOKEN}),
    ),
    ("POST", "/logout/"): Operation(
        "logOut",
        "End a session",
        {
            200: Answer("The refresh token and all tokens that came of it have ended.", Empty, example={}),
            400: INVALID,
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
