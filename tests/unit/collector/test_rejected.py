"""Rejected events are kept byte by byte, and sent again once.

There is no Kafka here: what the real journal holds counts as published, and the topic of rejected events is what was published to it.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiokafka.producer.message_accumulator import BatchBuilder
from hypothesis import given, settings
from hypothesis import strategies as st

from services.collector import replays, topic_log, visits
from services.collector.journal import Entry, Journal
from services.collector.publisher import Publisher, append
from services.collector.rejected import parts_of, shown
from services.collector.replays import Replays
from services.collector.schemas import Replayed
from services.collector.service import Collector
from services.collector.settings import Settings
from services.collector.topic_log import Page, Stored
from shared import asyncapi, topics
from shared.json import loads
from tests.unit.collector.test_api import collector, entries, event

Json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def kept(service: Collector) -> list[Stored]:
    """The topic of rejected events, as the publisher writes it."""
    publisher = service.publisher
    found = [
        publisher.message(entry, record)
        for entry in entries(service)
        for record in entry.records
        if record[0] == topics.REJECTED
    ]
    return [
        Stored(offset, sent.key, sent.value, {name: text.decode() for name, text in sent.headers})
        for offset, sent in enumerate(found)
    ]


def views(service: Collector) -> list[dict[str, Any]]:
    return [
        json.loads(value or "") for e in entries(service) for topic, _, value in e.records if topic == topics.PAGE_VIEW
    ]


def state(found: Sequence[Entry]) -> dict[str, bytes]:
    """The state topic when all of the journal is published."""
    newest = {k: v for e in found for topic, k, v in e.records if topic == Settings().state_topic}
    return {key: value.encode() for key, value in newest.items() if value is not None}


@pytest.fixture
def replay(monkeypatch: pytest.MonkeyPatch) -> Callable[[Collector], Any]:
    async def run(service: Collector, start: int | None = None, until: int | None = None) -> Replayed:
        async def settled_state(_: Publisher) -> dict[str, bytes]:
            return state(entries(service))

        async def read(_bootstrap: str, _topic: str, start: Callable[[int, int], int], *, limit: int) -> Page:
            all_of_it = kept(service)
            end = len(all_of_it)
            begin = start(0, end)
            records = all_of_it[begin:][:limit]
            return Page(records, begin, records[-1].offset + 1 if records else end, end)

        monkeypatch.setattr(Publisher, "settled_state", settled_state)
        monkeypatch.setattr(topic_log, "read", read)
        return await service.replay(start, until)

    return run


async def test_the_bytes_the_reason_the_time_and_the_origin_are_kept(tmp_path: Path) -> None:
    parts = [b'{ "id":"short" , "url":"/a"}', b"7", json.dumps(event(url="javascript:\u00e9")).encode()]
    body = b" [ " + b" ,\n".join([parts[0], json.dumps(event()).encode(), *parts[1:]]) + b" ] "
    headers = {"content-type": "application/json", "origin": "http://localhost:3000", "user-agent": "x iPhone"}
    async with collector(tmp_path) as (client, service):
        answer = (await client.post("/collect", content=body, headers=headers)).json()
        alone = await client.post("/collect", content=b'{"id": "\xff', headers={"content-type": "text/plain"})
        found, status = kept(service), (await client.get("/collect/status")).json()
        metrics = (await client.get("/metrics")).text

    assert (answer["accepted"], alone.status_code) == (1, 400)
    assert [record.value for record in found] == [*parts, b'{"id": "\xff']
    assert [record.headers["field"] for record in found] == ["id", "event", "url", "body"]
    assert [record.headers["reason"] for record in found[:3]] == [r["reason"] for r in answer["rejected"]]
    assert [record.headers["origin"] for record in found] == ["http://localhost:3000"] * 3 + [""]
    assert found[0].headers["device"] == "Mobile"
    assert sum(status["rejected"].values()) == status["rejected_kept"] == 4
    assert 'pagepulse_collector_events_total{outcome="rejected_kept"} 4.0' in metrics
    schema = asyncapi.document()["components"]["messages"]["Rejected"]["headers"]
    assert all(set(schema["required"]) <= record.headers.keys() <= set(schema["properties"]) for record in found)


async def test_nothing_is_kept_of_visitors_that_object_to_tracking_or_if_it_is_switched_off(tmp_path: Path) -> None:
    async with collector(tmp_path) as (client, service):
        for body in (b"{", b"{}", b"7"):
            await client.post("/collect", content=body, headers={"content-type": "text/plain", "dnt": "1"})
        assert entries(service) == []
    async with collector(tmp_path / "b", max_rejected_bytes=0) as (client, service):
        await client.post("/collect", json={})
        assert (entries(service), service.status().rejected_dropped) == ([], 1)


async def test_the_producer_takes_what_it_is_given(tmp_path: Path) -> None:
    async with collector(tmp_path) as (client, service):
        await client.post("/collect", json=[event(), 7])
        await client.delete("/collect/users/42")
        messages = [
            (record[0], service.publisher.message(entry, record))
            for entry in entries(service)
            for record in entry.records
        ]

    assert [topic for topic, _ in messages] == [
        *(topics.USER_SESSION, topics.PAGE_VIEW, topics.REJECTED, topics.USERS, "_pagepulse_collector")
    ]
    batch = BatchBuilder(100_000, 0, is_transactional=True)
    assert all(append(batch, message) for _, message in messages)
    assert batch.record_count() == 5


async def test_a_long_event_is_cut_and_rejected_ones_leave_half_of_the_journal(tmp_path: Path) -> None:
    async with collector(tmp_path, max_rejected_bytes=1_000, journal_max_bytes=64 * 1024) as (client, service):
        await client.post("/collect", json=[{"id": "x" * 2_000} for _ in range(100)])
        answer = await client.post("/collect", json=event())
        found, status = kept(service), service.status()

    assert answer.json()["accepted"] == 1
    assert (len(found[0].value or b""), found[0].headers["truncated"]) == (1_000, "true")
    assert status.rejected_kept + status.rejected_dropped == 100
    assert status.rejected_dropped > 0
    assert status.rejected_kept == len(found)


async def test_after_a_repair_an_event_is_sent_once_with_the_time_of_its_receipt(
    tmp_path: Path, replay: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    good, copy, bad = event(url="shop:/lamp", user=7), event(url="shop:/chair"), event(url="javascript:x")
    async with collector(tmp_path) as (client, service):
        await client.post("/collect", json=[good, copy, copy, bad])
        received = [int(record.headers["received_at"]) for record in kept(service)]
        first = await replay(service)
        assert (first.sent, first.rejected) == (0, 4), "nothing was repaired yet"

        _repair(monkeypatch)
        second = await replay(service)
        size = len(entries(service))
        third, fourth = await replay(service), await replay(service)
        assert (second.sent, second.rejected, second.skipped) == (2, 1, 1)
        assert (third.sent, third.rejected, third.skipped) == (0, 1, 0), "what is still not valid is tried again"
        assert fourth == third
        assert (len(kept(service)), len(entries(service))) == (4, size), "and nothing is written for it"
        assert [view["page"] for view in views(service)] == ["/lamp", "/chair"]
        assert [view["event_timestamp"] for view in views(service)] == received[:2]
        assert service.status().replayed == 2


async def test_an_event_that_is_still_not_valid_holds_back_no_other_and_none_is_sent_twice(
    tmp_path: Path, replay: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each three events one is never valid; the journal forgets ids meanwhile, as it does after half an hour."""
    for module in (replays, sys.modules[Collector.__module__]):
        monkeypatch.setattr(module, "BLOCK", 10)

    async def all_of_them() -> Replayed:
        answer = Replayed(sent=0, rejected=0, skipped=0, next=0, end=1)
        total, start, until = Counter[str](), None, None
        while answer.next < answer.end:
            answer = await replay(service, start, until)
            start, until = answer.next, answer.end
            total += Counter(sent=answer.sent, rejected=answer.rejected, skipped=answer.skipped)
        service.journal._ids.clear()
        return answer.model_copy(update={name: total[name] for name in ("sent", "rejected", "skipped")})

    async with collector(tmp_path) as (client, service):
        batch = [event(url="javascript:x" if n % 3 == 2 else f"shop:/{n}") for n in range(23)]
        batch += batch[:1] + batch[21:23]
        assert (await client.post("/collect", json=batch)).status_code == 202
        _repair(monkeypatch)
        first, second = await all_of_them(), await all_of_them()
        assert (first.sent, first.rejected, first.skipped) == (16, 7, 3)
        assert (second.sent, second.rejected, second.skipped) == (0, 7, 0)
        assert sorted(view["page"] for view in views(service)) == sorted(f"/{n}" for n in range(23) if n % 3 != 2)

        # the next repair takes the others too, and the marks of whole blocks are not needed any more
        repaired = lambda made, *rest: visits.page_view(made.model_copy(update={"url": "/x"}), *rest)  # noqa: E731
        monkeypatch.setattr("services.collector.service.page_view", repaired)
        third, fourth = await all_of_them(), await all_of_them()
        assert (third.sent, fourth.sent, fourth.rejected) == (7, 0, 0)
        assert len({view["session_id"] for view in views(service)}) <= len(views(service)) == 23
        assert {key for key in state(entries(service)) if "replayed" in key} <= {"1:replayed", "1:replayed:20"}


async def test_marks_of_a_topic_that_was_deleted_hide_no_event_of_the_new_one(tmp_path: Path) -> None:
    headers = {"reason": "r", "field": "url", "origin": "", "device": "Mobile", "collector": "1", "replays": "0"}
    old = [Stored(n, None, b"", {**headers, "received_at": f"{n}"}) for n in range(4)]
    marks = Replays(Settings(), {}, Page(old, 0, 4, 4), 0)
    marks.hold()
    _, key, value = marks.mark_of(old[2])
    saved = {key: (value or "").encode()}
    new = [Stored(n, None, b"", {**headers, "received_at": f"{n + 9}"}) for n in range(4)]
    assert [Replays(Settings(), saved, Page(old, 0, 4, 4), 0).is_done(r) for r in old] == [False, False, True, False]
    assert not any(Replays(Settings(), saved, Page(new, 0, 4, 4), 0).is_done(r) for r in new)
    # the marked ones are beyond the retention
    assert not any(Replays(Settings(), saved, Page(new[3:], 3, 4, 4), 3).is_done(r) for r in new[3:])


async def test_what_the_disk_refused_is_not_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    async with collector(tmp_path) as (client, service):
        with monkeypatch.context() as broken:
            broken.setattr(Journal, "_write_batch", refuse)
            batch = [event(), event(url="javascript:x")]
            answers = [await client.post("/collect", json=batch), await client.post("/collect", content=b"{")]
        assert [answer.status_code for answer in answers] == [503, 503]
        status = service.status()
        assert (status.accepted, status.rejected, status.rejected_kept, status.rejected_dropped) == (0, {}, 0, 0)
        assert (await client.post("/collect", json=batch)).json()["accepted"] == 1
        status = service.status()
        assert (status.accepted, status.rejected, status.rejected_kept) == (1, {"url": 1}, 1)


async def test_a_crash_at_any_point_of_the_journal_sends_nothing_twice_and_nothing_never(
    tmp_path: Path, replay: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with collector(tmp_path) as (client, service):
        await client.post("/collect", json=[event(url=f"shop:/{n}") for n in range(3)])
    (segment,) = (tmp_path / "journal").glob("*.log")
    before = segment.read_bytes()
    _repair(monkeypatch)
    async with collector(tmp_path) as (_, service):
        assert (await replay(service)).sent == 3
    after = segment.read_bytes()

    for cut in range(len(before), len(after), 167):
        segment.write_bytes(after[:cut])
        async with collector(tmp_path) as (_, service):
            await replay(service)
            assert sorted(view["page"] for view in views(service)) == [f"/{n}" for n in range(3)], cut


async def test_another_collectors_and_unreadable_records_are_passed_over_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with collector(tmp_path) as (client, service):
        await client.post("/collect", json=[event(url="shop:/lamp")])
        (mine,) = kept(service)
        theirs = Stored(1, None, mine.value, {**mine.headers, "collector": "2"})
        strange = Stored(2, None, None, {"received_at": "soon"})
        cut = Stored(3, None, mine.value, {**mine.headers, "truncated": "true"})
        _repair(monkeypatch)
        answer = Replayed(sent=0, rejected=0, skipped=0, next=4, end=4)
        page = Page([mine, theirs, strange, cut], 0, 4, 4)
        service.replay_page(page, Replays(Settings(), {}, page, 0), answer)
        await service.journal.flushed()

        assert (answer.sent, answer.skipped) == (1, 3)
        assert Replays.low(Settings(), state(entries(service)), 0, 9) == 4
    assert shown(strange).field == "unknown"
    assert shown(Stored(0, None, b"\xff", mine.headers)).encoding == "base64"


async def test_kafka_that_is_unavailable_is_a_503(tmp_path: Path) -> None:
    async with collector(tmp_path) as (client, _):
        answers = [await client.get("/collect/rejected"), await client.post("/collect/rejected/replay")]

    assert [answer.status_code for answer in answers] == [503, 503]


async def test_a_reader_sees_whether_a_user_is_forgotten(tmp_path: Path) -> None:
    async with collector(tmp_path) as (client, service):
        before = (await client.get("/collect/users/42")).json()
        await client.delete("/collect/users/42")
        after = (await client.get("/collect/users/42")).json()
        service.journal.mark_published(service.journal.next)
        published = (await client.get("/collect/users/42")).json()

    assert (before["forgotten"], after["forgotten"], published["forgotten"]) == (False, True, True)
    assert (after["tombstone_published"], published["tombstone_published"]) == (False, True)


@settings(max_examples=25)
@given(st.lists(Json, max_size=5), st.sampled_from([None, 1]), st.booleans())
def test_the_parts_of_a_batch_are_its_events(events: list[Any], indent: int | None, ascii_only: bool) -> None:
    body = json.dumps(events, indent=indent, ensure_ascii=ascii_only).encode()

    assert [json.loads(part) for part in parts_of(body, events)] == events
    assert b"".join(parts_of(body, events)) in body or len(events) > 1


def test_nesting_beyond_the_decoder_is_kept_all_the_same() -> None:
    body = b"[" * 1_010 + b"]" * 1_010
    # How deep the decoder goes depends on how deep its caller is.
    assert parts_of(body, loads(body)) in ([body], [body[1:-1]])


def _repair(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that takes addresses of the scheme ``shop:``, which it refused before."""
    monkeypatch.setattr(
        "services.collector.service.page_view",
        lambda made, *rest: visits.page_view(made.model_copy(update={"url": made.url.removeprefix("shop:")}), *rest),
    )


async def test_published_entries_that_answer_retries_do_not_crowd_out_rejected_ones(tmp_path: Path) -> None:
    async with collector(tmp_path, journal_max_bytes=64 * 1024, journal_segment_bytes=4 * 1024) as (_, service):
        for number in range(200):
            await service.accept([event()], {}, "a")
            await service.accept([{"nonsense": number}], {}, "a")
            service.journal.mark_published(service.journal.next)
        assert service.rejected_dropped == 0
        assert service.rejected_kept == 200
