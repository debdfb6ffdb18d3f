"""Names inside one query: qualification, aliases, the columns of its sources, and their names in the steps of the plan.

A qualified query is the statement as ksqlDB shows it (``SELECT REST_IN.K K FROM REST_IN REST_IN``); qualifying it again
changes nothing. A plan over one source keeps the source's column names. In a join every column is named ALIAS_COLUMN.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from services.ksql.analysis.catalog import Catalog
from services.ksql.analysis.expressions import Scope
from services.ksql.errors import KsqlError
from services.ksql.model.schema import PSEUDO_COLUMNS, WINDOW_COLUMNS, Column, DataSource, Schema
from services.ksql.model.types import SqlType
from services.ksql.sql import ast
from services.ksql.sql.ast import columns, rewrite
from services.ksql.sql.format import at, backtick, format_expression, join_words

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


def relations(query: ast.Select) -> tuple[ast.Relation, ...]:
    return (query.source, *(join.right for join in query.joins))


def find_sources(query: ast.Select, catalog: Catalog) -> tuple[AliasedSource, ...]:
    """The sources of a query in order; an unknown one is an error."""
    found = []
    for relation in relations(query):
        source = catalog.find(relation.name)
        if source is None:
            raise KsqlError(f"Exception while preparing statement: {relation.name} does not exist.")
        found.append(AliasedSource(relation.alias, source))
    return tuple(found)


def qualify(query: ast.Select, catalog: Catalog) -> ast.Select:
    """The query with qualified names and an alias for every select item."""
    sources = find_sources(query, catalog)
    qualifier = _Qualifier(sources, catalog)
    for expression in _expressions(query):
        for column in columns(expression):
            if column.source is not None:
                qualifier.check_alias(column.source)
    namer = _Namer(column.name for aliased in sources for column in aliased.source.schema.columns)
    return replace(
        query,
        joins=tuple(replace(join, criteria=qualifier(join.criteria)) for join in query.joins),
        where=None if query.where is None else qualifier(query.where),
        group_by=tuple(map(qualifier, query.group_by)),
        partition_by=tuple(map(qualifier, query.partition_by)),
        having=None if query.having is None else qualifier(query.having),
        select=tuple(_name_item(item, qualifier, namer, sources) for item in query.select),
    )


def selected(query: ast.Select) -> Iterator[ast.Expression]:
    """The expressions of the SELECT in order; a struct's for all its fields."""
    for item in query.select:
        if isinstance(item, ast.SelectItem):
            yield item.expression
        elif isinstance(item, ast.StructStar):
            yield item.operand


def _expressions(query: ast.Select) -> Iterator[ast.Expression]:
    """Every expression of a query in the order of its clauses."""
    yield from selected(query)
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


class _Namer(AliasGenerator):
    """Names for the columns of a SELECT that have none."""

    def __init__(self, taken: Iterable[str]) -> None:
        super().__init__("KSQL_COL_", taken)

    def of_field(self, field: str) -> str:
        """A name for the field of a struct: its own, with a number where that is taken."""
        name, number = field, 0
        while name in self._taken:
            number += 1
            name = f"{field}_{number}"
        self._taken.add(name)
        return name


class _Qualifier:
    def __init__(self, sources: Sequence[AliasedSource], catalog: Catalog) -> None:
        self._sources = sources
        self._catalog = catalog

    def __call__(self, expression: ast.Expression) -> ast.Expression:
        return rewrite(expression, self._qualify)

    def _qualify(self, node: ast.Expression) -> ast.Expression | None:
        if isinstance(node, ast.Cast):
            return ast.Cast(self(node.operand), self._catalog.resolve(node.type))
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
    item: ast.SelectItem | ast.Star | ast.StructStar,
    qualifier: _Qualifier,
    namer: _Namer,
    sources: Sequence[AliasedSource],
) -> ast.SelectItem | ast.Star | ast.StructStar:
    if isinstance(item, ast.StructStar):
        return replace(item, operand=qualifier(item.operand))
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


def _default_alias(expression: ast.Expression, namer: _Namer, sources: Sequence[AliasedSource]) -> str:
    if isinstance(expression, ast.Dereference):
        return namer.of_field(expression.field)
    if not isinstance(expression, ast.ColumnName):
        return namer()
    name = expression.name
    if expression.source is not None and sum(aliased.has(name) for aliased in sources) > 1:
        return f"{expression.source}_{name}"
    return name


#: Clauses that see the columns of the input only, which their messages say.
_ON_INPUT = frozenset({"PARTITION BY"})


def pseudo_columns(source: DataSource) -> dict[str, SqlType]:
    """The columns that the rows of ``source`` have besides those of its schema."""
    return {**PSEUDO_COLUMNS, **(WINDOW_COLUMNS if source.window else {})}


@dataclass(frozen=True, slots=True)
class Names:
    """The sources of a query and the naming that follows from them."""

    sources: tuple[AliasedSource, ...]

    @property
    def is_join(self) -> bool:
        return len(self.sources) > 1

    @property
    def first(self) -> DataSource:
        """The leftmost source, from which a sink inherits."""
        return self.sources[0].source

    def find(self, alias: str) -> DataSource:
        return next(aliased.source for aliased in self.sources if aliased.alias == alias)

    def plain(self, alias: str | None, column: str) -> str:
        """What the plan calls a column."""
        return f"{alias}_{column}" if self.is_join and alias is not None else column

    def bare(self, expression: ast.Expression) -> ast.Expression:
        """The expression with the plan's column names instead of qualified ones."""

        def change(node: ast.Expression) -> ast.Expression | None:
            if isinstance(node, ast.ColumnName):
                return ast.ColumnName(None, self.plain(node.source, node.name), node.location)
            return None

        return rewrite(expression, change)

    def scope(self) -> Scope:
        """Every column that the rows of the FROM clause have, by the plan's names."""
        return {
            self.plain(aliased.alias, name): sql_type
            for aliased in self.sources
            for name, sql_type in (
                *((column.name, column.type) for column in aliased.source.schema.columns),
                *pseudo_columns(aliased.source).items(),
            )
        }

    def source_schema(self, aliased: AliasedSource) -> Schema:
        """The schema of a source step. In a join the key and pseudo columns are value columns too."""
        schema = aliased.source.schema
        if not self.is_join:
            return schema

        def named(items: Iterable[tuple[str, SqlType]]) -> tuple[Column, ...]:
            return tuple(Column(self.plain(aliased.alias, name), sql_type) for name, sql_type in items)

        key = named((column.name, column.type) for column in schema.key)
        value = tuple(Column(self.plain(aliased.alias, c.name), c.type, c.header) for c in schema.value)
        return Schema(key, key + value + named(pseudo_columns(aliased.source).items()))

    def check(self, clause: str, expression: ast.Expression, extra: Iterable[str] = ()) -> None:
        """Refuse columns that no source has; ``extra`` are unqualified names that are known besides."""
        for column in columns(expression):
            if column.source is None:
                known = column.name in extra
            else:
                aliased = next(aliased for aliased in self.sources if aliased.alias == column.source)
                known = aliased.has(column.name) or (column.name in extra and column.name in WINDOW_COLUMNS)
            if not known:
                name = format_expression(column)
                hint = ""
                if clause in _ON_INPUT:
                    hint = f" '{name}' must be a column in the source schema since {clause} is applied on the input."
                raise KsqlError(f"{at(column.location)}{clause} column '{name}' cannot be resolved.{hint}")
