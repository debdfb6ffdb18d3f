"""Days of event time through the whole pipeline: what lies beyond retention is forgotten, so memory stops growing."""

from __future__ import annotations

import gc
import json
import random
from collections.abc import Iterator
from datetime import timedelta

import psutil

from services.ksql.analysis.analyzer import Analyzer
from services.ksql.analysis.catalog import Catalog
from services.ksql.engine.query import Query
from services.ksql.engine.records import InputRecord, OutputRecord
from services.ksql.engine.state import Store
from services.ksql.model.commands import CreateQuery
from services.ksql.model.schema import Column
from services.ksql.model.types import BIGINT
from services.ksql.serde.json_writer import object_encoder, objects_encoder
from services.ksql.sql.parser import parse
from services.provisioner.render import load
from services.provisioner.settings import Settings
from shared import topics
from tests.drill import bound

_PERIOD_MS = 3_600_000
_RETENTION_PERIODS = 2
_PERIODS = bound(24, 24 * 30)
_EVENTS_PER_PERIOD = bound(1_200, 3_600)
_USERS = 300
_START_MS = 1_760_000_000_000
_FLUSH_EVERY = 100
_RSS_GROWTH = 24 * 2**20
#: entries of some ten bytes; orjson writes each into a buffer of four thousand
_WAITING = 50_000


class Pipeline:
    """All queries in process, each with the changelog that a compacted topic would hold."""

    def __init__(self) -> None:
        catalog = Catalog()
        self.queries: list[Query] = []
        self.changelogs: list[dict[tuple[str, bytes], bytes]] = []
        settings = Settings(grace=timedelta(minutes=10), retention=timedelta(hours=_RETENTION_PERIODS))
        for _, text in load(settings).statements:
            for statement in parse(text):
                command = Analyzer(catalog).analyze(statement.ast)
                catalog.apply(command, f"Q{len(self.queries)}")
                if isinstance(command, CreateQuery):
                    self.queries.append(Query(command.plan, partitions=5, cached=True))
                    self.changelogs.append({})
        self.views = 0

    def consumer(self, records: list[InputRecord]) -> None:
        """Through every query that reads their topics, in the order of the pipeline."""
        waiting: dict[str, list[InputRecord]] = {}
        for record in records:
            waiting.setdefault(record.topic, []).append(record)
        for query, changelog in zip(self.queries, self.changelogs, strict=True):
            mine = [record for topic in query.topics for record in waiting.get(topic, ())]
            outputs = [*query.process_batch(mine), *query.flush()]
            for store, key, value in query.changes():
                if value is None:
                    changelog.pop((store, key), None)
                else:
                    changelog[store, key] = value
            for output in outputs:
                waiting.setdefault(output.topic, []).append(_again(output))

    @property
    def entries(self) -> int:
        return sum(map(len, self.changelogs))


def _again(output: OutputRecord) -> InputRecord:
    return InputRecord(output.topic, 0, 0, output.timestamp, output.key, output.value)


def _users() -> list[InputRecord]:
    rows = (
        (
            user,
            {"user_id": user, "age": 20 + user % 50, "gender": "F", "country": f"C{user % 9}", "subscription": "Gold"},
        )
        for user in range(1, _USERS + 1)
    )
    return [
        InputRecord(topics.USERS, 0, user, _START_MS - 1, user.to_bytes(4, "big"), json.dumps(row).encode())
        for user, row in rows
    ]


def _period(rng: random.Random, number: int) -> Iterator[InputRecord]:
    """An hour of views and logins with session ids that never come again, some late, sources with pauses."""
    start = _START_MS + number * _PERIOD_MS
    for i in range(_EVENTS_PER_PERIOD):
        t = start + i * _PERIOD_MS // _EVENTS_PER_PERIOD
        if rng.random() < 0.02:
            t -= rng.choice((30_000, 400_000, 3_000_000))
        session = f"{number}-{i}"
        source = ("Homepage", "Inbox", "External")[(t // 240_000 + rng.randrange(2)) % 3]
        user = rng.randint(1, _USERS)
        view = {"session_id": session, "user_id": user, "source": source, "event_timestamp": t}
        yield InputRecord(topics.PAGE_VIEW, 0, i, t, session.encode(), json.dumps(view).encode())
        if i % 5 == 0:
            login = {
                "user_id": user,
                "user_name": "n",
                "login_timestamp": t,
                "device": rng.choice(("Mobile", "Tablet")),
            }
            yield InputRecord(topics.USER_SESSION, 0, i, t, session.encode(), json.dumps(login).encode())


def test_memory_is_bounded_by_retention() -> None:
    rng = random.Random(11)
    pipeline = Pipeline()
    pipeline.consumer(_users())
    entries: list[int] = []
    resident: list[int] = []
    for number in range(_PERIODS):
        records = list(_period(rng, number))
        for at in range(0, len(records), _FLUSH_EVERY):
            pipeline.consumer(records[at : at + _FLUSH_EVERY])
        gc.collect()
        entries.append(pipeline.entries)
        resident.append(psutil.Process().memory_info().rss)
    full = 2 * _RETENTION_PERIODS + 2
    assert max(entries[:full]) > _USERS
    # how many sessions there are varies a little from hour to hour
    assert max(entries[full:]) <= 1.1 * max(entries[:full]), entries
    assert max(resident[full:]) - resident[full] < _RSS_GROWTH, resident
    dropped = sum(query.stats.by_cause().get("late", 0) for query in pipeline.queries)
    assert dropped > 0


def test_what_waits_for_a_commit_takes_no_more_than_its_bytes() -> None:
    numbers = list(range(_WAITING))
    column = [Column("n", BIGINT)]
    many, one = objects_encoder(column), object_encoder(column)
    store: Store[int] = Store("s", tracked=True)
    for number in numbers:
        store.put((number,), number)
    process = psutil.Process()
    for write in (lambda: many([numbers]), lambda: [one((number,)) for number in numbers], store.changes):
        before = process.memory_info().rss
        held = write()
        assert held is not None
        assert len(held) == _WAITING
        assert process.memory_info().rss - before < _WAITING * 1_000
