"""Requests and answers of the collector's API."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt, TypeAdapter

#: what the tracker makes: 128 random bits as hexadecimal digits, or an id of the caller's own
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
#: a site's own number of a user; KSQL's INT
UserId = Annotated[StrictInt, Field(ge=1, le=2**31 - 1)]


class VisitorEvent(BaseModel):
    """One page view as a browser reports it. Unknown fields are ignored, so that a newer tracker meets an older collector."""

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={
            "examples": [
                {
                    "id": "5f0c1c9c7d6d4e0c9f0f7a7f5f0c1c9c",
                    "session": "9f0f7a7f5f0c1c9c7d6d4e0c",
                    "url": "https://shop.example/products/lamp?utm_medium=email",
                    "referrer": "https://search.example/",
                    "delay_ms": 120,
                }
            ]
        },
    )

    id: Identifier = Field(description="Unique per event; a retry sends the same one and is counted once")
    session: Identifier = Field(description="The visit, which ends after 30 minutes without an event")
    url: str = Field(max_length=2048, description="The page; of the query only utm_* is kept")
    referrer: str = Field(default="", max_length=2048, description="The page before; only its host is kept")
    user: UserId | None = Field(default=None, description="The site's own number of the user, if the site gives one")
    delay_ms: int = Field(
        default=0, ge=0, description="Milliseconds between the view and this request, by the client's clock"
    )


#: validates a batch at once; an error names the event by its index
VISITOR_EVENTS: Final = TypeAdapter(list[VisitorEvent])


class Rejection(BaseModel):
    index: int = Field(description="Position in the batch, from 0")
    reason: str


class Accepted(BaseModel):
    """``accepted`` events are durable. ``duplicates`` among them were accepted before and are counted once."""

    accepted: int
    duplicates: int = 0
    ignored: Literal["do-not-track"] | None = Field(
        default=None, description="Set if nothing was kept because the visitor asks not to be tracked"
    )
    rejected: list[Rejection] = []


class RejectedEvent(BaseModel):
    offset: int = Field(description="In the topic of rejected events")
    received_at: datetime | None = None
    field: str = Field(description="What is wrong: a field's name, `event` or `body`")
    reason: str
    origin: str = Field(
        default="",
        description="The Origin header of the page that sent it, or where a record is that the engine dropped",
    )
    replays: int = Field(default=0, description="How often an earlier version replayed it and rejected it again")
    truncated: bool = Field(default=False, description="It was too long and is cut; it is not sent again")
    value: str = Field(description="What was sent, byte by byte")
    encoding: Literal["utf-8", "base64"] = Field(description="Of `value`; base64 if the bytes are not UTF-8")


class RejectedPage(BaseModel):
    events: list[RejectedEvent]
    next: int = Field(description="Read on from here")


class Replayed(BaseModel):
    """Of the rejected events that this answer covers."""

    sent: int = Field(description="Accepted now, and durable")
    rejected: int = Field(description="Still not valid: they stay in the topic as they are")
    skipped: int = Field(description="Duplicates, cut ones, and those of another collector")
    next: int = Field(description="Offset of the first event that is not covered")
    end: int = Field(description="End of the topic when the replay began; give it as `until` to go on")


class ForgottenState(BaseModel):
    user_id: int
    forgotten: bool = Field(description="Later events of the user are anonymous")
    tombstone_published: bool = Field(
        description="Kafka has acknowledged everything that was written up to the last erasure"
    )


class Forgotten(BaseModel):
    user_id: int
    detail: str


class Status(BaseModel):
    """Events since the start, and what waits for Kafka."""

    accepted: int
    duplicates: int
    ignored: int
    rejected: dict[str, int]
    rejected_kept: int = Field(description="Rejected events that are or will be in the topic of rejected events")
    rejected_dropped: int = Field(
        description="Rejected events that were not kept: the journal is more than half full, or none is to be kept"
    )
    replayed: int = Field(description="Rejected events that were sent again and accepted")
    published: int = Field(description="Accepted events acknowledged by Kafka")
    waiting: int = Field(description="Entries of the journal, rejected events too, that Kafka has not acknowledged yet")
    ids: int = Field(description="Event ids that are remembered, so that a retry counts once")
    ids_dropped: int = Field(
        description="Ids forgotten before their time, because there were more than PAGEPULSE_MAX_EVENT_IDS: a retry with one counts again"
    )
    journal_bytes: int
    journal_max_bytes: int
    last_error: str | None = Field(default=None, description="Why Kafka takes no events at present")
