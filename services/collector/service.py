"""The collector: what browsers report becomes events of the pipeline's own contract."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final
from uuid import uuid4

from pydantic import ValidationError

from services.collector import topic_log
from services.collector.journal import Journal, JournalFull, Record
from services.collector.publisher import Publisher, forgotten_record
from services.collector.rejected import headers_of, parts_of, shown
from services.collector.replays import BLOCK, Replays, block_end
from services.collector.schemas import (
    VISITOR_EVENTS,
    Accepted,
    Forgotten,
    ForgottenState,
    RejectedPage,
    Rejection,
    Replayed,
    Status,
    VisitorEvent,
)
from services.collector.settings import Settings
from services.collector.topic_log import Page
from services.collector.visits import (
    BadUrl,
    Rules,
    anonymous_user,
    device_of,
    objects_to_tracking,
    page_view,
    user_session,
)
from shared import topics
from shared.errors import BodyTooLarge, TooManyRequests
from shared.events import Device, RejectedHeaders
from shared.json import dumps, loads
from shared.tasks import TaskSet

#: addresses whose rate is remembered at a time
_CLIENTS: Final = 10_000
_MINUTE_S: Final = 60.0
#: characters of a reason
_REASON: Final = 200
#: rejected events that are searched for a reason
_SCANNED: Final = 10_000


class RateExceeded(TooManyRequests):
    type, title = "rate-exceeded", "Too many events"


class NotAccepted(ValueError):
    """An event is not valid. ``field``: what is wrong; the text is the reason."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason[:_REASON])
        self.field = field


@dataclass(slots=True)
class _Rejected:
    """Rejected events of one request, which count once the journal is on disk."""

    fields: Counter[str] = field(default_factory=Counter)
    kept: int = 0
    dropped: int = 0

    def note(self, field: str, *, kept: bool) -> None:
        self.fields[field] += 1
        self.kept += kept
        self.dropped += not kept


class ClientRates:
    """A token bucket per client address: ``per_minute`` events, all at once or spread. Addresses are never stored."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str, events: int) -> None:
        """Raises RateExceeded with the seconds to wait."""
        now = time.monotonic()
        left, since = self._left.pop(client, (float(self._per_minute), now))
        left = min(float(self._per_minute), left + (now - since) * self._per_minute / _MINUTE_S)
        enough = left >= min(events, self._per_minute)
        self._left[client] = (left - events if enough else left, now)
        while len(self._left) > _CLIENTS:
            self._left.popitem(last=False)
        if not enough:
            wait = max(1, round((min(events, self._per_minute) - left) * _MINUTE_S / self._per_minute))
            raise RateExceeded(
                f"More than {self._per_minute} events per minute from one address; retry in {wait} s.",
                retry_after_s=wait,
            )


class Collector:
    """One journal, one publisher. ``accept`` returns when what it accepted is durable."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._rules = Rules(frozenset(h.lower() for h in settings.site_hosts), frozenset(settings.inbox_mediums))
        self.journal = Journal(
            settings.journal,
            max_bytes=settings.journal_max_bytes,
            segment_bytes=settings.journal_segment_bytes,
            keep_ms=int(settings.session_timeout.total_seconds() * 1000),
            max_ids=settings.max_event_ids,
        )
        self.publisher = Publisher(settings, self.journal)
        self._rates = ClientRates(settings.client_events_per_minute)
        self._max_delay_ms = int(settings.max_delay.total_seconds() * 1000)
        self.accepted = self.duplicates = self.ignored = 0
        self.rejected: Counter[str] = Counter()
        self.rejected_kept = self.rejected_dropped = self.replayed = 0
        self._replaying = asyncio.Lock()
        #: entries below it may hold a tombstone
        self._erased = 0

    def start(self, tasks: TaskSet) -> None:
        """Opens the journal and begins to publish what is in it."""
        self.journal.open()
        self._erased = self.journal.next
        tasks.start(self.journal.write(), "write the journal")
        tasks.start(self.publisher.run(), "publish")

    async def accept(
        self, events: list[Any], headers: Mapping[str, str], client: str, body: bytes | None = None
    ) -> Accepted:
        """Takes a batch. ``headers`` have lower-case names; ``body`` is what ``events`` were read from.

        Raises:
            BodyTooLarge: more events than a batch may have.
            RateExceeded: the client sends too many.
            JournalFull, JournalBroken: nothing more can be kept; the whole batch may be sent again.
        """
        if len(events) > self._settings.max_batch_events:
            raise BodyTooLarge(f"A batch holds at most {self._settings.max_batch_events} events.")
        if objects_to_tracking(headers):
            self.ignored += len(events)
            return Accepted(accepted=0, ignored="do-not-track")
        self._rates.take(client, len(events))
        now_ms = time.time_ns() // 1_000_000
        accepted, duplicates, rejections, rejected = 0, 0, list[Rejection](), _Rejected()
        device = device_of(headers)
        parts: list[bytes] | None = None
        try:
            for index, event in enumerate(_validated(events)):
                try:
                    new = self._take(event, device, now_ms)
                except NotAccepted as error:
                    rejections.append(Rejection(index=index, reason=str(error)))
                    parts = parts or parts_of(dumps(events) if body is None else body, events)
                    kept = self._keep(parts[index], error, now_ms, headers.get("origin", ""), device)
                    rejected.note(error.field, kept=kept)
                else:
                    accepted += 1
                    duplicates += not new
        finally:
            # What was taken before an error stays taken: a retry finds it as duplicates.
            await self.journal.flushed()
            self.accepted += accepted - duplicates
            self.duplicates += duplicates
            self._count(rejected)
        return Accepted(accepted=accepted, duplicates=duplicates, rejected=rejections)

    def _count(self, rejected: _Rejected) -> None:
        self.rejected += rejected.fields
        self.rejected_kept += rejected.kept
        self.rejected_dropped += rejected.dropped

    async def reject(self, body: bytes, reason: str, headers: Mapping[str, str], client: str) -> None:
        """Keeps a body that is not JSON, or not an event or a batch. Raises as ``accept``."""
        if objects_to_tracking(headers):
            self.ignored += 1
            return
        self._rates.take(client, 1)
        error, rejected = NotAccepted("body", reason), _Rejected()
        kept = self._keep(body, error, time.time_ns() // 1_000_000, headers.get("origin", ""), device_of(headers))
        rejected.note("body", kept=kept)
        await self.journal.flushed()
        self._count(rejected)

    async def rejected_events(self, start: int | None, limit: int, reason: str) -> RejectedPage:
        """The events in the topic of rejected events from offset ``start``, or the newest. ``reason``: a part of the reason, or the field.

        Raises:
            Unavailable: Kafka does not answer.
        """
        # Each transaction ends with a marker, which takes an offset.
        span = _SCANNED if reason else 3 * limit
        found = await topic_log.read(
            self._settings.kafka_bootstrap,
            self._settings.rejected_topic,
            lambda first, end: max(end - span, first) if start is None else start,
            limit=span,
        )
        events = [shown(record) for record in found.records]
        events = [e for e in events if reason.lower() in (e.field, "") or reason.lower() in e.reason.lower()]
        if start is None:
            return RejectedPage(events=events[-limit:], next=found.next)
        cut = events[:limit]
        return RejectedPage(events=cut, next=cut[-1].offset + 1 if len(events) > limit else found.next)

    async def replay(self, start: int | None, until: int | None) -> Replayed:
        """Sends rejected events of this collector again, those of one block from offset ``start`` on and below ``until``, as if they came
        now for the first time.

        What was replayed goes to Kafka in the transaction of what is sent, so an event is never sent twice. Event time stays that of the
        receipt. What is rejected again stays in the topic as it is.

        Raises:
            Unavailable: Kafka does not answer, or takes no events.
            JournalFull, JournalBroken: call again.
        """
        async with self._replaying:
            state = await self.publisher.settled_state()
            low = 0

            def begin(first: int, end: int) -> int:
                nonlocal low
                low = Replays.low(self._settings, state, first, end)
                return max(low, start or 0)

            found = await topic_log.read(
                self._settings.kafka_bootstrap, self._settings.rejected_topic, begin, limit=BLOCK
            )
            end = found.end if until is None else until
            after = max(found.begin, min(found.next, end, block_end(found.begin)))
            answer = Replayed(sent=0, rejected=0, skipped=0, next=after, end=end)
            try:
                self.replay_page(found, Replays(self._settings, state, found, low), answer)
            finally:
                # what was sent before an error is sent
                await self.journal.flushed()
                self.accepted += answer.sent
                self.replayed += answer.sent
            return answer

    def replay_page(self, found: Page, replays: Replays, answer: Replayed) -> None:
        """Appends the events of ``found`` below ``answer.next``, and that they are replayed, to the journal; counts them in ``answer``."""
        now_ms = time.time_ns() // 1_000_000
        for record in found.records:
            if record.offset >= answer.next:
                break
            if replays.is_done(record):
                continue
            headers = headers_of(record)
            if headers is None or headers.truncated or headers.collector != self._settings.collector_id:
                answer.skipped += 1
                replays.skipped(record, duplicate=False)
                continue
            mark = replays.mark_of(record)
            received_ms = min(int(headers.received_at), now_ms)
            try:
                (event,) = _validated([_event(record.value)])
                new = self._take(event, headers.device, now_ms, received_ms=received_ms, extra=[mark])
            except NotAccepted:
                answer.rejected += 1
                replays.hold()
                continue
            if new:
                answer.sent += 1
                replays.sent(record)
            else:
                answer.skipped += 1
                self._append_state(now_ms, replays.skipped(record, duplicate=True))
        self._append_state(now_ms, replays.end(answer.next))

    def _append_state(self, now_ms: int, records: Sequence[Record]) -> None:
        if records:
            self.journal.append(f"replayed-{uuid4().hex}", "", now_ms, records)

    async def forget(self, user_id: int) -> Forgotten:
        """From now on the user's events are anonymous, and the user is gone from the table that views are joined with."""
        now_ms = time.time_ns() // 1_000_000
        key = user_id.to_bytes(4, "big").decode("latin-1")
        records: list[Record] = [(topics.USERS, key, None), forgotten_record(self._settings, user_id, now_ms)]
        self.journal.append(f"forget-{user_id}-{now_ms}", "", now_ms, records)
        self._erased = self.journal.next
        await self.journal.forget({user_id})
        await self.journal.flushed()
        return Forgotten(
            user_id=user_id,
            detail="Later events of this user are anonymous, and later views are not joined with the user. Earlier records stay in "
            "the topics and in Pinot until their retention ends. Delete the user from the site's own table too: a change there "
            "would bring the row back.",
        )

    def forgotten(self, user_id: int) -> ForgottenState:
        return ForgottenState(
            user_id=user_id,
            forgotten=user_id in self.journal.forgotten,
            tombstone_published=self.journal.published >= self._erased,
        )

    def status(self) -> Status:
        error = self.publisher.error
        return Status(
            accepted=self.accepted,
            duplicates=self.duplicates,
            ignored=self.ignored,
            rejected=dict(self.rejected),
            rejected_kept=self.rejected_kept,
            rejected_dropped=self.rejected_dropped,
            replayed=self.replayed,
            published=self.publisher.published,
            waiting=self.journal.waiting,
            ids=self.journal.ids,
            ids_dropped=self.journal.ids_dropped,
            journal_bytes=self.journal.size,
            journal_max_bytes=self._settings.journal_max_bytes,
            last_error=None if error is None else error.detail,
        )

    def _take(
        self,
        event: VisitorEvent | NotAccepted,
        device: Device,
        now_ms: int,
        *,
        received_ms: int | None = None,
        extra: Sequence[Record] = (),
    ) -> bool:
        """Queues the event and the records in ``extra``; False if it was accepted before, and nothing is queued. Raises NotAccepted."""
        if isinstance(event, NotAccepted):
            raise event
        if self.journal.contains(event.id):
            return False
        known = event.user is not None and event.user not in self.journal.forgotten
        user_id = event.user if known and event.user is not None else anonymous_user(event.session)
        at_ms = max(0, (now_ms if received_ms is None else received_ms) - min(event.delay_ms, self._max_delay_ms))
        try:
            view = page_view(event, at_ms, user_id, self._rules)
        except BadUrl as error:
            raise NotAccepted("url", str(error)) from error
        records: list[Record] = []
        if self.journal.is_new_session(event.session, now_ms):
            login = user_session(event, at_ms, user_id, device)
            records.append((self._settings.user_session_topic, event.session, login.value().decode()))
        records.append((self._settings.page_view_topic, event.session, view.value().decode()))
        self.journal.append(event.id, event.session, now_ms, [*records, *extra])
        return True

    def _keep(self, raw: bytes, error: NotAccepted, now_ms: int, origin: str, device: Device) -> bool:
        """Queues a rejected event for its topic; False if it is not kept. Rejected events never take the second half of the journal from
        accepted ones."""
        if (
            not self._settings.max_rejected_bytes
            or self.journal.unpublished_bytes > self._settings.journal_max_bytes // 2
        ):
            return False
        cut = raw[: self._settings.max_rejected_bytes]
        headers = RejectedHeaders(
            reason=str(error),
            field=error.field,
            received_at=str(now_ms),
            origin=origin[:_REASON],
            device=device,
            collector=self._settings.collector_id,
            replays="0",
            truncated="true" if len(cut) < len(raw) else None,
        )
        named = {name: text for name, text in asdict(headers).items() if text is not None}
        record = (self._settings.rejected_topic, "", cut.decode("latin-1"))
        try:
            self.journal.append(f"rejected-{uuid4().hex}", "", now_ms, [record], named)
        except JournalFull:
            return False
        return True


def _validated(events: list[Any]) -> Sequence[VisitorEvent | NotAccepted]:
    """Each of ``events``, or why it is not valid."""
    try:
        return VISITOR_EVENTS.validate_python(events)
    except ValidationError as error:
        wrong: dict[int, NotAccepted] = {}
        for found in error.errors(include_url=False, include_input=False):
            index, *where = found["loc"]
            field = str(where[0]) if where else "event"
            wrong.setdefault(int(index), NotAccepted(field, f"{field}: {found['msg']}"))
    good = iter(VISITOR_EVENTS.validate_python([event for n, event in enumerate(events) if n not in wrong]))
    return [wrong[n] if n in wrong else next(good) for n in range(len(events))]


def _event(value: bytes | None) -> Any:
    """Raises NotAccepted."""
    try:
        return loads(value or b"")
    except ValueError as error:
        raise NotAccepted("body", f"not JSON: {error}") from error
