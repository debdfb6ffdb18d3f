"""Names inside one query: which columns its sources give, and what they are called in the steps of the plan.

A plan over one source keeps the source's column names. In a join every column is named ALIAS_COLUMN.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from services.ksql.analysis.expressions import Scope
from services.ksql.analysis.sanitize import AliasedSource
from services.ksql.errors import KsqlError
from services.ksql.model.schema import PSEUDO_COLUMNS, WINDOW_COLUMNS, Column, DataSource, Schema
from services.ksql.model.types import SqlType
from services.ksql.sql import ast
from services.ksql.sql.ast import columns, rewrite
from services.ksql.sql.format import at, format_expression

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
