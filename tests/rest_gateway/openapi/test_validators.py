"""Programs that others use accept the document: a validator, and a generator of clients."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.support.api_documents import openapi_document
from tests.support.clients import PASSWORD, Account
from tests.support.processes import System

BIN = Path(sys.executable).parent


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(openapi_document()))
    return path


def _run(*command: str | Path, folder: Path) -> str:
    run = subprocess.run(command, cwd=folder, capture_output=True, check=False, text=True, timeout=100)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout + run.stderr


def test_it_is_valid_openapi() -> None:
    assert list(OpenAPIV31SpecValidator(openapi_document()).iter_errors()) == []


_USE = """
import importlib, pkgutil, sys
import client.api
from client import AuthenticatedClient, Client
from client.api.accounts import log_in
from client.api.tasks import create_task, list_tasks, run_batch, update_task
from client.models import Batch, ConditionFailed, CreateOperation, Credentials, NewTask, Task, TaskPage, TaskUpdate

for module in pkgutil.walk_packages(client.api.__path__, "client.api."):
    importlib.import_module(module.name)
url, username, password = sys.argv[1:]
tokens = log_in.sync(client=Client(base_url=url), body=Credentials(username=username, password=password))
user = AuthenticatedClient(base_url=url, token=tokens.access)
task = create_task.sync(client=user, body=NewTask(task="Buy milk"))
assert isinstance(task, Task), task
change = TaskUpdate(completed=True)
assert update_task.sync(task.uuid, client=user, body=change, if_match='"1"').completed
assert isinstance(update_task.sync(task.uuid, client=user, body=change, if_match='"1"'), ConditionFailed)
operation = CreateOperation(mode="create", data=NewTask(task="Walk"))
(made,) = run_batch.sync(client=user, body=Batch(ops=[operation])).results
page = list_tasks.sync(client=user, page="last", page_size=1)
assert isinstance(page, TaskPage) and page.results == [made.task], page
"""


def test_openapi_python_client_makes_a_client_that_works_without_a_warning(
    system: System, account: Account, document: Path, tmp_path: Path
) -> None:
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({"post_hooks": []}))  # the default ones only lay out its source
    out = tmp_path / "client"
    said = _run(
        *(BIN / "openapi-python-client", "generate", "--path", document, "--fail-on-warning"),
        *("--config", settings, "--output-path", out, "--meta", "none"),
        folder=tmp_path,
    )
    assert "warning" not in said.lower()
    (tmp_path / "use.py").write_text(_USE)
    _run(sys.executable, "use.py", system.rest_url, account.username, PASSWORD, folder=tmp_path)
