"""Compiles typed expressions to Python functions of a row ``r``, its time ``t`` and its window ``w``.

A plain column is an index, a comparison of columns is inline; the rest calls ``evaluation``. An expression that fails
(division by 0, a text that is no number) is NULL, as in ksqlDB. Calls of functions whose value depends on one text only, as the rule for
a dimension does, look their value up by the text.

A row is a plain tuple, key columns first; ``Layout`` says where each column is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from services.ksql.engine import evaluation
from services.ksql.model import typed_expressions as ex
from services.ksql.model.schema import Schema
from services.ksql.model.types import BaseType


@dataclass(frozen=True, slots=True)
class Layout:
    """``names`` by position; the first ``keys`` are the key. In compiled code a row is ``r``, its time ``t``, its window ``w``."""

    names: tuple[str, ...]
    keys: int

    def fragment(self, name: str, row: str = "r") -> str:
        """The Python text that reads column ``name``.

        Raises:
            KeyError: there is no such column.
        """
        if name in self.names:
            return f"{row}[{self.names.index(name)}]"
        return _PSEUDO[name]


_PSEUDO = {
    "ROWTIME": "t",
    "WINDOWSTART": "(None if w is None else w[0])",
    "WINDOWEND": "(None if w is None else w[1])",
}


def layout_of(schema: Schema, hidden: tuple[str, ...] = ()) -> Layout:
    """The layout of a schema's rows, with ``hidden`` columns at the end."""
    return Layout(tuple(c.name for c in schema.columns) + hidden, len(schema.key))


Evaluate = Callable[[tuple[Any, ...], int | None, Any], Any]

_INLINE = {"=": "==", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}

_NEVER_NULL = (ex.TypedComparison, ex.TypedLogical, ex.TypedIsNull, ex.TypedBetween, ex.TypedIn, ex.TypedLike)


#: characters of texts and values that one expression remembers, and what an entry counts beside them
_REMEMBERED = 1_000_000
_ENTRY = 200
#: values of other types may change after they were made, or take any memory
_PLAIN = frozenset({BaseType.BOOLEAN, BaseType.INTEGER, BaseType.BIGINT, BaseType.DOUBLE, BaseType.STRING})

#: levels in one Python function, of up to three brackets each: Python takes 200
_LEVELS = 40


class _Writer:
    """Collects the text of one function and the objects that it names."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.scope: dict[str, Any] = {}
        self._level = 0
        #: the parameters of the lambdas around: SQL's name, Python's
        self._variables: tuple[tuple[str, str], ...] = ()

    def _named(self, value: Any) -> str:
        name = f"x{len(self.scope)}"
        self.scope[name] = value
        return name

    def _call(self, function: Any, *arguments: str) -> str:
        return f"{self._named(function)}({', '.join(arguments)})"

    def whole(self, expression: ex.Expression) -> tuple[str, bool]:
        """The text of a whole expression, and whether it may fail."""
        if (found := by_text(expression, self._layout)) is not None:
            at, values = found
            return f"{self._named(values)}[r[{at}]]", False
        part = expression.operand if isinstance(expression, ex.TypedIsNull) else expression
        return self.write(expression), not isinstance(part, ex.ColumnRef | ex.TypedLiteral)

    def write(self, node: ex.Expression) -> str:
        """The text of ``node``; every so many levels it is the call of a function of its own."""
        self._level += 1
        text = self._write(node)
        if self._level % _LEVELS == 0:
            more = "".join(f", {name}" for _, name in self._variables)
            text = f"{self._named(_function(text, dict(self.scope), more))}(r, t, w{more})"
        self._level -= 1
        return text

    def _write(self, node: ex.Expression) -> str:  # noqa: PLR0911, PLR0912 - one branch per node
        match node:
            case ex.ColumnRef(name=name):
                return self._layout.fragment(name)
            case ex.TypedLiteral(value=value):
                return repr(value) if value is None or isinstance(value, bool | int) else self._named(value)
            case ex.TypedCast(operand=operand, type=kind):
                if operand.type == kind:
                    return self.write(operand)
                return self._call(evaluation.cast(operand.type, kind), self.write(operand))
            case ex.TypedArithmetic(op=op, left=left, right=right, type=kind):
                # in a lambda NULL is an error, as in the Java that ksqlDB makes of it
                operation = evaluation.arithmetic(op, kind, strict=bool(self._variables))
                return self._call(operation, self.write(left), self.write(right))
            case ex.TypedNegate(operand=operand, type=kind):
                return self._call(evaluation.negation(kind), self.write(operand))
            case ex.TypedComparison():
                return self._comparison(node)
            case ex.TypedLogical(op=op, left=left, right=right):
                return f"(bool({self.write(left)}) {op.lower()} bool({self.write(right)}))"
            case ex.TypedNot(operand=operand):
                if isinstance(operand, _NEVER_NULL):
                    return f"(not {self.write(operand)})"
                return self._call(evaluation.inverse, self.write(operand))
            case ex.TypedIsNull(operand=operand, negated=negated):
                return f"({self.write(operand)} is {'not ' if negated else ''}None)"
            case ex.TypedBetween(operand=operand, low=low, high=high, negated=negated):
                return self._maybe_not(
                    negated, self._call(evaluation.between, self.write(operand), self.write(low), self.write(high))
                )
            case ex.TypedIn(operand=operand, options=options, negated=negated):
                listed = "(" + "".join(self.write(o) + ", " for o in options) + ")"
                return self._maybe_not(negated, self._call(evaluation.one_of, self.write(operand), listed))
            case ex.TypedLike(operand=operand, pattern=pattern, escape=escape, negated=negated):
                call = self._call(evaluation.like, self.write(operand), self.write(pattern), self._named(escape))
                return self._maybe_not(negated, call)
            case ex.TypedCase(whens=whens, default=default):
                # One level for all WHENs: the value is wrapped, so that it is true whatever it is.
                chosen = [f"{self.write(condition)} and ({self.write(value)},)" for condition, value in whens]
                last = "None" if default is None else self.write(default)
                return f"({' or '.join([*chosen, f'({last},)'])})[0]"
            case ex.TypedCall(function=function, arguments=arguments):
                write = self._part if function.sees_nulls else self.write
                return self._call(function.invoke, *map(write, arguments))
            case ex.TypedDereference(operand=operand, field=field):
                return self._call(evaluation.entry, self.write(operand), self._named(field))
            case ex.TypedSubscript(operand=operand, index=index):
                is_array = operand.type is not None and operand.type.base is BaseType.ARRAY
                get = evaluation.item if is_array else evaluation.entry
                return self._call(get, self.write(operand), self.write(index))
            case ex.TypedMakeArray(items=items):
                return f"[{', '.join(map(self._part, items))}]"
            case ex.TypedMakeMap(keys=keys, values=values):
                return self._call(evaluation.make_map, self._tuple(keys), self._tuple(values))
            case ex.TypedMakeStruct(names=names, values=values):
                pairs = zip(map(self._named, names), map(self._part, values), strict=True)
                return "{" + ", ".join(f"{name}: {value}" for name, value in pairs) + "}"
            case ex.TypedLambda():
                return self._lambda(node)
            case ex.TypedLambdaVariable(name=name):
                return next(python for sql, python in reversed(self._variables) if sql == name)
        raise TypeError(f"not an expression of the engine: {node!r}")

    def _tuple(self, nodes: Sequence[ex.Expression]) -> str:
        return "(" + "".join(f"{self._part(node)}, " for node in nodes) + ")"

    def _part(self, node: ex.Expression) -> str:
        """A part of a constructor: NULL where it fails, while the others stay."""
        text = self.write(node)
        if isinstance(node, ex.ColumnRef | ex.TypedLiteral | ex.TypedLambdaVariable | ex.TypedLambda):
            return text
        more = "".join(f", {name}" for _, name in self._variables)
        return f"{self._named(_or_none(_function(text, dict(self.scope), more)))}(r, t, w{more})"

    def _lambda(self, node: ex.TypedLambda) -> str:
        around = self._variables
        first = len(around)
        mine = tuple((name, f"p{first + i}") for i, name in enumerate(node.parameters))
        self._variables = (*around, *mine)
        body = self.write(node.body)
        self._variables = around
        return f"(lambda {', '.join(name for _, name in mine)}: {body})"

    def _maybe_not(self, negated: bool, text: str) -> str:
        return f"(not {text})" if negated else text

    def _comparison(self, node: ex.TypedComparison) -> str:
        left, right = self.write(node.left), self.write(node.right)
        simple = (ex.ColumnRef, ex.TypedLiteral)
        if node.op in _INLINE and isinstance(node.left, simple) and isinstance(node.right, simple):
            checks = [f"{s} is not None" for s, n in ((left, node.left), (right, node.right)) if _may_be_null(n)]
            return "(" + " and ".join([*checks, f"{left} {_INLINE[node.op]} {right}"]) + ")"
        return self._call(evaluation.COMPARISONS[node.op], left, right)


class ByText(dict[str | None, Any]):
    """The values of an expression by the text that it depends on, None where it fails; those of recent texts are remembered."""

    def __init__(self, value: Callable[[str | None], Any]) -> None:
        super().__init__()
        self._value = value
        self._size = 0

    def __missing__(self, text: str | None) -> Any:
        try:
            value = self._value(text)
        except Exception:  # whatever a function raises: NULL, as in ksqlDB
            value = None
        size = _ENTRY + len(text or "") + (len(value) if isinstance(value, str) else 0)
        if size <= _REMEMBERED // 4:
            if self._size + size > _REMEMBERED:
                self.clear()
                self._size = 0
            self._size += size
            self[text] = value
        return value


def by_text(expression: ex.Expression, layout: Layout) -> tuple[int, ByText] | None:
    """The place of the one VARCHAR column that decides the value of an expression with calls, and its values; None where there is more
    to it."""
    if isinstance(expression, ex.ColumnRef) or expression.type is None or expression.type.base not in _PLAIN:
        return None
    parts = list(parts_of(expression))
    columns = {part for part in parts if isinstance(part, ex.ColumnRef)}
    calls = [part for part in parts if isinstance(part, ex.TypedCall)]
    # without an argument it is the time, a random number, a UUID
    if len(columns) != 1 or not calls or not all(call.arguments for call in calls):
        return None
    (column,) = columns
    if column.type.base is not BaseType.STRING or column.name not in layout.names:
        return None
    at = layout.names.index(column.name)
    writer = _Writer(layout)
    value = _function(writer.write(expression), writer.scope)
    before = (None,) * at
    return at, ByText(lambda text: value((*before, text), 0, None))


def _may_be_null(node: ex.Expression) -> bool:
    return not isinstance(node, ex.TypedLiteral) or node.value is None


def _function(text: str, scope: dict[str, Any], more: str = "") -> Evaluate:
    exec(f"def evaluate(r, t, w{more}): return {text}", scope)  # noqa: S102 - the text comes from the writer above
    function: Evaluate = scope["evaluate"]
    return function


def _or_none(function: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except Exception:  # whatever a function raises: NULL, as in ksqlDB
            return None

    return guarded


def compile_one(expression: ex.Expression, layout: Layout) -> Evaluate:
    """The value of ``expression``, None where it fails."""
    writer = _Writer(layout)
    text, may_fail = writer.whole(expression)
    fast = _function(text, writer.scope)
    if not may_fail:
        return fast

    def guarded(r: tuple[Any, ...], t: int | None, w: Any) -> Any:
        try:
            return fast(r, t, w)
        except Exception:  # whatever a function raises: NULL, as in ksqlDB
            return None

    return guarded


def compile_row(expressions: Sequence[ex.Expression], layout: Layout) -> Evaluate:
    """The values of all ``expressions`` as a tuple; where one fails it alone is None."""
    writer = _Writer(layout)
    texts = [writer.whole(e) for e in expressions]
    fast = _function("(" + "".join(text + ", " for text, _ in texts) + ")", writer.scope)
    if not any(may_fail for _, may_fail in texts):
        return fast
    singles = [compile_one(e, layout) for e in expressions]

    def guarded(r: tuple[Any, ...], t: int | None, w: Any) -> Any:
        try:
            return fast(r, t, w)
        except Exception:  # whatever a function raises: NULL, as in ksqlDB
            return tuple(one(r, t, w) for one in singles)

    return guarded


def compile_predicate(expression: ex.Expression, layout: Layout) -> Evaluate:
    """Whether ``expression`` holds; NULL and failure are false."""
    value = compile_one(expression, layout)
    return lambda r, t, w: value(r, t, w) is True


def columns_in(node: Any) -> set[str]:
    """The names of all columns that a piece of plan mentions."""
    return {part.name for part in parts_of(node) if isinstance(part, ex.ColumnRef)}


def parts_of(node: Any) -> Iterator[Any]:
    """A piece of plan and all pieces in it."""
    if isinstance(node, tuple | list):
        for item in node:
            yield from parts_of(item)
    elif hasattr(node, "__dataclass_fields__"):
        yield node
        for name in node.__dataclass_fields__:
            yield from parts_of(getattr(node, name))
