"""What the client does on one connection: authenticate, catch up, send the writes one by one, renew the token."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

from taskbeam_client.close_codes import NOT_AUTHENTICATED
from taskbeam_client.connection import Connection, Frame, Lost, not_understood, until_one_fails
from taskbeam_client.errors import ClientDefect, Conflict, Invalid, NotFound, Refused, WriteFailed
from taskbeam_client.models import Task
from taskbeam_client.rate_limiter import RateLimiter
from taskbeam_client.state import State
from taskbeam_client.writes import Outcome, Write

_NOT_DONE_YET: Final = frozenset({"rate_limited", "unavailable", "internal"})
_RETRY_AFTER_MOST: Final = 60.0


class Synchronizer:
    """``run`` ends with Lost, or with an error that ends the client.

    Args:
        renew: has a new token got and remembered; its own errors are final, but for OSError.
        on_ready: called once the copy is up to date.
    """

    def __init__(
        self,
        connection: Connection,
        state: State,
        renew: Callable[[], Awaitable[str]],
        on_ready: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._state = state
        self._renew = renew
        self._on_ready = on_ready
        self._rate_limiter = RateLimiter()

    async def run(self, token: str) -> None:
        self._state.expiring.clear()
        try:
            await until_one_fails(self._connection.run(), self._run_authenticated(token))
        finally:
            if (write := self._state.queue.first()) is not None and write.sent:
                write.uncertain = True

    async def _run_authenticated(self, token: str) -> None:
        await self._authenticate(token)
        await until_one_fails(self._send_writes(), self._keep_authenticated())

    async def _ask(self, message: Frame) -> Frame:
        if delay := self._rate_limiter.delay(time.monotonic()):
            await asyncio.sleep(delay)
        return await self._connection.ask(message)

    async def _authenticate(self, token: str) -> None:
        while True:
            answer = await self._ask({"type": "auth", "token": token})
            with _understood(answer):
                if answer["type"] == "auth":
                    return
                code = answer["code"]
                if code != "rate_limited":
                    break
                await self._wait_to_retry(answer)
        if code == "token_not_valid":  # the close frame is on its way, and says the same
            raise Lost("the token was refused", NOT_AUTHENTICATED)
        if code == "user_mismatch":
            raise Lost("the new token is another user's")  # the next connection begins with it
        if code in _NOT_DONE_YET:
            raise Lost(f"no authentication now: {code}")
        raise ClientDefect(f"authentication was refused: {code}")

    async def _keep_authenticated(self) -> NoReturn:
        """Where no token is to be had in time, the server closes the connection, and the next one tries again."""
        while True:
            await self._state.expiring.wait()
            self._state.expiring.clear()
            # Not at once: a token that lives shorter than the notice would be renewed without end.
            await asyncio.sleep(self._state.expires_in * random.uniform(0.25, 0.5))
            try:
                await self._authenticate(await self._renew())
            except OSError:
                self._state.expires_in /= 2
                self._state.expiring.set()
                await asyncio.sleep(random.uniform(0.5, 1.0))

    # The copy

    async def _catch_up(self) -> None:
        """Until nothing is missing. What the answers bring is in the copy before they are seen here."""
        while self._state.behind:
            request, asked = self._state.missing_request(), time.monotonic()
            answer = await self._ask(request)
            with _understood(answer):
                if answer["type"] == "error":
                    await self._wait_to_retry(answer)
                elif (answer["type"], answer.get("mode")) not in (("sync", None), ("task.update", "all")):
                    raise ValueError("it answers a request for the tasks")
                elif self._state.listing is not None and request["mode"] == "all":
                    self._state.listing.adapt_page(time.monotonic() - asked)

    async def _wait_to_retry(self, answer: Frame) -> None:
        if answer["code"] not in _NOT_DONE_YET:
            raise ClientDefect(f"the server refuses to send the tasks: {answer['code']}")
        seconds = min(max(float(answer.get("retry_after", 1.0)), 0.0), _RETRY_AFTER_MOST)
        if answer["code"] == "rate_limited":
            self._rate_limiter.slow_down(time.monotonic(), seconds)
        else:
            await asyncio.sleep(seconds * random.uniform(1.0, 1.5))

    # The writes

    async def _send_writes(self) -> NoReturn:
        state = self._state
        await self._catch_up()
        self._on_ready()
        while True:
            if state.behind:
                await self._catch_up()
            elif state.queue.first() is None:
                state.news.clear()
                await state.news.wait()
            elif delay := self._rate_limiter.delay(time.monotonic()):
                await asyncio.sleep(delay)
                await self._send_next()
            else:
                await self._send_next()

    async def _send_next(self) -> None:
        """What is the next write may have changed meanwhile: a write that waits can be withdrawn."""
        write = self._state.queue.first()
        if write is None or self._state.behind:
            return
        outcome = await self._outcome(write)
        if outcome is not None and self._state.queue.first() is write:
            self._state.queue.finish(outcome)

    async def _outcome(self, write: Write) -> Outcome | None:
        """One sending; ``None`` when there has to be another. The copy is up to date before and after."""
        if write.uncertain and write.evidence is not None:
            return write.evidence
        was_sent, write.sent = write.sent, True
        answer = await self._connection.ask(write.request())
        with _understood(answer):
            if answer["type"] != "error":
                if answer.get("replayed"):
                    await self._sync_again()
                return Outcome(None if answer["mode"] == "delete" else Task.from_json(answer["task"]))
            code = answer["code"]
            if code == "rate_limited":
                if not was_sent:
                    self._state.queue.put_back()
                await self._wait_to_retry(answer)
                return None
            if code in _NOT_DONE_YET:  # or perhaps it is done: the log knows
                write.uncertain = True
                await self._wait_to_retry(answer)
                await self._sync_again()
                if code == "internal" and write.evidence is None:
                    return Outcome(error=Refused(answer))
                return write.evidence
            if code in ("conflict", "not_found"):
                await self._sync_again()
                if write.uncertain and write.evidence is not None:
                    return write.evidence
            return Outcome(error=_failure(write, answer))

    async def _sync_again(self) -> None:
        """See what the answer was based on, before the caller does."""
        self._state.behind = True
        await self._catch_up()


@contextmanager
def _understood(answer: Frame) -> Iterator[None]:
    """Raises ClientDefect where the answer is not what the contract says."""
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise not_understood(answer, error) from error


def _failure(write: Write, answer: Frame) -> WriteFailed:
    match answer["code"]:
        case "conflict":
            return Conflict(Task.from_json(answer["task"]))
        case "not_found":
            return NotFound(write.task_id)
        case "validation":
            errors = dict(answer["errors"])
            return Invalid({str(field): [str(text) for text in texts] for field, texts in errors.items()})
    return Refused(answer)
