"""What a storage keeps outlasts the client: the list is shown offline, and writes made offline are sent later."""

from __future__ import annotations

import pytest

from tests.clients_js.runtimes import Node
from tests.clients_js.support import new_client, rest
from tests.support.clients import Account
from tests.support.processes import System
from tests.support.waiting import until
from tests.taskbeam_client.tcp_relay import tcp_relay

NOWHERE = "ws://127.0.0.1:1/ws/tasks/"

# A storage in memory, of which only JSON is left, and a client that uses it.
_STORAGE = """
c.storage = () => {
    const tasks = new Map(), writes = new Map();
    const storage = {
        kept: {epoch: null, userId: null, seq: 0},
        saves: 0,
        async load() {
            await null;
            const texts = [...writes.keys()].sort().map((id) => writes.get(id));
            return JSON.parse(JSON.stringify({...storage.kept, tasks: [...tasks.values()], writes: texts}));
        },
        async save({copy, whole, tasks: changed, removed, added, settled}) {
            await storage.gate;
            if (whole) tasks.clear();
            for (const task of changed) tasks.set(task.uuid, task);
            for (const uuid of removed) tasks.delete(uuid);
            for (const write of added) writes.set(write.id, write);
            for (const id of settled) writes.delete(id);
            storage.kept = copy ?? storage.kept;
            storage.saves++;
        },
    };
    return storage;
};
c.withStorage = (url, rest, refresh, storage) =>
    newClient(url, new taskbeam.Session(rest, refresh), {storage});
c.kept = c.storage();
"""


@pytest.fixture
async def stored(js: Node) -> Node:
    await js.run(_STORAGE)
    return js


async def test_a_list_is_shown_offline_and_what_is_written_there_is_sent_later(
    stored: Node, system: System, account: Account
) -> None:
    arguments = system.ws_url, system.rest_url, account.refresh
    before = await stored.run(
        """
        const client = c.withStorage(...arguments, c.kept);
        const one = await client.create({task: 'One'});
        await client.create({task: 'Two'});
        await client.update(one.uuid, {completed: true});
        await client.close();
        return [...client.tasks.values()];
        """,
        *arguments,
    )
    offline = await stored.run(
        """
        const client = c.withStorage(...arguments, c.kept);
        client.create({task: 'Made at once'});
        await until(() => client.epoch !== null);
        const shown = [...client.tasks.values()];
        const [one, two] = shown;
        client.update(one.uuid, {task: 'Changed offline'});
        client.create({task: 'Made offline'});
        client.delete(two.uuid);
        client.update(one.uuid, {description: 'Twice'});
        await client.close();
        return shown;
        """,
        NOWHERE, *arguments[1:],
    )  # fmt: skip
    assert offline == before
    theirs = await rest(account, "POST", "/", {"task": "Made elsewhere meanwhile"})
    again = await stored.run(
        """
        const client = c.withStorage(...arguments, c.kept);
        await until(() => client.epoch !== null);
        const preview = [...client.preview.values()].map(({task}) => task);
        await client.ready();
        await until(() => client.waiting === 0);
        const {snapshots} = client.statistics;
        await client.close();
        const {seq, writes, tasks} = await c.kept.load();
        return {preview, snapshots, failed: client.seen.failed, seq, writes, tasks};
        """,
        *arguments,
    )
    assert again["preview"] == ["Changed offline", "Made at once", "Made offline"]
    assert (again["snapshots"], again["failed"], again["writes"], again["seq"]) == (0, [], [], 9)
    tasks = account.rest("GET", "/").body
    assert again["tasks"] == tasks
    assert [(task["task"], task["description"]) for task in tasks] == [
        ("Changed offline", "Twice"), (theirs["task"], ""), ("Made at once", ""), ("Made offline", ""),
    ]  # fmt: skip


@pytest.mark.parametrize("arrives", [True, False], ids=["answer lost", "request lost"])
async def test_a_write_on_its_way_when_the_program_ended_is_done_once(
    stored: Node, system: System, account: Account, arrives: bool
) -> None:
    """The client of before is not closed, so it keeps nothing more, as if its process had been killed."""
    async with tcp_relay(system) as relay:
        client = await new_client(stored, system, account, url=relay.url)
        uuid = (await client.get("client.create({task: 'A task'})"))["uuid"]
        for number, write in enumerate(
            (
                f"update('{uuid}', {{task: 'Changed'}})",
                "create({task: 'Another'})",
                f"delete('{uuid}')",
            )
        ):
            await stored.run(
                "c.before = c.withStorage(...arguments, c.kept); await c.before.ready()",
                relay.url, system.rest_url, account.refresh,
            )  # fmt: skip
            relay.drop_downstream, relay.drop_upstream = arrives, not arrives
            await stored.run(f"c.before.{write}")
            await relay.dropped.wait()
            if arrives:
                await until(
                    lambda number=number: (
                        account.rest("GET", "/").headers["X-Taskbeam-Seq"] == str(number + 2)
                    ),  # type: ignore[misc]
                    10,
                    "it is done",
                )
            after = await stored.run(
                """
                const kept = await c.kept.load();
                c.kept.gate = new Promise(() => {}); // nothing that comes now is kept
                c.kept = c.storage();
                await c.kept.save({copy: kept, whole: true, tasks: kept.tasks, removed: [], added: kept.writes, settled: []});
                return kept.writes.length;
                """
            )
            assert after == 1, "it was stored before it was sent"
            relay.disconnect_all()
            failed = await stored.run(
                """
                const client = c.withStorage(...arguments, c.kept);
                await client.ready();
                await until(() => client.waiting === 0);
                await client.close();
                return client.seen.failed;
                """,
                system.ws_url, system.rest_url, account.refresh,
            )  # fmt: skip
            assert failed == []
            assert int(account.rest("GET", "/").headers["X-Taskbeam-Seq"]) == number + 2
        await client.close()
    assert [task["task"] for task in account.rest("GET", "/").body] == ["Another"]


async def test_a_storage_that_fails_ends_the_client(stored: Node, system: System, account: Account) -> None:
    seen = await stored.run(
        """
        const storage = {...c.storage(), save: () => Promise.reject(new Error('the disk is full'))};
        const client = c.withStorage(...arguments, storage);
        const made = await outcome(client.create({task: 'A task'}));
        await client.close();
        return [made.error, made.cause, client.state, client.reason.message];
        """,
        system.ws_url, system.rest_url, account.refresh,
    )  # fmt: skip
    assert seen == ["StorageFailed", "Error", "ended", "the storage has failed: the disk is full"]
    assert account.rest("GET", "/").body == [], "nothing is sent that is not stored"


async def test_another_users_writes_are_not_sent(stored: Node, system: System, account: Account) -> None:
    await stored.run(
        """
        const uuid = arguments[3];
        await c.kept.save({
            copy: {epoch: 'old', userId: 0, seq: 1}, whole: true, tasks: [], removed: [], settled: [],
            added: [{id: '1', mode: 'create', taskId: uuid, base: {uuid: uuid, task: 'Not mine',
                description: '', completed: false, time_created: '', time_modified: '', user_id: 0, rev: 1}}],
        });
        const client = c.withStorage(...[...arguments].slice(0, 3), c.kept);
        await client.ready();
        c.failed = client.seen.failed;
        await client.close();
        """,
        system.ws_url, system.rest_url, account.refresh, "16f894b8-cb89-4672-9561-0b80cc75ae1b",
    )  # fmt: skip
    failed = await stored.run("return c.failed.map(({name, own}) => [name, own])")
    assert failed == [["AccountChanged", False]]
    assert account.rest("GET", "/").body == []
