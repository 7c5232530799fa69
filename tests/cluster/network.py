"""Hosts in network namespaces, each with a link to one bridge; where namespaces are not permitted, addresses of this machine.

The namespaces have no names, and this machine's own has no part in them. A namespace lives as long as a descriptor of it or a
process in it; the kernel ends the processes when the test that started them is killed. So nothing is left in any case.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

from tests.support.hosts import Host

_CLONE_NEWNET: Final = 0x40000000  # linux/sched.h
_OWN: Final = "/proc/thread-self/ns/net"
_libc: Final = ctypes.CDLL(None, use_errno=True)


class NotPermitted(Exception):
    """Why no namespaces can be made here."""


class Namespace(Host):
    """A network namespace that was just made: it has no address yet, and no link. Raises NotPermitted."""

    def __init__(self) -> None:
        self._home = os.open(_OWN, os.O_RDONLY)
        try:
            _call("unshare", _CLONE_NEWNET)
        except OSError as error:
            os.close(self._home)
            raise NotPermitted(f"network namespaces: {error.strerror}") from error
        self._descriptor = os.open(_OWN, os.O_RDONLY)
        _call("setns", self._home, _CLONE_NEWNET)

    @contextmanager
    def entered(self) -> Iterator[None]:
        # The kernel ends a process that is started with ``prefix`` when the thread that has started it ends.
        assert threading.current_thread() is threading.main_thread()
        _call("setns", self._descriptor, _CLONE_NEWNET)
        try:
            yield
        finally:
            _call("setns", self._home, _CLONE_NEWNET)

    @property
    def path(self) -> str:
        """By which other programs find the namespace."""
        return f"/proc/{os.getpid()}/fd/{self._descriptor}"

    def close(self) -> None:
        os.close(self._descriptor)
        os.close(self._home)


class LinkedHost(Namespace):
    """A host whose link can be cut."""

    prefix = ("setpriv", "--pdeathsig", "KILL")

    def __init__(self, name: str, address: str, switch: Namespace) -> None:
        super().__init__()
        self.address, self._name, self._switch = address, name, switch

    def connect_link(self) -> None:
        _ip(
            self._switch,
            "link",
            "add",
            self._name,
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "netns",
            self.path,
        )
        _ip(self, "link", "set", "lo", "up")
        _ip(self, "address", "add", f"{self.address}/24", "dev", "eth0")
        _ip(self, "link", "set", "eth0", "up")
        self.mend_link()

    def cut_link(self) -> None:
        """What is sent is lost, without an error: the host's own end of the link stays up."""
        _ip(self._switch, "link", "set", "dev", self._name, "nomaster")

    def mend_link(self) -> None:
        _ip(self._switch, "link", "set", "dev", self._name, "master", "bridge", "up")


class LocalHost(Host):
    """An address of the loopback network; its link cannot be cut."""

    def __init__(self, address: str) -> None:
        self.address = address


@contextmanager
def linked_hosts(names: Sequence[str]) -> Iterator[list[LinkedHost]]:
    """A host for each name, of 15 letters at most, each with an address in 10.77.0.0/24. Raises NotPermitted."""
    for program in ("ip", "setpriv"):
        if shutil.which(program, path=_PATH) is None:
            raise NotPermitted(f"not installed: {program}")
    with ExitStack() as stack:
        switch = Namespace()
        stack.callback(switch.close)
        _ip(switch, "link", "add", "name", "bridge", "type", "bridge")
        _ip(switch, "link", "set", "bridge", "up")
        hosts = []
        for number, name in enumerate(names, 11):
            host = LinkedHost(name, f"10.77.0.{number}", switch)
            stack.callback(host.close)
            host.connect_link()
            hosts.append(host)
        yield hosts


@contextmanager
def hosts(names: Sequence[str]) -> Iterator[list[LinkedHost] | list[LocalHost]]:
    """Linked hosts, or else addresses of this machine; says why."""
    with ExitStack() as stack:
        try:
            found: list[LinkedHost] | list[LocalHost] = stack.enter_context(linked_hosts(names))
        except NotPermitted as error:
            print(f"no links are cut: {error}")
            found = [LocalHost(f"127.0.0.{number}") for number, _ in enumerate(names, 11)]
        yield found


_PATH: Final = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def _ip(host: Namespace, *arguments: str) -> None:
    """Raises NotPermitted."""
    program = shutil.which("ip", path=_PATH)
    assert program is not None
    with host.entered():
        done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NotPermitted(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


def _call(function: str, *arguments: int) -> None:
    """A function of the C library that is new in Python 3.12. Raises OSError."""
    if getattr(_libc, function)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
