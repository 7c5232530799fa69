"""The hosts that the tests of this folder make: their links, and that nothing of them is left."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from typing import Final

import psutil
import pytest

from tests.cluster.network import LinkedHost, NotPermitted, linked_hosts
from tests.support.processes import ROOT
from tests.support.waiting import wait_until

_SECONDS: Final = 10.0
_PORT: Final = 5000

_KILLED: Final = """
import os, subprocess, sys
from tests.cluster.network import linked_hosts

with linked_hosts(["one"]) as [one]:
    with one.entered():
        server = subprocess.Popen([*one.prefix, "sleep", "600"])
    print(server.pid, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def hosts() -> Iterator[list[LinkedHost]]:
    try:
        with linked_hosts(["one", "two"]) as made:
            yield made
    except NotPermitted as error:
        pytest.skip(str(error))


def _reaches(client: LinkedHost, server: LinkedHost) -> bool:
    with client.entered():
        connection = socket.socket()
    with closing(connection):
        connection.settimeout(0.3)
        try:
            connection.connect((server.address, _PORT))
        except OSError:
            return False
        return True


def test_hosts_reach_each_other_unless_a_link_is_cut(hosts: list[LinkedHost]) -> None:
    one, two = hosts
    with two.entered():
        listening = socket.create_server((two.address, _PORT))
    with closing(listening):
        assert _reaches(one, two)
        for host in hosts:
            host.cut_link()
            assert not _reaches(one, two)
            assert _reaches(two, two)
            host.mend_link()
            wait_until(lambda: _reaches(one, two), _SECONDS, "the link is mended")


def test_this_machine_has_no_part_in_them(hosts: list[LinkedHost]) -> None:
    addresses = {each.address for found in psutil.net_if_addrs().values() for each in found}
    assert not addresses & {host.address for host in hosts}
    assert {"one", "two", "bridge"}.isdisjoint(psutil.net_if_stats())


def test_nothing_is_left_of_a_test_that_is_killed(hosts: list[LinkedHost]) -> None:
    test = subprocess.Popen(
        [sys.executable, "-c", _KILLED], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with test:
        assert test.stdout is not None
        server = psutil.Process(int(test.stdout.readline()))
        namespace = _namespace(server.pid)
        assert namespace != _namespace(os.getpid())
        # Before that the kernel has not been told yet whose end it shall be.
        wait_until(lambda: server.name() == "sleep", _SECONDS, "setpriv has become the process")
        test.send_signal(signal.SIGKILL)
    wait_until(lambda: not server.is_running(), _SECONDS, "the process on the host has ended")
    assert namespace not in {_namespace(pid) for pid in psutil.pids()}


def _namespace(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/net")
    except OSError:
        return "of no process"
