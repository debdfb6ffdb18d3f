"""The collector: what browsers report becomes events of the pipeline's own contract."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from services.collector.journal import Journal, Record
from services.collector.publisher import Publisher, forgotten_record
from services.collector.schemas import Accepted, Forgotten, Rejection, Status, VisitorEvent
from services.collector.settings import Settings
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
from shared.tasks import TaskSet

#: addresses whose rate is remembered at a time
_CLIENTS: Final = 10_000
_MINUTE_S: Final = 60.0
#: characters of a reason
_REASON: Final = 200


class RateExceeded(TooManyRequests):
    type = "rate-exceeded"
    title = "Too many events"


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
        )
        self.publisher = Publisher(settings, self.journal)
        self._rates = ClientRates(settings.client_events_per_minute)
        self._max_delay_ms = int(settings.max_delay.total_seconds() * 1000)
        self.accepted = self.duplicates = self.ignored = 0
        self.rejected: Counter[str] = Counter()

    def start(self, tasks: TaskSet) -> None:
        """Opens the journal and begins to publish what is in it."""
        self.journal.open()
        tasks.start(self.journal.write(), "write the journal")
        tasks.start(self.publisher.run(), "publish")

    async def accept(self, events: Sequence[Any], headers: Mapping[str, str], client: str) -> Accepted:
        """Takes a batch. ``headers`` have lower-case names.

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
        answer = Accepted(accepted=0)
        for index, raw in enumerate(events):
            try:
                event = VisitorEvent.model_validate(raw)
                new = self._take(event, headers, now_ms)
            except ValidationError as error:
                first = error.errors()[0]
                field = ".".join(map(str, first["loc"])) or "event"
                self._reject(answer, index, field, f"{field}: {first['msg']}")
            except BadUrl as error:
                self._reject(answer, index, "url", str(error))
            else:
                answer.accepted += 1
                answer.duplicates += not new
        await self.journal.flushed()
        self.accepted += answer.accepted - answer.duplicates
        self.duplicates += answer.duplicates
        return answer

    async def forget(self, user_id: int) -> Forgotten:
        """From now on the user's events are anonymous, and the user is gone from the table that views are joined with."""
        now_ms = time.time_ns() // 1_000_000
        key = user_id.to_bytes(4, "big").decode("latin-1")
        records: list[Record] = [(topics.USERS, key, None), forgotten_record(self._settings, user_id, now_ms)]
        self.journal.append(f"forget-{user_id}-{now_ms}", "", now_ms, records)
        await self.journal.forget({user_id})
        await self.journal.flushed()
        return Forgotten(
            user_id=user_id,
            detail="Later events of this user are anonymous, and later views are not joined with the user. Earlier records stay in "
            "the topics and in Pinot until their retention ends. Delete the user from the site's own table too: a change there "
            "would bring the row back.",
        )

    def status(self) -> Status:
        error = self.publisher.error
        return Status(
            accepted=self.accepted,
            duplicates=self.duplicates,
            ignored=self.ignored,
            rejected=dict(self.rejected),
            published=self.publisher.published,
            waiting=self.journal.waiting,
            journal_bytes=self.journal.size,
            journal_max_bytes=self._settings.journal_max_bytes,
            last_error=None if error is None else error.detail,
        )

    def _take(self, event: VisitorEvent, headers: Mapping[str, str], now_ms: int) -> bool:
        """Queues the event; False if it was accepted before. Raises BadUrl."""
        if self.journal.knows(event.id):
            return False
        known = event.user is not None and event.user not in self.journal.forgotten
        user_id = event.user if known and event.user is not None else anonymous_user(event.session)
        at_ms = now_ms - min(event.delay_ms, self._max_delay_ms)
        view = page_view(event, at_ms, user_id, self._rules)
        records: list[Record] = []
        if self.journal.is_new_session(event.session):
            login = user_session(event, at_ms, user_id, device_of(headers))
            records.append((self._settings.user_session_topic, event.session, login.value().decode()))
        records.append((self._settings.page_view_topic, event.session, view.value().decode()))
        self.journal.append(event.id, event.session, now_ms, records)
        return True

    def _reject(self, answer: Accepted, index: int, field: str, reason: str) -> None:
        self.rejected[field] += 1
        answer.rejected.append(Rejection(index=index, reason=reason[:_REASON]))
