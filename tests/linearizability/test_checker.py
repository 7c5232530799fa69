"""The checker agrees with known histories, and with a general search."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.linearizability.checker import NotLinearizable, Operation, State, check

START = State(1, "start", False)
ONE = State(2, "one", False)
TWO = State(2, "two", False)


def read(called: int, returned: int, saw: State) -> Operation:
    return Operation(called, returned, saw)


def swap(called: int, returned: int, saw: State, *, expected: int, won: bool = True) -> Operation:
    return Operation(called, returned, saw, expected, saw.description if won else "mine", won=won)


def lost(called: int, description: str, *, expected: int) -> Operation:
    return Operation(called, None, None, expected, description)


GOOD: dict[str, list[Operation]] = {
    "nothing": [],
    "a read while the swap is on its way sees the old state": [
        swap(0, 9, ONE, expected=1),
        read(2, 8, START),
    ],
    "and another one the new state": [swap(0, 9, ONE, expected=1), read(1, 2, START), read(3, 4, ONE)],
    "the loser is told what the winner made": [
        swap(0, 9, ONE, expected=1),
        swap(1, 8, ONE, expected=1, won=False),
    ],
    "a lost swap that was done": [lost(0, "one", expected=1), read(2, 3, START), read(8, 9, ONE)],
    "a lost swap that was never done": [lost(0, "one", expected=1), read(8, 9, START)],
    "a lost swap that was done late": [lost(0, "one", expected=1), read(5, 6, START), read(7, 8, ONE)],
    "one of two lost swaps": [
        lost(0, "two", expected=1),
        lost(0, "one", expected=1),
        swap(5, 6, State(3, "one", True), expected=2)._replace(description=None, completed=True),
    ],
    "a lost swap between known ones": [
        swap(0, 1, ONE, expected=1),
        lost(2, "lost", expected=2),
        swap(4, 5, State(4, "four", False), expected=3),
    ],
}

BROKEN: dict[str, list[Operation]] = {
    "stale read": [swap(0, 1, ONE, expected=1), read(2, 3, START)],
    "read from the future": [read(0, 1, ONE), swap(2, 3, ONE, expected=1)],
    "read that goes back": [swap(0, 9, ONE, expected=1), read(1, 2, ONE), read(3, 4, START)],
    "lost update": [swap(0, 1, ONE, expected=1), read(2, 3, State(2, "start", False))],
    "update lost later": [
        swap(0, 1, ONE, expected=1),
        swap(2, 3, State(3, "start", True), expected=2)._replace(description=None, completed=True),
    ],
    "two winners of one revision": [swap(0, 9, ONE, expected=1), swap(1, 8, TWO, expected=1)],
    "two winners, one after the other": [swap(0, 1, ONE, expected=1), swap(2, 3, TWO, expected=1)],
    "refused for no reason": [swap(0, 1, START, expected=1, won=False)],
    "refused by what comes later": [swap(0, 1, ONE, expected=1, won=False), swap(2, 3, ONE, expected=1)],
    "a value that nobody wrote": [swap(0, 1, ONE, expected=1), read(2, 3, TWO)],
    "a revision that nobody made": [read(0, 1, ONE)],
    "a revision that was left out": [swap(0, 1, State(3, "one", False), expected=1)],
    "a lost swap done before it was called": [read(0, 1, ONE), lost(2, "one", expected=1)],
    "both of two lost swaps": [
        lost(0, "one", expected=1),
        lost(0, "two", expected=1),
        read(2, 3, ONE),
        read(4, 5, State(3, "two", False)),
    ],
    "a lost swap undone": [lost(0, "one", expected=1), read(2, 3, ONE), read(4, 5, START)],
    "older than the register": [read(0, 1, State(0, "start", False))],
}


@pytest.mark.parametrize("name", GOOD)
def test_good_history(name: str) -> None:
    check(START, GOOD[name])


@pytest.mark.parametrize("name", BROKEN)
def test_broken_history(name: str) -> None:
    with pytest.raises(NotLinearizable):
        check(START, BROKEN[name])


def search(state: State, left: Sequence[Operation]) -> bool:
    """The general search, as Wing and Gong have it: try whatever may come first, then the rest."""
    answered = [operation.returned for operation in left if operation.returned is not None]
    if not answered:
        return True  # what has no answer may never be done
    for index, operation in enumerate(left):
        if operation.called > min(answered):
            continue  # something else had returned before
        after = _done(operation, state)
        if after is not None and search(after, [*left[:index], *left[index + 1 :]]):
            return True
    return False


def _done(operation: Operation, state: State) -> State | None:
    """The state after the operation, ``None`` where its answer could not be given in this one."""
    if operation.expected is None or (operation.saw is not None and not operation.won):
        refused = operation.expected is None or operation.expected != state.rev
        return state if refused and operation.saw in (None, state) else None
    if operation.expected != state.rev:
        return None
    made = operation.swapped(state)
    return made if operation.saw in (None, made) else None


def agrees(history: Sequence[Operation]) -> bool:
    """Whether the checker and the search agree."""
    try:
        check(START, history)
    except NotLinearizable:
        return not search(START, history)
    return search(START, history)


@pytest.mark.parametrize("name", [*GOOD, *BROKEN])
def test_search_knows_good_from_broken_histories(name: str) -> None:
    assert search(START, (GOOD | BROKEN)[name]) == (name in GOOD)


states = st.builds(State, st.integers(1, 3), st.sampled_from(("start", "one")), st.booleans())
operations = st.builds(
    lambda called, length, saw, expected, description, completed, won: Operation(
        called,
        None if saw is None else called + length,
        saw,
        expected,
        description if expected else None,
        completed if expected else None,
        won and saw is not None and expected is not None,
    ),
    st.integers(0, 12),
    st.integers(0, 8),
    st.none() | states,
    st.none() | st.integers(1, 3),
    st.none() | st.sampled_from(("start", "one")),
    st.none() | st.booleans(),
    st.booleans(),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(operations, max_size=5))
def test_checker_agrees_with_the_search_on_small_histories(history: list[Operation]) -> None:
    assert agrees(history)


def simulated(rng: random.Random, clients: int, length: int, lost_share: float) -> list[Operation]:
    """A valid history: each client's operations in turn, at random times."""
    state, history = START, []
    free = [0] * clients  # when each client may call again
    known = [START] * clients
    moments: list[tuple[int, int, int, int]] = []
    for _ in range(length):
        client = rng.randrange(clients)
        called = free[client] + rng.randint(1, 5)
        moment = called + rng.randint(0, 20)
        free[client] = moment + rng.randint(0, 20)
        moments.append((moment, client, called, free[client]))
    for number, (_, client, called, returned) in enumerate(sorted(moments)):
        operation = Operation(called, returned, state)
        if rng.random() < 0.6:
            description = f"{client}-{number}" if rng.random() < 0.7 else None
            expected = state.rev if rng.random() < 0.4 else known[client].rev
            operation = Operation(called, returned, state, expected, description, rng.random() < 0.5)
            if expected == state.rev:
                state = operation.swapped(state)
                operation = operation._replace(saw=state, won=True)
            if rng.random() < lost_share:
                operation = operation._replace(returned=None, saw=None, won=False)
        known[client] = operation.saw or known[client]
        history.append(operation)
    return history


def damaged(rng: random.Random, history: list[Operation]) -> list[Operation]:
    """The history with one answer, or the time of one operation, replaced by another's."""
    answered = [index for index, operation in enumerate(history) if operation.saw is not None]
    index, other = rng.choice(answered), rng.choice(answered)
    if rng.random() < 0.5:
        changed = history[index]._replace(saw=history[other].saw)
    else:
        length = (history[index].returned or 0) - history[index].called
        called = history[other].called
        changed = history[index]._replace(called=called, returned=called + length)
    return [*history[:index], changed, *history[index + 1 :]]


@settings(max_examples=200, deadline=None)
@given(st.integers(), st.integers(2, 7), st.sampled_from((0.0, 0.3)))
@example(seed=0, length=7, lost_share=0.3)
def test_checker_agrees_with_the_search_on_simulated_histories(
    seed: int, length: int, lost_share: float
) -> None:
    rng = random.Random(seed)
    history = simulated(rng, 3, length, lost_share)
    check(START, history)
    assert search(START, history)
    if any(operation.saw is not None for operation in history):
        assert agrees(damaged(rng, history))


def test_long_history_is_checked_fast() -> None:
    history = simulated(random.Random(1), 10, 20_000, 0.05)
    started = time.process_time()
    needed = check(START, history)
    assert time.process_time() - started < 5
    assert needed > 0


def test_stale_read_in_a_long_history_is_found() -> None:
    history = simulated(random.Random(2), 10, 20_000, 0.05)
    last = max(history, key=lambda operation: operation.saw.rev if operation.saw else 0)
    assert last.saw is not None
    assert last.returned is not None
    stale = Operation(last.returned + 1, last.returned + 2, State(last.saw.rev - 1, "gone", False))
    with pytest.raises(NotLinearizable):
        check(START, [*history, stale])
