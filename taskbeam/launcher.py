"""Runs supervisord, says when the servers answer, and sees to an orderly end."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import logging
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from taskbeam.control import process_infos
from taskbeam.errors import CommandError
from taskbeam.server_address import Server
from taskbeam.supervisor_conf import CONTROL_SOCKET

STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_READY_SECONDS: Final = 30.0
# supervisord itself kills after stopwaitsecs, 20: this is for a supervisord that hangs.
_STOP_SECONDS: Final = 30.0
_RELAY_SECONDS: Final = 5.0
# A first failure may be a neighbour that starts more slowly. The third is about five seconds in.
_FAILED_STARTS: Final = 3
_BAD_SETTINGS: Final = 2
_FILE_DESCRIPTORS: Final = 16384  # minfds in supervisord.conf

log = logging.getLogger(__name__)


class Launcher:
    """One run of supervisord with its servers. ``guide``: lines to be said once they answer."""

    def __init__(
        self,
        configuration: Path,
        servers: tuple[Server, ...],
        environ: Mapping[str, str],
        relay: Sequence[str],
        guide: str = "",
    ) -> None:
        self._configuration = configuration
        self._control_socket = configuration.parent / CONTROL_SOCKET
        self._servers = servers
        self._environ = environ
        self._relay = relay
        self._guide = guide
        self._pids: set[int] = set()

    async def run(self) -> None:
        """Return after an orderly end, asked for by a signal or by `supervisorctl shutdown`. Raises CommandError."""
        loop = asyncio.get_running_loop()
        asked = asyncio.Event()
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, asked.set)
        # Both have process groups of their own: what they are told, they are told here, once, and never the SIGHUP of a
        # closed terminal, which means "restart" to supervisord. Its standard input is closed when this process ends.
        reading, output = os.pipe()
        relay = await asyncio.create_subprocess_exec(
            *self._relay, stdin=reading, env=self._environ, process_group=0
        )
        os.close(reading)
        supervisord = await asyncio.create_subprocess_exec(
            *self._command(),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            env=self._environ,
            process_group=0,
        )
        relay_ended = asyncio.create_task(relay.wait())
        ended = asyncio.create_task(supervisord.wait())
        watching = asyncio.create_task(self._watch(output))
        asking = asyncio.create_task(asked.wait())
        try:
            await asyncio.wait({relay_ended, ended, watching, asking}, return_when=asyncio.FIRST_COMPLETED)
            if relay_ended.done():  # supervisord and its servers cannot go on without
                raise CommandError(f"the relay of the log ended with status {relay_ended.result()}")
            if watching.done():
                watching.result()
        finally:
            watching.cancel()
            asking.cancel()
            status = await self._stop(supervisord, ended)
            os.close(output)
            await asyncio.wait({relay_ended}, timeout=_RELAY_SECONDS)
            if not relay_ended.done():  # somebody has inherited the pipe
                relay.kill()
                await relay_ended
            # Nothing is left to stop, and asyncio, as it closes, is not safe from two signals at once.
            for number in STOP_SIGNALS:
                loop.remove_signal_handler(number)
                signal.signal(number, signal.SIG_IGN)
        if status != 0:
            raise CommandError(f"supervisord ended with status {status}")

    def _command(self) -> list[str]:
        command = [sys.executable, "-m", "taskbeam.supervisord", "--configuration", str(self._configuration)]
        hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if hard_limit != resource.RLIM_INFINITY and hard_limit < _FILE_DESCRIPTORS:
            log.warning("only %d file descriptors a process (ulimit -Hn)", hard_limit)
            command += ["--minfds", str(hard_limit)]
        return command

    async def _watch(self, output: int) -> None:
        """Say once that both answer. Raises CommandError when that takes too long, or one has failed for good."""
        deadline = asyncio.get_running_loop().time() + _READY_SECONDS
        waiting = list(self._servers)
        starts: collections.defaultdict[str, set[int]] = collections.defaultdict(set)
        while True:
            found = await asyncio.to_thread(process_infos, self._control_socket)
            if found:
                self._pids = {info["pid"] for info in found if info["pid"]}
            for info in found:
                if info["statename"] == "EXITED" and info["exitstatus"] == _BAD_SETTINGS:
                    raise CommandError(f"{info['name']} stopped over its settings; what it said is above")
                if info["statename"] == "FATAL":
                    raise CommandError(f"{info['name']} was started too often in vain; what it said is above")
                if waiting and info["statename"] == "BACKOFF":
                    starts[info["name"]].add(info["start"])
                    if len(starts[info["name"]]) >= _FAILED_STARTS:
                        raise CommandError(
                            f"{info['name']} stops right after its start; what it said is above"
                        )
            if waiting:
                waiting = [one for one in waiting if not await asyncio.to_thread(one.is_ready)]
                if not waiting:
                    lines = [f"taskbeam: ready at {url}\n" for one in self._servers for url in one.urls]
                    lines.append(f"taskbeam: open {self._servers[-1].urls[0]}app/ in a browser\n")
                    lines.append(self._guide)
                    with contextlib.suppress(BrokenPipeError):  # the relay has ended, which ends this too
                        os.write(output, "".join(lines).encode())
                elif asyncio.get_running_loop().time() > deadline:
                    raise CommandError(f"not ready after {_READY_SECONDS:.0f} seconds: {waiting[0].urls[0]}")
            await asyncio.sleep(0.1 if waiting else 2.0)

    async def _stop(self, supervisord: asyncio.subprocess.Process, ended: asyncio.Task[int]) -> int:
        """supervisord's exit status, once it has ended."""
        if not ended.done():
            supervisord.terminate()
            await asyncio.wait({ended}, timeout=_STOP_SECONDS)
            if not ended.done():
                supervisord.kill()
            if await ended == -signal.SIGTERM:
                return 0  # so early that it had no handler yet, and no processes
        # The servers of a supervisord that was killed end by themselves; this tells them sooner. Each leads a process group.
        if ended.result() != 0:
            for pid in self._pids:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGTERM)
        return ended.result()
