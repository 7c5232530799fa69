"""Chromium: what IndexedDB keeps outlasts a page, and all tabs share one connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from tests.clients_js.runtimes import Page
from tests.clients_js.support import server_tasks
from tests.support.clients import Account, new_account
from tests.support.processes import System
from tests.taskbeam_client.tcp_relay import TcpRelay, tcp_relay

_OPEN = """
const [url, rest, refresh, name, options] = arguments;
globalThis.client = newClient(url, new taskbeam.Session(rest, refresh), {name, ...options});
"""
_STORED = """
const [name, what, count] = arguments;
const storage = new taskbeam.IndexedDbStorage(name);
for (let stored; stored !== count;) stored = (await storage.load())[what].length;
await storage.close();
"""
_LIST = "return [...client.preview.values()].map(({task}) => task)"


@dataclass
class Tabs:
    """Tabs of one user, whose clients reach the server through a relay."""

    open_page: Callable[[], Page]
    system: System
    account: Account
    relay: TcpRelay
    pages: list[Page]

    async def open(self) -> Page:
        page = self.open_page()
        self.pages.append(page)
        await self.begin(page)
        return page

    async def begin(self, page: Page) -> None:
        """A client in a page that has just been loaded."""
        await page.run(
            _OPEN, self.relay.url, self.system.rest_url, self.account.refresh, self.account.username,
            {"backoff": {"first": 50, "most": 200}},
        )  # fmt: skip

    async def stored(self, page: Page, what: str, count: int) -> None:
        """Wait until so many ``writes`` or ``tasks`` are kept; a page that goes before takes the others along."""
        await page.run(_STORED, self.account.username, what, count)

    async def close(self, page: Page) -> None:
        """As a user does, without a word to the client."""
        self.pages.remove(page)
        page.close()

    async def all_equal_the_server(self) -> None:
        for page in self.pages:
            await page.run("await until(() => client.waiting === 0)")
        seq, tasks = await server_tasks(self.account)
        for page in self.pages:
            await page.run("await until(() => client.seq >= arguments[0])", seq)
            mine = await page.run(
                "return {seq: client.seq, tasks: [...client.tasks.values()], preview: [...client.preview.values()]}"
            )
            assert mine == {"seq": seq, "tasks": tasks, "preview": tasks}

    async def away(self) -> None:
        """The server is not to be reached."""
        self.relay.fixed_answer = b"HTTP/1.1 503 Away\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        self.relay.disconnect_all()
        for page in self.pages:
            await page.run("await until(() => client.state !== 'live')")

    async def back(self) -> None:
        self.relay.fixed_answer = None


@asynccontextmanager
async def _tabs(open_page: Callable[[], Page], system: System) -> AsyncIterator[Tabs]:
    async with tcp_relay(system) as relay:
        tabs = Tabs(open_page, system, new_account(system), relay, [])
        try:
            yield tabs
        finally:
            for page in list(tabs.pages):
                await tabs.close(page)


@pytest.fixture
async def tabs(open_page: Callable[[], Page], system: System) -> AsyncIterator[Tabs]:
    async with _tabs(open_page, system) as tabs:
        yield tabs


async def test_a_reload_offline_shows_the_list_and_sends_later_what_is_written_there(tabs: Tabs) -> None:
    page = await tabs.open()
    before = await page.run("""
        const one = await client.create({task: 'One'});
        await client.create({task: 'Two'});
        await client.update(one.uuid, {completed: true});
        return [...client.tasks.values()];
    """)
    await tabs.away()
    await page.run("client.create({task: 'Offline'})")
    await tabs.stored(page, "writes", 1)
    page.reload()
    await tabs.begin(page)
    shown = await page.run("await until(() => client.waiting === 1); return [...client.tasks.values()]")
    assert shown == before
    await page.run("""
        client.update([...client.tasks.keys()][0], {task: 'Changed offline'});
        client.delete([...client.tasks.keys()][1]);
    """)
    await tabs.stored(page, "writes", 3)
    page.reload()
    await tabs.begin(page)
    await page.run("await until(() => client.waiting === 3)")
    assert await page.run(_LIST) == ["Changed offline", "Offline"]
    await tabs.back()
    await tabs.all_equal_the_server()
    assert await page.run(_LIST) == ["Changed offline", "Offline"]
    assert await page.run("return [client.seen.failed, client.statistics.snapshots]") == [[], 0]


async def test_two_tabs_have_one_connection_and_one_list(tabs: Tabs) -> None:
    one, two = await tabs.open(), await tabs.open()
    for page in (one, two):
        await page.run("await client.ready()")
    assert (await one.run("return (await client.create({task: 'Of one'})).rev")) == 1
    assert (await two.run("return (await client.create({task: 'Of two'})).rev")) == 1
    assert await two.run(
        "const [uuid] = client.preview.keys();"
        "const [bad, good] = [client.update(uuid, {task: ' '}), client.create({task: 'More'})];"
        "return [(await outcome(bad)).error, (await good).task]"
    ) == ["Invalid", "More"]
    await tabs.all_equal_the_server()
    assert tabs.relay.connections == 1
    assert await one.run("return client.seen.seqs") == [1, 2, 3]
    assert await one.run("return client.seen.failed.map(({own}) => own)") == [False]
    assert await two.run("return client.seen.failed.map(({own}) => own)") == [True]

    await tabs.away()
    await one.run("client.create({task: 'Offline, of one'})")
    await two.run("await until(() => client.waiting === 1); client.create({task: 'Offline, of two'})")
    await one.run("await until(() => client.waiting === 2)")
    wanted = ["Of one", "Of two", "More", "Offline, of one", "Offline, of two"]
    for page in (one, two):
        assert await page.run(_LIST) == wanted
    await tabs.back()
    await tabs.all_equal_the_server()
    assert await two.run(_LIST) == wanted


async def test_another_tab_takes_over_when_the_one_that_is_connected_goes(tabs: Tabs) -> None:
    one, two, three = [await tabs.open() for _ in range(3)]
    for page in (one, two, three):
        await page.run("await client.ready()")
    await one.run("await client.create({task: 'A task'})")
    await two.run("await until(() => client.preview.size === 1)")
    tabs.relay.drop_upstream = True
    await two.run("globalThis.lost = client.create({task: 'On its way'})")
    await tabs.relay.dropped.wait()
    await two.run("globalThis.waits = client.update([...client.preview.keys()][0], {completed: true})")
    await tabs.close(one)
    tabs.relay.disconnect_all()
    assert (await two.run("return (await lost).task")) == "On its way"
    assert (await two.run("return (await waits).completed")) is True
    assert (
        await three.run("await client.ready(); return client.create({task: 'Of three'}).then(({rev}) => rev)")
        == 1
    )
    await tabs.all_equal_the_server()
    assert await three.run("return client.seen.seqs") == [1, 2, 3, 4]
    statistics = [await page.run("return client.statistics.connections") for page in (two, three)]
    assert sorted(statistics) == [0, 1], "one of them has taken over"

    await tabs.close(two)
    await three.run("await client.ready(); await client.create({task: 'Alone'})")
    await tabs.all_equal_the_server()


_TWO_WRITES = """
globalThis.writes = [
    client.update([...client.preview.keys()][0], {task: 'On its way'}),
    client.create({task: 'Waits', uuid: '16f894b8-cb89-4672-9561-0b80cc75ae1b'}),
];
"""


@pytest.mark.parametrize("how", ["frozen", "blocked"])
async def test_a_tab_that_is_seen_takes_over_from_one_that_is_suspended(tabs: Tabs, how: str) -> None:
    """That one has a write on its way, and another one that it has not sent. When it wakes, it sends nothing, and hears what became
    of them: if it sent the second one, that would bring back what was deleted."""
    leader, follower = await tabs.open(), await tabs.open()
    for page in (leader, follower):
        await page.run("await client.ready()")
    await leader.run("await client.create({task: 'A task'})")
    if how == "frozen":
        tabs.relay.drop_downstream = True
        await leader.run(_TWO_WRITES)
        await tabs.relay.dropped.wait()
        leader.freeze()
        tabs.relay.drop_downstream = False
        follower.show()
    else:
        follower.show()
        await asyncio.to_thread(leader.block, follower, _TWO_WRITES + """
            const {send} = WebSocket.prototype;
            WebSocket.prototype.send = function (data) {
                send.call(this, data);
                if (data.includes('On its way')) block(); // the answer is the first that it will hear
            };
        """)  # fmt: skip
        await follower.run("await until(() => client.waiting === 2)")
    await follower.run("client.create({task: 'Of another tab'})")
    await follower.run("await until(() => client.statistics.connections === 1 && client.waiting === 0)")
    assert await follower.run(_LIST) == ["On its way", "Waits", "Of another tab"]
    await follower.run("await client.delete('16f894b8-cb89-4672-9561-0b80cc75ae1b')")

    leader.wake()
    tasks = "return (await Promise.all(writes)).map(({task}) => task)"
    assert await leader.run(tasks) == ["On its way", "Waits"]
    assert await leader.run("return (await client.create({task: 'Awake'})).rev") == 1
    await tabs.all_equal_the_server()
    assert await leader.run(_LIST) == ["On its way", "Of another tab", "Awake"], "nothing was done twice"
    assert tabs.relay.connections == 2, "it connects no more"
    for page in (leader, follower):
        assert await page.run("return client.seen.failed") == []

    await tabs.close(follower)
    await leader.run("await until(() => client.statistics.connections === 2)")
    await tabs.all_equal_the_server()


async def test_a_logout_ends_all_tabs_and_what_is_kept_can_be_erased(tabs: Tabs) -> None:
    one, two = await tabs.open(), await tabs.open()
    await one.run("await client.ready(); await client.create({task: 'A secret'})")
    await two.run("await until(() => client.preview.size === 1)")
    tabs.account.rest("POST", "/logout/", {"refresh": tabs.account.refresh})
    for page in (one, two):
        await page.run("await until(() => client.state === 'ended')")
        assert await page.run("return client.reason.name") == "LoggedOut"
        await page.run("await client.close()")
    name = tabs.account.username
    kept = "return new taskbeam.IndexedDbStorage(arguments[0]).load().then(({tasks}) => tasks.length)"
    assert await two.run(kept, name) == 1
    two.reload()
    await two.run("await taskbeam.IndexedDbStorage.erase(arguments[0])", name)
    assert await two.run(kept, name) == 0


async def test_without_web_locks_each_tab_has_its_own_connection(tabs: Tabs) -> None:
    """As in a page of plain http."""
    one, two = tabs.open_page(), tabs.open_page()
    tabs.pages += [one, two]
    for page in (one, two):
        await page.run("Object.defineProperty(navigator, 'locks', {value: undefined})")
        await tabs.begin(page)
        await page.run("await client.ready()")
    await one.run("await client.create({task: 'A task'})")
    await tabs.all_equal_the_server()
    assert tabs.relay.connections == 2


_KEEP = """
let [name, list, slices] = arguments;
const storage = globalThis.storage = new taskbeam.IndexedDbStorage(name);
const {seq} = await storage.takeOver();
const tasks = Array.from({length: 1200}, (_, number) => ({uuid: `${number} of ${list}`, task: list}));
const pause = () => slices-- > 0 ? null : new Promise(() => {});
const saved = storage.saveList({epoch: 'one', userId: 1, seq: seq + 1}, tasks, pause);
if (slices > 2) return saved;
await until(() => slices < 0);
"""
_KEPT = """
const storage = new taskbeam.IndexedDbStorage(arguments[0]);
const {seq, tasks} = await storage[arguments[1]]();
await storage.close();
return [seq, tasks.length, [...new Set(tasks.map(({task}) => task))]];
"""


async def test_a_list_that_is_half_saved_is_never_taken_for_a_whole_one(tabs: Tabs) -> None:
    """The page is gone after none, one or two of three slices; what is kept then is the list before it, and another one can follow."""
    page = tabs.open_page()
    tabs.pages.append(page)
    name = tabs.account.username
    for slices in range(3):
        await page.run(_KEEP, name, f"half {slices}", slices)
        page.reload()
        kept = [slices, 1200 if slices else 0, [f"whole {slices - 1}"] if slices else []]
        assert await page.run(_KEPT, name, "load") == kept
        assert await page.run(_KEPT, name, "takeOver") == kept
        assert await page.run(_KEEP, name, f"whole {slices}", 9) is True
        await page.run("await storage.close()")
        assert await page.run(_KEPT, name, "load") == [slices + 1, 1200, [f"whole {slices}"]]


async def test_who_was_replaced_saves_new_writes_and_nothing_else(tabs: Tabs) -> None:
    page = tabs.open_page()
    tabs.pages.append(page)
    seen = await page.run(
        """
        const [one, two] = [0, 1].map(() => new taskbeam.IndexedDbStorage(arguments[0]));
        const change = (task, write) => ({copy: {epoch: 'one', userId: 1, seq: 1}, whole: false, removed: [],
            tasks: [{uuid: task, task}], added: [{id: write}], settled: ['first']});
        await one.takeOver();
        const saved = [await one.save({...change('of one', 'first'), settled: []})];
        await two.takeOver();
        saved.push(await one.save(change('of one, later', 'second')));
        saved.push(await one.saveList({epoch: 'one', userId: 1, seq: 9}, [], () => {}));
        saved.push(await one.has('first'), await two.has('second'));
        saved.push(await two.save(change('of two', 'third')), await two.has('first'));
        const {seq, tasks, writes} = await two.load();
        await Promise.all([one.close(), two.close()]);
        return {saved, terms: [one.term, two.term], seq, tasks: tasks.map(({task}) => task), writes: writes.map(({id}) => id)};
        """,
        tabs.account.username,
    )
    assert seen == {
        "saved": [True, False, False, True, True, True, False],
        "terms": [1, 2],
        "seq": 1,
        "tasks": ["of one", "of two"],
        "writes": ["second", "third"],
    }


async def test_many_tasks_are_shown_soon_after_a_reload(tabs: Tabs) -> None:
    """Not at once, but before anything comes from the server; and in the list's order."""
    ops = [{"mode": "create", "data": {"task": f"Task {number}"}} for number in range(100)]
    for _ in range(10):
        assert tabs.account.rest("POST", "/batch/", {"ops": ops}).status == 200
    page = await tabs.open()
    await page.run("await client.ready()")
    await tabs.all_equal_the_server()
    await tabs.stored(page, "tasks", 1000)
    await tabs.away()
    page.reload()
    await tabs.begin(page)
    await page.run("await until(() => client.epoch !== null)")
    _, tasks = await server_tasks(tabs.account)
    assert await page.run("return [...client.tasks.values()]") == tasks
