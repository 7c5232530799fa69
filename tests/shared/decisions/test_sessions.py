"""Token families against a plain account of what happened to them; rows are kept in dictionaries, by no database."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import ClockReading
from shared.decisions import sessions
from shared.decisions.sessions import (
    Exchange,
    ExchangeOutcome,
    Family,
    TokenStatus,
    decide_exchange,
    exchanges_to_sum_up,
    family_id,
    is_active,
    is_reused,
    token_status,
)
from shared.models import Token, User

NOW = 1_700_000_000
GRACE = 30
START = ClockReading(NOW, 1_000.0, "a start of the machine")

_SIDS = st.sampled_from(["one", "two"])
_USERS = st.sampled_from([1, 2])
_SECONDS = st.integers(NOW - 3, NOW + 3)
_READINGS = st.builds(ClockReading, _SECONDS, st.floats(0, 100), st.sampled_from(["a start", "another"]))
_FAMILIES = st.builds(Family, _USERS, _SECONDS, st.booleans(), st.just(0) | _SECONDS)
_EXCHANGES = st.builds(Exchange, _SIDS, _READINGS)


def _user(is_active: bool = True) -> User:
    return User(1, "ada", "hash", is_active, "")


def _token(token_type: str, sid: str | None, jti: str = "jti", issued: int = NOW) -> Token:
    return Token(token_type, 1, jti, issued, NOW + 86_400, sid)


@given(st.sampled_from(["access", "refresh"]), _SIDS, _SECONDS, st.none() | _FAMILIES, st.none() | _EXCHANGES)
def test_a_token_of_a_family_lives_as_long_as_that(
    token_type: str, sid: str, revoked_until: int, family: Family | None, exchange: Exchange | None
) -> None:
    status = token_status(_token(token_type, sid), _user(), revoked_until, 7, exchange, family)
    lives = family is not None and family.user_id == 1 and not family.is_revoked
    assert (status.revoked, status.seq) == (not lives, 7)
    assert status.expires == (family.expires if family and lives else 0)


@given(st.sampled_from(["access", "refresh"]), _SECONDS, st.just(0) | _SECONDS)
def test_a_token_without_a_family_lives_until_all_are_revoked(
    token_type: str, issued: int, revoked_until: int
) -> None:
    token = _token(token_type, None, issued=issued)
    status = token_status(token, _user(), revoked_until, 0, None, None)
    assert (status.revoked, status.expires, status.exchanged) == (issued <= revoked_until, 0, None)


@given(_EXCHANGES, st.none() | _FAMILIES, _SECONDS)
def test_a_token_without_a_family_belongs_to_the_one_that_it_began(
    exchange: Exchange, family: Family | None, revoked_until: int
) -> None:
    began, named = _token("refresh", None), _token("refresh", exchange.sid)
    assert family_id(began, exchange) == family_id(named, exchange) == exchange.sid
    statuses = [token_status(token, _user(), revoked_until, 0, exchange, family) for token in (began, named)]
    assert statuses[0] == statuses[1]
    assert statuses[0].exchanged == exchange.at


@given(st.sampled_from(["access", "refresh"]), _SECONDS, st.none() | _EXCHANGES, _FAMILIES)
def test_only_a_refresh_token_is_exchanged(
    token_type: str, issued: int, exchange: Exchange | None, family: Family
) -> None:
    token = _token(token_type, "one", issued=issued)
    status = token_status(token, _user(), 0, 0, exchange, family)
    was_exchanged = exchange is not None or issued <= family.exchanged_until
    assert (status.exchanged is not None) == (token_type == "refresh" and was_exchanged)


@pytest.mark.parametrize("revoked", [False, True])
@pytest.mark.parametrize("user_is_active", [False, True])
def test_a_token_is_ended_by_either_its_revocation_or_its_user(revoked: bool, user_is_active: bool) -> None:
    status = TokenStatus(_user(user_is_active), revoked, 0, 0, None)
    assert is_active(status) == (user_is_active and not revoked)
    assert not is_active(None)


@given(_READINGS, _READINGS, st.integers(0, 60))
def test_the_grace_is_counted_by_the_uptime_and_over_a_start_of_the_machine_by_the_clock(
    then: ClockReading, now: ClockReading, grace: int
) -> None:
    status = TokenStatus(_user(), False, 0, 0, then)
    passed = now.uptime - then.uptime if now.boot == then.boot else now.time - then.time
    assert is_reused(status, now, grace) == (passed > grace)
    assert not is_reused(status._replace(exchanged=None), now, grace)
    assert is_reused(status._replace(exchanged=sessions.LONG_AGO), now, grace)


@dataclasses.dataclass
class _Rows:
    """A user's families and exchanges, as any store has them."""

    families: dict[str, Family] = dataclasses.field(default_factory=dict)
    exchanges: dict[str, tuple[Exchange, int, Token]] = dataclasses.field(
        default_factory=dict
    )  # with its number and token
    counts: dict[str, int] = dataclasses.field(default_factory=dict)
    revoked_until: int = 0
    user: User = dataclasses.field(default_factory=_user)

    def begin(self, sid: str) -> None:
        self.families[sid] = Family(1, NOW + 86_400, False, 0)

    def change(self, sid: str, **values: object) -> None:
        self.families[sid] = self.families[sid]._replace(**values)  # type: ignore[arg-type]

    def status(self, token: Token) -> tuple[str | None, TokenStatus]:
        exchange = self.exchanges[token.jti][0] if token.jti in self.exchanges else None
        sid = family_id(token, exchange)
        family = None if sid is None else self.families.get(sid)
        return sid, token_status(token, self.user, self.revoked_until, 0, exchange, family)

    def exchange(self, token: Token, new_sid: str, at: ClockReading) -> ExchangeOutcome:
        sid, status = self.status(token)
        outcome = decide_exchange(status, sid, at, GRACE)
        if outcome is ExchangeOutcome.REUSED:
            assert sid is not None
            self.change(sid, is_revoked=True)
        elif outcome is ExchangeOutcome.BEGINS_FAMILY:
            assert sid is None
            self.begin(new_sid)
            self.exchanges[token.jti] = Exchange(new_sid, at), 0, token
        elif outcome is ExchangeOutcome.FIRST:
            assert sid is not None
            self.counts[sid] = number = self.counts.get(sid, 0) + 1
            self.exchanges[token.jti] = Exchange(sid, at), number, token
            self.sum_up(sid, number, at)
        return outcome

    def sum_up(self, sid: str, number: int, at: ClockReading) -> None:
        old = exchanges_to_sum_up(number, at, GRACE)
        if old is None:
            return
        for jti, (exchange, turn, token) in list(self.exchanges.items()):
            is_old = exchange.at.boot != old.boot or exchange.at.uptime < old.uptime
            if exchange.sid == sid and 0 < turn <= old.last and is_old:
                del self.exchanges[jti]
                self.change(sid, exchanged_until=max(self.families[sid].exchanged_until, token.iat))


_NAMES = ("a1", "a2", "a3", "b1", "foreign 1", "foreign 2")
_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["exchange", "exchange", "exchange", "log out", "new password", "disable", "enable"]),
        st.sampled_from(_NAMES),
        st.integers(0, GRACE),  # seconds until then
    ),
    max_size=25,
)


@given(_STEPS)
def test_any_history_of_exchanges_is_like_that_of_a_plain_model(
    steps: list[tuple[str, str, int]],
) -> None:
    """The account: who began which family, when each token came first, and which families were ended."""
    rows = _Rows()
    tokens = {name: _token("refresh", {"a": "A", "b": "B"}.get(name[0]), name) for name in _NAMES}
    family: dict[str, str] = {name: token.sid for name, token in tokens.items() if token.sid}
    first: dict[str, int] = {}
    ended: set[str] = set()
    user_is_active, had_new_password, now = True, False, 0
    for sid in ("A", "B"):
        rows.begin(sid)
    for number, (step, name, seconds) in enumerate(steps):
        now += seconds
        at = START._replace(time=START.time + now, uptime=START.uptime + now)
        if step == "exchange":
            outcome = rows.exchange(tokens[name], f"new {number}", at)
            if name not in family:
                if had_new_password or not user_is_active:
                    expected = ExchangeOutcome.REFUSED
                else:
                    expected = ExchangeOutcome.BEGINS_FAMILY
                    family[name], first[name] = f"new {number}", now
            elif family[name] in ended:
                expected = ExchangeOutcome.REFUSED
            elif name not in first:
                expected, first[name] = ExchangeOutcome.FIRST, now
            elif now - first[name] <= GRACE:
                expected = ExchangeOutcome.REPEATED
            else:
                expected = ExchangeOutcome.REUSED
                ended.add(family[name])
            assert outcome is expected
        elif step == "log out" and name in family:
            rows.change(family[name], is_revoked=True)
            ended.add(family[name])
        elif step == "new password":  # all that were issued at NOW
            rows.revoked_until, had_new_password = at.time, True
            for sid in list(rows.families):
                rows.change(sid, is_revoked=True)
                ended.add(sid)
        elif step in ("disable", "enable"):
            user_is_active = step == "enable"
            rows.user = _user(user_is_active)
        for known, token in tokens.items():
            is_over = family[known] in ended if known in family else had_new_password
            assert is_active(rows.status(token)[1]) == (not is_over and user_is_active)


@given(st.lists(st.integers(0, 40), min_size=40, max_size=80), st.integers(1, 6), st.integers(1, 12))
def test_a_family_that_is_exchanged_without_end_keeps_its_latest_exchanges_and_forgets_no_reuse(
    pauses: list[int], sum_up_every: int, kept: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sessions, "SUM_UP_EVERY", sum_up_every)
        patch.setattr(sessions, "EXCHANGES_KEPT", kept)
        rows, passed, at = _Rows(), 0, START
        rows.begin("one")
        issued: list[Token] = []
        for number, pause in enumerate(pauses):
            passed += pause + 1
            at = START._replace(time=START.time + passed, uptime=START.uptime + passed)
            issued.append(_token("refresh", "one", f"jti {number}", at.time))
            assert rows.exchange(issued[-1], "new", at) is ExchangeOutcome.FIRST
            recent = sum(
                at.time - token.iat <= GRACE + sessions._KEPT_AFTER_GRACE_SECONDS for token in issued
            )
            if (number + 1) % sum_up_every == 0:
                assert len(rows.exchanges) <= max(kept, recent)
        for token in issued:
            _, status = rows.status(token)
            assert status.exchanged is not None
            assert is_reused(status, at, GRACE) == (at.time - token.iat > GRACE)
        assert rows.status(_token("refresh", "one", "the next", at.time + 1))[1].exchanged is None
