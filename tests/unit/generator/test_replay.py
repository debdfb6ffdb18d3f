from __future__ import annotations

from pathlib import Path

import pytest

from services.generator import replay
from services.generator.profiles import Replay
from shared.errors import NotFound, Unprocessable
from shared.json import loads
from shared.partitioner import partition_for

RECORDING = b"""
{"session_id":"b","user_id":2,"source":"Inbox","event_timestamp":4500}
{"session_id":"a","user_id":1,"user_name":"x","login_timestamp":1000,"device":"Mobile"}
{"session_id":"a","user_id":1,"source":"Inbox","event_timestamp":2000}
"""


def test_events_are_ordered_by_their_time() -> None:
    recording = replay.parse(RECORDING)

    assert recording.times == (0.0, 1.0, 3.5)
    assert [event["session_id"] for event in recording.events] == ["a", "a", "b"]


def test_stamps_move_to_the_present_and_later_rounds_have_ids_of_their_own() -> None:
    player = replay.Player(replay.parse(RECORDING), 5)

    events = player.emit([0.0, 1.0, 3.5, 4.5], 9_000)

    assert [loads(v).get("event_timestamp", loads(v).get("login_timestamp")) for _, _, v in events] == [9_000] * 4
    assert events[0][0] == 5 + partition_for(b"a", 5)
    assert events[3][1] == b"a.1"
    assert (player.made.page_views, player.made.user_sessions) == (2, 2)


@pytest.mark.parametrize(
    "line", [b"[]", b"7", b"{}", b"{", b'{"event_timestamp":"x","session_id":"a"}', b'{"event_timestamp":1}']
)
def test_a_wrong_line_is_named(line: bytes) -> None:
    with pytest.raises(Unprocessable, match="Line 5"):
        replay.parse(RECORDING + line)


def test_an_empty_recording_is_refused() -> None:
    with pytest.raises(Unprocessable, match="no events"):
        replay.parse(b"\n\n")


async def test_recordings_come_from_their_folder(tmp_path: Path) -> None:
    (tmp_path / "day.ndjson").write_bytes(RECORDING)

    assert len((await replay.load(tmp_path, Replay(kind="replay", file="day.ndjson"))).events) == 3
    with pytest.raises(NotFound):
        await replay.load(tmp_path, Replay(kind="replay", file="night.ndjson"))
