"""The collector's settings, read from ``PAGEPULSE_`` variables."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pydantic import Field

from shared import topics
from shared.settings import Names, ServiceSettings


class Settings(ServiceSettings):
    """Durations are ISO 8601 (``PT30S``) or ``HH:MM:SS``."""

    port: int = Field(default=8004, ge=1, le=65535)
    page_view_topic: str = topics.PAGE_VIEW
    user_session_topic: str = topics.USER_SESSION
    #: events that are not accepted, as they were sent; the collector creates it
    rejected_topic: str = topics.REJECTED
    rejected_retention: timedelta = timedelta(days=7)
    rejected_retention_bytes: int = Field(default=256 * 1024 * 1024, ge=1024 * 1024)
    #: bytes kept of a rejected event; 0: rejected events are counted and not kept
    max_rejected_bytes: int = Field(default=64 * 1024, ge=0, le=256 * 1024)

    #: the journal of accepted events: one folder per collector, on a disk that survives a restart
    journal: Path = Path("collector-journal")
    #: bytes of the journal; when events that Kafka has not acknowledged fill it, requests are answered with 503
    journal_max_bytes: int = Field(default=256 * 1024 * 1024, ge=64 * 1024)
    #: a segment is deleted as a whole, once all of it is published and older than ``session_timeout``
    journal_segment_bytes: int = Field(default=4 * 1024 * 1024, ge=4 * 1024)

    #: unique per collector: a second one with the same name fences the first
    collector_id: str = Field(default="1", pattern=r"^[A-Za-z0-9._-]{1,64}$")
    #: the compacted topic with each collector's position and its list of forgotten users
    state_topic: str = "_pagepulse_collector"
    replication_factor: int = Field(default=topics.REPLICATION_FACTOR, ge=1, le=9)
    #: events are gathered for this long before a transaction begins, unless a full one waits
    linger: timedelta = timedelta(milliseconds=50)
    #: events of one transaction
    max_transaction_events: int = Field(default=5_000, ge=1)

    #: a session ends after this pause; event ids and sessions are remembered for as long, also over a restart
    session_timeout: timedelta = timedelta(minutes=30)
    #: ids in memory, about 160 bytes each; of more within ``session_timeout`` the oldest are forgotten, and a retry with one counts again
    max_event_ids: int = Field(default=1_000_000, ge=1_000)
    #: event time is the receipt minus the client's own delay, which counts up to this
    max_delay: timedelta = timedelta(hours=1)
    max_batch_events: int = Field(default=200, ge=1)
    #: accepted from one address per minute; addresses are kept in memory only
    client_events_per_minute: int = Field(default=1_200, ge=1)

    #: host names of the site itself, besides the page's own host: a referrer from there is not another site
    site_hosts: Names = ()
    #: values of utm_medium that make a page view come from the inbox
    inbox_mediums: Names = ("email", "e-mail", "mail", "newsletter")
