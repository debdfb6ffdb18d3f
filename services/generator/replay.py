"""Replays a recording (``shared/recording.py``). Stamps are moved to the present, so that windows and retention see live events; their
distances stay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from services.generator.profiles import Replay
from services.generator.source import Event, Made
from shared.errors import NotFound, Unprocessable
from shared.json import dumps
from shared.partitioner import partition_for
from shared.recording import STAMPS, event_of, unpacked

#: a recording is held in memory
_MAX_BYTES: Final = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Recording:
    """Events in order of time; ``times`` are seconds from the first one."""

    events: tuple[dict[str, Any], ...]
    times: tuple[float, ...]


async def load(folder: Path, profile: Replay) -> Recording:
    """Reads and checks the whole file.

    Raises:
        NotFound: no such recording.
        Unprocessable: too large, empty, or a line that is no event.
    """
    path = folder / profile.file
    try:
        if await asyncio.to_thread(lambda: path.stat().st_size) > _MAX_BYTES:
            raise Unprocessable(f"The recording {profile.file} is larger than {_MAX_BYTES // 1024**2} MiB.")
        data = await asyncio.to_thread(path.read_bytes)
    except OSError as error:
        raise NotFound(f"There is no recording {profile.file!r} in the folder for recordings.") from error
    return await asyncio.to_thread(lambda: parse(unpacked(data, _MAX_BYTES)))


def parse(text: bytes) -> Recording:
    """The recording in an NDJSON text. Raises ``Unprocessable`` with the number of the line that is wrong."""
    stamped: list[tuple[int, dict[str, Any]]] = []
    for number, line in enumerate(text.split(b"\n"), start=1):
        if not line.strip():
            continue
        found = event_of(line)
        if found is None:
            raise Unprocessable(f"Line {number} of the recording is neither a page view nor a login.")
        stamped.append(found)
    if not stamped:
        raise Unprocessable("The recording has no events.")
    stamped.sort(key=lambda pair: pair[0])
    first = stamped[0][0]
    return Recording(tuple(event for _, event in stamped), tuple((stamp - first) / 1000 for stamp, _ in stamped))


@dataclass(slots=True)
class Player:
    """An ``EventSource`` that gives the recorded events in order, again and again."""

    recording: Recording
    partitions: int
    made: Made = field(default_factory=Made)
    _next: int = 0

    def emit(self, times: Sequence[float], now_ms: int, *, at_full_speed: bool = False) -> list[Event]:
        return [self._event(now_ms) for _ in times]

    def _event(self, now_ms: int) -> Event:
        position, round_ = self._next % len(self.recording.events), self._next // len(self.recording.events)
        self._next += 1
        event = dict(self.recording.events[position])
        if round_:
            event["session_id"] = f"{event['session_id']}.{round_}"
        is_view = STAMPS[0] in event
        event[STAMPS[0 if is_view else 1]] = now_ms
        if is_view:
            self.made.page_views += 1
        else:
            self.made.user_sessions += 1
        key = event["session_id"].encode()
        queue = partition_for(key, self.partitions) + (0 if is_view else self.partitions)
        return queue, key, dumps(event)
