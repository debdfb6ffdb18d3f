"""The two event types that the generator makes, as they stand in Kafka.

Both are keyed by ``session_id`` (UTF-8) and carry wall-clock event time in milliseconds since the epoch.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum

from shared.json import dumps


class Source(StrEnum):
    """Where a page view came from."""

    HOMEPAGE = "Homepage"
    INBOX = "Inbox"
    EXTERNAL = "External"


class Device(StrEnum):
    """What a user logged in with."""

    MOBILE = "Mobile"
    DESKTOP = "Desktop"
    TABLET = "Tablet"


@dataclass(frozen=True, slots=True)
class PageView:
    session_id: str
    user_id: int
    source: Source
    event_timestamp: int

    def key(self) -> bytes:
        return self.session_id.encode()

    def value(self) -> bytes:
        return dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class UserSession:
    session_id: str
    user_id: int
    user_name: str
    login_timestamp: int
    device: Device

    def key(self) -> bytes:
        return self.session_id.encode()

    def value(self) -> bytes:
        return dumps(asdict(self))
