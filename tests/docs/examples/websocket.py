"""``docs/reference/websocket_examples.md``: what its blocks send is sent, and what they receive is what came."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any, Final, NamedTuple

import websockets
from websockets.asyncio.client import ClientConnection

from tests.docs.examples import shown
from tests.docs.examples.servers import Servers
from tests.support.clients import new_account
from tests.support.processes import ROOT, SECRET_KEY, System
from tests.support.tokens import make_token
from ws_server.asyncapi_examples import EXAMPLES
from ws_server.close_codes import Disconnect

PAGE: Final = ROOT / "docs/reference/websocket_examples.md"
_BLOCK: Final = re.compile(
    r"^(?:<!-- (?P<how>[^>]*) -->\n)?```text\n(?P<lines>→.*?|#.*?)^```\n", re.MULTILINE | re.DOTALL
)
_NEW: Final = "on a new socket"
_OF_THE_CODE: Final = "not run: as the code makes it"
_SECONDS: Final = 20.0


class Step(NamedTuple):
    """``kind``: ``→`` sends ``text``, ``←`` has received it, ``#`` says what happens besides."""

    kind: str
    text: str


def steps(lines: str) -> list[Step]:
    """Of one block; a line that begins with a blank or a bracket goes on the one before."""
    found: list[Step] = []
    for line in lines.splitlines():
        if line[:1] in ("→", "←", "#"):
            found.append(Step(line[0], line[1:].strip()))
        else:
            found[-1] = Step(found[-1].kind, f"{found[-1].text}\n{line.strip()}")
    return found


def blocks(page: str) -> list[tuple[str, list[Step]]]:
    """How each is run, and its steps."""
    return [(found["how"] or "", steps(found["lines"])) for found in _BLOCK.finditer(page)]


def written(page: str, servers: Servers) -> str:
    """The page with what the server sends."""
    return asyncio.run(_Run(servers, page).page())


class _Run:
    def __init__(self, servers: Servers, page: str) -> None:
        self._system: System = servers.system
        self._show = shown.Shown(servers.epoch, page)
        self._text = page
        self._ann, self._bob, self._carl = (
            new_account(servers.system, f"{name}-of-websockets") for name in ("ann", "bob", "carl")
        )
        self._session: ClientConnection | None = None
        self._skip: Callable[[dict[str, Any]], bool] = lambda frame: False
        self._tokens: dict[str, Callable[[], str]] = {
            "<ann's access token>": lambda: self._ann.access,
            "<ann's refresh token>": lambda: self._ann.refresh,
            "<bob's access token>": lambda: self._bob.access,
            "<carl's access token>": lambda: self._carl.access,
            "<a token that ends in 61 seconds>": lambda: make_token(SECRET_KEY, self._bob.id, seconds=61),
            "<a token that ends in 3 seconds>": lambda: make_token(SECRET_KEY, self._bob.id, seconds=3),
        }

    async def page(self) -> str:
        text, done = "", 0
        async with AsyncExitStack() as stack:
            for found in _BLOCK.finditer(self._text):
                lines = await self._block(found["how"] or "", steps(found["lines"]), stack)
                begin, end = found.span("lines")
                text, done = f"{text}{self._text[done:begin]}{lines}", end
        return text + self._text[done:]

    async def _block(self, how: str, wanted: list[Step], stack: AsyncExitStack) -> str:
        if how == _OF_THE_CODE:
            return "".join(f"{step.kind} {_checked(step)}\n" for step in wanted)
        async with AsyncExitStack() as own:
            if self._session is None:
                self._session = await self._open(stack)
            connection = await self._open(own) if wanted[0].text == _NEW else self._session
            lines = ""
            for step in wanted:
                match step.kind:
                    case "→":
                        await self._send(connection, step.text)
                        lines += f"→ {step.text}\n"
                    case "#":
                        await self._do(step.text, connection, own)
                        lines += f"# {step.text}\n"
                    case _:
                        lines += f"← {await self._receive(connection)}\n"
        return lines

    async def _open(self, stack: AsyncExitStack) -> ClientConnection:
        opened = websockets.connect(self._system.ws_url, max_size=None, close_timeout=2, proxy=None)
        return await stack.enter_async_context(opened)

    async def _send(self, connection: ClientConnection, text: str) -> None:
        match text:
            case "(a binary message)":
                await connection.send(b"\x00")
            case "(a text that is not UTF-8)":
                await connection.send(b"\xff", text=True)
            case "(a text of 300,000 characters)":
                await connection.send("x" * 300_000)
            case _:
                for name, token in self._tokens.items():
                    if name in text:
                        text = text.replace(name, token())
                await connection.send(self._show.real(text))

    async def _receive(self, connection: ClientConnection) -> str:
        """The next frame, or the close. Raises TimeoutError."""
        async with asyncio.timeout(_SECONDS):
            try:
                while self._skip(json.loads(text := await connection.recv())):
                    pass
            except websockets.ConnectionClosed as closed:
                close = closed.rcvd
                return f'(closes: {close.code} "{close.reason}")' if close else "(the connection was cut)"
            finally:
                self._skip = lambda frame: False
        text = re.sub(r'"user_id": ?\d+', '"user_id": 1', self._show.text(str(text)))
        return shown.pretty(json.loads(text), 2)

    async def _do(self, what: str, connection: ClientConnection, own: AsyncExitStack) -> None:
        match what:
            case "ann makes a task over REST":
                await asyncio.to_thread(self._ann.rest, "POST", "/", {"task": "Walk the dog"})
            case "carl logs out over REST":
                await asyncio.to_thread(self._carl.rest, "POST", "/logout/", {"refresh": self._carl.refresh})
            case "100 pings at once":
                await self._pings(connection, 100)
                self._skip = lambda frame: frame["type"] == "pong"
            case "2,000 pings at once":
                await self._pings(connection, 2000)
                self._skip = lambda frame: True
            case "bob has two sockets open already":
                for _ in range(2):
                    other = await self._open(own)
                    await other.send(json.dumps({"type": "auth", "token": self._bob.access}))
                    await other.recv()
            case "the server is stopped with SIGTERM":
                assert self._system.ws.popen is not None
                self._system.ws.popen.terminate()
            case (
                "on a new socket"
                | "nothing is sent for AUTH_TIMEOUT_SECONDS"
                | "three seconds later"
                | "a second later"
            ):
                pass  # the next frame is waited for
            case _:
                raise NotImplementedError(what)

    @staticmethod
    async def _pings(connection: ClientConnection, count: int) -> None:
        try:
            for _ in range(count):
                await connection.send('{"mode": "ping"}')
        except websockets.ConnectionClosed:
            pass  # the close is read next


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _checked(step: Step) -> str:
    """A frame of the code's examples, or a close of its list: as it stands there, with what the page's request has."""
    if step.kind != "←":
        return step.text
    if close := re.fullmatch(r'\(closes: (\d+) "(.*)"\)', step.text):
        code, reason = int(close[1]), close[2]
        own = {(each.code.value, each.reason) for each in Disconnect}
        assert (code, reason) in own or code == websockets.frames.CloseCode.INTERNAL_ERROR, step.text
        return step.text
    code = json.loads(step.text)["code"]
    (example,) = (example for example in EXAMPLES.values() if example.get("code") == code)
    return shown.pretty(example, 2)


class Seen(NamedTuple):
    """What a page shows: requests by their mode (``auth`` for those), frames, and close codes."""

    modes: set[str]
    frames: list[dict[str, Any]]
    closes: set[int]


def seen(page: str) -> Seen:
    found = Seen(set(), [], set())
    for _, block in blocks(page):
        for step in block:
            if close := re.fullmatch(r'\(closes: (\d+) ".*"\)', step.text):
                found.closes.add(int(close[1]))
            elif step.kind == "←":
                found.frames.append(json.loads(step.text))
            elif step.kind == "→" and _is_json(step.text):
                request = json.loads(step.text)
                found.modes.add(request.get("mode", request.get("type", "")))
    return found
