"""Start both servers under supervisord, in the foreground, and print when they are ready. `make run` runs this.

supervisord keeps the servers running. This launcher adds what supervisord lacks: checks before the start, each
with a one-line error; a check that the servers become ready; a non-zero exit status when one has failed for good;
and a stop that leaves no process behind, whatever causes it.

Standard library only, so that its errors are printed even when the environment is incomplete.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import ctypes
import errno
import http.client
import os
import resource
import signal
import socket
import subprocess
import sys
import xmlrpc.client
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
CONFIGURATION = ROOT / "supervisord.conf"
VAR = ROOT / "var"
CONTROL_SOCKET = VAR / "supervisor.sock"

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
READY_SECONDS = 30.0
# supervisord kills its processes after stopwaitsecs, 20. This limit is for a supervisord that hangs.
STOP_SECONDS = 30.0
# A first failure may only mean that another process starts more slowly. The third comes after about five seconds.
FAILED_STARTS = 3
BAD_SETTINGS = 2
# minfds in supervisord.conf
FILE_DESCRIPTORS = 16384

LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
PR_SET_PDEATHSIG = 1


class Trouble(Exception):
    """Ends the launcher. Its message is the one line that the user reads."""


class Server(NamedTuple):
    """A server's name, and its address in the settings."""

    name: str
    scheme: str
    hosts: tuple[str, ...]
    port: int
    path: str

    @property
    def addresses(self) -> list[str]:
        hosts = [f"[{host}]" if ":" in host else host for host in self.hosts]
        return [f"{self.scheme}://{host}:{self.port}{self.path}" for host in hosts]

    def check_free(self) -> None:
        """Raise Trouble for a port in use: one message, instead of one by each worker at each of its starts."""
        for host in self.hosts:
            self._check_free(host)

    def _check_free(self, host: str) -> None:
        try:
            found = socket.getaddrinfo(host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        except (OSError, UnicodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "no host name"
            raise Trouble(f"TASKBEAM_{self.name}_HOST: {host}: {reason}") from error
        for family, kind, protocol, _, where in found:
            with contextlib.suppress(OSError), socket.socket(family, kind, protocol) as probe:
                # Like the servers: old connections in TIME_WAIT do not count.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                try:
                    probe.bind(where)
                except OSError as error:
                    # The server reports any other error itself, and more precisely.
                    if error.errno == errno.EADDRINUSE:
                        raise Trouble(
                            f"port {self.port} is already in use: stop what listens there, "
                            f"or set TASKBEAM_{self.name}_PORT to another"
                        ) from error

    def is_ready(self) -> bool:
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.hosts[0], self.hosts[0])
        connection = http.client.HTTPConnection(host, self.port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def server(name: str, scheme: str, port: int, path: str) -> Server:
    """The server of this name, from the settings. Raises Trouble for an invalid port."""
    hosts = os.environ.get(f"TASKBEAM_{name}_HOST") or "127.0.0.1"
    text = os.environ.get(f"TASKBEAM_{name}_PORT") or str(port)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise Trouble(f"TASKBEAM_{name}_PORT: expected a port from 1 to 65535, not {text!r}")
    return Server(name, scheme, tuple(host.strip() for host in hosts.split(",")), int(text), path)


class ControlTransport(xmlrpc.client.Transport):
    """supervisord's XML-RPC over its Unix socket."""

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(2)
        connection.sock.connect(str(CONTROL_SOCKET))
        return connection


def processes() -> list[dict[str, Any]]:
    """supervisord's list of processes; empty while it does not answer."""
    proxy = xmlrpc.client.ServerProxy("http://localhost", transport=ControlTransport())
    try:
        found: Any = proxy.supervisor.getAllProcessInfo()
    except (OSError, http.client.HTTPException, xmlrpc.client.Error):
        return []
    return list(found)


def prepare() -> tuple[Server, Server]:
    """Check everything that can be checked before the start. Raises Trouble."""
    workers = os.environ.setdefault("WORKERS", "1")
    if not (workers.isascii() and workers.isdigit() and int(workers) >= 1):
        raise Trouble(f"WORKERS: expected a whole number from 1, not {workers!r}")
    servers = (server("WS", "ws", 8000, "/ws/tasks/"), server("REST", "http", 8001, "/"))

    try:
        VAR.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise Trouble(f"{VAR}: {error.strerror}") from error
    # A Unix socket's path may have 107 bytes, and supervisord first binds a longer, temporary name.
    spare = 107 - len(os.fsencode(f"{CONTROL_SOCKET}.1234567"))
    if spare < 0:
        raise Trouble(f"the path of this folder is {-spare} bytes too long for a Unix socket in it: {ROOT}")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(2)
        # A stale socket refuses the connection, and supervisord replaces it.
        if probe.connect_ex(str(CONTROL_SOCKET)) == 0:
            raise Trouble("it already runs from this folder; .venv/bin/supervisorctl shutdown stops it")
    for server_ in servers:
        server_.check_free()
    return servers


@contextlib.contextmanager
def own_terminal() -> Iterator[None]:
    """Let only us get Ctrl-C: make, which waits for us, would report it as its own failure."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR)
    except OSError:
        yield
        return
    group = os.getpgrp()
    if group == os.getpid() or os.tcgetpgrp(terminal) != group:
        yield  # a shell has given the terminal to us already, or to another process group
        return
    # A process in the background must ignore SIGTTOU to give the terminal back. And after Ctrl-Z nobody could
    # continue us: the shell knows make's process group, not ours.
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    os.setpgid(0, 0)
    os.tcsetpgrp(terminal, os.getpgrp())
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # the terminal may be gone by now
            os.tcsetpgrp(terminal, group)
        os.close(terminal)


def start_relay() -> subprocess.Popen[bytes]:
    """Relays supervisord's output to our standard output, whatever that is.

    supervisord opens its standard output again, as /dev/fd/1. That fails for a socket, as under systemd or Node,
    and truncates a file. And when its output has no reader any more, supervisord crashes and leaves its processes
    running: hence the second cat.
    """
    return subprocess.Popen(["sh", "-c", "cat; cat >/dev/null"], stdin=subprocess.PIPE, process_group=0)


def stop_with_launcher() -> None:
    """Runs in the child: when the launcher is killed, the kernel sends SIGTERM to supervisord."""
    if LIBC is not None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Launcher:
    """Runs supervisord, prints when the servers are ready, and stops everything in order."""

    def __init__(self, servers: tuple[Server, ...]) -> None:
        self.servers = servers
        self.pids: set[int] = set()

    async def run(self) -> None:
        """Return after an orderly stop, by a signal or by `supervisorctl shutdown`. Else raise Trouble."""
        loop = asyncio.get_running_loop()
        asked = asyncio.Event()
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, asked.set)
        command = [sys.executable, "-m", "supervisor.supervisord", "--configuration", str(CONFIGURATION)]
        hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if hard_limit != resource.RLIM_INFINITY and hard_limit < FILE_DESCRIPTORS:
            print(f"taskbeam: only {hard_limit} file descriptors a process (ulimit -Hn)", file=sys.stderr)
            command += ["--minfds", str(hard_limit)]
        output = start_relay()
        assert output.stdin is not None
        # Its own process group: it gets signals only from here, once, and never the SIGHUP of a closed terminal,
        # on which it would restart.
        supervisord = await asyncio.create_subprocess_exec(
            *command,
            stdin=subprocess.DEVNULL,
            stdout=output.stdin,
            stderr=output.stdin,
            cwd=ROOT,
            process_group=0,
            preexec_fn=stop_with_launcher,
        )
        ended = asyncio.create_task(supervisord.wait())
        watching = asyncio.create_task(self.watch(output.stdin))
        asking = asyncio.create_task(asked.wait())
        try:
            await asyncio.wait({ended, watching, asking}, return_when=asyncio.FIRST_COMPLETED)
            if watching.done():
                watching.result()
        finally:
            watching.cancel()
            asking.cancel()
            status = await self.stop(supervisord, ended)
            with contextlib.suppress(subprocess.TimeoutExpired):  # a terminal whose output is stopped
                output.communicate(timeout=5)
            # Nothing is left to stop, and asyncio does not handle two signals at once while it closes.
            for number in STOP_SIGNALS:
                loop.remove_signal_handler(number)
                signal.signal(number, signal.SIG_IGN)
        if status != 0:
            raise Trouble(f"supervisord ended with status {status}")

    async def watch(self, output: IO[bytes]) -> None:
        """Print once that both are ready. Raise Trouble when that takes too long, or one has failed for good."""
        deadline = asyncio.get_running_loop().time() + READY_SECONDS
        waiting = list(self.servers)
        starts: collections.defaultdict[str, set[int]] = collections.defaultdict(set)
        while True:
            found = await asyncio.to_thread(processes)
            if found:
                self.pids = {info["pid"] for info in found if info["pid"]}
            for info in found:
                if info["statename"] == "EXITED" and info["exitstatus"] == BAD_SETTINGS:
                    raise Trouble(f"{info['name']} stopped over its settings; what it said is above")
                if info["statename"] == "FATAL":
                    raise Trouble(f"{info['name']} was started too often in vain; what it said is above")
                if waiting and info["statename"] == "BACKOFF":
                    starts[info["name"]].add(info["start"])
                    if len(starts[info["name"]]) >= FAILED_STARTS:
                        raise Trouble(f"{info['name']} stops right after its start; what it said is above")
            if waiting:
                waiting = [one for one in waiting if not await asyncio.to_thread(one.is_ready)]
                if not waiting:
                    lines = "".join(
                        f"taskbeam: ready at {address}\n" for one in self.servers for address in one.addresses
                    )
                    output.write(lines.encode())
                    output.flush()
                elif asyncio.get_running_loop().time() > deadline:
                    raise Trouble(f"not ready after {READY_SECONDS:.0f} seconds: {waiting[0].addresses[0]}")
            await asyncio.sleep(0.1 if waiting else 2.0)

    async def stop(self, supervisord: asyncio.subprocess.Process, ended: asyncio.Task[int]) -> int:
        """supervisord's exit status, once it has ended."""
        if not ended.done():
            supervisord.terminate()
            await asyncio.wait({ended}, timeout=STOP_SECONDS)
            if not ended.done():
                supervisord.kill()
            if await ended == -signal.SIGTERM:
                return 0  # it had no handler yet, and no processes
        # When supervisord was killed or crashed, we stop its servers. Each leads a process group.
        if ended.result() != 0:
            for pid in self.pids:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGTERM)
        return ended.result()


def main() -> int:
    """Returns the exit status: 0 after an orderly stop, 1 after Trouble, which is printed on standard error."""
    os.umask(0o077)
    try:
        servers = prepare()
        with own_terminal():
            asyncio.run(Launcher(servers).run())
    except Trouble as trouble:
        print(f"taskbeam: {trouble}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0  # before the start, or after the stop
    return 0


if __name__ == "__main__":
    sys.exit(main())
