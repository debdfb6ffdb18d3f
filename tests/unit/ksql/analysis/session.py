"""A catalog that grows with the statements run on it, for tests of the analyser."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import pytest

from services.ksql.analysis.analyzer import Analyzer
from services.ksql.analysis.catalog import Catalog
from services.ksql.errors import KsqlError
from services.ksql.model.commands import Command, CreateQuery, InsertQuery
from services.ksql.model.schema import DataSource
from services.ksql.sql.format import format_schema
from services.ksql.sql.parser import parse

C = TypeVar("C", bound=Command)


class Session:
    """Runs statements one after another; a query gets the id Q0, Q1 ..."""

    def __init__(self, properties: Mapping[str, str] | None = None) -> None:
        self.catalog = Catalog()
        self.properties = dict(properties or {})
        self._queries = 0

    def run(self, text: str) -> Command:
        """The command of the last statement of ``text``."""
        command: Command | None = None
        for parsed in parse(text):
            command = Analyzer(self.catalog, self.properties).analyze(parsed.ast)
            query_id = None
            if isinstance(command, CreateQuery | InsertQuery):
                query_id = getattr(command, "query_id", None) or f"Q{self._queries}"
                self._queries += 1
            self.catalog.apply(command, query_id)
        assert command is not None
        return command

    def expect(self, kind: type[C], text: str) -> C:
        command = self.run(text)
        assert isinstance(command, kind)
        return command

    def error(self, text: str) -> KsqlError:
        """The error that ``text`` gives; the catalog stays as it was before the failing statement."""
        with pytest.raises(KsqlError) as error:
            self.run(text)
        return error.value

    def source(self, name: str) -> DataSource:
        source = self.catalog.find(name)
        assert source is not None
        return source

    def schema(self, name: str) -> str:
        return format_schema(self.source(name).schema).replace("`", "")


def with_sources() -> Session:
    """Clicks (stream, keyed by ID), orders (stream), people (table), and places (table)."""
    session = Session()
    session.run(
        """
        CREATE STREAM clicks (id INT KEY, page STRING, person INT, seen BIGINT) WITH (kafka_topic='clicks', value_format='JSON');
        CREATE STREAM orders (id INT KEY, person INT, price DOUBLE) WITH (kafka_topic='orders', value_format='JSON');
        CREATE TABLE people (id INT PRIMARY KEY, name STRING, place STRING) WITH (kafka_topic='people', value_format='JSON');
        CREATE TABLE places (id STRING PRIMARY KEY, country STRING) WITH (kafka_topic='places', value_format='JSON');
        """
    )
    return session
