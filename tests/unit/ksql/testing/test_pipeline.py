"""The pipeline's own statements, tested as docs/ksql-testing.md shows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.ksql import testing as ksql
from services.provisioner.render import load
from services.provisioner.settings import Settings
from shared import topics

MINUTE = 60_000
#: the start of an hour, so that all windows that divide one start here
HOUR = 1_700_002_800_000


@pytest.fixture
def pipeline() -> Iterator[ksql.Topology]:
    statements = "\n".join(text for _, text in load(Settings()).statements)
    with ksql.topology(statements) as t:
        yield t


def view(t: ksql.Topology, user: int, source: str, at: int) -> None:
    value = {"user_id": user, "source": source, "event_timestamp": at}
    t.pipe(topics.PAGE_VIEW, f"session-{user}", value, timestamp=at)


def test_views_are_counted_by_source_and_window(pipeline: ksql.Topology) -> None:
    for user, at in ((1, 0), (2, 1), (1, 2)):
        view(pipeline, user, "https://a.example/", HOUR + at)
    view(pipeline, 1, "https://a.example/", HOUR + 60 * MINUTE)
    rows = pipeline.rows("PAGEVIEW_TUMBLING")
    assert [(row.value["view_count"], row.value["user_count"]) for row in rows] == [(1, 1), (2, 2), (3, 2), (1, 1)]
    first, last = rows[0].window, rows[-1].window
    assert first is not None
    assert last is not None
    assert (first[0], last[0]) == (HOUR, HOUR + 60 * MINUTE)


def test_a_country_counts_the_users_that_are_clean(pipeline: ksql.Topology) -> None:
    user = {"age": 30, "gender": "female", "country": "Thailand", "subscription": "basic"}
    pipeline.pipe(topics.USERS, 1, user, timestamp=HOUR)
    pipeline.pipe(topics.USERS, 2, {**user, "age": None}, timestamp=HOUR)
    view(pipeline, 1, "https://a.example/", HOUR)
    view(pipeline, 2, "https://a.example/", HOUR)
    (row,) = pipeline.rows("PAGEVIEW_COUNTRY")
    assert (row.value["view_count"], row.value["user_count"], row.value["average_age"]) == (1, 1, 30.0)
    pipeline.pipe(topics.USERS, 1, None, timestamp=HOUR)
    view(pipeline, 1, "https://a.example/", HOUR + 1)
    assert len(pipeline.rows("PAGEVIEW_COUNTRY")) == 1


def test_a_pause_ends_a_session_of_traffic(pipeline: ksql.Topology) -> None:
    view(pipeline, 1, "https://a.example/", HOUR)
    view(pipeline, 2, "https://a.example/", HOUR + 1)
    (present,) = pipeline.query("SELECT `view_count`, `user_count` FROM pageview_session")
    assert present == {"view_count": 2, "user_count": 2}
    view(pipeline, 1, "https://a.example/", HOUR + 30 * MINUTE)
    assert len(pipeline.table("pageview_session")) == 2


def test_a_page_counts_the_views_that_have_one(pipeline: ksql.Topology) -> None:
    for user, page, at in ((1, "/", 0), (2, "/", 1), (1, "/", 2), (1, None, 30 * MINUTE), (1, "/cart", 3)):
        value = {"user_id": user, "source": "Inbox", "event_timestamp": HOUR + at}
        pipeline.pipe(topics.PAGE_VIEW, "s", value | ({} if page is None else {"page": page}), timestamp=HOUR + at)
    rows = {row.key: row.value for row in pipeline.rows("PAGEVIEW_PAGE")}
    # the view without a page neither counts nor makes the one after it late
    assert {page: (row["view_count"], row["user_count"]) for page, row in rows.items()} == {
        "/": (3, 2),
        "/cart": (1, 1),
    }
