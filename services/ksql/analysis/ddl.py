"""Rules for names that exist already: CREATE, OR REPLACE (with the changes that a query's state allows), IF NOT EXISTS, ALTER, DROP."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest

from services.ksql.analysis.catalog import Catalog
from services.ksql.analysis.sources import check_column_names, check_formats
from services.ksql.errors import KsqlError, RequestError
from services.ksql.model.commands import DropSource, NothingToDo
from services.ksql.model.plan import (
    AggregateStep,
    JoinStep,
    NamedExpression,
    PartitionByStep,
    QueryPlan,
    SourceStep,
    Step,
)
from services.ksql.model.schema import Column, DataSource, Format, Schema, SourceKind
from services.ksql.model.typed_expressions import ColumnRef, Expression, TypedCall, TypedCast, TypedLiteral
from services.ksql.sql import ast
from services.ksql.sql.format import backtick, format_schema


def check_upgrade(old: QueryPlan, new: QueryPlan) -> None:
    """Refuse a new plan that could not go on with the state of the old one.

    Raises:
        RequestError: other sources, groups or aggregates; joins, windows.
    """
    for what, values in (("topicName", _topics), ("groupByExpressions", _groups), ("keyExpressions", _keys)):
        _check_matching(what, values(old), values(new))
    for step in _steps(new.root):
        if isinstance(step, JoinStep):
            raise RequestError(f"Upgrades not yet supported for {_join_name(step)}")
        if isinstance(step, AggregateStep) and step.window_spec is not None:
            raise RequestError("Upgrades not yet supported for StreamWindowedAggregate")
    step_name = "TableAggregate" if _over_table(new) else "StreamAggregate"
    aggregates = [(step_name, f"[{', '.join(_aggregates(plan))}]") for plan in (old, new)]
    _check_matching("aggregate functions", *[[each] for each in aggregates])


def _check_matching(what: str, before: Sequence[tuple[str, str]], after: Sequence[tuple[str, str]]) -> None:
    """Each value with the kind of its step, as ksqlDB calls it."""
    for (_, old), (kind, new) in zip_longest(before, after, fillvalue=("", "")):
        if old != new:
            raise RequestError(
                f"Query is not upgradeable. Plan step of type {kind} must have matching {what}. Values differ: {old} vs. {new}"
            )


def _topics(plan: QueryPlan) -> list[tuple[str, str]]:
    return [
        (f"{'Windowed' if step.source.window else ''}{step.kind.capitalize()}Source", step.source.topic)
        for step in _steps(plan.root)
        if isinstance(step, SourceStep)
    ]


def _groups(plan: QueryPlan) -> list[tuple[str, str]]:
    steps = [step for step in _steps(plan.root) if isinstance(step, AggregateStep)]
    return [(f"{step.input.kind.capitalize()}GroupBy", _shown_keys(step.group_by)) for step in steps]


def _keys(plan: QueryPlan) -> list[tuple[str, str]]:
    steps = [step for step in _steps(plan.root) if isinstance(step, PartitionByStep)]
    return [(f"{step.input.kind.capitalize()}SelectKey", _shown_keys(step.keys)) for step in steps]


def _shown_keys(keys: Sequence[NamedExpression]) -> str:
    return f"[{', '.join(_show(key.expression) for key in keys)}]"


def _steps(step: Step) -> Iterator[Step]:
    while True:
        yield step
        if isinstance(step, SourceStep):
            return
        if isinstance(step, JoinStep):
            yield from _steps(step.left)
            yield from _steps(step.right)
            return
        step = step.input


def _join_name(step: JoinStep) -> str:
    if step.foreign_key:
        return "ForeignKeyTableTableJoin"
    sides = {SourceKind.STREAM: "Stream", SourceKind.TABLE: "Table"}
    return f"{sides[step.left.kind]}{sides[step.right.kind]}Join"


def _over_table(plan: QueryPlan) -> bool:
    return any(isinstance(step, AggregateStep) and step.input.kind is SourceKind.TABLE for step in _steps(plan.root))


def _aggregates(plan: QueryPlan) -> list[str]:
    return [
        f"{call.function.name}({', '.join(_show(a) for a in call.arguments) or 'ROWTIME'})"
        for step in _steps(plan.root)
        if isinstance(step, AggregateStep)
        for call in step.aggregates
    ]


def _show(expression: Expression) -> str:
    match expression:
        case ColumnRef(name=name):
            return name
        case TypedLiteral(value=value):
            return repr(value)
        case TypedCast(operand=operand):
            return _show(operand)
        case TypedCall(name=name, arguments=arguments):
            return f"{name}({', '.join(map(_show, arguments))})"
        case _:
            return str(expression)


def existing_or_none(
    statement: ast.CreateSourceStatement | ast.CreateAsSelect, catalog: Catalog
) -> DataSource | NothingToDo | None:
    """What a CREATE finds under its name: a source that OR REPLACE may take over, a reason to do nothing, or nothing.

    Raises:
        KsqlError: the name is taken.
    """
    kind = statement.kind.lower()
    existing = catalog.find(statement.name)
    read_only = isinstance(statement, ast.CreateSourceStatement) and statement.read_only
    if statement.or_replace and (read_only or (existing is not None and existing.read_only)):
        raise KsqlError(f"Cannot add {kind} '{statement.name}': CREATE OR REPLACE is not supported on source {kind}s.")
    if existing is None:
        return None
    taken = f"A {existing.kind.lower()} with the same name already exists"
    if statement.if_not_exists:
        return NothingToDo(f"Cannot add {kind} {backtick(statement.name)}: {taken}.")
    if statement.or_replace and existing.kind is statement.kind:
        return existing
    raise KsqlError(f"Cannot add {kind} '{statement.name}': {taken}")


def altered(statement: ast.AlterSourceStatement, catalog: Catalog, sql: str) -> DataSource:
    """The source with the columns that ALTER ... ADD COLUMN adds to its value.

    Raises:
        KsqlError: no such source, the result of a query, a read-only source, a name that is taken, a type that its format does not have.
    """
    source = catalog.find(statement.name)
    if source is None:
        raise KsqlError(f"Source {statement.name} does not exist.")
    if source.kind is not statement.kind:
        raise KsqlError(f"Incompatible data source type is {source.kind}, but statement was ALTER {statement.kind}")
    if source.read_only:
        kind = source.kind.lower()
        raise KsqlError(f"Cannot alter {kind} '{source.name}': ALTER operations are not supported on source {kind}s.")
    if catalog.is_made_by_query(source.name):
        raise KsqlError("ALTER command is not supported for CREATE ... AS statements.")
    taken = {column.name for column in source.schema.columns}
    for column in statement.columns:
        if column.name in taken:
            raise KsqlError(
                f"Cannot add column {backtick(column.name)} to schema. A column with the same name already exists."
            )
        taken.add(column.name)
    check_column_names(statement)
    added = tuple(Column(column.name, column.type) for column in statement.columns)
    schema = Schema(source.schema.key, source.schema.value + added)
    if source.value_format.wrap_single is not None and len(schema.value) > 1:
        raise KsqlError("'WRAP_SINGLE_VALUE' is only valid for single-field value schemas")
    check_formats(schema, source.key_format, source.value_format)
    return replace(source, schema=schema, sql=f"{source.sql}\n{sql}")


def create_type(statement: ast.CreateType, catalog: Catalog) -> ast.CreateType | NothingToDo:
    """A name for a type. Raises KsqlError where it is taken."""
    if statement.name not in catalog.types:
        return statement
    known = f"type '{statement.name}' is already registered"
    if statement.if_not_exists:
        return NothingToDo(f"Custom {known}")
    raise KsqlError(
        f"Cannot register custom type '{statement.name}' since it is already registered with type: {catalog.types[statement.name]}"
    )


def drop_type(statement: ast.DropType, catalog: Catalog) -> ast.DropType | NothingToDo:
    """Raises KsqlError where there is no such type."""
    if statement.name in catalog.types:
        return statement
    if statement.if_exists:
        return NothingToDo(f"Type '{statement.name}' does not exist")
    raise KsqlError(f"Type {statement.name} does not exist.")


def check_replacement(old: DataSource, new: DataSource) -> None:
    """Refuse a replacement that changes where or how the old rows are stored."""
    reasons = []
    if _topic(old) != _topic(new):
        reasons.append(f"has topic = {_topic(old)} which is not upgradeable to {_topic(new)}")
    changed = _changed_columns(old, new)
    if changed:
        reasons.append(
            f"has schema = {_schema(old)} which is not upgradeable to {_schema(new)}. "
            f"(The following columns are changed, missing or reordered: [{', '.join(changed)}])"
        )
    if reasons:
        text = "\n\tAND ".join(f"DataSource '{backtick(old.name)}' {reason}" for reason in reasons)
        raise KsqlError(f"Cannot upgrade data source: {text}")


def _schema(source: DataSource) -> str:
    return format_schema(source.schema)


def _changed_columns(old: DataSource, new: DataSource) -> list[str]:
    pairs = []
    for old_part, new_part, suffix in (
        (old.schema.key, new.schema.key, " KEY"),
        (old.schema.value, new.schema.value, ""),
    ):
        for index, column in enumerate(old_part):
            if index >= len(new_part) or new_part[index] != column:
                pairs.append(f"{backtick(column.name)} {column.type}{suffix}")
    return pairs


def _topic(source: DataSource) -> str:
    window = "Optional.empty"
    if source.window is not None:
        size = "Optional.empty" if source.window.size_ms is None else f"Optional[{source.window.size_ms}]"
        window = f"Optional[WindowInfo{{type={source.window.type}, size={size}, emitStrategy=CHANGES}}]"
    return (
        f"KsqlTopic{{kafkaTopicName='{source.topic}', "
        f"keyFormat=KeyFormat{{{_format(source.key_format)}, window={window}}}, "
        f"valueFormat=ValueFormat{{{_format(source.value_format)}}}}}"
    )


def _format(used: Format) -> str:
    properties = f"delimiter={used.delimiter}" if used.name == "DELIMITED" and used.delimiter != "," else ""
    features = "" if used.wrap_single is None else ("WRAP_SINGLES" if used.wrap_single else "UNWRAP_SINGLES")
    return f"format=FormatInfo{{format={used.name}, properties={{{properties}}}}}, features=[{features}]"


def drop(statement: ast.DropSourceStatement, catalog: Catalog) -> DropSource:
    """A DROP, once nothing reads from the source any more."""
    source = catalog.find(statement.name)
    if source is None:
        if statement.if_exists:
            return DropSource(statement.name, statement.kind, None)
        raise KsqlError(f"{statement.kind.capitalize()} {statement.name} does not exist.")
    if source.kind is not statement.kind:
        raise KsqlError(
            f"Incompatible data source type is {source.kind.lower()}, but statement was DROP {statement.kind.lower()}"
        )
    if statement.delete_topic and source.read_only:
        raise KsqlError(f"Cannot delete topic for read-only source: {source.name}")
    _check_unused(source, catalog)
    return DropSource(source.name, source.kind, source, statement.delete_topic)


def _check_unused(source: DataSource, catalog: Catalog) -> None:
    dependents = catalog.dependents(source.name)
    if dependents:
        raise KsqlError(
            f"Cannot drop {source.name}.\n"
            f"The following streams and/or tables read from this source: [{', '.join(dependents)}].\n"
            f"You need to drop them before dropping {source.name}."
        )
    reading = sorted(query.id for query in catalog.readers(source.name))
    writing = sorted(query.id for query in catalog.writers(source.name) if not query.creates_sink)
    if reading or writing:
        raise KsqlError(
            f"Cannot drop {source.name}.\n"
            f"The following queries read from this source: [{', '.join(reading)}].\n"
            f"The following queries write into this source: [{', '.join(writing)}].\n"
            f"You need to terminate them before dropping {source.name}."
        )


def insert_target(name: str, location: ast.Location, catalog: Catalog) -> DataSource:
    """The stream that INSERT INTO ... SELECT may write into."""
    target = catalog.find(name)
    if target is None:
        raise KsqlError(f"Line: {location.line}, Col: {location.column}: Source {backtick(name)} does not exist.")
    if target.kind is SourceKind.TABLE:
        raise KsqlError(f"INSERT INTO can only be used to insert into a stream. {name} is a table.")
    if target.read_only:
        raise KsqlError(f"Cannot insert into read-only {target.kind.lower()}: {name}")
    if any(column.header is not None for column in target.schema.columns):
        raise KsqlError(f"Cannot insert into {name} because it has header columns")
    return target
