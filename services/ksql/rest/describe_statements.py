"""DESCRIBE, DESCRIBE FUNCTION, EXPLAIN, and the EXTENDED lists, as answers of ``/ksql``."""

from __future__ import annotations

import re
from secrets import randbits

from services.ksql.engine.query import Query
from services.ksql.functions.registry import Listed, list_functions
from services.ksql.model.commands import DescribeSource, Explain
from services.ksql.model.plain import DescribeAll, DescribeFunction
from services.ksql.model.plan import QueryPlan
from services.ksql.model.schema import SourceKind
from services.ksql.rest.descriptions import Describer
from services.ksql.rest.entities import Entity, entity
from services.ksql.rest.errors import generic_error, statement_error
from services.ksql.runtime.core import Core

_EXPLAIN = re.compile(r"\s*EXPLAIN\s+", re.IGNORECASE)


class DescribeStatements:
    """Answers from the state of one core."""

    def __init__(self, core: Core, host: str) -> None:
        self._core = core
        self._describer = Describer(core, host)

    async def answer(self, text: str, command: DescribeSource | DescribeAll | DescribeFunction | Explain) -> Entity:
        """The entity for one statement.

        Raises:
            RestError: there is no such function.
        """
        match command:
            case DescribeSource(source=source, extended=extended):
                topic = await self._core.broker.topic(source.topic)
                described = self._describer.source(source, topic, extended=extended)
                return entity("sourceDescription", text, sourceDescription=described)
            case DescribeAll(kind=kind, extended=extended):
                return await self.all(text, kind, extended=extended)
            case DescribeFunction(name=name):
                return _function(text, name)
            case Explain():
                return entity("queryDescription", text, queryDescription=self._explain(text, command))

    async def all(self, text: str, kind: SourceKind, *, extended: bool) -> Entity:
        """Descriptions of all streams or all tables."""
        described = [
            self._describer.source(source, await self._core.broker.topic(source.topic), extended=extended)
            for source in self._core.command_runner.catalog.sources()
            if source.kind is kind
        ]
        return entity("source_descriptions", text, sourceDescriptions=described)

    def queries(self) -> list[Entity]:
        """SHOW QUERIES."""
        return self._describer.queries()

    def all_queries(self, text: str) -> Entity:
        """SHOW QUERIES EXTENDED."""
        described = [self._describer.explained(spec) for spec in self._core.command_runner.specs.values()]
        return entity("queryDescriptions", text, queryDescriptions=described)

    def _explain(self, text: str, command: Explain) -> Entity:
        if command.query_id is not None:
            return self._describer.explained(self._core.command_runner.specs[command.query_id])
        if not isinstance(command.plan, QueryPlan):
            raise statement_error("The provided statement does not run a ksql query", text)
        first = command.plan.sources[0].name
        query_id = f"transient_{first}_{randbits(63)}"
        topology = Query(command.plan).describe()
        return self._describer.explained_plan(query_id, _EXPLAIN.sub("", text), command.plan, topology)


def _function(text: str, name: str) -> Entity:
    found = next((f for f in list_functions() if f.name == name.upper()), None)
    if found is None:
        raise generic_error(f"Can't find any functions with the name '{name}'")
    return entity(
        "describe_function",
        text,
        name=found.name,
        description=found.description,
        author="PagePulse",
        version="",
        path="internal",
        functions=[_signature(found, parameters, returns) for parameters, returns in found.signatures],
        type=found.type,
    )


def _signature(function: Listed, parameters: object, returns: str) -> Entity:
    arguments = [
        {"name": p.name, "type": p.type, "description": "", "isVariadic": p.is_variadic}
        for p in parameters  # type: ignore[attr-defined]
    ]
    return {
        "arguments": arguments,
        "returnType": returns,
        "description": function.description,
        "argumentTypes": [a["type"] for a in arguments],
    }
