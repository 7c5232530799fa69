"""Writes whose answer was lost, and what others did meanwhile; and what is written before there is a server or a user."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest

from tests.clients_js.runtimes import Node
from tests.clients_js.support import JsClient, new_client, rest
from tests.support.clients import Account, new_account
from tests.support.processes import System
from tests.taskbeam_client.fake_server import http
from tests.taskbeam_client.tcp_relay import TcpRelay, tcp_relay


class Setting(NamedTuple):
    client: JsClient
    relay: TcpRelay
    account: Account
    task: dict[str, Any]

    async def lose(self, write: str, *, arrives: bool) -> None:
        """Make a write whose answer is lost, or whose request."""
        self.relay.drop_downstream, self.relay.drop_upstream = arrives, not arrives
        await self.client.run(f"c.lost = {write}", self.task["uuid"])
        await self.relay.dropped.wait()

    async def theirs(self, method: str, body: object = None) -> None:
        """What another device does to the task."""
        await rest(self.account, method, f"/task/{self.task['uuid']}/", body)

    async def outcome(self) -> dict[str, Any]:
        self.relay.disconnect_all()
        outcome: dict[str, Any] = await self.client.get("outcome(c.lost)")
        await self.client.equals_server()
        return outcome


@pytest.fixture
async def setting(js: Node, system: System, account: Account) -> AsyncIterator[Setting]:
    async with tcp_relay(system) as relay:
        client = await new_client(js, system, account, url=relay.url, backoff={"first": 50, "most": 200})
        yield Setting(client, relay, account, await client.get("client.create({task: 'A task'})"))
        await client.close()


async def test_create_that_was_deleted_by_another_is_not_made_again(setting: Setting) -> None:
    await setting.lose("client.create({task: 'Another'})", arrives=True)
    uuid = await setting.client.get("[...client.preview.keys()][1]")
    await rest(setting.account, "DELETE", f"/task/{uuid}/")
    assert (await setting.outcome())["value"]["task"] == "Another"


async def test_update_that_was_done_and_overwritten_is_done(setting: Setting) -> None:
    await setting.lose("client.update(arguments[0], {task: 'Mine'})", arrives=True)
    await setting.theirs("PATCH", {"task": "Theirs"})
    assert (await setting.outcome())["value"]["task"] == "Mine"


async def test_update_that_came_too_late_is_a_conflict(setting: Setting) -> None:
    await setting.lose("client.update(arguments[0], {task: 'Mine'})", arrives=False)
    await setting.theirs("PATCH", {"task": "Theirs"})
    await setting.theirs("PATCH", {"task": "Theirs again"})
    outcome = await setting.outcome()
    assert (outcome["error"], outcome["task"]["task"][:6]) == ("Conflict", "Theirs")


@pytest.mark.parametrize(("arrives", "error"), [(True, None), (False, "NotFound")])
async def test_update_of_what_was_deleted_meanwhile(
    setting: Setting, arrives: bool, error: str | None
) -> None:
    await setting.lose("client.update(arguments[0], {task: 'Mine'})", arrives=arrives)
    await setting.theirs("DELETE")
    assert (await setting.outcome()).get("error") == error


async def test_delete_of_what_moved_on_is_a_conflict(setting: Setting) -> None:
    await setting.lose("client.delete(arguments[0])", arrives=False)
    await setting.theirs("PATCH", {"task": "Theirs"})
    assert (await setting.outcome())["error"] == "Conflict"


@pytest.mark.parametrize("write", ["client.create({task: 'B'})", "client.delete(arguments[0])"])
async def test_a_change_whose_answer_was_lost_is_own(setting: Setting, write: str) -> None:
    await setting.lose(write, arrives=True)
    await setting.outcome()
    assert await setting.client.get("client.seen.changes.map(({own}) => own)") == [True, True]


async def test_a_write_whose_answer_was_lost_is_not_sent_again_as_another(
    js: Node, system: System, account: Account
) -> None:
    other = new_account(system)
    async with tcp_relay(system) as relay:
        relay_and_sessions = (relay.url, system.rest_url, account.refresh, other.refresh)
        await js.run(
            """
            const [url, rest, mine, theirs] = arguments;
            const sessions = [mine, theirs].map((refresh) => new taskbeam.Session(rest, refresh));
            c.who = 0;
            c.switched = newClient(url, {token: () => sessions[c.who].token()}, {backoff: {first: 50, most: 100}});
            await c.switched.ready();
            """,
            *relay_and_sessions,
        )
        relay.drop_upstream = True
        await js.run("c.lost = c.switched.create({task: 'Of the old'})")
        await relay.dropped.wait()
        relay.drop_downstream = True  # that the session has ended is not heard either
        account.rest("POST", "/logout/", {"refresh": account.refresh})
        await js.run("c.who = 1")
        relay.disconnect_all()
        seen = await js.run("""
            const {error} = await outcome(c.lost);
            await c.switched.ready();
            const {userId, seq} = c.switched;
            await c.switched.close();
            return [error, userId, seq];
        """)
        assert seen == ["AccountChanged", other.id, 0]


async def test_writes_made_before_there_is_a_server_or_a_user_are_done(
    js: Node, system: System, account: Account
) -> None:
    async with tcp_relay(system) as relay:
        relay.fixed_answer = http(502)
        await js.run(
            """
            const [url, rest, refresh] = arguments;
            c.session = null;
            const tokens = {token: () => c.session ? c.session.token() : Promise.reject(new Error('nobody yet'))};
            c.early = newClient(url, tokens, {backoff: {first: 50, most: 100}});
            const {uuid} = [c.early.create({task: 'Early'}), ...c.early.preview.values()][1];
            c.writes = c.early.update(uuid, {completed: true});
            await until(() => c.early.reason?.message === 'nobody yet');
            c.session = new taskbeam.Session(rest, refresh);
            await until(() => c.early.reason?.message !== 'nobody yet' && c.early.state === 'offline');
            """,
            relay.url, system.rest_url, account.refresh,
        )  # fmt: skip
        relay.fixed_answer = None
        assert await js.run("const {rev, completed} = await c.writes; return [rev, completed]") == [2, True]
        assert [task["task"] for task in account.rest("GET", "/").body] == ["Early"]
        await js.run("await c.early.close()")


async def test_a_cut_costs_a_page_and_not_the_list(js: Node, system: System, account: Account) -> None:
    """At each cut a task is deleted and one made, so that the changes that were missed must be brought too."""
    text = "A long description. " * 100
    uuids: list[str] = []
    for _ in range(4):
        ops = [
            {"mode": "create", "data": {"task": f"{number}", "description": text}} for number in range(100)
        ]
        results = (await rest(account, "POST", "/batch/", {"ops": ops}))["results"]
        uuids += [result["task"]["uuid"] for result in results]
    async with tcp_relay(system) as relay:
        relay.bytes_per_second = 1_500_000
        await js.run(
            "c.slow = newClient(arguments[0], new taskbeam.Session(arguments[1], arguments[2]), {backoff: {first: 20, most: 50}})",
            relay.url, system.rest_url, account.refresh,
        )  # fmt: skip
        for number in range(3):
            start = relay.bytes_downstream
            while relay.bytes_downstream < start + 250_000 and not await js.run(
                "return c.slow.epoch !== null"
            ):
                pass
            relay.disconnect_all()
            await rest(account, "DELETE", f"/task/{uuids[number]}/")
            await rest(account, "POST", "/", {"task": "Made meanwhile"})
        await js.run("await c.slow.ready()")
        client = JsClient(js, "slow", account)
        await client.equals_server()
        statistics = await client.get("client.statistics")
        assert (statistics["snapshots"], statistics["gaps"], statistics["duplicates"]) == (1, 0, 0)
        assert statistics["syncs"] > 0
        await client.close()
