"""Settings of the provisioner (``PAGEPULSE_`` variables): addresses of the servers and sizes of the pipeline."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field, SecretStr, model_validator

from shared import topics
from shared.durations import WindowDuration
from shared.settings import PipelineSettings


class Settings(PipelineSettings):
    """The provisioner's settings; durations are ISO 8601 (``PT30S``) or ``HH:MM:SS``.

    Raises:
        ValueError: windows that ksqlDB would refuse (an advance beyond the size, a retention below size and grace).
    """

    port: int = Field(default=8003, ge=1, le=65535)

    connect_url: str = "http://127.0.0.1:8083"
    ksql_url: str = "http://127.0.0.1:8088"
    pinot_controller_url: str = "http://127.0.0.1:9000"
    pinot_broker_url: str = "http://127.0.0.1:8099"

    mysql_host: str = "127.0.0.1"
    mysql_port: int = 13306
    mysql_database: str = Field(default="pagepulse", pattern=r"^[A-Za-z0-9_]+$")
    #: the account that reads the change log; it only ever reaches the connector's configuration
    cdc_user: str = "cdc"
    cdc_password: SecretStr = SecretStr("")
    #: which of ``resources/connect/*.json`` copies the users: change capture, or JDBC polling (which misses deletions)
    connector: Literal["users-source", "users-source-jdbc"] = "users-source"
    #: with which driver the JDBC connector reads. MySQL's cuts the fractions of seconds when the server is a MariaDB, and then every
    #: row is read again and again: a MariaDB needs its own driver.
    jdbc_driver: Literal["mysql", "mariadb"] = "mysql"

    partitions: int = Field(default=topics.PARTITIONS, ge=1, le=1000)
    replication_factor: int = Field(default=topics.REPLICATION_FACTOR, ge=1, le=9)
    #: in-sync replicas of an acknowledged write; fewer than the replicas, so that one broker may be unavailable
    min_insync_replicas: int = Field(default=topics.MIN_INSYNC_REPLICAS, ge=1, le=9)
    #: how Kafka Connect, Pinot and ksqlDB reach the brokers, where that differs from how the provisioner does
    internal_bootstrap: str | None = None
    #: Pinot 0.11 has the Kafka 2.0 plug-in, Pinot 1.4 and newer have ``...kafka30.KafkaConsumerFactory`` instead
    pinot_consumer_factory: str = "org.apache.pinot.plugin.stream.kafka20.KafkaConsumerFactory"

    #: servers that hold each Pinot segment; more than one needs as many servers, and a deep store for their completed segments
    pinot_replicas: int = Field(default=1, ge=1, le=9)
    #: completed segments whose windows are all older are dropped by Pinot's controller
    pinot_retention_days: int = Field(default=30, ge=1)

    source_retention: WindowDuration = timedelta(days=7)
    country_window: WindowDuration = timedelta(minutes=5)
    tumbling_window: WindowDuration = timedelta(minutes=1)
    hopping_window: WindowDuration = timedelta(minutes=5)
    hopping_advance: WindowDuration = timedelta(minutes=1)
    device_window: WindowDuration = timedelta(minutes=1)
    page_window: WindowDuration = timedelta(minutes=5)
    #: with 2 minutes a backlog spread over 5 partitions makes whole windows late (seen on a real ksqlDB)
    grace: WindowDuration = timedelta(minutes=10)
    retention: WindowDuration = timedelta(days=1)

    #: a call to another server
    call_timeout: timedelta = timedelta(seconds=10)
    #: a KSQL statement that changes something: a cold ksqlDB has taken more than 10 s
    ddl_timeout: timedelta = timedelta(seconds=60)

    #: from one observation of a server's resources to the next, while the status is requested and while a server does not answer
    watch_interval: timedelta = Field(default=timedelta(seconds=3), gt=timedelta(0))
    #: the same without a request for ``watch_attention``: the metrics and alerts move at this pace
    watch_idle_interval: timedelta = Field(default=timedelta(seconds=15), gt=timedelta(0))
    watch_attention: timedelta = timedelta(seconds=30)
    #: one observation of one resource, with the time that it waits for its turn
    look_timeout: timedelta = Field(default=timedelta(seconds=10), gt=timedelta(0))
    #: what was right and is no longer is looked at again after this time, and counts only if it is still so
    look_again: timedelta = timedelta(seconds=1)
    #: without an answer for this long a resource becomes ``unknown``; until then its last observation is kept
    unknown_after: timedelta = timedelta(seconds=30)
    #: one step of a run with its retries, e.g. a connector until its task runs
    step_timeout: timedelta = timedelta(seconds=90)
    #: between two polls of an operation in progress
    poll_interval: timedelta = timedelta(milliseconds=150)

    #: records of the source topics that an audit may hold, some 40 bytes each
    verify_max_records: int = Field(default=10_000_000, ge=1)
    #: how long an audit waits for the queries to read what is in the sources; after that its verdict on a difference is "not caught up"
    verify_catch_up: timedelta = timedelta(minutes=2)
    #: how long a difference must last after that to count
    verify_settle: timedelta = timedelta(seconds=30)
    #: an event further ahead of its record's timestamp than this is not expected in any table: the embedded ksqlDB drops it by its setting
    #: of the same name, so that it does not make all others late. A real ksqlDB takes it; a long duration says so.
    max_event_time_ahead: timedelta | None = timedelta(hours=1)
    #: relative error allowed in distinct users; 0 for an exact engine, about 0.03 for ksqlDB's estimate
    distinct_tolerance: float = Field(default=0.0, ge=0, le=1)

    @property
    def servers_bootstrap(self) -> str:
        """The brokers' addresses for Connect and Pinot."""
        return self.internal_bootstrap or self.kafka_bootstrap

    @model_validator(mode="after")
    def _windows_fit(self) -> Settings:
        if self.min_insync_replicas > self.replication_factor:
            raise ValueError("min_insync_replicas must not exceed replication_factor: nothing could be written")
        if self.hopping_advance > self.hopping_window:
            raise ValueError("hopping_advance must not be longer than hopping_window: events between would be lost")
        longest = max(
            self.country_window,
            self.tumbling_window,
            self.hopping_window,
            self.session_gap,
            self.device_window,
            self.page_window,
        )
        if self.retention < longest + self.grace:
            raise ValueError(
                f"retention ({self.retention}) must cover the longest window and the grace ({longest + self.grace})"
            )
        return self
