"""A page of changes against a plain list of them: the next ones without a gap, or one reason why there are none."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.decisions.history import no_page, page_seqs, read_page
from shared.models import Change, ChangePage

_NEWEST = st.integers(0, 30)
_SINCE = st.integers(0, 40)
_LIMIT = st.integers(1, 12)


def _log(newest: int) -> list[Change]:
    return [Change(1, seq, "delete", f"task {seq}", None, None) for seq in range(1, newest + 1)]


def _ask(log: list[Change], deleted: int, same_epoch: bool, since: int, limit: int) -> ChangePage:
    """As a store does that has deleted the oldest few."""
    seqs = page_seqs(len(log), same_epoch, since, limit)
    if not isinstance(seqs, range):
        return no_page(len(log), seqs)
    return read_page(len(log), seqs, [change for change in log[deleted:] if change.seq in seqs])


@given(_NEWEST, st.booleans(), _SINCE, _LIMIT, st.data())
def test_a_page_is_a_slice_of_the_log_or_says_why_not(
    newest: int, same_epoch: bool, since: int, limit: int, data: st.DataObject
) -> None:
    log = _log(newest)
    deleted = data.draw(st.integers(0, newest))
    page = _ask(log, deleted, same_epoch, since, limit)
    if not same_epoch:
        expected = ChangePage([], newest, more=False, reason="epoch_changed")
    elif since > newest:
        expected = ChangePage([], newest, more=False, reason="seq_unknown")
    elif since < deleted:
        expected = ChangePage([], newest, more=False, reason="history_gone")
    else:
        changes = log[since : since + limit]
        end = since + len(changes)
        expected = ChangePage(changes, end, more=end < newest)
    assert page == expected


@given(_NEWEST, _LIMIT, st.data())
def test_page_after_page_is_the_rest_of_the_log(newest: int, limit: int, data: st.DataObject) -> None:
    log = _log(newest)
    since = data.draw(st.integers(0, newest))
    page, read = _ask(log, 0, True, since, limit), list[Change]()
    for _ in range(newest + 1):
        read += page.changes
        if not page.more:
            break
        page = _ask(log, 0, True, page.seq, limit)
    assert read == log[since:]
    assert (page.seq, page.more, page.reason) == (newest, False, None)
