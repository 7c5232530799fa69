"""Registration that the settings have closed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.clients import PASSWORD, Rest
from tests.support.processes import running


def test_closed_registration_is_refused_before_the_fields_are_looked_at(tmp_path: Path) -> None:
    with running(tmp_path, ALLOW_REGISTRATION="false") as system:
        for body in ({"username": "ann", "password": PASSWORD}, {"username": ""}, {}):
            answer = Rest(system)("POST", "/register/", body)
            assert (answer.status, answer.body) == (403, {"detail": "Registration is closed."})
        login = Rest(system)("POST", "/login/", {"username": "ann", "password": PASSWORD})
        assert login.status == 401


@pytest.mark.parametrize("spelling", ["true", "Yes"])
def test_open_registration(tmp_path: Path, spelling: str) -> None:
    with running(tmp_path, ALLOW_REGISTRATION=spelling) as system:
        body = {"username": "ann", "password": PASSWORD}
        assert Rest(system)("POST", "/register/", body).status == 201
