"""SELECT: the output columns, their names, and the key columns, each of which has to be selected once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from services.ksql.analysis.expressions import Scope, typed
from services.ksql.analysis.names import SYSTEM_COLUMNS, Names
from services.ksql.errors import CastError, KsqlError
from services.ksql.model.plan import NamedExpression, ProjectStep, Step
from services.ksql.model.schema import WINDOW_COLUMNS, Column, Schema
from services.ksql.model.types import BaseType
from services.ksql.sql import ast
from services.ksql.sql.format import backtick, format_expression, join_words

_COPY_HINT = (
    "Each key column must only be in the projection once. If you intended to copy the key into the value, then consider using "
    "the AS_VALUE function to indicate which key reference should be copied."
)
_HELP = "See https://cnfl.io/2LV7ouS."


@dataclass(frozen=True, slots=True)
class KeyColumn:
    """A key column of a step: its name there, and the expressions that could select it (more than one for a join's key).

    ``chosen`` is the one of them that the step's name refers to.
    """

    name: str
    expressions: tuple[ast.Expression, ...]
    chosen: ast.Expression


@dataclass(frozen=True, slots=True)
class KeyRule:
    """How a query's key must appear in its SELECT.

    ``what`` is ksqlDB's word for it ("key column", "grouping expression" ...). ``all_required`` is False for joins, where one
    of several equal columns is enough; ``synthetic`` marks a key that no source column gives; ``foreign_key_join_of`` is the left
    table of a foreign-key join, whose key it is.
    """

    what: str
    keys: tuple[KeyColumn, ...]
    all_required: bool = True
    synthetic: bool = False
    qualified: bool = False
    foreign_key_join_of: str = ""

    def missing(self, sink: str, absent: Sequence[KeyColumn]) -> KsqlError:
        """The error for a SELECT without the key, or without the part ``absent`` of it."""
        if self.foreign_key_join_of:
            names = ", ".join(backtick(key.name.removeprefix(f"{self.foreign_key_join_of}_")) for key in absent)
            return KsqlError(
                f"Primary key column missing in projection. For foreign-key table-table joins, the projection must include all "
                f"primary key columns from the left input table ({backtick(self.foreign_key_join_of)}). "
                f"Missing column{'s' if len(absent) > 1 else ''}: {names}."
            )
        expressions = [expression for key in self.keys for expression in key.expressions]
        shown = [self._show(expression) for expression in expressions]
        plural = "s" if len(shown) > 1 else ""
        example = ", ".join(shown) if self.all_required else shown[0]
        joined = join_words(shown, "and" if self.all_required else "or")
        text = (
            f"Key{plural} missing from projection (ie, SELECT). {_HELP if self.synthetic else ''}\n"
            f"The query used to build {backtick(sink)} must include the {self.what}{plural} {joined} in its projection "
            f"(eg, SELECT {example}...)."
        )
        if self.synthetic:
            text += (
                f"\n{joined} was added as a synthetic key column because the join criteria did not match any source column. "
                "This expression must be included in the projection and may be aliased."
            )
        return KsqlError(text)

    def _show(self, expression: ast.Expression) -> str:
        if isinstance(expression, ast.ColumnName) and not self.qualified:
            return expression.name
        return format_expression(expression)

    def repeated(self, key: KeyColumn, aliases: Sequence[str]) -> KsqlError:
        """The error for a key column that is selected twice."""
        if self.what == "grouping expression":
            shown = join_words([backtick(alias) for alias in aliases])
            return KsqlError(f"The projection contains a key column more than once: {shown}.\n{_COPY_HINT}")
        shown = join_words(sorted(aliases))
        return KsqlError(
            f"The projection contains a key column ({backtick(key.name)}) more than once, aliased as: {shown}.\n{_COPY_HINT}"
        )


@dataclass(frozen=True, slots=True)
class Item:
    """One output column: its name and its expression with qualified names."""

    name: str
    expression: ast.Expression


def expand(query: ast.Select, names: Names, rule: KeyRule, *, window_bounds: bool) -> tuple[Item, ...]:
    """The select items with every star replaced. ``window_bounds``: a star over a windowed source gives its bounds too."""
    return tuple(item for entry in query.select for item in _expand(entry, names, rule, window_bounds, query))


def _expand(
    entry: ast.SelectItem | ast.Star | ast.StructStar,
    names: Names,
    rule: KeyRule,
    window_bounds: bool,
    query: ast.Select,
) -> Iterator[Item]:
    if isinstance(entry, ast.SelectItem):
        yield Item(entry.alias or "", entry.expression)
        return
    if isinstance(entry, ast.StructStar):
        kind = typed(names.bare(entry.operand), names.scope()).type
        if kind is None or kind.base is not BaseType.STRUCT:
            shown = format_expression(entry.operand)
            raise KsqlError(f"Cannot use '->*' on {shown}: it is no STRUCT but {kind or 'null'}.")
        for field, _ in kind.fields:
            yield Item(field, ast.Dereference(entry.operand, field))
        return
    yielded: set[str] = set()
    if entry.source is None and (query.partition_by or rule.synthetic):
        for key in rule.keys:
            yielded.add(key.name)
            yield Item(key.name, key.chosen)
    moved = query.partition_by and not names.is_join
    for aliased in names.sources:
        if entry.source not in (None, aliased.alias):
            continue
        schema = aliased.source.schema
        bounds = tuple(WINDOW_COLUMNS) if window_bounds and aliased.source.window else ()
        key_names = (*(column.name for column in schema.key), *bounds)
        value_names = tuple(column.name for column in schema.value)
        for column in (*value_names, *key_names) if moved else (*key_names, *value_names):
            name = names.plain(aliased.alias, column)
            if name not in yielded:
                yield Item(name, ast.ColumnName(aliased.alias, column))


@dataclass(frozen=True, slots=True)
class Projection:
    """How a query's SELECT becomes a step: ``above`` turns an expression into one over ``scope``."""

    items: tuple[Item, ...]
    rule: KeyRule
    above: Callable[[ast.Expression], ast.Expression]
    scope: Scope

    def transient(self, step: Step) -> ProjectStep:
        """The last step of a push query: all columns in the order of the SELECT, the key beside them."""
        values = tuple(self._named(item) for item in self.items)
        schema = Schema(step.schema.key, tuple(_column(value) for value in values))
        keys = tuple(column.name for column in step.schema.key)
        return ProjectStep(step, keys, values, schema, step.kind, step.window)

    def persistent(self, step: Step, sink: str, *, lenient_keys: bool = False) -> ProjectStep:
        """The last step of a query with a sink: its key columns, then the others.

        ``lenient_keys`` (ksql.new.query.planner.enabled) lets the SELECT leave out and reorder key columns.
        """
        self._refuse_reserved()
        values = tuple(self._named(item) for item in self.items)
        found = [(key, [item for item in self.items if item.expression == key.chosen]) for key in self.rule.keys]
        missing = [key for key, items in found if not items]
        if missing and not lenient_keys:
            raise self.rule.missing(sink, missing)
        for key, items in found:
            if len(items) > 1:
                raise self.rule.repeated(key, [item.name for item in items])
        self._refuse_doubles(values)
        chosen = [(key, items[0]) for key, items in found if items]
        if lenient_keys:
            chosen.sort(key=lambda pair: self.items.index(pair[1]))
        key_items = {item for _, item in chosen}
        kept = tuple(value for item, value in zip(self.items, values, strict=True) if item not in key_items)
        if not kept:
            raise KsqlError("The projection contains no value columns.")
        key_columns = tuple(self._key_column(key, item, step) for key, item in chosen)
        schema = Schema(key_columns, tuple(_column(value) for value in kept))
        return ProjectStep(step, tuple(key.name for key, _ in chosen), kept, schema, step.kind, step.window)

    def _named(self, item: Item) -> NamedExpression:
        try:
            return NamedExpression(item.name, typed(self.above(item.expression), self.scope))
        except CastError as error:
            error.message = f"Invalid Select: {error.message}"
            raise

    def _key_column(self, key: KeyColumn, item: Item, step: Step) -> Column:
        column = next(column for column in step.schema.key if column.name == key.name)
        return Column(item.name, column.type)

    def _refuse_reserved(self) -> None:
        keys = {key.name for key in self.rule.keys}
        reserved = next(
            (item.name for item in self.items if item.name in SYSTEM_COLUMNS and item.name not in keys), None
        )
        if reserved is not None:
            raise reserved_in_select(reserved)

    @staticmethod
    def _refuse_doubles(values: tuple[NamedExpression, ...]) -> None:
        seen: set[str] = set()
        for value in values:
            if value.name in seen:
                raise KsqlError(
                    f"Duplicate value columns found in schema: {backtick(value.name)} {value.expression.type or 'null'}"
                )
            seen.add(value.name)


def reserved_in_select(name: str) -> KsqlError:
    """The error for a system column that keeps its name in a query with a sink."""
    return KsqlError(f"Reserved column name in select: {backtick(name)}. Please remove or alias the column.")


def _column(value: NamedExpression) -> Column:
    if value.expression.type is None:
        raise KsqlError(f"Can not determine the type of column {backtick(value.name)}: NULL has no type. Use a CAST.")
    return Column(value.name, value.expression.type)
