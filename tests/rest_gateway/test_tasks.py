"""Single tasks over REST: revisions as ETags, creates that can be repeated, request ids."""

from __future__ import annotations

import http.client
import json
import uuid

import pytest

from tests.support.clients import Account, Answer, new_account
from tests.support.frames import missing_id
from tests.support.processes import System


def _create(account: Account, **data: object) -> tuple[str, dict[str, object]]:
    answer = account.rest("POST", "/", {"task": "A task", **data})
    assert (answer.status, answer.headers["ETag"]) == (201, '"1"')
    return f"/task/{answer.body['uuid']}/", answer.body


def test_every_answer_with_one_task_has_its_etag(account: Account) -> None:
    path, _ = _create(account)
    assert account.rest("GET", path).headers["ETag"] == '"1"'
    assert account.rest("PUT", path, {"task": "b"}).headers["ETag"] == '"2"'
    assert account.rest("PATCH", path, {"task": "c"}).headers["ETag"] == '"3"'


@pytest.mark.parametrize("tag", ['"2"', '"1", "2"', '"x","2"', "*"])
def test_a_matching_if_match_lets_through(account: Account, tag: str) -> None:
    path, _ = _create(account)
    account.rest("PATCH", path, {})
    assert account.rest("PATCH", path, {"task": "b"}, If_Match=tag).status == 200
    tag = tag.replace("2", "3")
    assert account.rest("PUT", path, {"task": "c"}, If_Match=tag).status == 200
    tag = tag.replace("3", "4")
    assert account.rest("DELETE", path, If_Match=tag).status == 204


@pytest.mark.parametrize("tag", ['"1"', '"3"', '"x"', '"1", "3"', '""'])
def test_another_if_match_fails_with_the_current_task(account: Account, tag: str) -> None:
    path, _ = _create(account)
    current = account.rest("PATCH", path, {"task": "v2"}).body
    for method, body in (("PATCH", {"task": "v3"}), ("PUT", {"task": "v3"}), ("DELETE", None)):
        answer = account.rest(method, path, body, If_Match=tag)
        assert (answer.status, list(answer.body)) == (412, ["detail", "code", "task"])
        assert (answer.body["code"], answer.body["task"]) == ("conflict", current)
    assert account.rest("GET", path).body == current


def test_if_none_match_saves_the_body(account: Account) -> None:
    path, task = _create(account)
    for tag in ('"1"', 'W/"1"', '"7", "1"', "*"):
        answer = account.rest("GET", path, If_None_Match=tag)
        assert (answer.status, answer.body, answer.headers["ETag"]) == (304, None, '"1"')
    assert account.rest("GET", path, If_None_Match='"2"').body == task


def test_a_missing_or_foreign_task_is_not_found_whatever_the_condition(
    system: System, account: Account
) -> None:
    foreign, _ = _create(new_account(system))
    for path in (foreign, f"/task/{missing_id()}/"):
        for method, body in (("GET", None), ("PUT", {"task": "x"}), ("PATCH", {}), ("DELETE", None)):
            for headers in ({}, {"If_Match": '"1"'}, {"If_Match": '"9"'}):
                answer = account.rest(method, path, body, **headers)
                assert (answer.status, answer.body) == (404, {"detail": "No Task matches the given query."})


def test_a_create_with_its_own_uuid_can_be_repeated(account: Account) -> None:
    own = str(uuid.uuid4())
    first = account.rest("POST", "/", {"task": "Once", "uuid": own.upper()})
    assert (first.status, first.body["uuid"]) == (201, own)
    again = account.rest("POST", "/", {"task": "Something else", "uuid": own})
    assert (again.status, again.body, again.headers["ETag"]) == (200, first.body, '"1"')
    assert account.rest("GET", "/").headers["X-Taskbeam-Seq"] == "1"


def test_a_uuid_of_another_user_is_a_field_error(system: System, account: Account) -> None:
    _, foreign = _create(new_account(system))
    answer = account.rest("POST", "/", {"task": "x", "uuid": foreign["uuid"]})
    assert (answer.status, list(answer.body)) == (400, ["uuid"])


def test_an_idempotency_key_makes_a_create_repeatable(system: System, account: Account) -> None:
    def create(user: Account, key: str, task: str = "x") -> Answer:
        return user.rest("POST", "/", {"task": task}, Idempotency_Key=key)

    first, again = create(account, "key-1"), create(account, "key-1", "y")
    assert (first.status, again.status, again.body) == (201, 200, first.body)
    assert uuid.UUID(first.body["uuid"]).version == 5
    assert create(account, "key-2").status == 201
    theirs = create(new_account(system), "key-1")
    assert theirs.status == 201, "the key is the user's own"
    assert theirs.body["uuid"] != first.body["uuid"]
    assert account.rest("GET", "/").headers["X-Taskbeam-Seq"] == "2"


@pytest.mark.parametrize("key", [b"caf\xe9", b"\xff\xfe\x80", "schlüssel".encode(), b"'\"%;, x", b"k" * 255])
@pytest.mark.parametrize("body", [{"task": "x"}, {"task": "x", "uuid": None}])
def test_an_idempotency_key_is_any_bytes_and_counts_where_the_body_has_no_uuid(
    system: System, account: Account, key: bytes, body: dict[str, object]
) -> None:
    first, again, other = (
        _post(system, account, "/", [given], body) for given in (key, key, key[:-1] + b"~")
    )
    assert (first[0], again[0], other[0]) == (201, 200, 201)
    assert again[1] == first[1] != other[1]


def test_an_idempotency_key_makes_the_uuid_that_it_always_made(system: System, account: Account) -> None:
    namespace = uuid.UUID("6f1a2d5c-7b0e-5f43-9a53-4f1c0a7e2b11")
    _, made = _post(system, account, "/", ["schlüssel".encode()], {"task": "x"})
    assert made["uuid"] == str(uuid.uuid5(namespace, f"{account.id}:schlüssel"))


@pytest.mark.parametrize("keys", [[b""], [b"k" * 256], [b"k" * 200, b"k" * 200]])
def test_an_idempotency_key_has_its_bounds(system: System, account: Account, keys: list[bytes]) -> None:
    status, answer = _post(system, account, "/", keys, {"task": "x"})
    assert (status, list(answer)) == (400, ["detail"])
    own = str(uuid.uuid4())
    assert _post(system, account, "/", keys, {"task": "x", "uuid": own})[1]["uuid"] == own


def test_an_idempotency_key_counts_on_a_create_alone(system: System, account: Account) -> None:
    path, _ = _create(account)
    assert account.rest("PATCH", path, {"task": "b"}, Idempotency_Key="k").body["rev"] == 2
    assert account.rest("PATCH", path, {"task": "c"}, Idempotency_Key="k").body["rev"] == 3
    ops = {"ops": [{"mode": "create", "data": {"task": "x"}}]}
    for _ in range(2):
        assert _post(system, account, "/batch/", [b"k", b"\xff"], ops)[0] == 200
    assert len(account.rest("GET", "/").body) == 3


def _post(
    system: System, account: Account, path: str, keys: list[bytes], body: object
) -> tuple[int, dict[str, object]]:
    """With the bytes of those Idempotency-Key lines as they are."""
    connection = http.client.HTTPConnection("127.0.0.1", system.gateway.port, timeout=10)
    content = json.dumps(body).encode()
    connection.putrequest("POST", path)
    connection.putheader("Authorization", f"Bearer {account.access}")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(len(content)))
    for key in keys:
        connection.putheader("Idempotency-Key", key)
    connection.endheaders(content)
    answer = connection.getresponse()
    status, text = answer.status, answer.read()
    connection.close()
    return status, json.loads(text)


def test_updates_keep_what_is_left_out(account: Account) -> None:
    path, task = _create(account, description="Kept", completed=True)
    for rev, method in ((2, "PUT"), (3, "PATCH")):
        updated = account.rest(method, path, {"task": "New"}).body
        assert updated == {**task, "task": "New", "rev": rev, "time_modified": updated["time_modified"]}
        assert list(updated) == list(task)


def test_ids_are_accepted_in_every_spelling(account: Account) -> None:
    _, task = _create(account)
    plain = str(task["uuid"]).replace("-", "")
    for spelling in (str(task["uuid"]).upper(), plain, plain.upper()):
        assert account.rest("GET", f"/task/{spelling}").body == task
    for nonsense in ("nonsense", "1", "00000000-0000-0000-0000-00000000000g"):
        answer = account.rest("GET", f"/task/{nonsense}/")
        assert (answer.status, answer.body) == (404, {"detail": "Not found."})


@pytest.mark.parametrize("path", ["/", "/nowhere/", "/task/x/", "/login/", "/healthz"])
def test_every_answer_has_a_request_id(account: Account, path: str) -> None:
    given = f"request-{uuid.uuid4()}"
    assert account.rest("GET", path, X_Request_ID=given).headers["X-Request-ID"] == given
    made = {account.rest("GET", path).headers["X-Request-ID"] for _ in range(3)}
    assert len(made) == 3


@pytest.mark.parametrize("given", ["", "x" * 200, "with space", "é"])
def test_a_request_id_that_could_harm_a_log_is_replaced(account: Account, given: str) -> None:
    request_id = account.rest("GET", "/healthz", X_Request_ID=given).headers["X-Request-ID"]
    assert request_id != given
    assert request_id.isascii()
    assert 0 < len(request_id) <= 128
