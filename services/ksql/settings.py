"""Settings of the embedded ksqlDB."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Read from ``PAGEPULSE_*`` variables."""

    port: int = Field(default=8088, ge=1, le=65535)
    #: statements and rows to insert come in one body
    max_body_bytes: int = Field(default=2 * 1024 * 1024, ge=1)
    max_held_bytes: int = Field(default=64 * 1024 * 1024, ge=1)
    #: SELECT and PRINT requests that are answered at a time
    max_open_queries: int = Field(default=100, ge=1)
    #: names the internal topics and the transactional ids: a second server with the same id takes over from the first
    service_id: str = "default_"
    #: as ksqlDB's commit.interval.ms: state, offsets and results become visible together this often at most. What comes after a pause of
    #: that length is committed at once. Each commit costs the brokers dozens of requests, however little is in it.
    commit_interval: timedelta = timedelta(milliseconds=500)
    #: partitions and replicas of sinks that take them neither from WITH nor from their source
    default_partitions: int = Field(default=5, ge=1)
    #: an event further ahead than this of its record's timestamp (of the clock, where that is the event time) is dropped and counted: it
    #: would make all others late
    max_event_time_ahead: timedelta | None = timedelta(hours=1)
    #: a topic for records that no query can read, as they came and with the cause; without it they are only counted
    rejected_topic: str = ""
    #: how long a command, or a wait for a command sequence number, may take (ksql.server.command.response.timeout.ms)
    command_timeout: timedelta = timedelta(seconds=5)
    #: Kafka Connect's REST API, for connector statements (ksql.connect.url); without it they are refused
    connect_url: str = ""
    #: Python modules of functions (@udf, @udaf, @udtf), comma-separated; they are imported at the start, with all the rights of the server
    functions: str = ""
    #: rows of a push query that its client has not read yet; beyond this the query waits
    push_backlog: int = Field(default=10_000, ge=1)

    @property
    def topic_prefix(self) -> str:
        """How the names of the internal topics begin."""
        return f"_pagepulse-ksql-{self.service_id}"

    @property
    def command_topic(self) -> str:
        return f"{self.topic_prefix}_command_topic"

    @property
    def state_topic(self) -> str:
        return f"{self.topic_prefix}_state"
