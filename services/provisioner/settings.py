"""What the provisioner can be told by ``PAGEPULSE_`` variables: where the servers are and how the pipeline is sized."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator

from services.provisioner.durations import require_whole_milliseconds
from shared import topics
from shared.settings import ServiceSettings

#: a positive duration of whole milliseconds: the only ones that a window clause can hold
WindowDuration = Annotated[timedelta, AfterValidator(require_whole_milliseconds)]


class Settings(ServiceSettings):
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

    partitions: int = Field(default=topics.PARTITIONS, ge=1, le=1000)
    replication_factor: int = Field(default=topics.REPLICATION_FACTOR, ge=1, le=9)
    #: acknowledged writes stand on this many brokers; fewer than the replicas, so that one broker may be away
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
    session_gap: WindowDuration = timedelta(seconds=30)
    device_window: WindowDuration = timedelta(minutes=1)
    #: with 2 minutes a backlog spread over 5 partitions makes whole windows late (seen on a real ksqlDB)
    grace: WindowDuration = timedelta(minutes=10)
    retention: WindowDuration = timedelta(days=1)

    #: a call to another server
    call_timeout: timedelta = timedelta(seconds=10)
    #: one observation of one resource, for ``GET /provisioner/status``
    status_timeout: timedelta = timedelta(milliseconds=900)
    #: ``GET /provisioner/status`` answers the look that is under way, or the last one for so long after its end: however many ask, the
    #: servers are asked no more often
    status_max_age: timedelta = timedelta(milliseconds=500)
    #: how often the provisioner looks when nobody asks, so that its metrics move
    watch_interval: timedelta = Field(default=timedelta(minutes=1), gt=timedelta(0))
    #: one step of a run with its retries, e.g. a connector until its task runs
    step_timeout: timedelta = timedelta(seconds=90)
    #: between two looks at something that takes its time
    poll_interval: timedelta = timedelta(milliseconds=150)

    #: records of the source topics that an audit may hold, some 30 bytes each
    verify_max_records: int = Field(default=10_000_000, ge=1)
    #: how long an audit waits for the pipeline to have worked off what is in the sources
    verify_settle: timedelta = timedelta(seconds=30)
    #: an event further ahead of its record's timestamp than this is not expected in any table: the embedded ksqlDB drops it by its setting
    #: of the same name, so that it does not make all others late. A real ksqlDB takes it; a long duration says so.
    max_event_time_ahead: timedelta | None = timedelta(hours=1)
    #: relative error allowed in distinct users; 0 for an exact engine, about 0.03 for ksqlDB's estimate
    distinct_tolerance: float = Field(default=0.0, ge=0, le=1)

    @property
    def servers_bootstrap(self) -> str:
        """The brokers as Connect and Pinot must be told."""
        return self.internal_bootstrap or self.kafka_bootstrap

    @model_validator(mode="after")
    def _windows_fit(self) -> Settings:
        if self.min_insync_replicas > self.replication_factor:
            raise ValueError("min_insync_replicas must not exceed replication_factor: nothing could be written")
        if self.hopping_advance > self.hopping_window:
            raise ValueError("hopping_advance must not be longer than hopping_window: events between would be lost")
        longest = max(
            self.country_window, self.tumbling_window, self.hopping_window, self.session_gap, self.device_window
        )
        if self.retention < longest + self.grace:
            raise ValueError(
                f"retention ({self.retention}) must cover the longest window and the grace ({longest + self.grace})"
            )
        return self
