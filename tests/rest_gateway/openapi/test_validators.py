"""Programs that others use accept the document: a validator, and a generator of clients."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.support.api_documents import openapi_document

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


def test_openapi_python_client_makes_a_client_without_a_warning(document: Path, tmp_path: Path) -> None:
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({"post_hooks": []}))  # the default ones only lay out its source
    out = tmp_path / "client"
    said = _run(
        *(BIN / "openapi-python-client", "generate", "--path", document, "--fail-on-warning"),
        *("--config", settings, "--output-path", out, "--meta", "none"),
        folder=tmp_path,
    )
    assert "warning" not in said.lower()
    assert (out / "api" / "tasks" / "create_task.py").exists()
