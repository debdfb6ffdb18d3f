from __future__ import annotations

from collections import Counter
from datetime import timedelta

import jsonschema_rs
import numpy as np
import pytest

from services.collector.visits import normal_path
from services.generator.behaviour import MEAN_VIEWS, PAGES, Crowd, Faults
from services.generator.population import Population, user_name
from services.generator.source import Event
from services.generator.waves import Waves, natural_waves
from shared import asyncapi
from shared.events import Device, PageView, Source, UserSession
from shared.json import loads
from shared.partitioner import partition_for
from shared.topics import PAGE_VIEW, USER_SESSION

P = 5
NOW_MS = 1_760_000_000_000
SOURCES = {Source.HOMEPAGE: 0.5, Source.INBOX: 0.2, Source.EXTERNAL: 0.3}
NO_FAULTS = Faults()
DEVICES = {Device.MOBILE: 0.6, Device.DESKTOP: 0.3, Device.TABLET: 0.1}


def crowd(
    seed: int = 1, *, users: int = 500, skew: float = 0.8, faults: Faults = NO_FAULTS, max_active: int = 20_000
) -> Crowd:
    rng = np.random.default_rng(seed)
    return Crowd(
        population=Population(np.arange(1, users + 1), skew=skew, rng=rng.spawn(1)[0]),
        waves=Waves(SOURCES, rng.spawn(1)[0], natural_waves(timedelta(seconds=30))),
        devices=DEVICES,
        partitions=P,
        rng=rng,
        faults=faults,
        max_active=max_active,
    )


def live(people: Crowd, seconds: int, rate: int) -> list[Event]:
    """What happens in ``seconds`` at ``rate``; the wall clock goes along."""
    events: list[Event] = []
    for second in range(seconds):
        events += people.emit([second + i / rate for i in range(rate)], NOW_MS + second * 1000)
    return events


def test_every_view_has_a_session_that_came_before_it() -> None:
    sessions: dict[str, dict[str, object]] = {}
    for queue, key, value in live(crowd(), 60, 200):
        event = loads(value)
        assert key.decode() == event["session_id"]
        assert queue % P == partition_for(key, P)
        assert 1 <= event["user_id"] <= 500
        if queue >= P:
            assert event["session_id"] not in sessions
            assert event["user_name"] == user_name(event["user_id"])
            sessions[event["session_id"]] = event
        else:
            login = sessions[event["session_id"]]
            assert login["user_id"] == event["user_id"]
            assert event["event_timestamp"] >= login["login_timestamp"]


def test_values_are_byte_for_byte_those_of_the_shared_events() -> None:
    for queue, _, value in live(crowd(), 20, 50):
        event = loads(value)
        kind = UserSession if queue >= P else PageView
        assert kind(**event).value() == value


def test_the_rate_is_kept_and_mostly_views() -> None:
    people = crowd()
    events = live(people, 120, 100)

    assert len(events) == 12_000
    assert people.made.page_views + people.made.user_sessions == 12_000
    later = events[4_000:]
    views = sum(queue < P for queue, _, _ in later) / len(later)
    assert views == pytest.approx(MEAN_VIEWS / (1 + MEAN_VIEWS), abs=0.08)


def test_sessions_have_a_geometric_length() -> None:
    events = live(crowd(), 300, 100)
    views = Counter(key for queue, key, _ in events if queue < P)
    started = [key for queue, key, _ in events[:15_000] if queue >= P]
    lengths = [views[key] for key in started]

    assert np.mean(lengths) == pytest.approx(MEAN_VIEWS, rel=0.12)
    assert np.mean([n == 1 for n in lengths]) == pytest.approx(1 / MEAN_VIEWS, abs=0.03)


def test_the_same_seed_gives_the_same_events_times_aside() -> None:
    one, two = crowd(7), crowd(7)
    times = [i / 100 for i in range(3_000)]
    first = one.emit(times, NOW_MS)
    second = [event for t in times for event in two.emit([t], NOW_MS)]

    assert first == second
    assert first != crowd(8).emit(times, NOW_MS)


def test_popular_users_come_back() -> None:
    people = crowd(skew=1.2)
    users = Counter(loads(value)["user_id"] for queue, _, value in live(people, 200, 200) if queue >= P)

    top = sum(count for _, count in users.most_common(25))
    assert top / sum(users.values()) > 0.4


def test_no_more_people_are_online_than_allowed() -> None:
    people = crowd(max_active=100)
    live(people, 20, 2_000)

    assert len(people._online) < 140


def test_full_speed_keeps_the_chain_the_mix_and_the_seed() -> None:
    one, two = crowd(3), crowd(3)
    times = [i / 100_000 for i in range(60_000)]
    events = one.emit(times, NOW_MS, at_full_speed=True)

    assert events == two.emit(times, NOW_MS, at_full_speed=True)
    sessions: set[bytes] = set()
    for queue, key, _ in events:
        if queue >= P:
            sessions.add(key)
        else:
            assert key in sessions
    later = events[20_000:]
    assert sum(queue < P for queue, _, _ in later) / len(later) == pytest.approx(
        MEAN_VIEWS / (1 + MEAN_VIEWS), abs=0.08
    )
    assert one.made.page_views + one.made.user_sessions == len(events)
    sources = Counter(loads(value)["source"] for queue, _, value in later if queue < P)
    assert sources["Homepage"] / sum(sources.values()) == pytest.approx(0.5, abs=0.02)


def test_faults_come_in_the_shares_asked_for() -> None:
    people = crowd(faults=Faults(late=0.03, late_max_s=60, duplicate=0.01, malformed=0.02))
    events = live(people, 200, 200)
    made = people.made

    assert made.late / made.page_views == pytest.approx(0.03, abs=0.005)
    assert made.duplicate / len(events) == pytest.approx(0.01, abs=0.003)
    assert made.malformed / made.page_views == pytest.approx(0.02, abs=0.005)
    assert made.page_views + made.user_sessions == len(events)
    assert sum(1 for event, count in Counter(events).items() if count > 1) > 0
    bad = [value for _, _, value in events if not readable(value)]
    assert len(bad) == made.malformed


def readable(value: bytes) -> bool:
    try:
        return isinstance(loads(value)["user_id"], int)
    except ValueError:
        return False


def test_late_events_lie_in_the_past_within_their_bound_and_never_in_the_future() -> None:
    people = crowd(faults=Faults(late=1.0, late_max_s=10))
    delays = [
        NOW_MS - loads(value)["event_timestamp"]
        for queue, _, value in people.emit([i / 100 for i in range(5_000)], NOW_MS)
        if queue < P
    ]

    assert min(delays) >= 0
    assert 9_000 < max(delays) <= 10_000


def test_a_new_population_is_used_from_the_next_login_on() -> None:
    people = crowd(users=50)
    live(people, 5, 50)
    people.replace_population(np.array([900, 901]))

    logins = [loads(value)["user_id"] for queue, _, value in live(people, 60, 50) if queue >= P]
    assert set(logins) == {900, 901}


def test_a_renewed_population_keeps_the_ranks_of_known_users() -> None:
    population = Population(np.arange(1, 11), skew=1.0, rng=np.random.default_rng(0))
    order = [i for i in population._ids.tolist() if i > 3]

    renewed = population.renewed(np.arange(4, 13))

    assert renewed._ids.tolist() == [*order, 11, 12]


def test_every_event_is_valid_by_its_topics_schema() -> None:
    schemas = [jsonschema_rs.validator_for(asyncapi.payloads()[topic]) for topic in (PAGE_VIEW, USER_SESSION)]
    events = live(crowd(), seconds=20, rate=50)

    assert {queue // P for queue, _, _ in events} == {0, 1}
    for queue, _, value in events:
        schemas[queue // P].validate(loads(value))


def test_every_view_has_a_page_and_few_pages_lead_from_every_source() -> None:
    views = [loads(value) for queue, _, value in live(crowd(), 240, 100) if queue < P]
    assert {view["page"] for view in views} == set(PAGES)
    for source in Source:
        pages = Counter(view["page"] for view in views if view["source"] == source)
        assert pages["/"] / pages.total() == pytest.approx(PAGES["/"], abs=0.03)
        assert pages["/"] > 5 * pages["/help/returns-and-refunds"]


def test_the_pages_are_as_the_collector_writes_paths() -> None:
    assert sum(PAGES.values()) == pytest.approx(1)
    assert [normal_path(page) for page in PAGES] == list(PAGES)
