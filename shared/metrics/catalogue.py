"""Every metric, declared once: its name, its meaning, its labels. The table of the reference is made from ``FAMILIES``."""

from __future__ import annotations

from typing import Final

from shared.metrics.families import Counter, Gauge, Histogram

_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
_GROUP_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)

CONNECTIONS: Final = Gauge("taskbeam_connections", "Open connections of a process.")
WAITING_REQUESTS: Final = Gauge(
    "taskbeam_waiting_requests", "Long polls and event streams that wait in a gateway."
)
MESSAGE_SECONDS: Final = Histogram(
    "taskbeam_message_seconds",
    "WebSocket messages that were answered as asked, by mode: from the message to its answer.",
    _SECONDS,
    "mode",
)
MESSAGE_ERRORS: Final = Counter(
    "taskbeam_message_errors_total",
    "WebSocket messages that were answered with an error, by mode and error code.",
    "mode",
    "code",
)
PUSHES: Final = Counter("taskbeam_pushes_total", "Changes handed to sockets: one for each change and socket.")
CLOSES: Final = Counter(
    "taskbeam_closes_total",
    "WebSocket sessions that ended, by close code, and who closed. `4008` by `server`: a slow reader was cut.",
    "by",
    "code",
)
REQUESTS: Final = Counter(
    "taskbeam_requests_total", "HTTP requests, by route, method and status.", "route", "method", "status"
)
REQUEST_SECONDS: Final = Histogram(
    "taskbeam_request_seconds",
    "HTTP requests, by route: from the head to the answer. Long polls and event streams wait.",
    _SECONDS,
    "route",
)
SLOW_READERS_CUT: Final = Counter(
    "taskbeam_slow_readers_cut_total",
    "Connections of the gateway that were cut, since nobody read the answer. Of WebSockets: `taskbeam_closes_total`.",
)
REFUSED_CONNECTIONS: Final = Counter(
    "taskbeam_refused_connections_total",
    "Answers of the gateway where no request could be read, by reason.",
    "reason",
)
COMMIT_GROUP_SIZE: Final = Histogram(
    "taskbeam_commit_group_size", "Writes that were committed together.", _GROUP_SIZES
)
COMMIT_SECONDS: Final = Histogram(
    "taskbeam_commit_seconds", "From the start of a group of writes to its commit.", _SECONDS
)
DATABASE_ERRORS: Final = Counter(
    "taskbeam_database_errors_total",
    "Errors of the database that say that it cannot be used: a full disk, a damaged file, a server that is away. Not: busy.",
)
DATABASE_LOG_BYTES: Final = Gauge(
    "taskbeam_database_log_bytes", "Size of the write-ahead log (`-wal`).", shared=True
)
CHANGE_LOG_CHANGES: Final = Gauge(
    "taskbeam_change_log_changes",
    "Changes that the change log keeps, of all users; a minute old at most.",
    shared=True,
)
FEED_LAG_CHANGES: Final = Gauge(
    "taskbeam_feed_lag_changes",
    "Committed changes that a process has not yet handed to its listeners; 0 while it has none.",
)
FEED_LAG_SECONDS: Final = Gauge(
    "taskbeam_feed_lag_seconds",
    "For how long a process has been behind the change log, or could not read it for its listeners; 0 where it is not behind.",
)
FEED_HINTS: Final = Counter(
    "taskbeam_feed_hints_total",
    "Hints of other processes for users with listeners here, by what came of them: `deliver`, `drop` (known before) or "
    "`read` (the log was read, since a change before it was missing).",
    "step",
)
HINTS_DROPPED: Final = Counter(
    "taskbeam_hints_dropped_total",
    "Hints for other processes that were not sent, because the message broker was away or slow. They find the changes "
    "within a second.",
)
CARRIER_CONNECTED: Final = Gauge(
    "taskbeam_carrier_connected",
    "1 while hints of a process come back to it through the message broker; 0 while they do not, or there is none.",
)
CARRIER_CONNECTED.read = lambda: 0  # the carrier, where there is one, puts its own in this place
FAILED_LOGINS: Final = Counter(
    "taskbeam_failed_logins_total", "Wrong passwords, at logins and as `current_password`."
)
THROTTLED: Final = Counter(
    "taskbeam_throttled_total",
    "Refused for their number, by what is limited: `address`, `account`, `registrations`, `messages` or `waiting`.",
    "limit",
)
REFUSED_ORIGINS: Final = Counter(
    "taskbeam_refused_origins_total", "Requests of pages whose origin is not in `ALLOWED_ORIGINS`."
)
EVENT_LOOP_LAG_SECONDS: Final = Gauge(
    "taskbeam_event_loop_lag_seconds",
    "The longest time within the last 15 seconds for which the event loop of a process was held up.",
)
MEMORY_BYTES: Final = Gauge("taskbeam_memory_bytes", "Resident memory of a process.")
LOG_LINES_DROPPED: Final = Counter(
    "taskbeam_log_lines_dropped_total",
    "Lines of the log that were dropped, by a process or by `taskbeam serve`, because their reader stood still.",
)

FAMILIES: Final = {
    family.name: family
    for family in (
        CONNECTIONS,
        WAITING_REQUESTS,
        MESSAGE_SECONDS,
        MESSAGE_ERRORS,
        PUSHES,
        CLOSES,
        REQUESTS,
        REQUEST_SECONDS,
        SLOW_READERS_CUT,
        REFUSED_CONNECTIONS,
        COMMIT_GROUP_SIZE,
        COMMIT_SECONDS,
        DATABASE_ERRORS,
        DATABASE_LOG_BYTES,
        CHANGE_LOG_CHANGES,
        FEED_LAG_CHANGES,
        FEED_LAG_SECONDS,
        FEED_HINTS,
        HINTS_DROPPED,
        CARRIER_CONNECTED,
        FAILED_LOGINS,
        THROTTLED,
        REFUSED_ORIGINS,
        EVENT_LOOP_LAG_SECONDS,
        MEMORY_BYTES,
        LOG_LINES_DROPPED,
    )
}
