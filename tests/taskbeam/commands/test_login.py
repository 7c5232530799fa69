"""Logging in and out: what is kept, who may read it, and what is said when it does not work."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from taskbeam.errors import ExitStatus
from tests.support.clients import PASSWORD, Rest
from tests.support.ports import free_port
from tests.taskbeam.person import Person


def test_tokens_are_kept_for_their_owner_alone_and_the_password_is_not(person: Person) -> None:
    kept = person.folder / "taskbeam" / "logins.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.parent.stat().st_mode & 0o777 == 0o700
    assert PASSWORD not in kept.read_text()
    (login,) = json.loads(kept.read_text())["logins"].values()
    assert login["username"] == person.account.username
    assert login["user_id"] == person.account.id


def test_the_password_is_asked_for_and_not_shown(person: Person) -> None:
    arguments = ["login", "--url", person.system.rest_url]
    result = person.run(*arguments, input=f"{person.account.username}\n{PASSWORD}\n")
    assert result.exit_code == 0
    assert result.stdout.endswith(f"Logged in at {person.system.rest_url} as {person.account.username}.\n")
    assert PASSWORD not in result.output


def test_a_login_as_an_object(person: Person) -> None:
    said = person.do(
        *("login", person.account.username, "--password-stdin", "--json", "--url", person.system.rest_url),
        input=PASSWORD,
    )
    assert json.loads(said) == {
        "username": person.account.username,
        "user_id": person.account.id,
        "url": person.system.rest_url,
        "socket": person.system.ws_url,  # as it was told at the login before
    }
    stranger = person._replace(folder=person.folder / "other")
    said = stranger.do(
        *("login", person.account.username, "--password-stdin", "--json", "--url", person.system.rest_url),
        input=PASSWORD,
    )
    assert json.loads(said)["socket"] == person.system.rest_url.replace("http", "ws") + "/ws/tasks/"


def test_a_wrong_password(person: Person) -> None:
    arguments = ["login", "nobody", "--password-stdin", "--url", person.system.rest_url]
    said = person.fails(*arguments, input="wrong")
    assert said == f"{person.system.rest_url} knows no active user 'nobody' with this password."


def test_the_password_by_pipe_needs_a_name(person: Person) -> None:
    assert "needs the user's name" in person.fails("login", "--password-stdin", status=2)


def test_a_server_that_is_away(person: Person) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    assert person.fails(
        "login", "ann", "--password-stdin", "--url", url, input="x", status=ExitStatus.SERVER_AWAY
    ) == (
        f"No server answers at {url}: connection refused. "
        "Start one with `taskbeam serve`, or give another address with --url."
    )


def test_the_port_of_the_websocket_server(person: Person) -> None:
    url = f"http://127.0.0.1:{person.system.ws.port}"
    said = person.fails(
        "login", "ann", "--password-stdin", "--url", url, input="x", status=ExitStatus.SERVER_AWAY
    )
    assert said.startswith(f"{url} is not the REST API. This port serves WebSockets")
    assert person.system.rest_url in said


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8001", "ftp://host", "http://", "http://host:port", "http://a:b@host"]
)
def test_what_is_no_address(person: Person, url: str) -> None:
    assert "is no address" in person.fails("ls", "--url", url, status=2)


def test_whoever_is_not_logged_in_is_told_how(person: Person, tmp_path: Path) -> None:
    stranger = person._replace(folder=tmp_path / "other")
    assert stranger.fails("ls", status=ExitStatus.LOGIN_OVER) == (
        "You are not logged in at http://127.0.0.1:8001. Log in first: taskbeam login"
    )
    assert stranger.fails("ls", "--url", "https://example.org/", status=ExitStatus.LOGIN_OVER).endswith(
        "taskbeam login --url https://example.org"
    )


def test_after_logout_the_tokens_are_gone_here_and_there(person: Person) -> None:
    kept = person.folder / "taskbeam" / "logins.json"
    (login,) = json.loads(kept.read_text())["logins"].values()
    assert person.do("logout") == f"Logged out at {person.system.rest_url}.\n"
    assert json.loads(kept.read_text())["logins"] == {}
    assert Rest(person.system, login["access"])("GET", "/me/").status == 401
    assert "not logged in" in person.fails("ls", status=ExitStatus.LOGIN_OVER)


def test_a_logout_whose_server_is_away_forgets_the_tokens(person: Person) -> None:
    kept = person.folder / "taskbeam" / "logins.json"
    url = f"http://127.0.0.1:{free_port()}"
    kept.write_text(kept.read_text().replace(person.system.rest_url, url))
    said = person.fails("logout", status=ExitStatus.SERVER_AWAY)
    assert said.startswith(
        f"The tokens are forgotten here, but live on at the server. No server answers at {url}"
    )
    assert json.loads(kept.read_text())["logins"] == {}


def test_a_logout_as_an_object(person: Person) -> None:
    assert person.json("logout") == [{"url": person.system.rest_url}]


def test_a_login_that_is_over(person: Person) -> None:
    kept = person.folder / "taskbeam" / "logins.json"
    (login,) = json.loads(kept.read_text())["logins"].values()
    Rest(person.system)("POST", "/logout/", {"refresh": login["refresh"]})
    said = person.fails("ls", status=ExitStatus.LOGIN_OVER)
    assert said.startswith(f"The login of {person.account.username} at {person.system.rest_url} is over.")
    assert said.endswith(f"taskbeam login {person.account.username} --url {person.system.rest_url}")


def test_a_damaged_file(person: Person) -> None:
    kept = person.folder / "taskbeam" / "logins.json"
    kept.write_text("[")
    assert person.fails("ls") == f"{kept} is damaged: remove it, and log in again."


class _Stranger(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>Welcome to the hotel</html>")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def stranger() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Stranger) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_something_else_answers(person: Person, stranger: str) -> None:
    said = person.fails(
        "login", "ann", "--password-stdin", "--url", stranger, input="x", status=ExitStatus.SERVER_AWAY
    )
    assert said.startswith(f"{stranger} answered 200, but not as a gateway of Taskbeam does")


def test_commands_at_once_renew_a_token_once(person: Person) -> None:
    """All but one find the token that the other has got."""
    kept = person.folder / "taskbeam" / "logins.json"
    kept.write_text(kept.read_text().replace(_access(kept), "expired"))
    commands = [
        subprocess.Popen(["taskbeam", "ls"], env=person.environ, stderr=subprocess.PIPE) for _ in range(3)
    ]
    for command in commands:
        _, said = command.communicate(timeout=30)
        assert command.returncode == 0, said
    assert Rest(person.system, _access(kept))("GET", "/me/").status == 200


def _access(kept: Path) -> str:
    (login,) = json.loads(kept.read_text())["logins"].values()
    access: str = login["access"]
    return access
