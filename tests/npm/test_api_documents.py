"""Tools from npm take the documents of the API: AsyncAPI's own parser, and a generator of types for TypeScript."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.npm.node import FOLDER, require_node
from tests.support.api_documents import openapi_document
from ws_server.asyncapi import document_text

_USE = """
import type {components, paths} from './openapi';

type Page = paths['/changes/']['get']['responses'][200]['content']['application/json'];

export const made: components['schemas']['NewTask'] = {task: 'Buy milk'};
export const said = (page: Page): number | string => (page.recovered ? page.changes.length : page.reason);
export const firstError = (errors: components['schemas']['FieldErrors']): string | undefined => errors.task?.[0];
"""


def _run(*command: str | Path) -> str:
    run = subprocess.run(command, cwd=FOLDER, capture_output=True, check=False, text=True, timeout=120)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def test_asyncapi_parser_finds_nothing_to_say(tmp_path: Path) -> None:
    node = require_node()
    document = tmp_path / "asyncapi.json"
    document.write_text(document_text())
    assert json.loads(_run(node, FOLDER / "asyncapi.cjs", document)) == []


def test_openapi_typescript_makes_types_that_can_be_used(tmp_path: Path) -> None:
    node = require_node()
    document, types = tmp_path / "openapi.json", tmp_path / "openapi.ts"
    document.write_text(json.dumps(openapi_document()))
    bin = FOLDER / "node_modules" / ".bin"
    _run(node, bin / "openapi-typescript", document, "--output", types)
    use = tmp_path / "use.ts"
    use.write_text(_USE)
    _run(node, bin / "tsc", "--strict", "--noEmit", types, use)
