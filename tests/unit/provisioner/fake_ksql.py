"""A ksqlDB for tests: the REST answers of the real one for the statements that the provisioner sends, over httpx.MockTransport.

It keeps what was created and answers DESCRIBE from that. Nothing is computed; ``topics`` is notified of sink topics made and deleted.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

Json = dict[str, Any]


async def _no_topic(name: str, partitions: int, replicas: int) -> None:
    return None


class FakeKsql:
    """``asynchronous`` answers DDL as QUEUED first, so that the client must ask /status. ``script`` holds answers for the next POSTs to
    /ksql, which come before anything else."""

    def __init__(self, make_topic: Callable[[str, int, int], Awaitable[None]] = _no_topic) -> None:
        self.make_topic = make_topic
        self.sources: dict[str, Json] = {}
        self.requests: list[Json] = []
        self.script: list[httpx.Response | Exception] = []
        self.asynchronous = False
        self.commands: dict[str, Json] = {}
        self.looks: list[str] = []
        self._sequence = -2

    @property
    def statements(self) -> list[str]:
        """DDL received so far."""
        return [r["ksql"] for r in self.requests if not r["ksql"].startswith(("DESCRIBE", "SHOW"))]

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path == "/healthcheck":
            return httpx.Response(200, json={"isHealthy": True, "details": {}, "serverState": "READY"})
        if path.startswith("/status/"):
            return self._status(path.removeprefix("/status/"))
        if path == "/query-stream":
            header = {"queryId": "q", "columnNames": ["SOURCE", "view_count"], "columnTypes": ["STRING", "BIGINT"]}
            return httpx.Response(200, text=json.dumps(header) + '\n["Inbox",3]\n')
        body = json.loads(request.content)
        self.requests.append(body)
        if self.script:
            answer = self.script.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        return await self._statement(body["ksql"])

    async def _statement(self, text: str) -> httpx.Response:
        words = re.sub(r"--[^\n]*", "", text).strip().rstrip(";").split()
        verb = words[0].upper()
        if verb == "DESCRIBE":
            return self._describe(words[1].upper())
        if verb == "CREATE":
            return await self._create(words[1].upper(), words[2].upper(), text)
        if verb in ("TERMINATE", "PAUSE", "RESUME"):
            return self._query_command(verb, words[1], text)
        if verb == "DROP":
            return self._drop(words[1].upper(), words[4].upper(), text)
        return refusal(f"line 1:1: Syntax Error\nUnknown statement '{words[0]}'")

    async def _create(self, kind: str, name: str, text: str) -> httpx.Response:
        if name in self.sources:
            article = kind.lower()
            # wrapped as the real one does it
            message = f"Cannot add {article} '{name}': A {article} with the same name already exists"
            return refusal(textwrap.fill(message, 60, subsequent_indent="\t"))
        self._sequence += 2
        properties = dict(re.findall(r"(\w+)\s*=\s*'?([^',)\s]+)'?", text.split("WITH", 1)[1].split(")", 1)[0]))
        queries: list[Json] = []
        query_id = ""
        message = f"{kind.capitalize()} created"
        if " AS\nSELECT" in text:
            query_id = f"C{kind[0]}AS_{name}_{self._sequence + 1}"
            queries = [{"id": query_id, "state": "RUNNING", "statusCount": {"RUNNING": 1}, "queryString": text}]
            message = f"Created query with ID {query_id}"
            await self.make_topic(properties["KAFKA_TOPIC"], int(properties["PARTITIONS"]), int(properties["REPLICAS"]))
        self.sources[name] = {
            "name": name,
            "type": kind,
            "topic": properties["KAFKA_TOPIC"],
            "statement": re.sub(r"--[^\n]*\n", "", text),
            "writeQueries": queries,
            "queryOffsetSummaries": [{"topicSummaries": self._positions(text, query_id)}] if queries else [],
            "clusterStatistics": [{"name": "total-messages", "value": 40.0}] if queries else [],
            "clusterErrorStats": [],
        }
        return self._done(f"{kind.lower()}/`{name}`/create", text, message, queries[0]["id"] if queries else None)

    def _positions(self, text: str, query_id: str) -> list[Json]:
        """2 records behind in the first partition of each source; and a repartition topic, as the real one lists it."""
        offset = {"partition": 0, "logStartOffset": 0, "logEndOffset": 9, "consumerOffset": 7}
        sources = re.findall(r"\b(?:FROM|JOIN)\s+(\w+)", re.sub(r"--[^\n]*", "", text))
        names = [f"_{query_id}-Aggregate-GroupBy-repartition", *(self.sources[s.upper()]["topic"] for s in sources)]
        return [{"kafkaTopic": name, "offsets": [dict(offset)]} for name in names]

    def _describe(self, name: str) -> httpx.Response:
        if name not in self.sources:
            return refusal(f"Could not find STREAM/TABLE '{name}' in the Metastore")
        entity = {"@type": "sourceDescription", "sourceDescription": self.sources[name], "warnings": []}
        return httpx.Response(200, json=[entity])

    def _query_command(self, verb: str, query_id: str, text: str) -> httpx.Response:
        for source in self.sources.values():
            for query in list(source["writeQueries"]):
                if query["id"] == query_id:
                    if verb == "TERMINATE":
                        source["writeQueries"].remove(query)
                    else:
                        query["statusCount"] = {"PAUSED" if verb == "PAUSE" else "RUNNING": 1}
                    return self._done(f"terminate/{query_id}/execute", text, "Query terminated.")
        return refusal(f"Unknown queryId: {query_id}")

    def _drop(self, kind: str, name: str, text: str) -> httpx.Response:
        if name not in self.sources:
            return self._done(f"{kind.lower()}/{name}/drop", text, f"Source `{name}` does not exist.")
        readers = [
            other
            for other, source in self.sources.items()
            if re.search(rf"\b(FROM|JOIN) {name}\b", source["statement"], re.IGNORECASE)
        ]
        if readers:
            return refusal(
                f"Cannot drop {name}.\nThe following streams and/or tables read from this source: [{', '.join(readers)}].\n"
                "You need to drop them before dropping it."
            )
        source = self.sources.pop(name)
        message = f"Source `{name}` (topic: {source['topic']}) was dropped."
        return self._done(f"{kind.lower()}/{name}/drop", text, message)

    def _done(self, command: str, text: str, message: str, query_id: str | None = None) -> httpx.Response:
        status: Json = {"status": "SUCCESS", "message": message, "queryId": query_id}
        self.commands[command] = status
        if self.asynchronous:
            status = {"status": "QUEUED", "message": "Statement written to command topic", "queryId": None}
        entity = {
            "@type": "currentStatus",
            "statementText": text,
            "commandId": command,
            "commandStatus": status,
            "commandSequenceNumber": max(0, self._sequence),
            "warnings": [],
        }
        return httpx.Response(200, json=[entity])

    def _status(self, command: str) -> httpx.Response:
        self.looks.append(command)
        if command not in self.commands:
            return httpx.Response(
                404, json={"@type": "generic_error", "error_code": 40400, "message": "Command not found"}
            )
        return httpx.Response(200, json=self.commands[command])


def refusal(message: str, code: int = 40001, status: int = 400) -> httpx.Response:
    """A ``statement_error`` as ksqlDB answers it."""
    body = {"@type": "statement_error", "error_code": code, "message": message, "statementText": "", "entities": []}
    return httpx.Response(status, json=body)
