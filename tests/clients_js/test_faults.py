"""The client, against processes that die, connections that break and histories that vanish."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator

import pytest

from tests.clients_js.runtimes import Node, Runtime
from tests.clients_js.support import begin_client, in_thread, new_client, rest
from tests.support.clients import Account, new_account
from tests.support.processes import System, running
from tests.support.waiting import until
from tests.taskbeam_client.tcp_relay import tcp_relay

WAIT = 20.0


@pytest.fixture(scope="module")
def own_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One that the tests here may stop, as long as they start it again."""
    with running(tmp_path_factory.mktemp("faults"), MESSAGES_PER_SECOND="0") as system:
        yield system


@pytest.fixture
def own_account(own_system: System) -> Account:
    return new_account(own_system)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_resumes_after_a_restart_of_the_server(
    runtime: Runtime, own_system: System, own_account: Account, number: signal.Signals
) -> None:
    client = await new_client(runtime, own_system, own_account)
    made = await client.get("client.create({task: 'Before'})")
    theirs = await rest(own_account, "POST", "/", {"task": "To be changed by both"})
    await client.until("client.tasks.size === 2")
    await in_thread(own_system.ws.kill if number == signal.SIGKILL else own_system.ws.stop)
    await client.until("client.state === 'offline'")
    shown = await client.run(
        """
        const [mine, theirs] = arguments;
        c.offline = [
            client.create({task: 'Offline'}),
            client.update(mine, {task: 'Renamed offline'}),
            client.update(mine, {completed: true}),
            client.update(theirs, {task: 'Mine'}),
            client.delete(theirs),
        ];
        return [...client.preview.values()].map(({task, rev}) => [task, rev]);
        """,
        made["uuid"],
        theirs["uuid"],
    )
    assert shown == [["Renamed offline", 3], ["Offline", 1]]
    await rest(own_account, "PATCH", f"/task/{theirs['uuid']}/", {"task": "Theirs"})
    await in_thread(own_system.ws.start)
    outcomes = await client.get("Promise.all(c.offline.map(outcome))")
    assert [(one.get("value") or {}).get("rev") for one in outcomes] == [1, 2, 3, None, None]
    assert (outcomes[3]["error"], outcomes[3]["task"]["task"]) == ("Conflict", "Theirs")
    assert outcomes[4]["error"] == "EarlierWriteFailed"
    assert await client.get("client.statistics.snapshots") == 1
    assert await client.get("client.seen.seqs") == list(range(1, 7))
    await client.equals_server()
    await client.close()


async def test_a_write_that_was_on_its_way_is_done_once(
    js: Node, own_system: System, own_account: Account
) -> None:
    """The connection is cut after the request has left, sooner or later: at some cuts it is done, at others not."""
    client = await new_client(js, own_system, own_account, backoff={"first": 20, "most": 50})
    expected = await client.run("""
        const turns = async (number) => { while (number--) await new Promise((resolve) => setTimeout(resolve)); };
        const {uuid} = await client.create({task: 'A task'});
        let expected = 1;
        for (let number = 0; number < 8; number++) {
            for (const write of [
                () => client.update(uuid, {task: `Text ${number}`}),
                () => client.create({task: `Also ${number}`}),
                () => client.delete([...client.tasks.keys()].at(-1)),
            ]) {
                await client.ready();
                const done = write();
                await turns(number % 4);
                client.dropConnection();
                await done;
                expected++;
            }
        }
        return expected;
    """)
    assert await client.get("client.seq") == expected
    assert await client.get("client.seen.seqs") == list(range(1, expected + 1))
    await client.equals_server()
    assert await client.get("client.seen.changes.filter(({own}) => !own)") == []
    await client.close()


@pytest.mark.parametrize("arrives", [True, False], ids=["answer lost", "request lost"])
async def test_a_lost_answer_or_request_is_made_good(
    runtime: Runtime, own_system: System, own_account: Account, arrives: bool
) -> None:
    async with tcp_relay(own_system) as relay:
        client = await new_client(runtime, own_system, own_account, url=relay.url, timeout=2000)
        task = await client.get("client.create({task: 'A task'})")
        for write in (
            "client.create({task: 'Another'})",
            "client.update(arguments[0], {task: 'Changed'})",
            "client.delete(arguments[0])",
        ):
            await client.run("await client.ready()")
            relay.drop_downstream, relay.drop_upstream = arrives, not arrives
            await client.run(f"c.lost = {write}", task["uuid"])
            await relay.dropped.wait()
            relay.disconnect_all()
            assert "error" not in await client.get("outcome(c.lost)")
        assert await client.get("client.seq") == 4
        await client.equals_server()

        await client.run("await client.ready()")
        relay.drop_downstream = True
        await client.run("c.lost = client.create({task: 'On a silent connection'})")
        await relay.dropped.wait()
        connections = relay.connections
        await until(lambda: relay.connections > connections, WAIT, "the silent connection is given up")
        relay.disconnect_all()
        assert "error" not in await client.get("outcome(c.lost)")
        await client.equals_server()
        await client.close()


async def test_conflicts_are_told_though_the_answer_is_lost(
    js: Node, own_system: System, own_account: Account
) -> None:
    async with tcp_relay(own_system) as relay:
        client = await new_client(js, own_system, own_account, url=relay.url)
        one, other = [await client.get(f"client.create({{task: '{name}'}})") for name in ("One", "Other")]
        relay.drop_upstream = True
        await client.run(
            "c.lost = [client.update(arguments[0], {task: 'Mine'}), client.delete(arguments[1])]",
            one["uuid"],
            other["uuid"],
        )
        await relay.dropped.wait()
        theirs = await rest(own_account, "PATCH", f"/task/{one['uuid']}/", {"task": "Theirs"})
        await rest(own_account, "DELETE", f"/task/{other['uuid']}/")
        relay.disconnect_all()
        conflict, gone = await client.get("Promise.all(c.lost.map(outcome))")
        assert (conflict["error"], conflict["task"]) == ("Conflict", theirs)
        assert (gone["error"], gone["taskId"]) == ("NotFound", other["uuid"])
        await client.equals_server()
        await client.close()


async def test_frames_that_are_cut_in_the_middle(
    runtime: Runtime, own_system: System, own_account: Account
) -> None:
    """Whatever part of the stream has arrived, the copy comes right."""
    text = "A long description. " * 400
    ops = [{"mode": "create", "data": {"task": f"{number}", "description": text}} for number in range(20)]
    await rest(own_account, "POST", "/batch/", {"ops": ops})
    await rest(own_account, "POST", "/batch/", {"ops": ops})
    choice = random.Random(7)
    async with tcp_relay(own_system) as relay:
        relay.bytes_per_second = 3_000_000
        client = await begin_client(
            runtime, own_system, own_account, url=relay.url, backoff={"first": 20, "most": 50}
        )
        for number in range(12):
            start, cut = relay.bytes_downstream, choice.randrange(500, 300_000)
            for _ in range(3):
                await rest(own_account, "POST", "/", {"task": f"Meanwhile {number}", "description": text})
            await until(
                lambda start=start, cut=cut: relay.bytes_downstream >= start + min(cut, 20_000),  # type: ignore[misc]
                WAIT,
                "some of it has come",
            )
            relay.disconnect_all()
        await client.run("await client.ready()")
        await client.equals_server()
        seqs = await client.get("client.seen.seqs")
        assert seqs == sorted(set(seqs))
        assert await client.get("[client.statistics.gaps, client.statistics.duplicates]") == [0, 0]
        await client.close()


async def test_a_lost_history_falls_back_to_a_snapshot(
    js: Node, own_system: System, own_account: Account
) -> None:
    client = await new_client(js, own_system, own_account)
    kept = await client.get("client.create({task: 'Kept'})")

    def edit(statement: str, **values: object) -> None:
        for process in own_system.processes:
            assert process.stop() == 0
        own_system.execute(statement, **values)

    await in_thread(own_system.ws.stop)
    for number in range(3):
        await rest(own_account, "POST", "/", {"task": f"Task {number}"})
    await in_thread(lambda: edit("DELETE FROM changes WHERE user_id = :id AND seq < 3", id=own_account.id))
    await client.run("c.offline = client.update(arguments[0], {completed: true})", kept["uuid"])
    await in_thread(own_system.start)
    assert (await client.get("outcome(c.offline)"))["value"]["rev"] == 2
    assert await client.get("[client.seen.snapshots, client.seen.seqs]") == [2, [1, 5]]
    await client.equals_server()

    await in_thread(
        lambda: edit("UPDATE meta SET value = :epoch WHERE key = 'epoch'", epoch=f"another {id(client)}")
    )
    await client.run(
        "c.offline = [client.update(arguments[0], {task: 'Mine'}), client.create({task: 'New'})]",
        kept["uuid"],
    )
    await in_thread(own_system.start)
    conflict, new = await client.get("Promise.all(c.offline.map(outcome))")
    assert (conflict["error"], conflict["task"]["task"], new["value"]["task"]) == ("Conflict", "Kept", "New")
    await client.equals_server()
    await client.close()
