"""The seeder's settings, read from ``PAGEPULSE_`` variables."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field, SecretStr

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    port: int = Field(default=8002, ge=1, le=65535)
    mysql_host: str = "127.0.0.1"
    mysql_port: int = Field(default=13306, ge=1, le=65535)
    mysql_user: str = "pagepulse"
    mysql_password: SecretStr = SecretStr("")
    mysql_database: str = "pagepulse"
    mysql_table: str = Field(default="users", pattern=r"^[a-z_]{1,64}$")
    #: one writer, and a few readers for the pages that people and the generator ask for
    mysql_pool_size: int = Field(default=5, ge=2)
    mysql_connect_timeout: timedelta = timedelta(seconds=3)
    #: a read that takes longer than this is answered with a problem
    query_deadline: timedelta = timedelta(seconds=10)
    #: rows per statement: large enough for 100,000 rows in about a second, small enough that a cancel is felt at once
    seed_chunk: int = Field(default=5_000, ge=1)
