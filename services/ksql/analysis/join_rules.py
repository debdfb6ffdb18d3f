"""Which joins there are: criteria, order, windows, key types; refusals worded as ksqlDB words them."""

from __future__ import annotations

from dataclasses import dataclass

from services.ksql.analysis.names import Names
from services.ksql.errors import KsqlError
from services.ksql.model.expression import Expression
from services.ksql.model.plan import JoinStep, SourceStep, Step
from services.ksql.model.schema import KeyWindow, SourceKind, WindowType
from services.ksql.sql import ast
from services.ksql.sql.ast import columns
from services.ksql.sql.format import backtick, format_expression

_WITHIN_HELP = (
    "To learn about how to specify a WITHIN clause with a stream-stream join, please visit: "
    "https://docs.confluent.io/current/ksql/docs/syntax-reference.html#create-stream-as-select"
)


#: How messages spell a join.
_TYPE_NAMES = {"INNER": "[INNER]", "LEFT": "LEFT [OUTER]", "RIGHT": "RIGHT [OUTER]", "FULL": "[FULL] OUTER"}


@dataclass(frozen=True, slots=True)
class Criteria:
    """The two sides of ON: ``left`` of what is joined so far, ``right`` of the new source. ``text`` as written."""

    left: ast.Expression
    right: ast.Expression
    text: str


def check_sources(names: Names) -> None:
    """No source twice, and no format that cannot join."""
    seen: list[str] = []
    for aliased in names.sources:
        name = aliased.source.name
        if name in seen:
            if len(names.sources) == 2:
                raise KsqlError(f"Can not join '{name}' to '{name}': self joins are not yet supported.")
            raise KsqlError(f"N-way joins do not support multiple occurrences of the same source. Source: '{name}'")
        seen.append(name)


def only_source(expression: ast.Expression) -> str:
    """The alias of the one source that an expression of a checked criteria refers to."""
    return next(column.source for column in columns(expression) if column.source is not None)


def check_criteria(join: ast.Join, names: Names, position: int) -> Criteria:
    """The sides of ON in plan order. ``position`` is that of the joined source among all."""
    criteria = join.criteria
    if isinstance(criteria, ast.Logical):
        raise KsqlError(
            "Invalid join condition: joins on multiple conditions are not yet supported. "
            f"Got {format_expression(criteria)}."
        )
    if not isinstance(criteria, ast.Comparison):
        raise KsqlError(f"Unsupported join expression: {format_expression(criteria)}")
    if criteria.op != "=":
        raise KsqlError(f"Only equality join criteria is supported. Got: {format_expression(criteria)}")
    names.check("JOIN ON", criteria)
    left, right = (_side(side, criteria) for side in (criteria.left, criteria.right))
    if left == right:
        raise KsqlError(
            "Each side of the join must reference exactly one source and not the same source. "
            f"Left side references {backtick(left)} and right references {backtick(right)}"
        )
    joined = names.sources[position].alias
    text = f"{format_expression(criteria.left)} = {format_expression(criteria.right)}"
    if right == joined:
        return Criteria(criteria.left, criteria.right, text)
    if left == joined:
        return Criteria(criteria.right, criteria.left, text)
    raise KsqlError(
        f"A join criteria is expected to reference the source ({backtick(joined)}) in the FROM clause, "
        f"instead the right source references {backtick(right)} and the left source references {backtick(left)}"
    )


def _side(side: ast.Expression, criteria: ast.Expression) -> str:
    aliases = {column.source for column in columns(side)}
    alias = next(iter(aliases), None)
    if len(aliases) != 1 or alias is None:
        raise KsqlError(
            f"Invalid comparison expression '{format_expression(side)}' in join '{format_expression(criteria)}'. "
            "Each side of the join comparision must contain references from exactly one source."
        )
    return alias


def check_join(join: ast.Join, criteria: Criteria, left: Step, right: SourceStep, names: Names) -> bool:
    """Whether the join, found to be possible, is a foreign-key join. Types and windows are checked apart."""
    got = (
        f"Got {names.find(only_source(criteria.left)).name} {_TYPE_NAMES[join.type]} JOIN "
        f"{names.find(only_source(criteria.right)).name}."
    )
    if right.kind is SourceKind.STREAM:
        if left.kind is SourceKind.TABLE:
            raise KsqlError(f"Invalid join order: table-stream joins are not supported; only stream-table joins. {got}")
        return False
    if left.kind is SourceKind.STREAM:
        if join.type in ("RIGHT", "FULL"):
            side = "full" if join.type == "FULL" else "right"
            raise KsqlError(f"Invalid join type: {side}-outer join not supported for stream-table join. {got}")
        _check_right_key(criteria, "stream-table", "the table's primary key", names)
        return False
    _check_right_key(criteria, "table-table", "the primary key of the right input table", names)
    if _joins_key(criteria, left, names):
        return False
    if isinstance(left, JoinStep):
        raise KsqlError(
            "Invalid join condition: foreign-key table-table joins are not supported as part of n-way joins. "
            f"Got {criteria.text}."
        )
    if join.type in ("RIGHT", "FULL"):
        side = "full" if join.type == "FULL" else "right"
        raise KsqlError(f"Invalid join type: {side}-outer join not supported for foreign-key table-table join. {got}")
    return True


def _check_right_key(criteria: Criteria, pair: str, whose: str, names: Names) -> None:
    if not _is_only_key(criteria.right, names):
        raise KsqlError(f"Invalid join condition: {pair} joins require to join on {whose}. Got {criteria.text}.")


def check_key_types(left_key: Expression, right_key: Expression) -> None:
    if left_key.type != right_key.type:
        raise KsqlError(f"Invalid join. Key types differ: {left_key.type} vs {right_key.type}")


def check_within(join: ast.Join, left: Step, right: SourceStep) -> None:
    """Streams join within a time, tables do not."""
    if left.kind is right.kind is SourceKind.STREAM:
        if join.within is None:
            raise KsqlError(
                f"Stream-stream joins must have a WITHIN clause specified. None was provided. {_WITHIN_HELP}"
            )
        return
    pair = "Stream-Table" if left.kind is SourceKind.STREAM else "Table-Table"
    if join.within is not None:
        raise KsqlError(
            f"A window definition was provided for a {pair} join. These joins are not windowed. Please drop the window "
            "definition (ie. the WITHIN clause) and try to execute your join again."
        )


def _left_name(step: Step, names: Names) -> str:
    return step.alias if isinstance(step, SourceStep) and step.alias else names.sources[0].alias


def _is_only_key(expression: ast.Expression, names: Names) -> bool:
    if not isinstance(expression, ast.ColumnName) or expression.source is None:
        return False
    return [column.name for column in names.find(expression.source).schema.key] == [expression.name]


def _joins_key(criteria: Criteria, left: Step, names: Names) -> bool:
    """Whether the left side of a table-table join is the key of what is joined so far."""
    if isinstance(left, JoinStep) and left.foreign_key:
        column = criteria.left
        named = isinstance(column, ast.ColumnName) and names.plain(column.source, column.name)
        return [key.name for key in left.schema.key] == [named]
    return _is_only_key(criteria.left, names)


def check_windows(left: Step, right: SourceStep, names: Names) -> None:
    """Only sources that are windowed alike can be joined."""
    if (left.window is None) == (right.window is None):
        both_sessions = {w.type is WindowType.SESSION for w in (left.window, right.window) if w is not None}
        if len(both_sessions) < 2:
            return
        raise KsqlError(
            "Incompatible windowed sources.\n"
            f"{_describe(left, left.window, names)}\n{_describe(right, right.window, names)}\n"
            "Session windowed sources can only be joined to other session windowed sources, and may still not result in "
            "expected behaviour as session bounds must be an exact match for the join to work\n"
            "Hopping and tumbling windowed sources can only be joined to other hopping and tumbling windowed sources"
        )
    raise KsqlError(
        "Can not join windowed source to non-windowed source.\n"
        f"{_describe(left, left.window, names)}\n{_describe(right, right.window, names)}"
    )


def _describe(step: Step, window: KeyWindow | None, names: Names) -> str:
    name = backtick(_left_name(step, names))
    return f"{name} is not windowed" if window is None else f"{name} is {window.type} windowed"
