"""A database copied into another one, of the same engine or another, row by row; it goes on where it was interrupted."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from enum import Enum
from typing import Final, NamedTuple

import msgspec

from shared.store.copies import CopyFailed, Progress
from shared.store.rows import TABLES, Header, Key, Mark, Row, RowSource, RowTarget, Table

PAGE: Final = 1000  # rows that are in memory at once, and written in one transaction

_encode_lines = msgspec.json.Encoder().encode_lines


class Start(Enum):
    """How a copy begins."""

    NEW = "new"
    RESUMED = "resumed"
    ANEW = "anew"
    """There is a part of it, of what the source was before it changed."""


class Digest(NamedTuple):
    """What was read of a table: the number of its rows, and a checksum of all of them in their order."""

    rows: int
    checksum: str


class Copy:
    """To be used in this order: ``begin``, ``copy``, ``verify``, ``finish``. All of them raise CopyFailed.

    Whether the source has changed since the copy began is told by its state: a digest of all rows but the tasks and their
    changes, which are told by the users' seqs. ``verify`` compares all.
    """

    header: Header
    total: int
    """The number of the source's rows."""

    def __init__(self, source: RowSource, target: RowTarget) -> None:
        self.source = source
        self._target = target
        self._counts: dict[str, int] = {}
        self.mark: Mark

    async def begin(self) -> Start:
        """Find out whether there is a part of the copy; where there is none that can be used, begin it."""
        source, target = self.source, self._target
        self.header = await source.header()
        self._counts = await source.counts()
        self.total = sum(self._counts.values())
        new = Mark(self.header.epoch, await self._state())
        former = await target.mark()
        if former is not None and former.epoch != new.epoch:
            raise CopyFailed(f"{target.name} has a part of another database than {source.name}")
        if former is not None and former.state == new.state:
            self.mark = former
            return Start.RESUMED
        self.mark = new
        await target.begin(self.header, new)
        return Start.NEW if former is None else Start.ANEW

    async def _state(self) -> str:
        parts = [await _digest(self.source, table) for table in TABLES if not table.moves_seq]
        columns = [table.columns for table in TABLES]
        return hashlib.blake2b(msgspec.json.encode((self.header, columns, parts)), digest_size=16).hexdigest()

    async def copy(self, progress: Progress) -> None:
        """Copy the rows that the target has not yet."""
        names = [table.name for table in TABLES]
        for table in TABLES[names.index(self.mark.table) :]:
            after = self.mark.after if table.name == self.mark.table else ()
            progress(self.mark.rows, self.total)
            async for page in _pages(self.source, table, after):
                rows = self.mark.rows + len(page)
                mark = msgspec.structs.replace(
                    self.mark, table=table.name, after=table.key_of(page[-1]), rows=rows
                )
                await self._target.write(table, page, mark)
                self.mark = mark
                progress(rows, self.total)

    async def verify(self, progress: Progress) -> dict[str, Digest]:
        """Read both databases, and compare them; of each table, what both have."""
        digests: dict[str, Digest] = {}
        read = 0

        def on_rows(rows: int) -> None:
            nonlocal read
            read += rows
            progress(read, 2 * self.total)

        for table in TABLES:
            there = await _digest(self.source, table, on_rows)
            if there.rows != self._counts[table.name]:
                raise CopyFailed(
                    f"{self.source.name} is not sound: of {self._counts[table.name]} {table.name} {there.rows} can be read; "
                    "`taskbeam check` says more"
                )
            here = await _digest(self._target, table, on_rows)
            if here != there:
                await self._target.write(table, [], msgspec.structs.replace(self.mark, state=""))
                raise CopyFailed(
                    f"the copy is not what {self.source.name} is: {table.name}: {there.rows} rows, checksum "
                    f"{there.checksum}, and in the copy {here.rows} rows, {here.checksum}. Run again, it begins anew"
                )
            digests[table.name] = there
        if await self._target.header() != self.header:
            raise CopyFailed(f"the copy does not say of itself what {self.source.name} does")
        return digests

    async def finish(self) -> None:
        """The copy may be served from now on."""
        await self._target.finish()


async def _pages(source: RowSource, table: Table, after: Key = ()) -> AsyncIterator[Sequence[Row]]:
    while page := await source.read(table, after, PAGE):
        yield page
        after = table.key_of(page[-1])
        await asyncio.sleep(0)  # an engine may never wait: so Ctrl-C is heard


async def _digest(
    source: RowSource, table: Table, on_rows: Callable[[int], None] = lambda rows: None
) -> Digest:
    checksum, rows = hashlib.blake2b(digest_size=16), 0
    async for page in _pages(source, table):
        checksum.update(_encode_lines(page))
        rows += len(page)
        on_rows(len(page))
    return Digest(rows, checksum.hexdigest())
