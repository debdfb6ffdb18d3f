"""How request gathering and the decoding of records behave."""

from __future__ import annotations

import asyncio

import pytest

from services.provisioner.clients.coalescing import Coalescer
from services.provisioner.decoding import Key, KeyDecoder, decode_value, key_decoders
from services.provisioner.settings import Settings
from shared import topics


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
    started, go_on = asyncio.Event(), asyncio.Event()

    async def fetch(keys: set[str]) -> dict[str, int]:
        started.set()
        await go_on.wait()
        return dict.fromkeys(keys, 1)

    gather: Coalescer[str, int] = Coalescer(fetch)
    impatient = asyncio.create_task(gather.get("a"))
    patient = asyncio.create_task(gather.get("b"))
    await started.wait()
    impatient.cancel()
    await asyncio.wait([impatient])
    go_on.set()
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
