"""The next page of a user's changes for a reader who has those up to ``since``, or why there is none."""

from __future__ import annotations

from typing import Final, Literal

from shared.models import Change, ChangePage

HISTORY: Final = 10_000  # changes kept of each user, at least; older ones may be deleted

Unreadable = Literal["epoch_changed", "seq_unknown"]


def page_seqs(newest: int, same_epoch: bool, since: int, limit: int) -> range | Unreadable:
    """The seqs of the next page, or why ``since`` is no place in this log.

    Args:
        newest: the seq of the user's newest change, 0 where there is none.
        same_epoch: whether ``since`` was taken from this database, not from one that it replaced.
        limit: changes in a page, at most.
    """
    if not same_epoch:
        return "epoch_changed"
    if since > newest:
        return "seq_unknown"
    return range(since + 1, min(since + limit, newest) + 1)


def read_page(newest: int, seqs: range, kept: list[Change]) -> ChangePage:
    """The page of those seqs. ``kept``: the changes that there still are of them, in order."""
    if len(kept) < len(seqs):
        return no_page(newest, "history_gone")
    last = seqs.stop - 1
    return ChangePage(kept, last, more=last < newest)


def no_page(newest: int, reason: Unreadable | Literal["history_gone"]) -> ChangePage:
    """The client has to read the whole list, and goes on from there."""
    return ChangePage([], newest, more=False, reason=reason)
