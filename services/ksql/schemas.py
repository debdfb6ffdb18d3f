"""Bodies of requests, as ksqlDB's clients send them. Unknown members are ignored."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class KsqlRequest(BaseModel):
    """``POST /ksql`` and ``POST /query``."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    ksql: str = Field(default="", description="One or more statements, each with its semicolon")
    properties: dict[str, Any] = Field(
        default_factory=dict,
        alias="streamsProperties",
        description="Properties for these statements, such as auto.offset.reset. Nothing is kept between requests",
    )
    variables: dict[str, str] = Field(default_factory=dict, alias="sessionVariables")
    sequence: int | None = Field(
        default=None,
        alias="commandSequenceNumber",
        description="Wait until the command of this number has been carried out",
    )


class QueryStreamRequest(BaseModel):
    """``POST /query-stream``."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    sql: str = Field(description="One SELECT or PRINT statement")
    properties: dict[str, Any] = Field(default_factory=dict)
    variables: dict[str, str] = Field(default_factory=dict, alias="sessionVariables")


class CloseQueryRequest(BaseModel):
    """``POST /close-query``."""

    model_config = ConfigDict(populate_by_name=True)

    query_id: str = Field(alias="queryId")


class TerminateClusterRequest(BaseModel):
    """``POST /ksql/terminate``: topics to delete besides, as names or regular expressions."""

    model_config = ConfigDict(populate_by_name=True)

    delete_topics: list[str] = Field(default_factory=list, alias="deleteTopicList")


class KsqlErrorBody(BaseModel):
    """ksqlDB's error document; one of a statement has its text and the answers of those before it besides."""

    type: str = Field(alias="@type", examples=["statement_error"])
    error_code: int = Field(description="The HTTP status, and two digits more", examples=[40001])
    message: str
