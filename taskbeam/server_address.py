"""The addresses of a server: whether its port is free, and whether it answers."""

from __future__ import annotations

import contextlib
import errno
import http.client
import socket
from typing import NamedTuple

from shared.settings import PREFIX, ListenAddress, Settings

_PROBE_SECONDS = 2.0


class Server(NamedTuple):
    """A server of an instance: where it listens, and its URLs' scheme and path."""

    at: ListenAddress
    scheme: str
    path: str

    @property
    def urls(self) -> list[str]:
        hosts = [f"[{host}]" if ":" in host else host for host in self.at.hosts]
        return [f"{self.scheme}://{host}:{self.at.port}{self.path}" for host in hosts]

    def is_ready(self) -> bool:
        """Whether /readyz says so, on the first address."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.at.hosts[0], self.at.hosts[0])
        connection = http.client.HTTPConnection(host, self.at.port, timeout=_PROBE_SECONDS)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def host_problems(self) -> list[str]:
        """A line for each host that has no address."""
        problems = []
        for host in self.at.hosts:
            try:
                _addresses(host, self.at.port)
            except (OSError, UnicodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "no host name"
                problems.append(f"{PREFIX}{self.at.name}_HOST: {host}: {reason}")
        return problems

    def is_free(self) -> bool:
        """Whether nobody listens on any of the addresses."""
        return all(
            _is_free(family, address)
            for host in self.at.hosts
            for family, address in _addresses(host, self.at.port)
        )


def servers_of(settings: Settings) -> tuple[Server, Server]:
    """The WebSocket server and the REST gateway."""
    return (Server(settings.ws_address, "ws", "/ws/tasks/"), Server(settings.rest_address, "http", "/"))


def _addresses(host: str, port: int) -> list[tuple[int, tuple[object, ...]]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return [(family, address) for family, _, _, _, address in found]


def _is_free(family: int, address: tuple[object, ...]) -> bool:
    """Any other reason not to listen there the server gives itself, and more exactly."""
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the servers do: connections that have ended do not count as use.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            probe.bind(address)
        except OSError as error:
            return error.errno != errno.EADDRINUSE
    return True
