"""First pass over a query: names get their source, select items and sources their alias.

What it gives is the statement as ksqlDB shows it (``SELECT REST_IN.K K FROM REST_IN REST_IN``). Doing it twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from services.ksql.analysis.catalog import Catalog
from services.ksql.errors import KsqlError
from services.ksql.model.schema import PSEUDO_COLUMNS, WINDOW_COLUMNS, DataSource
from services.ksql.sql import ast
from services.ksql.sql.ast import columns, rewrite
from services.ksql.sql.format import at, backtick, join_words

SYSTEM_COLUMNS = {**PSEUDO_COLUMNS, **WINDOW_COLUMNS}


@dataclass(frozen=True, slots=True)
class AliasedSource:
    """A source of a query under its alias."""

    alias: str
    source: DataSource

    def has(self, column: str) -> bool:
        """Whether the source has a column or pseudo column of this name."""
        if self.source.schema.find(column) or column in PSEUDO_COLUMNS:
            return True
        return column in WINDOW_COLUMNS and self.source.window is not None


def relations(query: ast.Query) -> tuple[ast.Relation, ...]:
    return (query.source, *(join.right for join in query.joins))


def find_sources(query: ast.Query, catalog: Catalog) -> tuple[AliasedSource, ...]:
    """The sources of a query in order; an unknown one is an error."""
    found = []
    for relation in relations(query):
        source = catalog.find(relation.name)
        if source is None:
            raise KsqlError(f"Exception while preparing statement: {relation.name} does not exist.")
        found.append(AliasedSource(relation.alias, source))
    return tuple(found)


def sanitize(query: ast.Query, catalog: Catalog) -> ast.Query:
    """The query with qualified names and an alias for every select item."""
    sources = find_sources(query, catalog)
    qualifier = _Qualifier(sources)
    for expression in _expressions(query):
        for column in columns(expression):
            if column.source is not None:
                qualifier.check_alias(column.source)
    namer = AliasGenerator(
        "KSQL_COL_", (column.name for aliased in sources for column in aliased.source.schema.columns)
    )
    return replace(
        query,
        joins=tuple(replace(join, criteria=qualifier(join.criteria)) for join in query.joins),
        where=None if query.where is None else qualifier(query.where),
        group_by=tuple(map(qualifier, query.group_by)),
        partition_by=tuple(map(qualifier, query.partition_by)),
        having=None if query.having is None else qualifier(query.having),
        select=tuple(_name_item(item, qualifier, namer, sources) for item in query.select),
    )


def _expressions(query: ast.Query) -> Iterator[ast.Expression]:
    """Every expression of a query in the order of its clauses."""
    yield from (item.expression for item in query.select if isinstance(item, ast.SelectItem))
    yield from (join.criteria for join in query.joins)
    yield from (clause for clause in (query.where, query.having) if clause is not None)
    yield from query.group_by
    yield from query.partition_by


class AliasGenerator:
    """Names with a prefix and a number that no column has yet, in order."""

    def __init__(self, prefix: str, taken: Iterable[str]) -> None:
        self._prefix = prefix
        self._taken = set(taken)
        self._next = 0

    def __call__(self) -> str:
        while True:
            name = f"{self._prefix}{self._next}"
            self._next += 1
            if name not in self._taken:
                return name


class _Qualifier:
    def __init__(self, sources: Sequence[AliasedSource]) -> None:
        self._sources = sources

    def __call__(self, expression: ast.Expression) -> ast.Expression:
        return rewrite(expression, self._qualify)

    def _qualify(self, node: ast.Expression) -> ast.Expression | None:
        if not isinstance(node, ast.ColumnName):
            return None
        if node.source is not None:
            return node
        having = [aliased.alias for aliased in self._sources if aliased.has(node.name)]
        if len(having) > 1:
            options = join_words([f"{alias}.{node.name}" for alias in having], "or")
            raise KsqlError(
                f"Exception while preparing statement: {at(node.location)}"
                f"Column '{node.name}' is ambiguous. Could be {options}."
            )
        return replace(node, source=having[0]) if having else node

    def check_alias(self, alias: str) -> None:
        if all(aliased.alias != alias for aliased in self._sources):
            raise KsqlError(f"Failed to prepare statement: '{alias}' is not a valid stream/table name or alias.")


def _name_item(
    item: ast.SelectItem | ast.Star, qualifier: _Qualifier, namer: AliasGenerator, sources: Sequence[AliasedSource]
) -> ast.SelectItem | ast.Star:
    if isinstance(item, ast.Star):
        if item.source is not None:
            qualifier.check_alias(item.source)
        return item
    if item.alias in SYSTEM_COLUMNS and item.alias != getattr(item.expression, "name", None):
        raise KsqlError(
            f"Exception while preparing statement: {at(item.location)}"
            f"{backtick(item.alias or '')} is a reserved column name. You cannot use it as an alias for a column."
        )
    expression = qualifier(item.expression)
    return replace(item, expression=expression, alias=item.alias or _default_alias(expression, namer, sources))


def _default_alias(expression: ast.Expression, namer: AliasGenerator, sources: Sequence[AliasedSource]) -> str:
    if not isinstance(expression, ast.ColumnName):
        return namer()
    name = expression.name
    if expression.source is not None and sum(aliased.has(name) for aliased in sources) > 1:
        return f"{expression.source}_{name}"
    return name
