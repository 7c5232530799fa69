"""PostgreSQL's errors: which of them say that the database cannot be used now, and which that a transaction is to be tried again."""

from __future__ import annotations

from typing import Final

import asyncpg

from shared.errors import Unavailable
from shared.metrics.catalogue import DATABASE_ERRORS

_errors = DATABASE_ERRORS.child()

AWAY: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.InternalClientError,
    asyncpg.InterfaceError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.DatabaseDroppedError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.IdleSessionTimeoutError,
    asyncpg.TransactionTimeoutError,
    OSError,
)
"""There is no connection, or it is of no use."""

RETRIED: Final = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,  # where the server has a `lock_timeout`
    asyncpg.UniqueViolationError,  # another process was faster: tried again, what it wrote is seen
    asyncpg.ForeignKeyViolationError,
    asyncpg.InvalidCachedStatementError,  # a newer version has changed the schema; the driver prepares anew
)
"""Another transaction was in the way: nothing was written, and the same may succeed when it is tried again."""

_UNAVAILABLE: Final = (
    *AWAY,
    TimeoutError,
    asyncpg.LockNotAvailableError,
    asyncpg.InsufficientResourcesError,  # disk full, out of memory, too many connections
    asyncpg.InsufficientPrivilegeError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InvalidTransactionStateError,
    asyncpg.PostgresSystemError,
    asyncpg.InternalServerError,  # also where its files are damaged
)


def translated(error: BaseException) -> BaseException:
    """``Unavailable`` where the database is at fault, the error itself where we are."""
    if isinstance(error, _UNAVAILABLE) and not isinstance(error, Unavailable):
        _errors.value += 1
        return Unavailable(f"PostgreSQL: {describe(error)}")
    return error


def describe(error: BaseException) -> str:
    """In one line, without a password."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0]
