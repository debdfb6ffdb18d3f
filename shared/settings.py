"""The one settings base. Each service is a process of its own, so all read the same ``PAGEPULSE_`` variables."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address
from typing import Literal

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """Settings that every service has.

    Raises:
        ValueError: a non-loopback ``host`` without an ``api_token``: a control plane must not be open to a network.
    """

    model_config = SettingsConfigDict(env_prefix="PAGEPULSE_", extra="ignore", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(ge=1, le=65535)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "console"] = "json"
    api_token: SecretStr | None = None
    kafka_bootstrap: str = "127.0.0.1:19092,127.0.0.1:19292,127.0.0.1:19392"
    #: how long a stopping service may take to finish what it has begun
    shutdown_grace: timedelta = timedelta(seconds=10)

    @model_validator(mode="after")
    def _refuse_an_open_door(self) -> ServiceSettings:
        if self.api_token is None and not is_loopback(self.host):
            raise ValueError(
                f"PAGEPULSE_HOST={self.host} is reachable from outside: set PAGEPULSE_API_TOKEN too, or use 127.0.0.1"
            )
        return self


def is_loopback(host: str) -> bool:
    """Whether only processes of this machine can reach a server bound to ``host``."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
