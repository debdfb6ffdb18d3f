"""The generator's settings, read from ``PAGEPULSE_`` variables."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field

from shared import topics
from shared.settings import PipelineSettings


class Settings(PipelineSettings):
    port: int = Field(default=8001, ge=1, le=65535)
    seeder_url: str = "http://127.0.0.1:8002"
    page_view_topic: str = topics.PAGE_VIEW
    user_session_topic: str = topics.USER_SESSION
    #: bytes of one batch; aiokafka has one batch per partition on its way, the broker's limit is 1 MiB
    batch_bytes: int = Field(default=512 * 1024, ge=1024, le=1_000_000)
    #: events are sent this often at most, all partitions together: each sending is a request to every broker, and wakes those that
    #: copy or read what it brings. Many events of a partition are sent at once.
    linger: timedelta = Field(default=timedelta(milliseconds=100), ge=timedelta(0))
    compression: Literal["gzip"] | None = None
    #: readers of GET /generator/events at a time
    max_subscribers: int = Field(default=100, ge=1)
    #: events made and not yet acknowledged; beyond it production waits. About 40 MB.
    max_in_flight: int = Field(default=150_000, ge=1)
    #: how long a stop waits for the acknowledgements of what was sent
    flush_deadline: timedelta = timedelta(seconds=8)
    #: how long a start waits for Kafka
    kafka_deadline: timedelta = timedelta(seconds=10)
    #: open sessions; beyond this the next view comes early instead of a further login
    max_active_sessions: int = Field(default=20_000, ge=1)
    #: how often the population is read again while running (users come and go)
    population_refresh: timedelta = timedelta(seconds=30)
    #: the folder that holds recordings for the replay profile
    recordings: Path = Path("recordings")
