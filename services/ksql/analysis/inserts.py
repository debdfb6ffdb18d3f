"""INSERT INTO: values, and the results of a query."""

from __future__ import annotations

from services.ksql.analysis.catalog import Catalog
from services.ksql.analysis.expressions import cast, typed
from services.ksql.errors import KsqlError, RequestError
from services.ksql.functions.numbers import to_decimal
from services.ksql.model import typed_expressions as ex
from services.ksql.model.commands import InsertValues
from services.ksql.model.plan import NamedExpression, ProjectStep
from services.ksql.model.schema import Column, DataSource, Schema, SourceKind
from services.ksql.model.types import BIGINT, BaseType, SqlType
from services.ksql.sql import ast
from services.ksql.sql.format import backtick, format_schema, masked_insert_values

_WIDENS_TO = {
    BaseType.INTEGER: {BaseType.BIGINT, BaseType.DECIMAL, BaseType.DOUBLE},
    BaseType.BIGINT: {BaseType.DECIMAL, BaseType.DOUBLE},
    BaseType.DECIMAL: {BaseType.DECIMAL, BaseType.DOUBLE},
    BaseType.STRING: {BaseType.TIMESTAMP, BaseType.DATE, BaseType.TIME, BaseType.BYTES},
}


def insert_values(statement: ast.InsertValuesStatement, catalog: Catalog) -> InsertValues:
    """A row for an existing source, each value of the type of its column."""
    target = _target(statement.target, catalog)
    try:
        return InsertValues(target, _row(statement, target))
    except KsqlError as error:
        error.statement = error.statement or masked_insert_values(statement)
        raise


def _target(name: str, catalog: Catalog) -> DataSource:
    target = catalog.find(name)
    if target is None:
        hint = ""
        close = next((s.name for s in catalog.sources() if s.name.upper() == name.upper()), None)
        if close is not None:
            hint = f'\nDid you mean "{close}"? Hint: wrap the source name in double quotes to make it case-sensitive.'
        raise RequestError(f"Cannot insert values into an unknown stream/table: {backtick(name)}{hint}")
    if target.read_only:
        raise RequestError(f"Cannot insert values into read-only {target.kind.lower()}: {name}")
    if target.window is not None:
        raise KsqlError("Cannot insert values into windowed stream/table: " + backtick(name))
    return target


def _row(statement: ast.InsertValuesStatement, target: DataSource) -> tuple[NamedExpression, ...]:
    columns = [column for column in target.schema.columns if column.header is None]
    headers = [column.name for column in target.schema.columns if column.header is not None]
    meant = [name for name in statement.columns if name in headers]
    if meant or (headers and not statement.columns and len(statement.values) == len(target.schema.columns)):
        raise KsqlError(f"Cannot insert into HEADER columns: {', '.join(meant or headers)}")
    names = statement.columns or tuple(column.name for column in columns)
    if len(names) != len(statement.values):
        raise KsqlError(
            f"Failed to prepare statement: Expected number columns and values to match: {len(names)}, {len(statement.values)}"
            if statement.columns
            else f"Failed to insert values into '{target.name}'. Expected a value for each column. "
            f"Expected Columns: [{', '.join(map(backtick, names))}]. Got {len(statement.values)} values"
        )
    types = {column.name: column.type for column in columns} | {"ROWTIME": BIGINT}
    for name in names:
        if name not in types:
            raise _failed(target, f"Column name {backtick(name)} does not exist.")
    if target.kind is SourceKind.TABLE:
        missing = [column.name for column in target.schema.key if column.name not in names]
        if missing:
            raise _failed(target, f"Value for primary key column(s) {', '.join(missing)} is required for tables")
    return tuple(
        NamedExpression(name, _value(value, types[name], name, target))
        for name, value in zip(names, statement.values, strict=True)
    )


def _coercible(source: SqlType, target: SqlType) -> bool:
    """Whether a value becomes one of the column's type by itself, however deep in it the difference is."""
    if source == target or target.base in _WIDENS_TO.get(source.base, ()):
        return True
    if source.base is not target.base or not source.is_complex:
        return False
    if source.base is BaseType.STRUCT:
        fields = dict(target.fields)
        return all(name in fields and _coercible(kind, fields[name]) for name, kind in source.fields)
    return _coercible(source.item, target.item) and _coercible(source.map_key, target.map_key)


def _failed(target: DataSource, reason: str) -> KsqlError:
    return KsqlError(f"Failed to insert values into '{target.name}'. {reason}")


def _value(node: ast.Expression, wanted: SqlType, name: str, target: DataSource) -> ex.Expression:
    try:
        value = typed(node, {})
    except KsqlError as error:
        raise _failed(target, error.message) from error
    if value.type is None:
        return value
    if not _coercible(value.type, wanted):
        shown = value.value if isinstance(value, ex.TypedLiteral) else ""
        raise _failed(target, f"Expected type {wanted} for field {backtick(name)} but got {value.type}({shown})")
    if isinstance(value, ex.TypedLiteral) and wanted.base is BaseType.DECIMAL:
        try:
            return ex.TypedLiteral(to_decimal(value.value, wanted.precision, wanted.scale), wanted)
        except ValueError as error:
            raise _failed(target, str(error)) from error
    return cast(value, wanted)


def fit_to_sink(root: ProjectStep, sink: DataSource) -> ProjectStep:
    """The last step of INSERT INTO ... SELECT with its columns made those of the sink.

    Raises:
        KsqlError: they are other columns.
    """
    theirs = Schema(sink.schema.key, tuple(column for column in sink.schema.value if column.header is None))
    fits = len(root.schema.key) == len(theirs.key) and len(root.schema.value) == len(theirs.value)
    if not fits or not all(map(_fits, root.schema.columns, theirs.columns)):
        raise KsqlError(
            "Incompatible schema between results and sink.\n"
            f"Result schema is {format_schema(root.schema)}\nSink schema is {format_schema(sink.schema)}"
        )
    values = tuple(
        NamedExpression(column.name, cast(value.expression, column.type))
        for value, column in zip(root.values, theirs.value, strict=True)
    )
    return ProjectStep(root.input, root.keys, values, theirs, root.kind, root.window)


def _fits(ours: Column, theirs: Column) -> bool:
    if ours.name != theirs.name:
        return False
    return ours.type == theirs.type or (
        theirs.type.base in _WIDENS_TO.get(ours.type.base, set()) and ours.type.is_numeric
    )
