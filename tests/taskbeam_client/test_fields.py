"""What an application gives for a task: wrong types are said at once, what cannot be sent fails alone."""

from __future__ import annotations

import math
import uuid
from typing import Any

import pytest

from shared.models import DESCRIPTION_MAX_LENGTH, TASK_MAX_LENGTH
from taskbeam_client import Invalid, NotFound, TaskbeamClient
from taskbeam_client.fields import _MAX_LENGTHS
from tests.support.clients import Account
from tests.support.processes import System
from tests.taskbeam_client.support import equals_server, new_client

LONG = "Ensure this field has no more than 10000 characters."
UNSAYABLE: list[tuple[dict[str, Any], dict[str, list[str]]]] = [
    ({"task": "caf\ud800"}, {"task": ["Not a valid string."]}),
    ({"task": "x", "description": "\udfff"}, {"description": ["Not a valid string."]}),
    ({"task": "x", "description": "a" * 300_000}, {"description": [LONG]}),
    ({"task": "x", "description": "\x00" * 10_001}, {"description": [LONG]}),
    ({"task": "a" * 300_000}, {"task": ["Ensure this field has no more than 255 characters."]}),
    ({"task": "x", "completed": math.nan}, {"completed": ["Must be a valid boolean."]}),
    ({"task": "x", "description": math.inf}, {"description": ["Not a valid string."]}),
]


@pytest.mark.parametrize(("fields", "errors"), UNSAYABLE)
async def test_what_cannot_be_sent_fails_alone(
    system: System, account: Account, fields: dict[str, Any], errors: dict[str, list[str]]
) -> None:
    async with new_client(system, account) as client:
        made = await client.create("A task")
        futures = [client.create("Before"), client.create(**fields), client.update(made.uuid, **fields)]
        assert client.waiting == 1
        after = client.create("After")
        assert [(await future).task for future in (futures[0], after)] == ["Before", "After"]
        for future in futures[1:]:
            with pytest.raises(Invalid) as invalid:
                await future
            assert invalid.value.errors == errors
        assert client.statistics.connections == 1
        await equals_server(client, account)


def test_the_limits_are_the_servers() -> None:
    assert _MAX_LENGTHS == {"task": TASK_MAX_LENGTH, "description": DESCRIPTION_MAX_LENGTH}


async def test_what_can_be_sent_at_its_longest_arrives(system: System, account: Account) -> None:
    async with new_client(system, account) as client:
        for letter in ("\x01", "ä", "\U0001f600", '"'):
            made = await client.create(f" {letter * 255} ", f" {letter * 10_000} ")
            assert (len(made.task), len(made.description)) == (255, 10_000)
        await equals_server(client, account)


@pytest.fixture
def client() -> TaskbeamClient:
    async def token() -> str:
        raise OSError

    return TaskbeamClient("ws://127.0.0.1:1/", token)


@pytest.mark.parametrize("wrong", [7, pytest.param(10**5000, id="huge"), None, b"x", ["x"], True, 1.5])
async def test_a_wrong_type_raises_an_error_at_once(client: TaskbeamClient, wrong: Any) -> None:
    with pytest.raises(TypeError, match="task: a string is expected, not "):
        client.create(wrong)
    with pytest.raises(TypeError, match="description: a string is expected, not "):
        client.create("x", wrong)
    if wrong is not True:
        with pytest.raises(TypeError, match="completed: True or False is expected, not "):
            client.create("x", completed=wrong)
    for write in (client.update, client.delete):
        with pytest.raises(TypeError, match="uuid: a string is expected, not "):
            write(wrong)
    if wrong is not None and type(wrong) is not int:
        with pytest.raises(TypeError, match="rev: an integer is expected, not "):
            client.delete(str(uuid.uuid4()), rev=wrong)
    assert client.waiting == 0


@pytest.mark.parametrize("wrong", [-1, 2**53, pytest.param(10**5000, id="huge")])
async def test_an_invalid_revision_raises_an_error_at_once(client: TaskbeamClient, wrong: int) -> None:
    with pytest.raises(ValueError, match="rev: a revision is expected"):
        client.update(str(uuid.uuid4()), completed=True, rev=wrong)


@pytest.mark.parametrize("wrong", ["x", "", "1234", "g" * 32, "caf\ud800"])
async def test_an_invalid_uuid_raises_an_error_at_once(client: TaskbeamClient, wrong: str) -> None:
    with pytest.raises(ValueError, match="uuid: a UUID is expected, not "):
        client.update(wrong, completed=True)
    with pytest.raises(ValueError, match="uuid: a UUID is expected, not "):
        client.delete(wrong)
    with pytest.raises(ValueError, match="uuid: a UUID is expected, not "):
        client.create("x", uuid=wrong)


async def test_any_form_of_a_uuid_will_do(client: TaskbeamClient) -> None:
    name = uuid.uuid4()
    for form in (str(name), str(name).upper(), name.hex, f"{{{name}}}", f"urn:uuid:{name}"):
        with pytest.raises(NotFound, match=str(name)):
            client.update(form)
