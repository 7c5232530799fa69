"""Writes that are withdrawn before they were sent: it is as if they had never been made. And tries out of turn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.clients_js.runtimes import Node
from tests.clients_js.support import JsClient, new_client, rest
from tests.support.clients import Account
from tests.support.processes import System
from tests.support.waiting import until
from tests.taskbeam_client.fake_server import http
from tests.taskbeam_client.tcp_relay import TcpRelay, tcp_relay


class Offline:
    """A client that has a task, and no connection until ``resume``. Its next try is far away."""

    def __init__(self, client: JsClient, relay: TcpRelay, account: Account, milk: dict[str, Any]) -> None:
        self.client = client
        self.relay = relay
        self.account = account
        self.milk = milk

    async def run(self, script: str) -> Any:
        head = "const [milk] = arguments; const {uuid} = milk; const stop = new AbortController(); const {signal} = stop;\n"
        return await self.client.run(head + script, self.milk)

    async def resume(self) -> None:
        self.relay.fixed_answer = None
        await self.client.run("client.retry()")

    async def settled(self) -> None:
        await self.client.equals_server()
        await self.client.close()


@pytest.fixture
async def offline(js: Node, system: System, account: Account) -> AsyncIterator[Offline]:
    async with tcp_relay(system) as relay:
        backoff = {"first": 1e9, "most": 1e9}
        client = await new_client(js, system, account, url=relay.url, queueLimit=4, backoff=backoff)
        milk = await client.get("client.create({task: 'Milk'})")
        relay.fixed_answer = http(502)
        relay.disconnect_all()
        await client.until("client.state === 'offline'")
        yield Offline(client, relay, account, milk)


async def test_they_leave_nothing_behind(offline: Offline) -> None:
    seen = await offline.run("""
        const writes = [
            client.create({task: 'Ghost'}, {signal}),
            client.update(uuid, {task: 'Beer'}, {signal}),
            client.delete(uuid, {signal}),
        ];
        const shown = client.preview.size;
        stop.abort(new Error('I have thought again'));
        return {shown, waiting: client.waiting, preview: [...client.preview.values()],
            outcomes: await Promise.all(writes.map((each) => each.catch(({message}) => message))), failed: client.seen.failed};
    """)
    assert seen == {
        "shown": 1, "waiting": 0, "preview": [offline.milk], "outcomes": ["I have thought again"] * 3, "failed": [],
    }  # fmt: skip
    await offline.resume()
    await offline.client.run("await client.ready()")
    assert await offline.client.get("client.seq") == 1
    await offline.settled()


async def test_what_was_written_on_top_of_them_is_done_without_them(offline: Offline) -> None:
    preview = await offline.run("""
        const beer = client.update(uuid, {task: 'Beer'}, {signal});
        c.done = client.update(uuid, {completed: true});
        const rum = client.update(uuid, {description: 'Rum'}, {signal});
        c.gone = client.delete(uuid);
        stop.abort();
        return [(await outcome(beer)).error, (await outcome(rum)).error, client.preview.size];
    """)
    assert preview == ["AbortError", "AbortError", 0]
    await offline.resume()
    done = await offline.client.get("c.done")
    assert (done["task"], done["description"], done["completed"], done["rev"]) == ("Milk", "", True, 2)
    assert await offline.client.get("c.gone") is None
    assert await offline.client.get("client.seq") == 3
    await offline.settled()


async def test_a_withdrawn_delete_leaves_the_task_to_be_written(offline: Offline) -> None:
    await offline.run("""
        client.delete(uuid, {signal});
        stop.abort();
        c.done = client.update(uuid, {task: 'Tea'});
    """)
    await offline.resume()
    assert (await offline.client.get("c.done"))["task"] == "Tea"
    await offline.settled()


async def test_a_task_whose_create_was_withdrawn_cannot_be_written(offline: Offline) -> None:
    seen = await offline.run("""
        const ghost = client.create({task: 'Ghost'}, {signal});
        const made = [...client.preview.keys()].find((each) => each !== uuid);
        const later = [client.update(made, {completed: true}), client.delete(made)];
        stop.abort();
        return [client.waiting, (await Promise.all([ghost, ...later].map(outcome))).map(({error}) => error)];
    """)
    assert seen == [0, ["AbortError", "EarlierWriteFailed", "EarlierWriteFailed"]]
    await offline.resume()
    await offline.client.get("client.create({task: 'Bread'})")
    assert await offline.client.get("client.seq") == 2
    await offline.settled()


async def test_they_make_room_in_the_queue(offline: Offline) -> None:
    thrown = await offline.run("""
        const create = (task, options) => client.create({task}, options);
        ['Task 0', 'Task 1'].forEach((task) => create(task));
        create('Task 2', {signal});
        create('Task 3');
        let thrown = [];
        try { create('One too many'); } catch (error) { thrown.push(error.name); }
        stop.abort();
        try { create('Stopped before', {signal}); } catch (error) { thrown.push(error.name); }
        create('Last');
        return thrown;
    """)
    assert thrown == ["QueueFull", "AbortError"]
    await offline.resume()
    await offline.client.until("client.waiting === 0")
    names = await offline.client.get("[...client.tasks.values()].map(({task}) => task)")
    assert names == ["Milk", "Task 0", "Task 1", "Task 3", "Last"]
    await offline.settled()


async def test_nothing_is_overwritten_unseen_because_of_them(offline: Offline) -> None:
    await offline.run("""
        client.update(uuid, {task: 'Beer'}, {signal});
        c.mine = [client.update(uuid, {task: 'Mine'}), client.update(uuid, {task: 'Named'}, {rev: 7})];
        stop.abort();
    """)
    await rest(offline.account, "PATCH", f"/task/{offline.milk['uuid']}/", {"task": "Theirs"})
    await offline.resume()
    mine, named = await offline.client.get("Promise.all(c.mine.map(outcome))")
    assert (mine["error"], mine["task"]["task"], named["error"]) == (
        "Conflict",
        "Theirs",
        "EarlierWriteFailed",
    )
    await offline.settled()


async def test_one_that_was_sent_tells_what_has_become_of_it(
    js: Node, system: System, account: Account
) -> None:
    async with tcp_relay(system) as relay:
        client = await new_client(js, system, account, url=relay.url)
        relay.drop_upstream = True
        await client.run("""
            c.stop = new AbortController();
            c.writes = ['Sent', 'Not sent'].map((task) => client.create({task}, c.stop));
        """)
        await relay.dropped.wait()
        await client.run("c.stop.abort()")
        relay.disconnect_all()
        sent, not_sent = await client.get("Promise.all(c.writes.map(outcome))")
        assert (sent["value"]["task"], not_sent["error"]) == ("Sent", "AbortError")
        assert len(account.rest("GET", "/").body) == 1
        await client.equals_server()
        await client.close()


async def test_asking_again_and_again_postpones_nothing(offline: Offline) -> None:
    """In a tab in the background, where no timer ends sooner than after a second."""
    offline.relay.fixed_answer = None
    await offline.client.run("""
        const {setTimeout} = globalThis;
        globalThis.setTimeout = (call, time) => setTimeout(call, Math.max(time, 1000));
        const asking = setInterval(() => client.retry(), 20);
        await until(() => client.state === 'live').finally(() => {
            clearInterval(asking);
            globalThis.setTimeout = setTimeout;
        });
    """)
    await offline.settled()


async def test_tries_out_of_turn_are_no_storm(offline: Offline) -> None:
    """A program that tries again as soon as it is offline connects once a second, and one that waits does so at once."""
    begun = offline.relay.connections
    passed = await offline.client.run("""
        const begin = performance.now();
        let tries = 0;
        client.addEventListener('state', () => {
            for (let count = 0; client.state === 'offline' && count < 10; count++) client.retry();
            tries += client.state === 'connecting';
        });
        client.retry();
        await until(() => tries === 3);
        return performance.now() - begin;
    """)
    assert passed > 1900
    await until(lambda: offline.relay.connections == begun + 3, 5, "the third one")
    offline.relay.fixed_answer = None
    await offline.client.run("await client.ready()")
    await offline.settled()
