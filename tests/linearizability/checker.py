"""Is there one order of all operations on the register that explains every answer?

**Linearizable** (Herlihy and Wing): each operation can be given one moment between its call and its
return, so that, done one after the other at these moments, they give the answers that were seen. An
operation without an answer may have its moment at any time after its call, or never.

In general this needs a search (Wing and Gong 1993; Lowe 2017) that may take exponential time. Here
every answer names the revision that it saw, and only a swap makes the next revision. So the
order is almost given: all that saw revision N come after the swap that made N, and before the one that
made N+1. What is left to decide:

- *which* swap made a revision, where the answer of the one that did was lost: each lost swap that
  expected the revision before is tried, and all states that can be are kept side by side;
- *whether the order fits in time*: nothing may have returned before something was called that comes
  earlier in the order. So for each state that can be, the latest call of all that comes before it is
  kept; of two ways to the same state the one with the earlier latest call is the better one
  whatever follows. Within a revision the operations do not change anything, so they fit in the
  order of their calls.

Each revision is looked at once: the time is linear, the answer exact. ``test_checker.py`` holds it against
the general search on small histories.
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
        called, returned: on one clock; ``returned`` is ``None`` where no answer came.
        saw: the state in the answer: of a swap that won, the one that it made; else the current one.
        expected: ``None`` for a read.
        description, completed: what a swap sets; ``None`` keeps the value.
        won: whether a swap was told that it was done.
    """

    called: int
    returned: int | None
    saw: State | None
    expected: int | None = None
    description: str | None = None
    completed: bool | None = None
    won: bool = False

    def swapped(self, state: State) -> State:
        """What the state becomes."""
        return State(
            state.rev + 1,
            state.description if self.description is None else self.description,
            state.completed if self.completed is None else self.completed,
        )


class NotLinearizable(Exception):
    """Says where no order can be found."""


def check(initial: State, history: Iterable[Operation]) -> int:
    """The number of swaps without an answer that must have been done.

    Raises:
        NotLinearizable: no order explains the history.
    """
    seen, winners, lost, last = _by_revision(initial, history)
    ways: dict[State, float] = {initial: float("-inf")}  # the latest call before, for each state that can be
    needed = 0
    for rev in range(initial.rev, last + 1):
        ways = _those_that_fit(ways, seen[rev], rev)
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
    """What saw each revision, won on it, or may have done so; and the last revision that is known of."""
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


def _those_that_fit(ways: dict[State, float], seen: list[Operation], rev: int) -> dict[State, float]:
    """The states that explain what was seen of a revision, and in time."""
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
    """The states that can be after one of these swaps."""
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
