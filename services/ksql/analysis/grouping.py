"""PARTITION BY, GROUP BY, its aggregates, HAVING: new keys and the values of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from services.ksql.analysis.expressions import Scope, as_key, cast, predicate, typed
from services.ksql.analysis.names import SYSTEM_COLUMNS, AliasGenerator, Names
from services.ksql.analysis.projection import KeyColumn
from services.ksql.errors import KsqlError
from services.ksql.functions import registry
from services.ksql.model.plan import AggregateCall, AggregateStep, NamedExpression, PartitionByStep, Step, WindowSpec
from services.ksql.model.schema import WINDOW_COLUMNS, Column, KeyWindow, Schema, SourceKind
from services.ksql.model.types import BIGINT, BaseType
from services.ksql.sql import ast
from services.ksql.sql.ast import children, columns, rewrite, walk
from services.ksql.sql.format import format_expression, join_words


def check_keys(clause: str, expressions: tuple[ast.Expression, ...]) -> None:
    """Refuses aggregate functions in GROUP BY or PARTITION BY, and repeated expressions."""
    for index, expression in enumerate(expressions):
        if expression in expressions[:index]:
            raise KsqlError(f"Duplicate expression in {clause} clause: {format_expression(expression)}")
        for node in walk(expression):
            if isinstance(node, ast.Call) and registry.is_aggregate(node.name):
                raise KsqlError(f"{clause} does not support aggregate functions: {node.name} is an aggregate function.")


def partition(
    query: ast.Select, step: Step, names: Names, scope: Scope
) -> tuple[PartitionByStep, tuple[KeyColumn, ...]]:
    """The step that gives the new key, and the expressions that name its columns in the SELECT."""
    if step.kind is SourceKind.TABLE:
        raise KsqlError("PARTITION BY is only supported on streams. To re-key a table use GROUP BY.")
    check_keys("PARTITION BY", query.partition_by)
    for expression in query.partition_by:
        names.check("PARTITION BY", expression)
    is_null = [isinstance(expression, ast.Literal) and expression.value is None for expression in query.partition_by]
    if any(is_null):
        if len(is_null) > 1:
            raise KsqlError("Cannot PARTITION BY multiple columns including NULL")
        return _step(step, ()), ()
    taken = [column.name for column in step.schema.columns]
    named = name_keys(query.partition_by, query, names, taken, keep_pseudo=True)
    typed_keys = tuple(NamedExpression(name, as_key(typed(names.bare(key), scope))) for name, key in named)
    keys = tuple(KeyColumn(name, (key,), key) for name, key in named)
    return _step(step, typed_keys), keys


def name_keys(
    expressions: tuple[ast.Expression, ...],
    query: ast.Select,
    names: Names,
    taken: list[str],
    *,
    keep_pseudo: bool = False,
) -> list[tuple[str, ast.Expression]]:
    """A name for each key expression: its column's, that of its select item, or a generated one.

    ``keep_pseudo``: a pseudo column gives its name too, as ksqlDB does for PARTITION BY ROWTIME.
    """
    namer = AliasGenerator("KSQL_COL_", taken)
    aliases = {item.expression: item.alias for item in query.select if isinstance(item, ast.SelectItem)}
    named: list[tuple[str, ast.Expression]] = []
    for expression in expressions:
        if isinstance(expression, ast.ColumnName) and (keep_pseudo or expression.name not in SYSTEM_COLUMNS):
            name = names.plain(expression.source, expression.name)
        else:
            name = aliases.get(expression) or namer()
            if name in taken or name in SYSTEM_COLUMNS:
                name = namer()
        named.append((name, expression))
    return named


def _step(step: Step, keys: tuple[NamedExpression, ...]) -> PartitionByStep:
    key_names = {key.name for key in keys}
    value = [column for column in step.schema.value if column.name not in key_names]
    value_names = {column.name for column in value}
    value += [column for column in step.schema.key if column.name not in key_names | value_names]
    key = tuple(Column(k.name, k.expression.type) for k in keys if k.expression.type is not None)
    return PartitionByStep(step, keys, Schema(key, tuple(value)), step.kind, step.window)


def is_aggregate_call(node: ast.Expression) -> bool:
    return isinstance(node, ast.Call) and registry.is_aggregate(node.name)


def aggregate_calls(expressions: Iterator[ast.Expression] | tuple[ast.Expression, ...]) -> list[ast.Call]:
    """The different aggregate calls in order of appearance."""
    found = [
        n for expression in expressions for n in walk(expression) if isinstance(n, ast.Call) and is_aggregate_call(n)
    ]
    return list(dict.fromkeys(found))


def aggregate_arguments(expressions: tuple[ast.Expression, ...]) -> list[ast.Expression]:
    """What the aggregates in the expressions are given."""
    return [argument for call in aggregate_calls(expressions) for argument in call.arguments]


def refuse_window_bounds(expressions: tuple[ast.Expression, ...]) -> None:
    """The bounds of a WINDOW clause exist only above the grouping, and there only in the SELECT."""
    found = next((c.name for e in expressions for c in columns(e) if c.name in WINDOW_COLUMNS), None)
    if found is not None:
        raise KsqlError(
            f"Window bounds column {found} can only be used in the SELECT clause of windowed aggregations "
            "and can not be passed to aggregate functions.\nSee https://github.com/confluentinc/ksql/issues/4397"
        )


#: a constant of each type that a constant parameter may have
_ANY_OF: dict[BaseType, Any] = {
    BaseType.INTEGER: 1,
    BaseType.BIGINT: 2**40,
    BaseType.DOUBLE: 1.0,
    BaseType.STRING: "",
    BaseType.BOOLEAN: True,
}


@dataclass(slots=True)
class Grouping:
    """An aggregation under construction: rewrites the expressions above it to its key columns and aggregate variables."""

    names: Names
    scope: Scope
    source_kind: SourceKind
    keys: list[tuple[str, ast.Expression]]
    calls: dict[ast.Call, AggregateCall] = field(default_factory=dict)

    @classmethod
    def of(cls, query: ast.Select, step: Step, names: Names, scope: Scope) -> Grouping:
        taken = [column.name for column in step.schema.columns]
        return cls(names, scope, step.kind, name_keys(query.group_by, query, names, taken))

    def add(self, expressions: tuple[ast.Expression, ...]) -> None:
        """Collect the aggregates of the expressions above the grouping."""
        for call in aggregate_calls(expressions):
            if call not in self.calls:
                self.calls[call] = self._resolve(call, f"KSQL_AGG_VARIABLE_{len(self.calls)}")
        self._refuse_over_table()

    def _resolve(self, call: ast.Call, name: str) -> AggregateCall:
        constants = registry.literal_count(call.name, len(call.arguments))
        split = len(call.arguments) - constants
        literals: list[Any] = []
        computed: KsqlError | None = None
        for index, argument in enumerate(call.arguments[split:], start=split + 1):
            if isinstance(argument, ast.Literal):
                literals.append(argument.value)
                continue
            shown = self.names.bare(argument)
            error = KsqlError(
                f"Parameter {index} passed to function {call.name} must be a literal constant, "
                f"but was expression: '{format_expression(shown)}'"
            )
            # A parameter of another type is looked at first.
            kind = typed(shown, self.scope).type
            literals.append(_ANY_OF.get(kind.base) if kind is not None else None)
            computed = computed or error
        for argument in call.arguments[:split]:
            self._refuse_nested(argument, call)
        arguments = [typed(self.names.bare(argument), self.scope) for argument in call.arguments[:split]]
        function = registry.resolve_aggregate(call.name, [argument.type for argument in arguments], literals)
        if computed is not None:
            raise computed
        converted = tuple(
            argument if argument.type is None else cast(argument, wanted)
            for argument, wanted in zip(arguments, function.parameter_types, strict=False)
        )
        return AggregateCall(
            name, function, converted if len(converted) == len(arguments) else tuple(arguments), tuple(literals)
        )

    def _refuse_nested(self, argument: ast.Expression, outer: ast.Call) -> None:
        inner = next((node for node in walk(argument) if isinstance(node, ast.Call) and is_aggregate_call(node)), None)
        if inner is not None:
            raise KsqlError(f"Aggregate functions can not be nested: {outer.name}({inner.name}())")

    def _refuse_over_table(self) -> None:
        if self.source_kind is not SourceKind.TABLE:
            return
        bad = list(dict.fromkeys(c.name for c, r in self.calls.items() if not r.function.supports_table))
        if bad:
            plural = "s" if len(bad) > 1 else ""
            raise KsqlError(
                f"The aggregation function{plural} {join_words(bad)} cannot be applied to a table source, "
                "only to a stream source."
            )

    @property
    def needs_complex_state(self) -> bool:
        return any(call.function.intermediate_is_complex for call in self.calls.values())

    def above(self, expression: ast.Expression) -> ast.Expression:
        """The expression over the grouping's output columns."""
        keys = {key: name for name, key in self.keys}

        def change(node: ast.Expression) -> ast.Expression | None:
            if node in keys:
                return ast.ColumnName(None, keys[node])
            if isinstance(node, ast.Call) and node in self.calls:
                return ast.ColumnName(None, self.calls[node].name)
            if isinstance(node, ast.ColumnName):
                return ast.ColumnName(None, self.names.plain(node.source, node.name))
            return None

        return rewrite(expression, change)

    def ungrouped(self, expression: ast.Expression) -> Iterator[ast.ColumnName]:
        """Columns in neither an aggregate nor a group expression."""
        keys = {key for _, key in self.keys}
        if expression in keys or is_aggregate_call(expression):
            return
        if isinstance(expression, ast.ColumnName) and expression.name not in WINDOW_COLUMNS:
            yield expression
        for part in children(expression):
            yield from self.ungrouped(part)

    def check_select(self, expressions: tuple[ast.Expression, ...]) -> None:
        bad = [e for e in expressions if any(self.ungrouped(e))]
        if bad:
            shown = ", ".join(format_expression(self.names.bare(e)) for e in bad)
            raise KsqlError(
                f"Non-aggregate SELECT expression(s) not part of GROUP BY: {shown}\n"  # noqa: S608 - a message
                "Either add the column(s) to the GROUP BY or remove them from the SELECT."
            )

    def check_having(self, expression: ast.Expression) -> None:
        bad = list(dict.fromkeys(format_expression(self.names.bare(column)) for column in self.ungrouped(expression)))
        if bad:
            raise KsqlError(
                f"Non-aggregate HAVING expression not part of GROUP BY: {', '.join(bad)}\n"
                "Consider switching the HAVING clause to a WHERE clause."
            )

    def check_types(self, expression: ast.Expression) -> None:
        """Type an expression above the grouping with each aggregate standing for its result, in the user's spelling.

        Raises:
            KsqlError: as ``typed`` does, naming the aggregates as they were written.
        """
        scope = dict(self.scope)

        def change(node: ast.Expression) -> ast.Expression | None:
            if isinstance(node, ast.Call) and node in self.calls:
                text = format_expression(self.names.bare(node))
                scope[text] = self.calls[node].function.return_type
                return ast.ColumnName(None, text)
            if isinstance(node, ast.ColumnName):
                return ast.ColumnName(None, self.names.plain(node.source, node.name))
            return None

        scope.update(dict.fromkeys(WINDOW_COLUMNS, BIGINT))
        predicate("HAVING", rewrite(expression, change), scope)

    def step(self, below: Step, window: WindowSpec | None, key_window: KeyWindow | None) -> AggregateStep:
        group_by = tuple(
            NamedExpression(name, as_key(typed(self.names.bare(key), self.scope))) for name, key in self.keys
        )
        key = tuple(Column(g.name, g.expression.type) for g in group_by if g.expression.type is not None)
        if len(key) < len(group_by):
            raise KsqlError("GROUP BY does not support NULL")
        value = tuple(Column(call.name, call.function.return_type) for call in self.calls.values())
        return AggregateStep(
            input=below,
            group_by=group_by,
            aggregates=tuple(self.calls.values()),
            window_spec=window,
            schema=Schema(key, value),
            window=key_window,
        )

    def key_columns(self) -> tuple[KeyColumn, ...]:
        return tuple(KeyColumn(name, (key,), key) for name, key in self.keys)


def scope_above(step: AggregateStep) -> Scope:
    """The columns above an aggregation: keys, aggregate variables, window bounds."""
    scope = {column.name: column.type for column in step.schema.columns}
    return {**scope, **(dict.fromkeys(WINDOW_COLUMNS, BIGINT) if step.window_spec else {})}
