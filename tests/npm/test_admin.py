"""ra-data-django-rest-framework, react-admin's data provider for DRF: the gateway answers its list requests like DRF."""

from __future__ import annotations

import json
import subprocess

from tests.npm.node import FOLDER, require_node
from tests.support.clients import PASSWORD, Account
from tests.support.processes import System


def test_it_lists_pages_sorts_and_filters(system: System, account: Account) -> None:
    node = require_node()
    for task in ("b", "a", "milk", "c", "more milk"):
        account.rest("POST", "/", {"task": task, "completed": task == "c"})
    run = subprocess.run(
        [node, FOLDER / "admin.cjs", system.rest_url, account.username, PASSWORD],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    seen = json.loads(run.stdout)
    changed = seen.pop("changed")
    assert (changed["task"], changed["completed"], changed["rev"]) == ("From the admin", True, 2)
    assert seen == {
        "first": {"tasks": ["b", "a"], "total": 5},
        "second": {"tasks": ["milk", "c"], "total": 5},
        "last": {"tasks": ["more milk"], "total": 5},
        "descending": {"tasks": ["more milk", "c"], "total": 5},
        "by_task": {"tasks": ["a", "b", "c", "milk", "more milk"], "total": 5},
        "searched": {"tasks": ["milk", "more milk"], "total": 2},
        "not_searched": {"tasks": ["b", "a", "milk", "c", "more milk"], "total": 5},
        "filtered": {"tasks": ["c"], "total": 1},
        "beyond": {"status": 404, "body": {"detail": "Invalid page."}},
        "gone": {"status": 404},
    }
