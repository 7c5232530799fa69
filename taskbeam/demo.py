"""``taskbeam demo``: a server with two users and their tasks, in a folder that is gone in the end."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from shared.auth.administration import Administration
from shared.auth.password_hasher import PasswordHasher
from shared.settings import PREFIX, Settings
from taskbeam.instance import find_instance
from taskbeam.operator import open_services, open_store, run
from taskbeam.server_address import servers_of
from taskbeam.serving import serve

PASSWORD: Final = "correct-horse"
_TASKS: Final = {  # the page shows the newest first
    "ann": (
        {"task": "Start the demo", "completed": True},
        {
            "task": "Press a task to edit it",
            "description": "The cross deletes it, and Ctrl+Z takes that back.",
        },
        {"task": "Press Frames, and read what the page and the server say"},
        {"task": "Open this page in a second window, and add a task"},
    ),
    "ben": ({"task": "See nothing of Ann's tasks", "completed": True}, {"task": "Water the plants"}),
}
_ADDRESSES: Final = ("WS_HOST", "WS_PORT", "REST_HOST", "REST_PORT")
"""The settings that the demo takes from the environment: no database, no key, nothing that is made for other users."""


def demo(environ: Mapping[str, str]) -> None:
    """Return after an orderly end.

    Raises:
        BadSettings: a host or a port is malformed.
        SystemExit: as `serve`.
    """
    kept = {PREFIX + name for name in _ADDRESSES}
    own = {name: value for name, value in environ.items() if not name.startswith(PREFIX) or name in kept}
    with tempfile.TemporaryDirectory(prefix="taskbeam-demo-") as name:
        folder = Path(name)
        settings = find_instance(own, folder, None).settings
        url = servers_of(settings)[1].urls[0]
        serve(None, folder, None, own, _guide(url, run(_fill(settings))))


async def _fill(settings: Settings) -> str:
    """Make the users and their tasks; an access token of the first one."""
    hasher = PasswordHasher(settings.bcrypt_rounds)
    try:
        async with open_store(settings, make=True) as store:
            accounts = Administration(store, hasher, settings.password_min_length)
            users = [await accounts.add(name, PASSWORD) for name in _TASKS]
    finally:
        hasher.close()
    async with open_services(settings) as services:
        for user in users:
            for task in _TASKS[user.username]:
                await services.tasks.create(user.id, task)
        return (await services.sessions.issue(users[0])).access


def _guide(url: str, token: str) -> str:
    return f"""
A demo. It has the users {" and ".join(_TASKS)}, whose password is {PASSWORD}. Ctrl-C ends it, and deletes what it has written.

  1. Open {url}app/ in a browser, choose "Log in", and log in as ann.
  2. Open it in a second window too. What you do in one is seen in the other.
  3. Paste this into another terminal, and see the task appear:

curl {url} -H 'Authorization: Bearer {token}' -d task='Made with curl'

  4. All requests, to be tried in the browser: {url}docs/

"""
