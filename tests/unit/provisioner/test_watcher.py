"""The observed state: silence is no evidence, what went wrong is looked at twice, and every change of the whole is an event."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from services.provisioner import watcher as module
from services.provisioner.events import EventLog
from services.provisioner.resource import Action, Kind, Observation, Resource, State, missing, unchanged
from services.provisioner.settings import Settings
from services.provisioner.watcher import Entry, Overall, Watcher, judge
from shared.errors import Unavailable
from tests.patience import STEP_S, eventually

TICK = timedelta(milliseconds=5)
SHORT = timedelta(milliseconds=60)
LONG = timedelta(hours=1)


class Thing(Resource):
    """Gives a set answer; counts the requests."""

    def __init__(self, kind: Kind = Kind.STREAM, name: str = "thing") -> None:
        super().__init__(kind, name)
        self.answers: list[Observation | Exception] = []
        self.answer: Observation | Exception = unchanged("fine")
        self.asked = 0
        self.silent = False

    async def observe(self) -> Observation:
        self.asked += 1
        if self.silent:
            await asyncio.Event().wait()
        answer = self.answers.pop(0) if self.answers else self.answer
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def create(self) -> str:
        return "made"

    async def delete(self, *, data: bool) -> str:
        return "gone"


def settings(**changed: timedelta) -> Settings:
    values: dict[str, Any] = {
        "watch_interval": TICK,
        "watch_idle_interval": TICK,
        "look_timeout": timedelta(seconds=STEP_S),
        "look_again": timedelta(0),
        "unknown_after": LONG,
    }
    return Settings(**(values | changed))


def watcher_of(resources: Sequence[Resource], **changed: timedelta) -> tuple[Watcher, EventLog]:
    events = EventLog()
    return Watcher(resources, settings(**changed), events), events


@asynccontextmanager
async def watching(watcher: Watcher) -> AsyncIterator[None]:
    task = asyncio.create_task(watcher.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def until(met: Callable[[], bool]) -> None:
    await eventually(met, every_s=0.002)


def changes(events: EventLog, kind: str = "pipeline") -> list[tuple[str, str]]:
    return [(event.before, event.after) for event in events.since() if event.kind == kind]


async def test_before_the_first_look_nothing_is_claimed() -> None:
    thing, topic = Thing(), Thing(Kind.TOPIC)
    thing.silent = True
    watcher, events = watcher_of([topic, thing], look_timeout=LONG)
    assert watcher.current.overall is Overall.UNKNOWN
    async with watching(watcher):
        await until(lambda: watcher.current.entries[0].observed_at is not None)
        status = watcher.current
        assert (status.overall, status.reason, status.complete) == (Overall.UNKNOWN, "not observed yet: ksqlDB", False)
        assert status.entries[1].observation.detail == "not observed yet"
        assert status.observed_at is None
    assert changes(events) == []


async def test_the_status_asks_no_server_and_the_watch_goes_on_by_itself() -> None:
    thing = Thing()
    watcher, _ = watcher_of([thing], watch_interval=LONG, watch_idle_interval=LONG)
    async with watching(watcher):
        await until(lambda: watcher.current.ready)
        asked = thing.asked
        for _ in range(200):
            assert watcher.status().ready
        await asyncio.sleep(0)
        assert thing.asked == asked
    watcher, _ = watcher_of([thing])
    async with watching(watcher):
        await until(lambda: thing.asked > asked + 3)


async def test_requests_for_the_status_make_observations_more_frequent() -> None:
    thing = Thing()
    watcher, _ = watcher_of([thing], watch_idle_interval=LONG)
    async with watching(watcher):
        await until(lambda: watcher.current.ready)
        asked = thing.asked
        other = Thing()
        async with watching(watcher_of([other])[0]):
            await until(lambda: other.asked > 10)
        assert thing.asked == asked, "nobody has asked"
        watcher.status()
        await until(lambda: thing.asked > asked + 3)


async def test_a_server_that_stops_is_slow_and_later_unknown_with_events(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now))
    thing, other = Thing(), Thing(Kind.CONNECTOR, "other")
    watcher, events = watcher_of([thing, other], unknown_after=timedelta(seconds=30))
    async with watching(watcher):
        await until(lambda: watcher.current.ready)
        thing.answer = Unavailable("connection refused")
        await until(lambda: watcher.current.entries[0].slow)
        slow = watcher.current
        assert (slow.overall, slow.entries[0].observation.state) == (Overall.READY, State.OK)
        assert "fine (slow: no answer since" in slow.entries[0].observation.detail
        assert "connection refused" in slow.entries[0].observation.detail
        now += 15
        await until(lambda: changes(events, "server") != [])
        now += 30
        await until(lambda: watcher.current.overall is not Overall.READY)
        gone = watcher.current
        assert (gone.overall, gone.entries[0].observation.state) == (Overall.UNKNOWN, State.UNKNOWN)
        assert gone.entries[0].observed_at == slow.entries[0].observed_at
        assert gone.entries[1].observation.state is State.OK, "another server's loop goes on"
        thing.answer = unchanged("fine")
        await until(lambda: watcher.current.ready)
    assert changes(events) == [("unknown", "ready"), ("ready", "unknown"), ("unknown", "ready")]
    assert changes(events, "server") == [("answers", "slow"), ("slow", "silent"), ("silent", "answers")]
    assert "connection refused" in next(event.detail for event in events.since() if event.after == "unknown")


async def test_a_server_that_is_slow_now_and_then_is_never_degraded() -> None:
    thing, topic = Thing(), Thing(Kind.TOPIC)
    watcher, events = watcher_of([topic, thing], look_timeout=SHORT)
    async with watching(watcher):
        await until(lambda: watcher.current.ready)
        for _ in range(5):
            thing.silent = True
            await until(lambda: watcher.current.entries[1].slow)
            thing.silent = False
            await until(lambda: not watcher.current.entries[1].slow)
    assert changes(events) == [("unknown", "ready")]


async def test_a_silent_server_holds_up_no_other_and_first_looks_that_fail_become_unknown() -> None:
    thing, topic = Thing(), Thing(Kind.TOPIC)
    thing.silent = True
    watcher, _ = watcher_of([topic, thing], look_timeout=SHORT, unknown_after=timedelta(milliseconds=200))
    async with watching(watcher):
        await until(lambda: watcher.current.complete)
        assert watcher.current.overall is Overall.UNKNOWN
        assert "stream:thing is unknown: no answer since" in watcher.current.reason
        await until(lambda: topic.asked > 1)


async def test_what_went_wrong_is_looked_at_twice() -> None:
    thing = Thing()
    watcher, events = watcher_of([thing])
    async with watching(watcher):
        await until(lambda: watcher.current.ready)
        thing.answers = [missing("for a moment")]
        await until(lambda: not thing.answers)
        asked = thing.asked
        await until(lambda: thing.asked > asked + 2)
        assert changes(events) == [("unknown", "ready")]
        thing.answer = missing("for good")
        await until(lambda: watcher.current.overall is Overall.ABSENT)


async def test_a_run_in_progress_is_shown_as_such() -> None:
    thing, topic = Thing(), Thing(Kind.TOPIC)
    thing.answer = missing("not yet")
    watcher, events = watcher_of([topic, thing])
    assert (await watcher.refresh()).overall is Overall.ABSENT
    watcher.begin("apply")
    assert (watcher.current.overall, watcher.current.reason) == (Overall.CHANGING, "the apply is in progress")
    thing.answer = unchanged("made")
    await watcher.settle()
    assert watcher.current.ready
    assert changes(events) == [("unknown", "absent"), ("absent", "changing"), ("changing", "ready")]


async def test_what_was_seen_before_the_end_of_a_run_says_nothing_after_it() -> None:
    thing, topic = Thing(), Thing(Kind.TOPIC)
    thing.answer = missing("not yet")
    watcher, events = watcher_of([topic, thing], look_timeout=SHORT)

    async def seen(overall: Overall) -> bool:
        """A look may come too late on a busy machine; the next one does not."""
        return (await watcher.refresh()).overall is overall

    await eventually(partial(seen, Overall.ABSENT))
    watcher.begin("apply")
    thing.silent = True
    await watcher.settle()
    assert (watcher.current.overall, watcher.current.reason) == (Overall.UNKNOWN, "not observed yet: ksqlDB")
    thing.silent, thing.answer = False, unchanged("made")
    await eventually(partial(seen, Overall.READY))
    assert "degraded" not in {after for _, after in changes(events)}


async def test_a_refresh_ends_though_a_server_is_silent() -> None:
    thing, topic = Thing(), Thing(Kind.TOPIC)
    thing.silent = True
    watcher, _ = watcher_of([topic, thing], look_timeout=SHORT)

    async def is_seen() -> bool:
        return (await watcher.refresh()).entries[0].observation.state is State.OK

    await eventually(is_seen, "a refresh that has seen the other server")


async def test_an_unexpected_error_does_not_end_the_observation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    thing = Thing()
    watcher, _ = watcher_of([thing])
    failures, observe = [RuntimeError("broken")], watcher._observe

    async def fragile(seen: Any) -> tuple[Observation, ...]:
        if failures:
            raise failures.pop()
        return await observe(seen)

    monkeypatch.setattr(watcher, "_observe", fragile)
    async with watching(watcher):
        await until(lambda: watcher.current.ready)


async def test_freshness_grows_while_pinot_does_not_answer() -> None:
    table = Thing(Kind.PINOT_TABLE)
    table.answer = unchanged("consumes", freshness_ms=300)
    watcher, _ = watcher_of([table])
    assert (await watcher.refresh()).freshness_ms == 300
    table.answer = Unavailable("down")

    async def grown() -> bool:
        return ((await watcher.refresh()).freshness_ms or 0) > 350

    await eventually(grown)


def entry(kind: Kind, observation: Observation) -> Entry:
    return Entry(Thing(kind), observation, None, slow=False)


def test_kept_topics_do_not_make_a_pipeline_present() -> None:
    gone = Observation(State.MISSING, Action.CREATE, "gone")
    there = unchanged("there")
    assert judge([entry(Kind.TOPIC, there), entry(Kind.QUERY, gone)])[0] is Overall.ABSENT
    overall, reason = judge([entry(Kind.TOPIC, gone), entry(Kind.QUERY, there)])
    assert (overall, reason) == (Overall.DEGRADED, "topic:thing is missing: gone")


def test_the_last_hundred_events_are_kept_and_their_ids_grow() -> None:
    events = EventLog()
    for number in range(150):
        events.add("server", "x", subject="x", before="answers", after="slow", reason=str(number))
    kept = events.since()
    assert [event.reason for event in kept] == [str(number) for number in range(50, 150)]
    ids = [event.id for event in kept]
    assert ids == sorted(set(ids))
    assert events.since(ids[-2]) == [kept[-1]]
    assert events.since(0, limit=3) == kept[-3:]
