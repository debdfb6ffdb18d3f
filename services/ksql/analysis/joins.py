"""The FROM clause: one source, or a chain of joins from left to right."""

from __future__ import annotations

from dataclasses import dataclass

from services.ksql.analysis import join_rules as rules
from services.ksql.analysis.expressions import Scope, typed
from services.ksql.analysis.names import Names
from services.ksql.analysis.sanitize import AliasedSource, AliasGenerator
from services.ksql.model.expression import Expression
from services.ksql.model.plan import JoinStep, JoinType, SourceStep, Step
from services.ksql.model.schema import Column, Schema, SourceKind
from services.ksql.model.types import STRING
from services.ksql.sql import ast


@dataclass(frozen=True, slots=True)
class JoinKey:
    """What the key of a join may be called: one of ``viable`` (the first that is selected), or a made-up name.

    With ``all_required`` (foreign-key joins) the viable ones are the left key columns, and all have to be selected.
    """

    viable: tuple[ast.ColumnName, ...]
    synthetic: str | None = None
    all_required: bool = False


@dataclass(frozen=True, slots=True)
class Relation:
    """The rows of a FROM clause."""

    step: Step
    join_key: JoinKey | None = None


def source_step(names: Names, aliased: AliasedSource) -> SourceStep:
    source = aliased.source
    alias = aliased.alias if names.is_join else None
    return SourceStep(source, names.source_schema(aliased), source.kind, alias, source.window)


def build_relation(query: ast.Query, names: Names, selected: frozenset[ast.Expression]) -> Relation:
    """The step for FROM. ``selected`` are the select items that are columns: they decide which key name a join keeps."""
    if not query.joins:
        return Relation(source_step(names, names.sources[0]))
    rules.check_sources(names)
    checked = [rules.check_criteria(join, names, index + 1) for index, join in enumerate(query.joins)]
    chain = _Chain(source_step(names, names.sources[0]), names, selected)
    for index, (join, criteria) in enumerate(zip(query.joins, checked, strict=True)):
        chain.add(join, criteria, source_step(names, names.sources[index + 1]))
    return Relation(chain.step, chain.key)


class _Chain:
    """The joins so far: their step, the expressions that equal its key, and how the key may be called."""

    def __init__(self, step: Step, names: Names, selected: frozenset[ast.Expression]) -> None:
        self.step = step
        self.key: JoinKey | None = None
        self._equal: tuple[ast.Expression, ...] = ()
        self._names = names
        self._selected = selected

    def add(self, join: ast.Join, criteria: rules.Criteria, right: SourceStep) -> None:
        left, names = self.step, self._names
        left_key = typed(names.bare(criteria.left), _scope(left))
        right_key = typed(names.bare(criteria.right), _scope(right))
        foreign = rules.check_join(join, criteria, left, right, names)
        rules.check_key_types(left_key, right_key)
        rules.check_windows(left, right, names)
        rules.check_within(join, left, right)
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

    def _equal_expressions(self, criteria: rules.Criteria) -> tuple[ast.Expression, ...]:
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


def _foreign_key(criteria: rules.Criteria, names: Names) -> JoinKey:
    alias = rules.only_source(criteria.left)
    columns = tuple(ast.ColumnName(alias, column.name) for column in names.find(alias).schema.key)
    return JoinKey(columns, all_required=True)


def _synthetic_name(names: Names) -> str:
    """ROWKEY, or with the first number at which no source has such a column."""
    taken = [column.name for aliased in names.sources for column in aliased.source.schema.columns]
    if "ROWKEY" not in taken:
        return "ROWKEY"
    return AliasGenerator("ROWKEY_", ["ROWKEY_0", *taken])()
