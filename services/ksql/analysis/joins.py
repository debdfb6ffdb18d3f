"""The FROM clause: one source, or a chain of joins from left to right.

Criteria, order, windows and key types are checked here; refusals are worded as ksqlDB words them.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.ksql.analysis.expressions import Scope, as_key, typed
from services.ksql.analysis.names import AliasedSource, AliasGenerator, Names
from services.ksql.errors import KsqlError
from services.ksql.model.plan import JoinStep, JoinType, SourceStep, Step
from services.ksql.model.schema import Column, KeyWindow, Schema, SourceKind, WindowType
from services.ksql.model.typed_expressions import Expression
from services.ksql.model.types import STRING
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
    """The two sides of ON: ``left`` of the sources joined so far, ``right`` of the new source. ``text`` as written."""

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
    if join.type == "RIGHT":
        raise KsqlError("RIGHT OUTER JOIN on a foreign key is not supported")
    if join.type == "FULL":
        raise KsqlError(f"Invalid join type: full-outer join not supported for foreign-key table-table join. {got}")
    return True


def _check_right_key(criteria: Criteria, pair: str, whose: str, names: Names) -> None:
    if not _is_only_key(criteria.right, names):
        raise KsqlError(f"Invalid join condition: {pair} joins require to join on {whose}. Got {criteria.text}.")


def check_key_types(left_key: Expression, right_key: Expression, criteria: Criteria, *, foreign: bool) -> None:
    """Both sides of a join have one type."""
    if left_key.type == right_key.type:
        return
    if foreign:
        left, right = format_expression(criteria.left), format_expression(criteria.right)
        raise KsqlError(
            f"Invalid join condition: types don't match. Got {left}{{{left_key.type}}} = {right}{{{right_key.type}}}."
        )
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
    """Whether the left side of a table-table join is the key of the sources joined so far."""
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


@dataclass(frozen=True, slots=True)
class JoinKey:
    """What the key of a join may be called: one of ``viable`` (the first that is selected), or a made-up name.

    With ``all_required`` (foreign-key joins) the viable ones are the left key columns, and all have to be selected.
    """

    viable: tuple[ast.ColumnName, ...]
    synthetic: str | None = None
    all_required: bool = False


@dataclass(frozen=True, slots=True)
class FromClause:
    """The rows of a FROM clause."""

    step: Step
    join_key: JoinKey | None = None


def source_step(names: Names, aliased: AliasedSource) -> SourceStep:
    source = aliased.source
    alias = aliased.alias if names.is_join else None
    return SourceStep(source, names.source_schema(aliased), source.kind, alias, source.window)


def build_relation(query: ast.Select, names: Names, selected: frozenset[ast.Expression]) -> FromClause:
    """The step for FROM. ``selected`` are the select items that are columns: they decide which key name a join keeps."""
    if not query.joins:
        return FromClause(source_step(names, names.sources[0]))
    check_sources(names)
    checked = [check_criteria(join, names, index + 1) for index, join in enumerate(query.joins)]
    chain = _Chain(source_step(names, names.sources[0]), names, selected)
    for index, (join, criteria) in enumerate(zip(query.joins, checked, strict=True)):
        chain.add(join, criteria, source_step(names, names.sources[index + 1]))
    return FromClause(chain.step, chain.key)


class _Chain:
    """The joins so far: their step, the expressions that equal its key, and how the key may be called."""

    def __init__(self, step: Step, names: Names, selected: frozenset[ast.Expression]) -> None:
        self.step = step
        self.key: JoinKey | None = None
        self._equal: tuple[ast.Expression, ...] = ()
        self._names = names
        self._selected = selected

    def add(self, join: ast.Join, criteria: Criteria, right: SourceStep) -> None:
        left, names = self.step, self._names
        left_key = as_key(typed(names.bare(criteria.left), _scope(left)))
        right_key = as_key(typed(names.bare(criteria.right), _scope(right)))
        foreign = check_join(join, criteria, left, right, names)
        check_key_types(left_key, right_key, criteria, foreign=foreign)
        check_windows(left, right, names)
        check_within(join, left, right)
        equal = self._equal_expressions(criteria)
        key = _foreign_key(criteria, names) if foreign else _join_key(equal, join.type, names)
        within = join.within
        self.step = JoinStep(
            left=left,
            right=right,
            join_type=JoinType(join.type),
            left_key=left_key,
            right_key=right_key,
            schema=Schema(self._key_columns(key, left_key), left.schema.value + right.schema.value),
            kind=SourceKind.TABLE if left.kind is right.kind is SourceKind.TABLE else SourceKind.STREAM,
            before_ms=within.before.milliseconds if within else None,
            after_ms=within.after.milliseconds if within else None,
            grace_ms=within.grace.milliseconds if within and within.grace else None,
            foreign_key=foreign,
            window=left.window,
        )
        self.key = key
        # After a full join either side may be missing, so nothing equals the key.
        self._equal = equal if join.type != "FULL" else ()

    def _equal_expressions(self, criteria: Criteria) -> tuple[ast.Expression, ...]:
        before = self._equal if criteria.left in self._equal else (criteria.left,)
        return tuple(dict.fromkeys((*before, criteria.right)))

    def _key_columns(self, key: JoinKey, left_key: Expression) -> tuple[Column, ...]:
        if key.all_required:
            return self.step.schema.key
        key_type = left_key.type or STRING
        if key.synthetic is not None:
            return (Column(key.synthetic, key_type),)
        chosen = next((column for column in key.viable if column in self._selected), key.viable[0])
        return (Column(self._names.plain(chosen.source, chosen.name), key_type),)


def _scope(step: Step) -> Scope:
    return {column.name: column.type for column in step.schema.columns}


def _join_key(equal: tuple[ast.Expression, ...], join_type: str, names: Names) -> JoinKey:
    viable = tuple(expression for expression in equal if isinstance(expression, ast.ColumnName))
    if join_type == "FULL" or not viable:
        return JoinKey((), _synthetic_name(names))
    return JoinKey(viable)


def _foreign_key(criteria: Criteria, names: Names) -> JoinKey:
    alias = only_source(criteria.left)
    columns = tuple(ast.ColumnName(alias, column.name) for column in names.find(alias).schema.key)
    return JoinKey(columns, all_required=True)


def _synthetic_name(names: Names) -> str:
    """ROWKEY, or with the first number at which no source has such a column."""
    taken = [column.name for aliased in names.sources for column in aliased.source.schema.columns]
    if "ROWKEY" not in taken:
        return "ROWKEY"
    return AliasGenerator("ROWKEY_", ["ROWKEY_0", *taken])()
