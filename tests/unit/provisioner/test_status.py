"""What the status remembers, and how request gathering and key decoding behave."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from services.provisioner.clients.coalescing import Coalescer
from services.provisioner.decoding import Key, KeyDecoder, decode_value, key_decoders
from services.provisioner.resource import Action, Kind, Observation, Resource, State, unchanged
from services.provisioner.settings import Settings
from services.provisioner.status import Overall, Watch, judge
from shared import topics
from shared.errors import Unavailable
from tests.unit.provisioner.world import World


class Slow(Resource):
    """Answers after ``delay`` seconds, or fails."""

    def __init__(self) -> None:
        super().__init__(Kind.STREAM, "slow")
        self.delay = 0.0
        self.error: Exception | None = None

    async def observe(self) -> Observation:
        if self.error:
            raise self.error
        await asyncio.sleep(self.delay)
        return unchanged("fine")

    async def create(self) -> str:
        return "made"

    async def delete(self, *, data: bool) -> str:
        return "gone"


async def test_a_server_that_is_slow_for_a_moment_is_told_as_it_was(world: World) -> None:
    slow = Slow()
    watch = Watch([slow], world.servers.pinot, timedelta(milliseconds=30))
    assert (await watch.look()).overall is Overall.READY
    slow.delay = 1.0
    status = await watch.look()
    assert status.overall is Overall.READY
    assert "no answer within 0.03 s now" in status.entries[0][1].detail


async def test_a_server_that_refuses_is_unknown_at_once(world: World) -> None:
    slow = Slow()
    watch = Watch([slow], world.servers.pinot, timedelta(milliseconds=30))
    await watch.look()
    slow.error = Unavailable("refused")
    status = await watch.look()
    assert (status.overall, status.entries[0][1].state) == (Overall.DEGRADED, State.UNKNOWN)


async def test_a_first_look_that_is_slow_is_unknown(world: World) -> None:
    slow = Slow()
    slow.delay = 1.0
    watch = Watch([slow], world.servers.pinot, timedelta(milliseconds=30))
    assert (await watch.look()).entries[0][1].state is State.UNKNOWN


def test_kept_topics_do_not_make_a_pipeline_present() -> None:
    topic, query = Slow(), Slow()
    topic.kind, query.kind = Kind.TOPIC, Kind.QUERY
    gone = Observation(State.MISSING, Action.CREATE, "gone")
    assert judge([(topic, unchanged("there")), (query, gone)]) is Overall.ABSENT
    assert judge([(topic, gone), (query, unchanged("there"))]) is Overall.DEGRADED


async def test_questions_asked_together_are_one_request() -> None:
    asked: list[set[str]] = []

    async def fetch(keys: set[str]) -> dict[str, int]:
        asked.append(keys)
        return {key: len(key) for key in keys if key != "none"}

    gather: Coalescer[str, int] = Coalescer(fetch)
    assert await asyncio.gather(*map(gather.get, ("a", "bb", "none", "a"))) == [1, 2, None, 1]
    assert await gather.get("ccc") == 3
    assert asked == [{"a", "bb", "none"}, {"ccc"}]


async def test_one_that_gives_up_leaves_the_others_their_answer() -> None:
    started = asyncio.Event()

    async def fetch(keys: set[str]) -> dict[str, int]:
        started.set()
        await asyncio.sleep(0.02)
        return dict.fromkeys(keys, 1)

    gather: Coalescer[str, int] = Coalescer(fetch)
    impatient = asyncio.create_task(gather.get("a"))
    patient = asyncio.create_task(gather.get("b"))
    await started.wait()
    impatient.cancel()
    assert await patient == 1


def test_keys_and_windows_are_decoded() -> None:
    decoders = key_decoders(Settings())
    start, end = (1_760_000_000_000).to_bytes(8, "big"), (1_760_000_030_000).to_bytes(8, "big")
    assert decoders[topics.PAGE_VIEW].decode(b"s1") == Key("s1")
    assert decoders[topics.USERS].decode(b"\x00\x00\x00\x0c") == Key(12)
    assert decoders[topics.PAGE_VIEW_TUMBLING].decode(b"Inbox" + start) == Key(
        "Inbox", 1_760_000_000_000, 1_760_000_060_000
    )
    assert decoders[topics.PAGE_VIEW_SESSION].decode(b"Inbox" + end + start) == Key(
        "Inbox", 1_760_000_000_000, 1_760_000_030_000
    )
    assert KeyDecoder().decode(None) == Key(None)


@pytest.mark.parametrize(("topic", "raw"), [(topics.USERS, b"abc"), (topics.PAGE_VIEW_SESSION, b"short")])
def test_bytes_that_are_no_such_key(topic: str, raw: bytes) -> None:
    with pytest.raises(ValueError, match="bytes"):
        key_decoders(Settings())[topic].decode(raw)


def test_values_tombstones_and_malformed_ones() -> None:
    assert decode_value(b'{"a":1}') == {"a": 1}
    assert decode_value(None) is None
    assert decode_value(b'{"a":') == {"malformed": '{"a":'}
