"""Whatever order notices come in, each change is delivered once, in order, and what is missing is known."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.feed.notices import Followed, Step

_ARRIVALS = st.lists(
    st.tuples(st.integers(1, 12), st.sampled_from(["change", "seq", "read"])), min_size=1, max_size=60
)


@given(start=st.integers(0, 5), arrivals=_ARRIVALS)
def test_each_change_once_in_order_without_a_gap(start: int, arrivals: list[tuple[int, str]]) -> None:
    """A read brings all that was committed until then, as the log does."""
    followed = Followed(start)
    delivered: list[int] = []
    committed = start

    def hear(seq: int, *, has_change: bool = True) -> Step:
        what = followed.hear(seq, 1.0, has_change=has_change)
        if what is Step.DELIVER:
            assert has_change, "only what the notice brings can be delivered"
            delivered.append(seq)
        return what

    for seq, kind in arrivals:
        committed = max(committed, seq)
        if kind == "read":
            for logged in range(followed.last + 1, committed + 1):
                assert hear(logged) is Step.DELIVER
        else:
            before = followed.last
            what = hear(seq, has_change=kind == "change")
            assert (what is Step.DROP) == (seq <= before)
            assert (what is Step.READ) == (seq > followed.last)
        assert delivered == list(range(start + 1, followed.last + 1))
        assert followed.last + followed.missing == max(followed.known, start)
        assert (followed.missing_since is None) == (followed.missing == 0)


@given(last=st.integers(0, 9), heard=st.integers(1, 20), newest=st.integers(0, 20))
def test_after_a_gap_in_the_log_the_newest_change_is_next(last: int, heard: int, newest: int) -> None:
    followed = Followed(last)
    followed.hear(heard, 1.0, has_change=False)
    followed.restart(newest)
    assert followed.missing == (newest > 0)
    if newest:
        assert followed.hear(newest, 2.0) is Step.DELIVER
    assert followed.missing_since is None
