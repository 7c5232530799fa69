"""All cases, in the order of the page."""

from __future__ import annotations

from typing import Final

from benchmarks.cases import (
    Case,
    cross_process,
    fan_out,
    growth,
    hosts,
    idle,
    idle50k,
    passwords,
    peers,
    postgres,
    rest,
    start,
    websocket,
    workers,
)

CASES: Final = (
    Case("websocket", "WebSocket requests", websocket.__doc__, websocket.measure),
    Case("rest", "REST requests", rest.__doc__, rest.measure),
    Case("fan_out", "Fan-out", fan_out.__doc__, fan_out.measure),
    Case("cross_process", "From one process to the other", cross_process.__doc__, cross_process.measure),
    Case("idle", "Idle connections", idle.__doc__, idle.measure),
    Case("idle50k", "50,000 connections", idle50k.__doc__, idle50k.measure, when="whole"),
    Case("workers", "Two workers", workers.__doc__, workers.measure),
    Case("postgres", "PostgreSQL", postgres.__doc__, postgres.measure),
    Case("hosts", "From one host to another", hosts.__doc__, hosts.measure),
    Case("growth", "Growth", growth.__doc__, growth.measure),
    Case("passwords", "Logins", passwords.__doc__, passwords.measure),
    Case("start", "Start", start.__doc__, start.measure),
    Case("peers", "FastAPI and PocketBase", peers.__doc__, peers.measure, when="asked"),
)
