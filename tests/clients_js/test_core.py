"""The client's core without a network: random stories, and the list of all tasks in pages while others write."""

from __future__ import annotations

import pytest

from tests.clients_js.runtimes import FOLDER, Node

STORIES = 60

# A list of 300 tasks, of which the first page has come; `answer` gives the page that is asked for.
_LISTING = """
const made = (number, time = number) => ({uuid: `uuid ${number}`, user_id: 1, time_created: String(time).padStart(6, '0'),
    time_modified: '', task: `Task ${number}`, description: '', completed: false, rev: 1});
const list = Array.from({length: 300}, (_, number) => made(number));
const core = new taskbeam.Core();
let seq = 0, now = 0;
core.begin('token', now);
const receive = (frame) => core.receive({type: 'task.update', seq, ...frame}, ++now);
const change = (mode, task) => receive({mode, task, task_id: task.uuid, seq: ++seq});
const answer = () => {
    const {id, mode, limit, offset} = core.poll(now).send ?? {};
    if (mode === 'all') receive({mode, id, task: list.slice(offset, offset + limit), count: list.length});
    return mode && [limit, offset];
};
const result = () => ({seq: core.copy.seq, same: JSON.stringify(core.copy.tasks) === JSON.stringify(list), live: core.live});
const {id} = core.poll(now).send;
receive({type: 'auth', user_id: 1, epoch: 'epoch', id});
const asked = [answer()];
const request = core.poll(now).send;
"""


@pytest.mark.parametrize(
    "story",
    [
        {},
        {"others": True},
        {"reloads": True},
        {"others": True, "reloads": True},
        {"reloads": True, "lags": True},
        {"others": True, "reloads": True, "lags": True},
        {"withdraws": True},
        {"others": True, "reloads": True, "withdraws": True},
        {"forgets": True, "reloads": True},
        {"others": True, "reloads": True, "forgets": True},
    ],
    ids=lambda story: " ".join(story) or "alone",
)
async def test_stories_end_well(js: Node, story: dict[str, bool]) -> None:
    """In the end the list is the server's, and the client has told the truth of each write."""
    wrong = await js.run(
        """
        const [path, stories, story] = arguments;
        const {play} = await import(path);
        return Array.from({length: stories}, (_, seed) => play(taskbeam.Core, seed, story)).filter(Boolean);
        """,
        str(FOLDER / "model.mjs"),
        STORIES,
        story,
    )
    assert wrong == []


async def test_a_page_that_would_leave_a_hole_is_asked_for_again(js: Node) -> None:
    """More tasks are deleted, while a page is on its way, than the pages overlap."""
    seen = await js.run(
        _LISTING
        + """
        for (let count = 0; count < 10; count++) change('delete', list.shift());
        receive({mode: 'all', id: request.id, task: list.slice(request.offset, request.offset + request.limit), count: 290});
        for (let page; (page = answer());) asked.push(page);
        return {...result(), asked};
        """
    )
    assert (seen["seq"], seen["same"]) == (10, True)
    assert seen["asked"] == [[100, 0], [400, 78]]


@pytest.mark.parametrize("time", [99, 98, 300])
async def test_a_task_that_is_made_meanwhile_comes_where_it_belongs(js: Node, time: int) -> None:
    """Clocks disagree: at the time of the last task of a page, before it, or after all."""
    seen = await js.run(
        _LISTING
        + """
        const [time] = arguments;
        const later = list.findIndex((task) => Number(task.time_created) > time);
        const task = made(1000, time);
        list.splice(later < 0 ? list.length : later, 0, task);
        change('create', task);
        receive({mode: 'all', id: request.id, task: list.slice(request.offset, request.offset + request.limit), count: 301});
        for (let page; (page = answer());) asked.push(page);
        return result();
        """,
        time,
    )
    assert seen == {"seq": 1, "same": True, "live": True}


async def test_a_connection_that_is_lost_between_two_pages_costs_one(js: Node) -> None:
    seen = await js.run(
        _LISTING
        + """
        core.lose(++now);
        core.begin('token', now);
        const missed = list.shift();
        seq++;
        receive({type: 'auth', user_id: 1, epoch: 'epoch', id: core.poll(now).send.id});
        const sync = core.poll(now).send;
        const changes = [{seq, mode: 'delete', task_id: missed.uuid, task: null}];
        receive({type: 'sync', recovered: true, changes, more: false, id: sync.id});
        for (let page; (page = answer());) asked.push(page);
        return {...result(), since: sync.since, asked};
        """
    )
    assert seen == {
        "seq": 1,
        "same": True,
        "live": True,
        "since": 0,
        "asked": [[100, 0], [400, 95]],
    }
