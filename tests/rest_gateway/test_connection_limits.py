"""More connections than MAX_CONNECTIONS: the longest idle go, then newcomers are refused, and nobody else notices."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from tests.support.clients import new_account
from tests.support.event_stream import event_stream
from tests.support.processes import System, running
from tests.support.raw_http import ask
from tests.support.waiting import wait_until

PROBE = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
LIMIT = 6


@pytest.fixture
def crowded_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running(tmp_path_factory.mktemp("crowded"), MAX_CONNECTIONS=str(LIMIT)) as system:
        yield system


class _Peer(socket.socket):
    def __init__(self, system: System) -> None:
        super().__init__()
        self.settimeout(10)
        self.connect(("127.0.0.1", system.gateway.port))

    def probe(self) -> int:
        self.sendall(PROBE)
        return int(self.recv(65536).split()[1])

    def is_ended(self) -> bool:
        try:
            return self.recv(1) == b""
        except ConnectionError:
            return True


def test_the_longest_idle_go_first(crowded_system: System) -> None:
    with ExitStack() as open_ones:
        peers = [open_ones.enter_context(closing(_Peer(crowded_system))) for _ in range(LIMIT)]
        for peer in peers[1:]:
            assert peer.probe() == 200
        for _ in range(2):
            newcomer = open_ones.enter_context(closing(_Peer(crowded_system)))
            assert newcomer.probe() == 200
        # The one that has said nothing, then the first that was answered.
        assert [peer.is_ended() for peer in peers[:2]] == [True, True]
        assert [peer.probe() for peer in peers[2:]] == [200] * (LIMIT - 2)


def test_silent_connections_replace_each_other(crowded_system: System) -> None:
    with ExitStack() as open_ones:
        client = open_ones.enter_context(closing(_Peer(crowded_system)))
        assert client.probe() == 200
        strangers = [open_ones.enter_context(closing(_Peer(crowded_system))) for _ in range(3 * LIMIT)]
        assert strangers[0].is_ended()
        assert client.probe() == 200


def test_where_all_connections_are_busy_a_new_one_is_refused(crowded_system: System) -> None:
    account = new_account(crowded_system)
    with ExitStack() as streams:
        for _ in range(LIMIT):
            streams.enter_context(event_stream(crowded_system, account))
        for _ in range(3):
            answer = ask(crowded_system.gateway.port, PROBE)
            assert (answer.status, list(answer.json)) == (503, ["detail"])
            assert answer.headers["content-type"] == "application/json"
            assert int(answer.headers["retry-after"]) > 0
            assert answer.headers["connection"] == "close"
    wait_until(
        lambda: (
            ask(
                crowded_system.gateway.port, PROBE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
            ).status
            == 200
        ),
        10,
        "there is room again",
    )
