"""Where the dashboard's upstreams are, and how long it waits for them."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache

from pydantic import Field

from shared.settings import PipelineSettings


class Settings(PipelineSettings):
    port: int = Field(default=8501, ge=1, le=65535)
    generator_url: str = "http://127.0.0.1:8001"
    seeder_url: str = "http://127.0.0.1:8002"
    provisioner_url: str = "http://127.0.0.1:8003"
    collector_url: str = "http://127.0.0.1:8004"
    pinot_broker_url: str = "http://127.0.0.1:8099"
    #: for links that the viewer's browser opens
    pinot_controller_url: str = "http://127.0.0.1:9000"
    ksql_url: str = "http://127.0.0.1:8088"
    connect_url: str = "http://127.0.0.1:8083"
    #: a status is asked for while a person waits for the page
    rest_timeout: timedelta = timedelta(seconds=3)
    #: an action may flush a producer or seed a table
    action_timeout: timedelta = timedelta(seconds=20)
    #: an audit reads every record there is
    audit_timeout: timedelta = timedelta(minutes=15)
    query_timeout: timedelta = timedelta(seconds=4)
    #: several viewers within this time share one answer
    share_for: timedelta = timedelta(seconds=1)
    refresh: timedelta = timedelta(seconds=15)


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()
