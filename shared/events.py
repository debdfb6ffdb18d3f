"""The two event types of the source topics, as they are stored in Kafka.

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
    """The fields after ``event_timestamp`` come from real visitors only; where there is no value the field is left out."""

    session_id: str
    user_id: int
    source: Source
    event_timestamp: int
    page: str | None = None
    referrer_host: str | None = None
    utm_source: str | None = None
    utm_medium: str | None = None
    utm_campaign: str | None = None

    def key(self) -> bytes:
        return self.session_id.encode()

    def value(self) -> bytes:
        return dumps({name: value for name, value in asdict(self).items() if value is not None})


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
