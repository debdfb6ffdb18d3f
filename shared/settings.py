"""The one settings base. Each service is a process of its own, so all read the same ``PAGEPULSE_`` variables."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.durations import WindowDuration


def _split(value: object) -> object:
    return tuple(filter(None, (name.strip() for name in value.split(",")))) if isinstance(value, str) else value


#: in the environment: names with commas between them
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


class ServiceSettings(BaseSettings):
    """Settings that every service has.

    Raises:
        ValueError: a non-loopback ``host`` without an ``api_token``: a control plane must not be open to a network.
    """

    # An error of the whole would otherwise print all values that were given, secrets too.
    model_config = SettingsConfigDict(env_prefix="PAGEPULSE_", extra="ignore", frozen=True, hide_input_in_errors=True)

    host: str = "127.0.0.1"
    port: int = Field(ge=1, le=65535)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "console"] = "json"
    api_token: SecretStr | None = None
    kafka_bootstrap: str = "127.0.0.1:19092,127.0.0.1:19292,127.0.0.1:19392"
    #: how long a stopping service may take to finish what it has begun
    shutdown_grace: timedelta = timedelta(seconds=10)

    #: names under which clients reach the service, besides IP addresses and localhost; ``*.example.org``: all below it
    allowed_hosts: Names = ()
    #: web pages of other origins that may use the API from a browser, e.g. ``https://ops.example.org``
    allowed_origins: Names = ()
    max_body_bytes: int = Field(default=256 * 1024, ge=1)
    #: of all bodies at one time
    max_held_bytes: int = Field(default=32 * 1024 * 1024, ge=1)
    #: of the path and the query together
    max_target_bytes: int = Field(default=8 * 1024, ge=64)
    max_header_bytes: int = Field(default=32 * 1024, ge=1024)
    #: requests that are answered at the same time, streams included
    max_requests: int = Field(default=512, ge=1)
    #: open connections; beyond this an idle one is closed
    max_connections: int = Field(default=2048, ge=1)
    #: how long the head of a request, and then its body, may take to arrive, and a client to read what waits for it
    arrival_deadline: timedelta = timedelta(seconds=20)

    @model_validator(mode="after")
    def _refuse_an_open_door(self) -> ServiceSettings:
        if self.api_token is None and not is_loopback(self.host):
            raise ValueError(
                f"PAGEPULSE_HOST={self.host} is reachable from outside: set PAGEPULSE_API_TOKEN too, or use 127.0.0.1"
            )
        return self


class PipelineSettings(ServiceSettings):
    """Settings of the services that must agree on a property of the pipeline."""

    #: the pause that ends a session window: in the pipeline's SQL, on the dashboard's charts, and shorter than the generator's pauses
    session_gap: WindowDuration = timedelta(seconds=30)


def is_loopback(host: str) -> bool:
    """Whether only processes of this machine can reach a server bound to ``host``."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
