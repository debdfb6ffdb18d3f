"""The journal: every accepted event is on disk before its sender hears so, and is remembered for as long as a retry may come.

A folder of segments, ``<number of the first entry>.log``. An entry is one line: a CRC-32 of the rest in hexadecimal digits, then JSON.
Entries are numbered without gaps; a publisher reads them in order and reports its position. A segment is deleted once all of it
is published and it is older than ``keep``; until then its ids answer retries, also after a restart.

An entry that was cut off by a crash was never acknowledged. It is truncated at the next start.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final
from uuid import uuid4
from zlib import crc32

import structlog

from shared.errors import Unavailable
from shared.json import dumps, loads

_log = structlog.get_logger(__name__)

_CRC_DIGITS: Final = 8
_SUFFIX: Final = ".log"
_ID: Final = "id"
_FORGOTTEN: Final = "forgotten"
#: seconds that a client should wait when the journal is full
_RETRY_AFTER_S: Final = 5
#: between two writes: each costs two changes of the thread and an fsync
_PAUSE_S: Final = 0.004
#: bytes of durable entries that are kept in memory for the publisher
_RECENT_BYTES: Final = 8 * 1024 * 1024


class JournalFull(Unavailable):
    type, title = "journal-full", "At capacity"


class JournalBroken(Unavailable):
    type, title = "journal-broken", "The journal cannot be written"


#: (topic, key, value) as it is sent to Kafka: the key's bytes as Latin-1, the value as UTF-8, None for a tombstone
Record = tuple[str, str, str | None]


@dataclass(slots=True)
class Entry:
    """One accepted event with the records that must be sent for it. ``session`` is empty for what belongs to no visit."""

    number: int
    id: str
    session: str
    #: receipt in milliseconds since the epoch
    at_ms: int
    records: Sequence[Record]
    opens_session: bool = False
    #: of a rejected event; its value is the bytes as they came, as Latin-1
    headers: dict[str, str] | None = None


@dataclass(slots=True)
class _Segment:
    path: Path
    first: int
    #: number after the last entry
    end: int
    bytes: int
    #: receipt of the newest entry
    newest_ms: int = 0


class Journal:
    """Owned by one process. Every method but ``open`` and ``close`` runs on the event loop; disk work is done in a thread."""

    def __init__(
        self,
        folder: Path,
        *,
        max_bytes: int,
        segment_bytes: int,
        keep_ms: int,
        max_ids: int = 1_000_000,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._segment_bytes = segment_bytes
        self._keep_ms = keep_ms
        self._max_ids = max_ids
        self._clock_ms = clock_ms
        self._segments: deque[_Segment] = deque()
        self._file: Any = None
        self._queue: list[tuple[bytes, Entry]] = []
        #: of all entries, on disk and queued
        self._bytes = 0
        #: the newest durable entries without a gap and the bytes of each: what is published soon is not read from disk
        self._recent: deque[tuple[int, Entry]] = deque()
        self._recent_bytes = 0
        self._wanted = asyncio.Event()
        #: set after each write, and replaced
        self._written = asyncio.Event()
        self._progress = asyncio.Event()
        self._failure: OSError | None = None
        self._generation = 0
        #: where the last ``read`` ended: (segment, number of the next entry), bytes into the segment
        self._cursor: tuple[tuple[Path, int] | None, int] = (None, 0)
        #: newest receipt of each event id and session, the oldest first
        self._ids: OrderedDict[str, int] = OrderedDict()
        self._sessions: OrderedDict[str, int] = OrderedDict()
        #: of this folder: numbers of another journal mean nothing here
        self.id = ""
        #: users whose events are taken as anonymous
        self.forgotten: set[int] = set()
        #: event ids that made place for newer ones before ``keep`` was over
        self.ids_dropped = 0
        self.next = 0
        #: entries below it are on disk
        self.durable = 0
        #: entries below it are in Kafka
        self.published = 0

    # -- life ---------------------------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Reads the segments and truncates an unfinished last entry. Blocking: call it before the loop serves requests."""
        self._folder.mkdir(parents=True, exist_ok=True)
        identity, forgotten = self._folder / _ID, self._folder / _FORGOTTEN
        if not identity.exists() or not identity.read_text():
            _write_durably(identity, uuid4().hex)
            self._sync_folder()
        self.id = identity.read_text()
        if forgotten.exists():
            self.forgotten = {int(line) for line in forgotten.read_text().split()}
        paths = sorted(self._folder.glob(f"*{_SUFFIX}"))
        for path in paths:
            self._read_segment(path, last=path is paths[-1])
        self.durable = self.next

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _read_segment(self, path: Path, *, last: bool) -> None:
        first = int(path.name.removesuffix(_SUFFIX))
        segment = _Segment(path, first, first, 0)
        data = path.read_bytes()
        for line in data.splitlines(keepends=True):
            entry = _parse(line)
            if entry is None or entry.number != segment.end:
                break
            segment.end, segment.bytes = entry.number + 1, segment.bytes + len(line)
            segment.newest_ms = entry.at_ms
            self._remember(entry)
        if segment.bytes < len(data):
            _log.warning("unfinished entry truncated", file=path.name, bytes=len(data) - segment.bytes, last=last)
            with path.open("rb+") as file:
                file.truncate(segment.bytes)
                os.fsync(file.fileno())
        self._segments.append(segment)
        self._bytes += segment.bytes
        self.next = segment.end

    # -- accepting ------------------------------------------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """Bytes of all entries."""
        return self._bytes

    @property
    def unpublished_bytes(self) -> int:
        """Bytes of the queue and of the segments that hold entries which Kafka has not acknowledged."""
        return self._bytes - sum(segment.bytes for segment in list(self._segments) if segment.end <= self.published)

    @property
    def waiting(self) -> int:
        """Entries that Kafka has not acknowledged."""
        return self.next - self.published

    @property
    def ids(self) -> int:
        """Event ids that are remembered."""
        return len(self._ids)

    def contains(self, event_id: str) -> bool:
        """Whether the event was accepted before."""
        return event_id in self._ids

    def is_new_session(self, session: str, now_ms: int) -> bool:
        """Whether there was no event of the session within ``keep`` before ``now_ms``."""
        seen = self._sessions.get(session)
        return seen is None or seen < now_ms - self._keep_ms

    def append(
        self,
        event_id: str,
        session: str,
        at_ms: int,
        records: Sequence[Record],
        headers: dict[str, str] | None = None,
    ) -> None:
        """Queues an entry. It counts only after ``flushed``. The first entry of a session opens it.

        Raises:
            JournalFull: what Kafka has not acknowledged takes all of the space.
        """
        opens = bool(session) and self.is_new_session(session, at_ms)
        entry = Entry(self.next, event_id, session, at_ms, records, opens, headers)
        text = dumps(entry)
        line = b"%08x %b\n" % (crc32(text), text)
        if (excess := self._bytes + len(line) - self._max_bytes) > 0:
            self._trim(excess)
            if self._bytes + len(line) > self._max_bytes:
                raise JournalFull(
                    f"Kafka takes no events, and {self.waiting} of them fill the journal ({self._max_bytes} bytes). "
                    f"Retry in {_RETRY_AFTER_S} s.",
                    retry_after_s=_RETRY_AFTER_S,
                )
        self.next += 1
        self._queue.append((line, entry))
        self._bytes += len(line)
        self._remember(entry)
        self._wanted.set()

    async def flushed(self) -> None:
        """Returns when everything appended so far is on disk.

        Raises:
            JournalBroken: the disk refused it; the entries are forgotten, so that a retry is taken as new.
        """
        upto, generation = self.next, self._generation
        while self.durable < upto and self._generation == generation:
            await self._written.wait()
        if self._generation != generation:
            raise JournalBroken(
                f"The journal in {self._folder} cannot be written: {self._failure}", retry_after_s=_RETRY_AFTER_S
            )

    async def write(self) -> None:
        """The writer's task: one write and one fsync for all entries that came meanwhile."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            batch, self._queue = self._queue, []
            if not batch:
                continue
            try:
                await asyncio.to_thread(self._write_batch, batch)
            except OSError as error:
                self._forget(batch, error)
            else:
                self.durable = batch[-1][1].number + 1
                self._keep_recent(batch)
            self._written.set()
            self._written = asyncio.Event()
            # Under load this gathers entries for the next write; when there is little to do, a write begins at once.
            await asyncio.sleep(_PAUSE_S)

    def _keep_recent(self, batch: list[tuple[bytes, Entry]]) -> None:
        self._recent += [(len(line), entry) for line, entry in batch]
        self._recent_bytes += sum(len(line) for line, _ in batch)
        while self._recent_bytes > _RECENT_BYTES:
            self._recent_bytes -= self._recent.popleft()[0]

    def _write_batch(self, batch: list[tuple[bytes, Entry]]) -> None:
        segment = self._segments[-1] if self._segments else None
        if segment is None or self._file is None or segment.bytes >= self._segment_bytes:
            self.close()
            if segment is None or segment.bytes >= self._segment_bytes or segment.end != batch[0][1].number:
                first = batch[0][1].number
                segment = _Segment(self._folder / f"{first:020d}{_SUFFIX}", first, first, 0)
                self._segments.append(segment)
            self._file = segment.path.open("ab", buffering=0)
            # What an earlier write left unfinished must not be in front of what comes next.
            self._file.truncate(segment.bytes)
            self._sync_folder()
        data = b"".join(line for line, _ in batch)
        try:
            left = memoryview(data)
            while left:
                left = left[self._file.write(left) :]
            os.fsync(self._file.fileno())
        except OSError:
            self.close()
            with suppress(OSError):
                os.truncate(segment.path, segment.bytes)
            raise
        segment.bytes += len(data)
        segment.end, segment.newest_ms = batch[-1][1].number + 1, batch[-1][1].at_ms

    def _sync_folder(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _forget(self, batch: list[tuple[bytes, Entry]], error: OSError) -> None:
        """The batch and what was queued behind it were not written: their numbers are free again."""
        _log.error("the journal cannot be written", error=str(error), events=len(batch) + len(self._queue))
        for line, entry in [*batch, *self._queue]:
            self._bytes -= len(line)
            self._ids.pop(entry.id, None)
            if entry.opens_session:
                self._sessions.pop(entry.session, None)
        self._queue = []
        self.next = batch[0][1].number
        self._failure, self._generation = error, self._generation + 1

    def _remember(self, entry: Entry) -> None:
        self._ids[entry.id] = entry.at_ms
        if entry.session:
            self._sessions[entry.session] = entry.at_ms
            # so that the order stays that of the newest receipts
            self._sessions.move_to_end(entry.session)
        if len(self._ids) > self._max_ids:
            self._ids.popitem(last=False)
            if not self.ids_dropped:
                _log.warning(
                    "more event ids than are remembered: retries with the oldest count again", ids=self._max_ids
                )
            self.ids_dropped += 1
        if len(self._sessions) > self._max_ids:
            self._sessions.popitem(last=False)

    async def forget(self, users: set[int]) -> None:
        """Keeps ``users`` forgotten, also after a restart."""
        if not users <= self.forgotten:
            self.forgotten |= users
            text = "\n".join(map(str, sorted(self.forgotten)))
            await asyncio.to_thread(_write_durably, self._folder / _FORGOTTEN, text)

    # -- publishing -----------------------------------------------------------------------------------------------------------------

    async def entries(self, start: int, limit: int) -> list[Entry]:
        """Up to ``limit`` durable entries from ``start``, in order; from memory if they are recent."""
        if self._recent and (first := start - self._recent[0][1].number) >= 0:
            return [entry for _, entry in islice(self._recent, first, first + limit)]
        return await asyncio.to_thread(self.read, start, limit)

    def read(self, start: int, limit: int) -> list[Entry]:
        """As ``entries``, from disk; cheap if ``start`` is where the last call ended. Blocking."""
        found: list[Entry] = []
        for segment in list(self._segments):
            if segment.end <= start or segment.first >= self.durable:
                continue
            offset = self._cursor[1] if self._cursor[0] == (segment.path, start) else 0
            with segment.path.open("rb") as file:
                file.seek(offset)
                for line in file:
                    entry = _parse(line)
                    if entry is None or entry.number >= self.durable:
                        break
                    offset += len(line)
                    if entry.number >= start:
                        found.append(entry)
                        if len(found) >= limit:
                            break
            if found:
                self._cursor = ((segment.path, found[-1].number + 1), offset)
            if len(found) >= limit:
                break
        return found

    async def more_than(self, number: int) -> None:
        """Returns when an entry with this number is durable."""
        while self.durable <= number:
            await self._written.wait()

    async def published_up_to(self, number: int) -> None:
        """Returns when entries below ``number`` are in Kafka."""
        while self.published < number:
            self._progress.clear()
            await self._progress.wait()

    def mark_published(self, upto: int) -> None:
        """Entries below ``upto`` are in Kafka; old segments of them go."""
        self.published = max(self.published, upto)
        while self._recent and self._recent[0][1].number < upto:
            self._recent_bytes -= self._recent.popleft()[0]
        self._progress.set()
        self._trim(0)

    def _trim(self, wanted: int) -> None:
        """Deletes published segments that are older than ``keep``; younger ones too while ``wanted`` bytes are not free."""
        oldest = self._clock_ms() - self._keep_ms
        freed = 0
        while len(self._segments) > 1:
            segment = self._segments[0]
            if segment.end > self.published or (segment.newest_ms >= oldest and freed >= wanted):
                break
            self._segments.popleft()
            freed += segment.bytes
            self._bytes -= segment.bytes
            segment.path.unlink(missing_ok=True)
        for known in (self._ids, self._sessions):
            while known and known[next(iter(known))] < oldest:
                known.popitem(last=False)


def _write_durably(path: Path, text: str) -> None:
    part = path.with_name(f"{path.name}.part")
    with part.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _parse(line: bytes) -> Entry | None:
    """The entry of a whole and undamaged line, else None."""
    if not line.endswith(b"\n") or line[_CRC_DIGITS : _CRC_DIGITS + 1] != b" ":
        return None
    text = line[_CRC_DIGITS + 1 : -1]
    try:
        if int(line[:_CRC_DIGITS], 16) != crc32(text):
            return None
        fields = loads(text)
        return Entry(
            fields["number"],
            fields["id"],
            fields["session"],
            fields["at_ms"],
            [(topic, key, value) for topic, key, value in fields["records"]],
            fields["opens_session"],
            fields.get("headers"),
        )
    except (ValueError, KeyError, TypeError):
        return None
