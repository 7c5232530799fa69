"""`taskbeam demo`: what it says can be done, twice, and nothing of it is left."""

from __future__ import annotations

import json
import re
import signal
import subprocess

from taskbeam.demo import PASSWORD
from tests.deploy.checkout import SECONDS, STOP_SECONDS, Checkout
from tests.support.waiting import wait_until


def _log_in(checkout: Checkout, username: str) -> str:
    status, tokens = checkout.request("POST", "/login/", {"username": username, "password": PASSWORD})
    assert status == 200, tokens
    access: str = tokens["access"]
    return access


def _wait_for_guide(checkout: Checkout, times: int) -> None:
    wait_until(lambda: checkout.log.read_text().count("/docs/\n") == times, SECONDS, "the guide")


def test_two_users_and_a_line_to_paste_and_nothing_left(checkout: Checkout) -> None:
    temporary = checkout.folder / "tmp"
    temporary.mkdir()
    mine = checkout.folder / "mine.db"
    checkout.environment |= {
        "TMPDIR": str(temporary),
        "TASKBEAM_DATABASE_URL": f"sqlite:///{mine}",
        "TASKBEAM_SECRET_KEY": "the key of my own server, of more than 32 bytes",
    }
    for time in (1, 2):
        with checkout.started("-m", "taskbeam", "demo") as process:
            _wait_for_guide(checkout, time)
            said = checkout.log.read_text()
            assert f"Open http://127.0.0.1:{checkout.rest_port}/app/ in a browser" in said
            curl = re.findall(r"^curl .*", said, re.MULTILINE)[-1]
            made = subprocess.run(["sh", "-c", curl], capture_output=True, text=True, check=True, timeout=60)
            of_ann = checkout.tasks(_log_in(checkout, "ann"))
            assert of_ann[-1] == json.loads(made.stdout)["uuid"]
            assert len(of_ann) == 5
            assert len(checkout.tasks(_log_in(checkout, "ben"))) == 2
            process.send_signal(signal.SIGINT)
            assert process.wait(STOP_SECONDS) == 0
        assert list(temporary.iterdir()) == []
    assert not mine.exists()
    assert not checkout.data.exists()
