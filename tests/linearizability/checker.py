"""Checks whether a history of operations on a register is linearizable.

**Linearizable** (Herlihy and Wing): each operation can be assigned a time between its call and its
return, so that the operations, done in this order, give the answers that were seen. An operation
without an answer may take effect at any time after its call, or never.

In general this needs a search (Wing and Gong 1993; Lowe 2017) that may take exponential time. Here
every answer contains the revision that it saw, and only a swap makes the next revision. So most of the
order is known: operations that saw revision N come after the swap that made N, and before the swap
that made N+1. Two things remain:

- *Which* swap made a revision, where its answer was lost? Each lost swap that expected the previous
  revision is tried, and all possible states are kept.
- *Does the order fit in time?* No operation may have returned before an earlier one in the order was
  called. So for each possible state, the latest call of all operations before it is kept. Of two ways
  to the same state, the one with the earlier latest call is always at least as good. Operations within
  a revision change nothing, so they fit in the order of their calls.

Each revision is examined once, so the time is linear, and the result is exact. ``test_checker.py``
compares it with the general search on small histories.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple


class State(NamedTuple):
    """What the register holds."""

    rev: int
    description: str
    completed: bool


class Operation(NamedTuple):
    """A read, or a swap: "set these if the revision is ``expected``".

    Attributes:
        called, returned: times of one clock; ``returned`` is ``None`` for no answer.
        saw: the state in the answer: the new one for a swap that won, else the current one.
        expected: ``None`` for a read.
        description, completed: the values that a swap sets; ``None`` keeps the value.
        won: whether the answer said that the swap was done.
    """

    called: int
    returned: int | None
    saw: State | None
    expected: int | None = None
    description: str | None = None
    completed: bool | None = None
    won: bool = False

    def swapped(self, state: State) -> State:
        """The state after the swap."""
        return State(
            state.rev + 1,
            state.description if self.description is None else self.description,
            state.completed if self.completed is None else self.completed,
        )


class NotLinearizable(Exception):
    """The message says where no order exists."""


def check(initial: State, history: Iterable[Operation]) -> int:
    """The number of swaps without an answer that must have been done.

    Raises:
        NotLinearizable: no order explains the history.
    """
    seen, winners, lost, last = _by_revision(initial, history)
    ways: dict[State, float] = {initial: float("-inf")}  # the latest call before each possible state
    needed = 0
    for rev in range(initial.rev, last + 1):
        ways = _fitting_states(ways, seen[rev], rev)
        if rev == last:
            break
        if len(winners[rev]) > 1:
            raise NotLinearizable(f"revision {rev} was won more than once: {winners[rev]}")
        if not winners[rev]:
            needed += 1
        ways = _after_swap(ways, winners[rev] or lost[rev], rev)
    return needed


_Groups = defaultdict[int, list[Operation]]


def _by_revision(initial: State, history: Iterable[Operation]) -> tuple[_Groups, _Groups, _Groups, int]:
    """The operations that saw each revision, won on it, or may have won; and the last known revision."""
    seen: _Groups = defaultdict(list)
    winners: _Groups = defaultdict(list)
    lost: _Groups = defaultdict(list)
    last = initial.rev
    for operation in history:
        expected, saw = operation.expected, operation.saw
        if saw is None:
            if expected is not None:
                lost[expected].append(operation)
            continue
        if operation.won:
            if expected is None or saw.rev != expected + 1:
                raise NotLinearizable(f"no swap makes this state: {operation}")
            winners[expected].append(operation)
        elif saw.rev == expected:
            raise NotLinearizable(f"refused, and had the right revision: {operation}")
        else:
            seen[saw.rev].append(operation)
        if saw.rev < initial.rev or (operation.won and saw.rev == initial.rev):
            raise NotLinearizable(f"older than the register: {operation}")
        last = max(last, saw.rev)
    return seen, winners, lost, last


def _fitting_states(ways: dict[State, float], seen: list[Operation], rev: int) -> dict[State, float]:
    """The possible states of a revision that agree with what was seen, in time."""
    fit = {}
    reason = "no swap can have made it"
    for state, latest in ways.items():
        late = next((o for o in seen if o.saw != state or (o.returned or 0) < latest), None)
        if late is None:
            fit[state] = max([latest, *(operation.called for operation in seen)])
        else:
            reason = f"it can be {state} with a call at {latest} before it, but there is {late}"
    if not fit:
        raise NotLinearizable(f"revision {rev}: {reason}")
    return fit


def _after_swap(ways: dict[State, float], swaps: list[Operation], rev: int) -> dict[State, float]:
    """The possible states after one of these swaps."""
    after: dict[State, float] = {}
    for state, latest in ways.items():
        for swap in swaps:
            made = swap.swapped(state)
            if swap.saw is not None and (swap.saw != made or (swap.returned or 0) < latest):
                continue
            after[made] = min(after.get(made, float("inf")), max(latest, swap.called))
    if not after:
        raise NotLinearizable(f"nothing leads from revision {rev} to the next: {list(ways)}, {swaps}")
    return after
