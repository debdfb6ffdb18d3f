"""ksqlDB's REST API, one statement at a time (observed on ksqlDB 8.1).

Its messages are wrapped at 80 columns with a newline and a tab, so white space is collapsed before anything is matched. A server on a
busy machine takes 60 to 480 ms for a DESCRIBE EXTENDED, and ten at once 2 s: only a few are asked at a time.

``SET`` does not outlive a call, so every request carries its properties. DDL is answered before it is done: its command is polled at
``/status/...`` and its sequence number goes with the next request, so that the server has caught up before it processes that. DDL is
serialised here, because two at once make the server answer "Another command with the same id".
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import httpx
import stamina

from services.provisioner.clients.polling import wait_until
from services.provisioner.errors import AlreadyThere, StatementRejected
from shared.errors import NotFound, TransientUpstreamError, Unavailable, UpstreamError
from shared.http import problem_text, request

_SERVICE = "ksqlDB"

EARLIEST = {"ksql.streams.auto.offset.reset": "earliest"}

#: DESCRIBE EXTENDED at a time
_DESCRIBES = 2

#: error codes that pass by themselves: catch-up time-out, server not ready
_PASSING_CODES = frozenset({50301, 50302})

#: causes under "Could not write the statement into the command topic" that pass; any other is a refusal
_PASSING_CAUSES = ("timeout", "timed out", "not available", "notleader", "not enough replicas", "disconnect", "fenced")

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a statement; ``query_id`` if it started a query."""

    message: str
    query_id: str | None
    sequence: int | None


class KsqlClient:
    """Talks to one ksqlDB server."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        patience: timedelta,
        poll_interval: timedelta,
        ddl_timeout: timedelta = timedelta(seconds=60),
    ) -> None:
        self._http = http
        self._patience = patience
        self._poll = poll_interval
        self._ddl_timeout = ddl_timeout
        self._describes = asyncio.Semaphore(_DESCRIBES)
        self._one_at_a_time = asyncio.Lock()
        self._sequence: int | None = None

    async def ping(self) -> None:
        """Raises if the server does not answer or is not ready."""
        body = (await self._request("GET", "/healthcheck")).json()
        if not body.get("isHealthy"):
            raise Unavailable(f"{_SERVICE} says that it is not healthy: {body.get('details')}", service=_SERVICE)

    async def execute(self, statement: str) -> Outcome:
        """Runs one DDL statement to its end, with ``auto.offset.reset=earliest``.

        Raises:
            AlreadyThere: a source of that name exists (whatever its definition).
            StatementRejected: the statement is wrong here and now.
            TransientUpstreamError: ksqlDB stayed busy beyond the retries.
            NotReadyInTime: the command was accepted and not carried out in time.
            DeadlineExceeded, Unavailable: no answer; the statement may have taken effect, so look before it is sent again.
        """
        async with self._one_at_a_time:
            entities = await self._post(statement, EARLIEST, self._sequence, timeout=self._ddl_timeout.total_seconds())
            outcome = Outcome("nothing to do", None, None)
            for entity in entities:
                if entity.get("@type") == "warning_entity":
                    raise AlreadyThere(f"{_SERVICE}: {_plain(entity.get('message'))}")
                if entity.get("@type") == "currentStatus":
                    outcome = await self._finish(entity)
            return outcome

    async def ask(self, statement: str) -> Json:
        """The one entity of a statement that only looks (SHOW, DESCRIBE).

        Raises:
            StatementRejected: e.g. an unknown name.
        """
        entities = await self._post(statement, {}, None)
        if not entities:
            raise UpstreamError(f"{_SERVICE} answered {statement} with nothing")
        return entities[0]

    async def describe(self, name: str) -> Json | None:
        """``DESCRIBE ... EXTENDED`` of a stream or table, or None if there is none of that name."""
        async with self._describes:
            try:
                entity = await self.ask(f"DESCRIBE {name} EXTENDED;")
            except StatementRejected as error:
                if "could not find" in error.detail.lower():
                    return None
                raise
        description: Json = entity["sourceDescription"]
        return description

    async def rows(self, sql: str) -> tuple[list[str], list[list[Any]]]:
        """Column names and rows of a pull query, read as the newline-delimited arrays of ``/query-stream``."""
        response = await self._request("POST", "/query-stream", json={"sql": sql, "properties": {}})
        # A text in a row may hold what else counts as the end of a line, and half of a surrogate pair, which orjson refuses.
        try:
            lines = [json.loads(line) for line in response.content.split(b"\n") if line.strip()]
        except ValueError as error:
            raise UpstreamError(f"{_SERVICE} answered a pull query with something other than JSON") from error
        if not lines or "columnNames" not in lines[0]:
            raise UpstreamError(f"{_SERVICE} answered a pull query in an unknown form")
        return lines[0]["columnNames"], [line for line in lines[1:] if isinstance(line, list)]

    async def _finish(self, entity: Json) -> Outcome:
        """Follows a command to its end and remembers its number for the next request."""
        command, status = entity["commandId"], entity["commandStatus"]
        sequence = entity.get("commandSequenceNumber")
        if isinstance(sequence, int) and sequence >= 0:
            self._sequence = sequence

        async def poll() -> str | None:
            nonlocal status
            if status["status"] in ("SUCCESS", "ERROR", "TERMINATED"):
                return None
            status = (await self._request("GET", f"/status/{quote(command, safe='/')}")).json()
            return None if status["status"] in ("SUCCESS", "ERROR", "TERMINATED") else f"it is {status['status']}"

        await wait_until(poll, what=f"{_SERVICE}: {command} is not done", within=self._patience, every=self._poll)
        if status["status"] == "ERROR":
            raise _refusal(_plain(status.get("message")), entity.get("statementText"))
        return Outcome(_plain(status.get("message")), status.get("queryId"), self._sequence)

    async def _post(
        self, statement: str, properties: dict[str, str], sequence: int | None, **options: Any
    ) -> list[Json]:
        body: Json = {"ksql": statement, "streamsProperties": properties}
        if sequence is not None:
            body["commandSequenceNumber"] = sequence
        try:
            entities: list[Json] = (await self._request("POST", "/ksql", json=body, **options)).json()
        except (UpstreamError, AlreadyThere) as error:
            self._remember(error.extra.get("entities") or [])
            raise
        return entities

    def _remember(self, entities: list[Json]) -> None:
        """After a failure: what of the request was done nevertheless counts for the next sequence number."""
        for entity in entities:
            if isinstance(entity.get("commandSequenceNumber"), int):
                self._sequence = entity["commandSequenceNumber"]

    async def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        async for attempt in stamina.retry_context(
            on=_BusyError, attempts=10, timeout=self._patience, wait_initial=0.2, wait_max=2.0
        ):
            with attempt:
                response = await request(self._http, method, path, service=_SERVICE, **options)
                if response.is_success:
                    return response
                if response.status_code == 404:
                    raise NotFound(f"{_SERVICE}: {_text(response)}")
                await self._raise(response)
        raise UpstreamError(f"{_SERVICE}: {method} {path} was not tried")

    async def _raise(self, response: httpx.Response) -> None:
        try:
            body = response.json()
        except ValueError:
            body = {}
        body = body if isinstance(body, dict) else {}
        message, code = _text(response), body.get("error_code")
        if response.status_code == 429 or code in _PASSING_CODES:
            await asyncio.sleep(_retry_after(response))
            raise _BusyError(f"{_SERVICE}: {message}", error_code=code)
        error = _refusal(message, body.get("statementText"), code)
        error.extra["entities"] = body.get("entities") or []
        raise error


class _BusyError(TransientUpstreamError):
    """Try the same request again."""


def _refusal(message: str, statement: str | None, code: int | None = None) -> UpstreamError | AlreadyThere:
    """The right error for ksqlDB's words: exists, try again, or no."""
    extra: Json = {"error_code": code, "statement": statement}
    lowered = message.lower()
    if "already exists" in lowered and "kafka topic" not in lowered:
        return AlreadyThere(f"{_SERVICE}: {message}", **extra)
    # Each topic is made before the statement that reads it: ksqlDB has asked a broker that has not heard of it yet.
    unheard_of = lowered.startswith("topic ") and "does not exist. if you want to create a new topic" in lowered
    # The embedded engine has just made that topic itself; again a broker that has not heard of it.
    unheard_of = unheard_of or ("sink topic" in lowered and lowered.endswith("is gone"))
    if unheard_of or "another command with the same id" in lowered:
        return _BusyError(f"{_SERVICE}: {message}", **extra)
    if "could not write the statement" in lowered and any(cause in lowered for cause in _PASSING_CAUSES):
        return _BusyError(f"{_SERVICE}: {message}", **extra)
    return StatementRejected(f"{_SERVICE}: {message}", **extra)


def _text(response: httpx.Response) -> str:
    return _plain(problem_text(response))


def _plain(message: object) -> str:
    """A message in one line, as if ksqlDB had not wrapped it."""
    return " ".join(str(message).split())


def _retry_after(response: httpx.Response) -> float:
    """Seconds, bounded: a server in trouble may name any."""
    try:
        return min(float(response.headers.get("Retry-After", 0)), 5.0)
    except ValueError:
        return 0.0
