"""Records of the pipeline's topics as people read them: keys by their format, window bounds out of the key, JSON values.

ksqlDB's windowed keys: the key's bytes, then big-endian 8-byte longs: the window's start for time windows, its end and then its start
for sessions.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from typing import Any

from services.provisioner.settings import Settings
from shared import topics
from shared.durations import milliseconds
from shared.json import loads


class KeyFormat(Enum):
    TEXT = auto()
    INT = auto()


class Window(Enum):
    TIME = auto()
    SESSION = auto()


@dataclass(frozen=True, slots=True)
class Key:
    """A decoded key; the window's bounds in milliseconds, ``end`` exclusive for time windows and inclusive for sessions."""

    key: str | int | None
    window_start: int | None = None
    window_end: int | None = None


@dataclass(frozen=True, slots=True)
class KeyDecoder:
    """How one topic's keys are made; ``size`` is of its time windows, whose end is not in the key."""

    format: KeyFormat = KeyFormat.TEXT
    window: Window | None = None
    size: timedelta | None = None

    def decode(self, raw: bytes | None) -> Key:
        """Raises ValueError for bytes that are no such key."""
        if raw is None:
            return Key(None)
        if self.window is None:
            return Key(self._plain(raw))
        longs = 2 if self.window is Window.SESSION else 1
        name, bounds = raw[: -8 * longs], raw[-8 * longs :]
        if len(bounds) < 8 * longs:
            raise ValueError(f"{len(raw)} bytes are too few for a windowed key")
        if self.window is Window.SESSION:
            return Key(self._plain(name), _long(bounds[8:]), _long(bounds[:8]))
        start = _long(bounds)
        return Key(self._plain(name), start, start + milliseconds(self.size or timedelta(0)))

    def _plain(self, raw: bytes) -> str | int:
        if self.format is KeyFormat.TEXT:
            return raw.decode()
        if len(raw) != 4:
            raise ValueError(f"{len(raw)} bytes are no INT key")
        return int.from_bytes(raw, "big", signed=True)


def key_decoders(settings: Settings) -> dict[str, KeyDecoder]:
    """By topic."""
    return {
        topics.PAGE_VIEW: KeyDecoder(),
        topics.USER_SESSION: KeyDecoder(),
        topics.USERS: KeyDecoder(KeyFormat.INT),
        topics.CLEANED_USERS: KeyDecoder(KeyFormat.INT),
        topics.PAGE_VIEW_ENRICHED: KeyDecoder(KeyFormat.INT),
        topics.PAGE_VIEW_COUNTRY: KeyDecoder(window=Window.TIME, size=settings.country_window),
        topics.PAGE_VIEW_TUMBLING: KeyDecoder(window=Window.TIME, size=settings.tumbling_window),
        topics.PAGE_VIEW_HOPPING: KeyDecoder(window=Window.TIME, size=settings.hopping_window),
        topics.PAGE_VIEW_SESSION: KeyDecoder(window=Window.SESSION),
        topics.USER_SESSION_DEVICE: KeyDecoder(window=Window.TIME, size=settings.device_window),
        topics.PAGE_VIEW_PAGE: KeyDecoder(window=Window.TIME, size=settings.page_window),
    }


def decode_value(raw: bytes | None) -> Any:
    """The JSON value; None for a tombstone; the text, marked, where it is no JSON."""
    if raw is None:
        return None
    try:
        return loads(raw)
    except ValueError:
        return {"malformed": raw[:200].decode(errors="replace")}


def _long(raw: bytes) -> int:
    return int.from_bytes(raw, "big", signed=True)
