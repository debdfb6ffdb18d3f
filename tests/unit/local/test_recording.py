"""What ``record`` writes is what the generator replays."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from deploy.local import recording
from deploy.local.cli import app
from deploy.local.client import Services
from deploy.local.errors import RecordingFailed
from deploy.local.ports import Ports
from deploy.local.recording import Recorded
from deploy.local.state import State
from services.generator.profiles import Replay
from services.generator.replay import Player, load
from shared.errors import Unprocessable
from shared.events import Device, PageView, Source, UserSession
from shared.json import loads
from shared.recording import packed, unpacked

START_MS = 1_760_000_000_000


def _ignore(_: Recorded) -> None:
    pass


def _events(count: int) -> list[bytes]:
    logins = [UserSession(f"s{n}", n, "Ann", START_MS + 100 * n, Device.MOBILE).value() for n in range(count)]
    views = [PageView(f"s{n}", n, Source.INBOX, START_MS + 100 * n + 50, page="/a").value() for n in range(count)]
    return [event for pair in zip(logins, views, strict=True) for event in pair]


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def _batches(*batches: Sequence[bytes | None]) -> AsyncIterator[Sequence[bytes | None]]:
    for batch in batches:
        yield batch


@pytest.mark.parametrize("name", ["day.ndjson", "day.ndjson.gz"])
async def test_a_recording_is_replayed_as_it_was(tmp_path: Path, name: str) -> None:
    events = _events(3_000)
    # As partitions give them: not in order of time.
    batches = _batches(events[1::2], [], events[0::2])
    written = await recording.write(tmp_path / name, batches, _ignore)

    replayed = await load(tmp_path, Replay(kind="replay", file=name))
    sent = [loads(value) for _, _, value in Player(replayed, 5).emit(replayed.times, START_MS)]

    assert (written.events, written.skipped) == (6_000, 0)
    assert list(replayed.events) == [loads(event) for event in events]
    assert replayed.times[:3] == (0.0, 0.05, 0.1)
    assert [e["session_id"] for e in sent] == [loads(event)["session_id"] for event in events]
    assert names(tmp_path) == [name]
    assert ((tmp_path / name).read_bytes()[:2] == b"\x1f\x8b") == name.endswith(".gz")


async def test_records_that_are_no_events_are_counted_and_left_out(tmp_path: Path) -> None:
    strange = [
        None,
        b"",
        b"{",
        b"[]",
        b'{"event_timestamp": "x", "session_id": "a"}',
        b'{"event_timestamp": true, "session_id": "a"}',
    ]
    pretty = json.dumps(loads(_events(1)[1]), indent=1).encode()
    written = await recording.write(tmp_path / "a", _batches(strange, [pretty]), _ignore)

    assert (written.events, written.skipped) == (1, len(strange))
    assert (tmp_path / "a").read_bytes().count(b"\n") == 1
    assert len((await load(tmp_path, Replay(kind="replay", file="a"))).events) == 1


async def test_what_is_there_is_not_overwritten_and_nothing_is_no_recording(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("mine")
    with pytest.raises(RecordingFailed, match="exists"):
        await recording.write(tmp_path / "a", _batches(_events(1)), _ignore)
    with pytest.raises(RecordingFailed, match="no event arrived"):
        await recording.write(tmp_path / "b", _batches([b"{"]), _ignore)
    with pytest.raises(RecordingFailed, match="cannot be written"):
        await recording.write(tmp_path / "none" / "c", _batches(_events(1)), _ignore)

    assert (tmp_path / "a").read_text() == "mine"
    assert names(tmp_path) == ["a"]


async def test_a_recording_that_is_interrupted_is_kept(tmp_path: Path) -> None:
    begun = asyncio.Event()

    async def endless() -> AsyncIterator[Sequence[bytes | None]]:
        yield _events(2)
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(recording.write(tmp_path / "a.gz", endless(), _ignore))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert len((await load(tmp_path, Replay(kind="replay", file="a.gz"))).events) == 4


async def test_kafka_that_is_unavailable_is_an_error_in_words() -> None:
    with pytest.raises(RecordingFailed, match=r"127\.0\.0\.1:1 cannot be reached"):
        async for _ in recording.arriving("127.0.0.1:1", ["topic1_PageView"], 1, lambda: None):
            pass


def test_compressed_data_is_bounded_and_checked() -> None:
    text = b"x" * 1_000

    assert unpacked(packed(text) + packed(text), 2_000) == 2 * text
    for data, words in (
        (gzip.compress(b"0" * 10_000_000), "larger"),
        (packed(text)[:-9], "cut off"),
        (b"\x1f\x8bnonsense", "damaged"),
        (packed(text) + b"rest", "damaged"),
        (b"y" * 2_001, "larger"),
    ):
        with pytest.raises(Unprocessable, match=words):
            unpacked(data, 2_000)


async def test_a_replay_is_asked_for_at_its_speed() -> None:
    asked: list[object] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(json.loads(request.content))
        return httpx.Response(200, json={})

    async with Services(Ports(0), httpx.MockTransport(answer)) as services:
        await services.replay("day.ndjson.gz", speed=10, loop=False)

    assert asked == [{"profile": {"kind": "replay", "file": "day.ndjson.gz", "speed": 10, "loop": False}}]


def test_a_duration_has_a_unit_and_bad_ones_are_refused(tmp_path: Path) -> None:
    file = str(tmp_path / "a")
    for wrong in ("0s", "-1s", "5d", "s", "nan", "inf"):
        done = CliRunner().invoke(app, ["record", "--for", wrong, file, "--dir", str(tmp_path)])
        assert (done.exit_code, "is no duration" in done.output) == (2, True), wrong
    done = CliRunner().invoke(app, ["record", "--for", "5m", file, "--dir", str(tmp_path)])
    assert "nothing runs" in done.output


def test_reset_keeps_recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PAGEPULSE_RECORDINGS", raising=False)
    state = State(tmp_path)
    state.make()
    state.recordings.mkdir()
    (state.recordings / "a.gz").write_bytes(b"x")
    state.wipe()

    assert (state.recordings / "a.gz").exists()
    assert not state.data.exists()
