"""The client's promises on a network that works."""

from __future__ import annotations

import asyncio

import pytest

from tests.clients_js.runtimes import Node
from tests.clients_js.support import new_client, rest, server_tasks
from tests.support.clients import PASSWORD, Account, new_account
from tests.support.processes import System


async def test_writes_come_back_as_the_servers_tasks(js: Node, system: System, account: Account) -> None:
    client = await new_client(js, system, account)
    milk = await client.get("client.create({task: ' Buy milk\\x85', description: '2 litres'})")
    assert (milk["task"], milk["rev"], milk["user_id"]) == ("Buy milk", 1, account.id)
    done = await client.get("client.update(arguments[0].toUpperCase(), {completed: true})", milk["uuid"])
    assert (done["task"], done["description"], done["completed"], done["rev"]) == (
        "Buy milk",
        "2 litres",
        True,
        2,
    )
    await client.equals_server()
    assert await client.get("client.delete(arguments[0])", milk["uuid"]) is None
    await client.equals_server()
    assert await client.get("[client.seq, client.userId, client.tasks.size, client.waiting]") == [
        3,
        account.id,
        0,
        0,
    ]
    assert await client.get("client.seen.seqs") == [1, 2, 3]
    assert await client.get("client.seen.changes.every(({own}) => own)")
    await client.close()


async def test_what_others_do_arrives_in_order(js: Node, system: System, account: Account) -> None:
    client, other = await new_client(js, system, account), await new_client(js, system, account)
    task = await rest(account, "POST", "/", {"task": "Over REST"})
    await other.get("client.create({task: 'By another client'})")
    await rest(account, "PATCH", f"/task/{task['uuid']}/", {"completed": True})
    await rest(account, "DELETE", f"/task/{task['uuid']}/")
    await client.equals_server()
    assert await client.get("client.seen.seqs") == [1, 2, 3, 4]
    assert await client.get("client.seen.changes.map(({own}) => own)") == [False] * 4
    assert await other.get("client.seen.changes.map(({own}) => own)") == [False, True, False, False]
    assert await client.get("client.statistics") == {
        "connections": 1, "syncs": 0, "snapshots": 1, "gaps": 0, "duplicates": 0,
    }  # fmt: skip
    await client.close()
    await other.close()


async def test_writes_show_at_once_and_settle(js: Node, system: System, account: Account) -> None:
    client = await new_client(js, system, account)
    shown = await client.run("""
        const made = client.create({task: 'New'});
        const [draft] = client.preview.values();
        const updated = client.update(draft.uuid, {task: 'Newer'});
        const seen = {waiting: client.waiting, tasks: client.tasks.size, preview: [...client.preview.values()]};
        await updated;
        return {...seen, after: [...client.preview.values()], made: await made, states: client.seen.states};
    """)
    assert (shown["waiting"], shown["tasks"]) == (2, 0)
    assert [(task["task"], task["rev"]) for task in shown["preview"]] == [("Newer", 2)]
    assert [(task["task"], task["rev"]) for task in shown["after"]] == [("Newer", 2)]
    assert (shown["made"]["task"], shown["made"]["uuid"]) == ("New", shown["preview"][0]["uuid"])
    await client.equals_server()
    await client.close()


async def test_failed_writes_roll_back_and_say_why(js: Node, system: System, account: Account) -> None:
    client = await new_client(js, system, account)
    task = await client.get("client.create({task: 'A task'})")
    outcomes = await client.run("""
        const [uuid] = arguments;
        const conflict = client.update(uuid, {task: 'Mine'}, {rev: 7});
        const onTop = client.update(uuid, {completed: true});
        const shown = client.preview.get(uuid).task;
        const blank = client.create({task: ' '});
        const long = client.create({task: '\\u{1F600}'.repeat(256)});
        const fits = client.create({task: '\\u{1F600}'.repeat(255)});
        const half = client.create({task: 'half \\ud83d'});
        return {shown, outcomes: await Promise.all([conflict, onTop, blank, long, half].map(outcome)), fits: await fits};
    """, task["uuid"])  # fmt: skip
    conflict, on_top, blank, long, half = outcomes["outcomes"]
    assert outcomes["shown"] == "Mine"
    assert (conflict["error"], conflict["task"]) == ("Conflict", task)
    assert (on_top["error"], on_top["cause"]) == ("EarlierWriteFailed", "Conflict")
    assert (blank["error"], blank["errors"]) == ("Invalid", {"task": ["This field may not be blank."]})
    assert long["errors"] == {"task": ["Ensure this field has no more than 255 characters."]}
    assert half["errors"] == {"task": ["Not a valid string."]}
    assert await client.get("client.preview.get(arguments[0]).task", task["uuid"]) == "A task"
    assert await client.get("client.seen.failed.map(({name}) => name)") == [
        "Invalid", "Invalid", "Conflict", "EarlierWriteFailed", "Invalid",
    ]  # fmt: skip
    await client.equals_server()
    await client.close()


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("client.create({task: 7})", "TypeError"),
        ("client.create({})", "TypeError"),
        ("client.create({task: 'x', colour: 'red'})", "TypeError"),
        ("client.create({task: 'x', uuid: 'no'})", "TypeError"),
        ("client.update(client.uuid, {colour: 'red'})", "TypeError"),
        ("client.update(client.uuid, {completed: 1})", "TypeError"),
        ("client.update(client.uuid, {}, {rev: -1})", "TypeError"),
        ("client.update('16f894b8-cb89-4672-9561-0b80cc75ae1b', {})", "NotFound"),
        ("client.delete('nothing')", "TypeError"),
    ],
)
async def test_wrong_calls_throw_at_once(
    js: Node, system: System, account: Account, call: str, error: str
) -> None:
    client = await new_client(js, system, account)
    await client.run("client.uuid = (await client.create({task: 'A task'})).uuid")
    thrown = await client.run(f"try {{ {call}; return null; }} catch (error) {{ return error.name; }}")
    assert thrown == error
    await client.close()


async def test_the_queue_is_bounded(js: Node, system: System, account: Account) -> None:
    client = await new_client(js, system, account, queueLimit=2)
    names = await client.run("""
        const all = [client.create({task: 'One'}), client.create({task: 'Two'})];
        try { client.create({task: 'Three'}); } catch (error) { all.push(Promise.reject(error)); }
        return (await Promise.all(all.map(outcome))).map(({value, error}) => value?.task ?? error);
    """)
    assert names == ["One", "Two", "QueueFull"]
    await client.equals_server()
    await client.close()


async def test_a_create_with_a_uuid_that_is_taken_gets_the_stored_task(
    js: Node, system: System, account: Account
) -> None:
    client = await new_client(js, system, account)
    stored = await rest(account, "POST", "/", {"task": "Stored"})
    again = await client.get("client.create({task: 'Another', uuid: arguments[0]})", stored["uuid"])
    assert again == stored
    await client.equals_server()
    await client.close()


async def test_a_list_of_many_pages_with_changes_between(js: Node, system: System, account: Account) -> None:
    ops = [{"mode": "create", "data": {"task": f"Task {number}"}} for number in range(100)]
    for _ in range(5):
        await rest(account, "POST", "/batch/", {"ops": ops})
    _, tasks = await server_tasks(account)

    async def write() -> None:
        for task in tasks[:40]:
            await rest(account, "DELETE", f"/task/{task['uuid']}/")
            await rest(account, "PATCH", f"/task/{tasks[-1]['uuid']}/", {"completed": True})

    client, _ = await asyncio.gather(new_client(js, system, account), write())
    await client.equals_server()
    assert await client.get("[client.statistics.gaps, client.statistics.duplicates]") == [0, 0]
    await client.close()


async def test_it_keeps_to_the_servers_rate(js: Node, low_limits_system: System) -> None:
    account = await asyncio.to_thread(new_account, low_limits_system)
    client = await new_client(js, low_limits_system, account)
    await client.run("""
        const {uuid} = await client.create({task: 'A task'});
        const writes = Array.from({length: 14}, (_, number) => client.update(uuid, {task: `Text ${number}`}));
        await Promise.all(writes);
    """)
    refused = await client.run("""
        const writes = [];
        for (let number = 0; number < 3; number++) writes.push(client.create({task: `Task ${number}`}));
        return (await Promise.all(writes.map(outcome))).map(({error, code}) => [error, code]);
    """)
    assert refused == [[None, None], [None, None], ["Refused", "limit_reached"]]
    await client.equals_server()
    assert await client.get("client.statistics.connections") == 1
    await client.close()


async def test_login_and_its_errors(js: Node, system: System, account: Account) -> None:
    script = """
        const [rest, user, password] = arguments;
        const session = await taskbeam.Session.login(rest, user, password);
        const tokens = [await session.token(), await session.token()];
        await session.logout();
        const wrong = await Promise.all([
            outcome(session.token()),
            outcome(taskbeam.Session.login(rest, user, 'wrong')),
            outcome(taskbeam.Session.login(rest, '', '')),
            outcome(taskbeam.Session.login(rest + '/docs', user, password)),
            outcome(taskbeam.Session.login('http://127.0.0.1:1', user, password)),
        ]);
        return {tokens, wrong: wrong.map(({error}) => error)};
    """
    seen = await js.run(script, system.rest_url, account.username, PASSWORD)
    assert len({*seen["tokens"]}) == 2
    assert seen["wrong"] == ["LoggedOut", "LoggedOut", "Invalid", "Unreachable", "Unreachable"]
