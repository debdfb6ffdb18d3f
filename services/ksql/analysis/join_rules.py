"""Which joins there are: criteria, order, windows, key types; refusals worded as ksqlDB words them."""

from __future__ import annotations

from dataclasses import dataclass

from services.ksql.analysis.names import Names
from services.ksql.analysis.rewrite import columns
from services.ksql.errors import KsqlError
from services.ksql.model.expression import Expression
from services.ksql.model.plan import JoinStep, SourceStep, Step
from services.ksql.model.schema import KeyWindow, SourceKind, WindowType
from services.ksql.sql import ast
from services.ksql.sql.format import backtick, format_expression

_WITHIN_HELP = (
    "To learn about how to specify a WITHIN clause with a stream-stream join, please visit: "
    "https://docs.confluent.io/current/ksql/docs/syntax-reference.html#create-stream-as-select"
)


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
    """Whether the join, found to be possible, is a foreign-key join. The types of its keys are checked apart."""
    if left.kind is SourceKind.TABLE and right.kind is SourceKind.STREAM:
        first, second = only_source(criteria.left), only_source(criteria.right)
        raise KsqlError(
            "Invalid join order: table-stream joins are not supported; only stream-table joins. "
            f"Got {first} {_type_name(join)} JOIN {second}."
        )
    _check_within(join, left, right)
    foreign = _check_table_key(join, criteria, left, right, names)
    _check_windows(left, right, names)
    return foreign


def check_key_types(left_key: Expression, right_key: Expression) -> None:
    if left_key.type != right_key.type:
        raise KsqlError(f"Invalid join. Key types differ: {left_key.type} vs {right_key.type}")


def _type_name(join: ast.Join) -> str:
    return {"INNER": "[INNER]", "LEFT": "LEFT [OUTER]", "RIGHT": "RIGHT [OUTER]", "FULL": "[FULL] OUTER"}[join.type]


def _check_within(join: ast.Join, left: Step, right: SourceStep) -> None:
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
    if pair == "Stream-Table" and join.type in ("RIGHT", "FULL"):
        raise KsqlError(
            f"{'Full' if join.type == 'FULL' else 'Right'} outer joins between streams and tables are not supported."
        )


def _check_table_key(join: ast.Join, criteria: Criteria, left: Step, right: SourceStep, names: Names) -> bool:
    if right.kind is SourceKind.STREAM:
        return False
    if not _is_only_key(criteria.right, names):
        pair, whose = (
            ("stream-table", "the table's primary key")
            if left.kind is SourceKind.STREAM
            else ("table-table", "the primary key of the right input table")
        )
        raise KsqlError(f"Invalid join condition: {pair} joins require to join on {whose}. Got {criteria.text}.")
    if left.kind is SourceKind.STREAM or _joins_key(criteria, left, names):
        return False
    if isinstance(left, JoinStep):
        raise KsqlError(
            "Invalid join condition: foreign-key table-table joins are not supported as part of n-way joins. "
            f"Got {criteria.text}."
        )
    if join.type not in ("INNER", "LEFT"):
        raise KsqlError(
            f"Invalid join type: {'full-outer' if join.type == 'FULL' else 'right-outer'} join not supported "
            f"for foreign-key table-table join. Got {left_name(left, names)} {_type_name(join)} JOIN {right.alias}."
        )
    return True


def left_name(step: Step, names: Names) -> str:
    return step.alias if isinstance(step, SourceStep) and step.alias else names.sources[0].alias


def _is_only_key(expression: ast.Expression, names: Names) -> bool:
    if not isinstance(expression, ast.ColumnName) or expression.source is None:
        return False
    return [column.name for column in names.find(expression.source).schema.key] == [expression.name]


def _joins_key(criteria: Criteria, left: Step, names: Names) -> bool:
    """Whether the left side of a table-table join is the key of what is joined so far."""
    return _is_only_key(criteria.left, names)


def _check_windows(left: Step, right: SourceStep, names: Names) -> None:
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
    name = backtick(left_name(step, names))
    return f"{name} is not windowed" if window is None else f"{name} is {window.type} windowed"
