"""Schemathesis takes the document, and finds nothing wrong with a gateway that serves it."""

from __future__ import annotations

import secrets
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.support.api_documents import openapi_document
from tests.support.clients import Rest
from tests.support.processes import ROOT, System

_CONFIGURATION: Final = """
hooks = "tests.rest_gateway.openapi.leniency"
warnings = false
request-timeout = 30

[cache]
enabled = false

[generation]
database = "none"
deterministic = true
max-examples = 4

[phases.stateful]
max-steps = 4

# A condition that does not hold is no fault of the request.
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", 401, 403, 404, 409, 412]

[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 412, 413, 415]

# A name may be taken, and a password wrong.
[[operations]]
include-operation-id = ["register", "changePassword", "deleteMe"]
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", 400, 401]

# It has no end.
[[operations]]
include-operation-id = "getEvents"
enabled = false
"""


@pytest.fixture
def token(system: System) -> str:
    """Of a user with another password than the document's examples have, which delete their account."""
    credentials = {"username": f"schemathesis-{secrets.token_hex(6)}", "password": secrets.token_hex(16)}
    assert Rest(system)("POST", "/register/", credentials).status == 201
    access: str = Rest(system)("POST", "/login/", credentials).body["access"]
    return access


def test_it_finds_nothing_wrong(system: System, token: str, tmp_path: Path) -> None:
    configuration = tmp_path / "schemathesis.toml"
    configuration.write_text(_CONFIGURATION)
    program = Path(sys.executable).with_name("schemathesis")
    run = subprocess.run(
        [
            *(
                program,
                "--no-color",
                "--config-file",
                configuration,
                "run",
                f"{system.rest_url}/openapi.json",
            ),
            *("--continue-on-failure", "--header", f"Authorization: Bearer {token}"),
        ],
        cwd=ROOT,
        capture_output=True,
        check=False,
        text=True,
        timeout=250,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    described = sum(len(operations) for operations in openapi_document()["paths"].values())
    assert f"Tested: {described - 1}" in run.stdout
    tasks = Rest(system, token)("GET", "/")  # the token was good to the end
    assert tasks.status == 200
    assert len(tasks.body) > 1
