"""Tokens: renewed on the connection, replaced after it, revoked, another user's."""

from __future__ import annotations

import asyncio

import pytest

from tests.clients_js.runtimes import Node
from tests.clients_js.support import in_thread, new_client, rest
from tests.support.clients import Account, new_account
from tests.support.processes import System


@pytest.fixture
def short_lived(short_timeouts_system: System) -> Account:
    """Its access tokens end after two seconds."""
    return new_account(short_timeouts_system)


async def test_tokens_are_renewed_and_replaced(
    js: Node, short_timeouts_system: System, short_lived: Account
) -> None:
    script = """
        const [url, rest, refresh] = arguments;
        const session = new taskbeam.Session(rest, refresh);
        const tokens = {given: 0, away: false, token() {
            if (this.away) throw new taskbeam.Unreachable('the gateway is away');
            this.given++;
            return session.token();
        }};
        const client = newClient(url, tokens);
        await client.ready();
        await until(() => tokens.given >= 3, 'renewed on the connection');
        const {connections} = client.statistics;
        tokens.away = true;
        await until(() => client.state !== 'live', 'closed with 4401');
        const {reason} = client;
        const offline = client.create({task: 'Offline'});
        await until(() => client.reason?.message === 'the gateway is away', 'no token is to be had');
        tokens.away = false;
        await offline;
        await client.close();
        return {connections, given: tokens.given < 15, code: reason.closeCode};
    """
    seen = await js.run(
        script, short_timeouts_system.ws_url, short_timeouts_system.rest_url, short_lived.refresh
    )
    assert seen == {"connections": 1, "given": True, "code": 4401}


async def test_a_logout_ends_the_client(js: Node, system: System, account: Account) -> None:
    client = await new_client(js, system, account)
    await in_thread(lambda: account.rest("POST", "/logout/", {"refresh": account.refresh}))
    await client.until("client.state === 'ended'")
    assert (await client.get("outcome(client.ready())"))["error"] == "LoggedOut"
    thrown = await client.run("try { client.create({task: 'x'}); } catch (error) { return error.name; }")
    assert thrown == "LoggedOut"
    await client.close()


async def test_nothing_that_one_user_wrote_is_done_as_another(
    js: Node, short_timeouts_system: System, short_lived: Account
) -> None:
    other = await asyncio.to_thread(new_account, short_timeouts_system)
    await rest(other, "POST", "/", {"task": "Theirs"})
    script = """
        const [url, rest, mine, theirs, other] = arguments;
        let session = new taskbeam.Session(rest, mine);
        const client = newClient(url, {token: () => session ? session.token() : Promise.reject(new Error('away'))});
        await client.create({task: 'Mine'});
        session = null;
        await until(() => client.state === 'offline', 'the token has expired');
        const [uuid] = client.tasks.keys();
        const offline = [client.update(uuid, {task: 'Mine too'}), client.create({task: 'And this'})];
        session = new taskbeam.Session(rest, theirs);
        await until(() => client.userId === other);
        const errors = (await Promise.all(offline.map(outcome))).map(({error}) => error);
        const tasks = [...client.preview.values()].map(({task}) => task);
        await client.close();
        return {errors, tasks};
    """
    system = short_timeouts_system
    seen = await js.run(script, system.ws_url, system.rest_url, short_lived.refresh, other.refresh, other.id)
    assert seen == {"errors": ["AccountChanged"] * 2, "tasks": ["Theirs"]}
