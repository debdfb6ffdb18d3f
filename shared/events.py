"""The contract of the source topics: the records as they are stored in Kafka. ``shared/asyncapi.py`` makes JSON Schemas of these types.

Page views and logins are keyed by ``session_id`` (UTF-8) and carry wall-clock event time in milliseconds since the epoch. Users are
keyed by ``user_id`` (4 bytes, big-endian).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from typing import Annotated, Final

from pydantic import Field

from shared.json import dumps

#: KSQL's INT; an anonymous visitor's number is negative
UserId = Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]
#: milliseconds since the epoch; KSQL's BIGINT
Millis = Annotated[int, Field(ge=0, le=2**63 - 1, description="Milliseconds since the epoch")]


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
    """``page`` is a path as the collector writes it. Only real visitors have the fields after it. A field without a value is left out."""

    session_id: str
    user_id: UserId
    source: Source
    event_timestamp: Millis
    page: str | None = None
    referrer_host: str | None = None
    utm_source: str | None = None
    utm_medium: str | None = None
    utm_campaign: str | None = None

    def key(self) -> bytes:
        return self.session_id.encode()

    def value(self) -> bytes:
        given = zip(PageView.__slots__, _FIELDS(self), strict=True)
        return dumps({name: value for name, value in given if value is not None})


#: the values of a page view in the order of its fields
_FIELDS: Final = attrgetter(*PageView.__slots__)


@dataclass(frozen=True, slots=True)
class UserSession:
    """A login: one per session."""

    session_id: str
    user_id: UserId
    user_name: str
    login_timestamp: Millis
    device: Device

    def key(self) -> bytes:
        return self.session_id.encode()

    def value(self) -> bytes:
        return dumps(self)


@dataclass(frozen=True, slots=True)
class User:
    """A row of the users table, as Kafka Connect writes it; a tombstone deletes the user. Unknown values are null."""

    user_id: UserId
    age: int | None
    gender: str | None
    country: str | None
    subscription: str | None


@dataclass(frozen=True, slots=True)
class RejectedHeaders:
    """The headers of a rejected event, each as UTF-8. The record's value is what was sent, byte by byte."""

    #: why it was rejected, for people
    reason: str
    #: the part that is wrong: a field's name, ``event`` or ``body``
    field: str
    #: receipt in milliseconds since the epoch, in decimal digits
    received_at: Annotated[str, Field(pattern=r"^[0-9]{1,19}$")]
    #: the ``Origin`` of the page that sent it; empty if there was none
    origin: str
    #: from the user agent, which is not kept
    device: Device
    #: the id of the collector, which is the one that can send it again
    collector: str
    #: 0; earlier versions wrote an event again that was rejected again, and counted this, in decimal digits
    replays: Annotated[str, Field(pattern=r"^[0-9]{1,9}$")]
    #: present if the value was too long and is cut
    truncated: Annotated[str, Field(pattern="^true$")] | None = None


@dataclass(frozen=True, slots=True)
class DroppedHeaders:
    """The headers of a record that the embedded ksql could not use, each as UTF-8. The value is that of the source topic, byte by byte."""

    #: why it cannot be used, for people
    reason: str
    #: the cause as the engine counts it
    field: str
    #: the record's timestamp in milliseconds since the epoch, in decimal digits
    received_at: Annotated[str, Field(pattern=r"^[0-9]{1,19}$")]
    #: where the record is
    topic: str
    partition: Annotated[str, Field(pattern=r"^[0-9]{1,10}$")]
    offset: Annotated[str, Field(pattern=r"^[0-9]{1,19}$")]
    #: present if the value was too long and is cut
    truncated: Annotated[str, Field(pattern="^true$")] | None = None
