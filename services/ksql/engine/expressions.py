"""Compiles typed expressions to Python functions of a row ``r``, its time ``t`` and its window ``w``.

A plain column is an index, a comparison of columns is inline; the rest calls ``evaluation``. An expression that fails
(division by 0, a text that is no number) is NULL, as in ksqlDB.


A row is a plain tuple, key columns first; ``Layout`` says where each column is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from services.ksql.engine import evaluation
from services.ksql.model import expression as ex
from services.ksql.model.schema import Schema


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


Evaluate = Callable[[tuple[Any, ...], int, Any], Any]

_INLINE = {"=": "==", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}

_NEVER_NULL = (ex.Comparison, ex.Logical, ex.IsNull, ex.Between, ex.In, ex.Like)


#: levels in one Python function, of up to three brackets each: Python takes 200
_LEVELS = 40


class _Writer:
    """Collects the text of one function and the objects that it names."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.scope: dict[str, Any] = {}
        self._level = 0

    def _named(self, value: Any) -> str:
        name = f"x{len(self.scope)}"
        self.scope[name] = value
        return name

    def _call(self, function: Any, *arguments: str) -> str:
        return f"{self._named(function)}({', '.join(arguments)})"

    def write(self, node: ex.Expression) -> str:
        """The text of ``node``; every so many levels it is the call of a function of its own."""
        self._level += 1
        text = self._write(node)
        if self._level % _LEVELS == 0:
            text = f"{self._named(_function(text, dict(self.scope)))}(r, t, w)"
        self._level -= 1
        return text

    def _write(self, node: ex.Expression) -> str:  # noqa: PLR0911, PLR0912 - one branch per node
        match node:
            case ex.ColumnRef(name=name):
                return self._layout.fragment(name)
            case ex.Literal(value=value):
                return repr(value) if value is None or isinstance(value, bool | int) else self._named(value)
            case ex.Cast(operand=operand, type=kind):
                if operand.type == kind:
                    return self.write(operand)
                return self._call(evaluation.cast(operand.type, kind), self.write(operand))
            case ex.Arithmetic(op=op, left=left, right=right, type=kind):
                return self._call(evaluation.arithmetic(op, kind), self.write(left), self.write(right))
            case ex.Negate(operand=operand, type=kind):
                return self._call(evaluation.negation(kind), self.write(operand))
            case ex.Comparison():
                return self._comparison(node)
            case ex.Logical(op=op, left=left, right=right):
                return f"(bool({self.write(left)}) {op.lower()} bool({self.write(right)}))"
            case ex.Not(operand=operand):
                if isinstance(operand, _NEVER_NULL):
                    return f"(not {self.write(operand)})"
                return self._call(evaluation.inverse, self.write(operand))
            case ex.IsNull(operand=operand, negated=negated):
                return f"({self.write(operand)} is {'not ' if negated else ''}None)"
            case ex.Between(operand=operand, low=low, high=high, negated=negated):
                return self._maybe_not(
                    negated, self._call(evaluation.between, self.write(operand), self.write(low), self.write(high))
                )
            case ex.In(operand=operand, options=options, negated=negated):
                listed = "(" + "".join(self.write(o) + ", " for o in options) + ")"
                return self._maybe_not(negated, self._call(evaluation.one_of, self.write(operand), listed))
            case ex.Like(operand=operand, pattern=pattern, escape=escape, negated=negated):
                call = self._call(evaluation.like, self.write(operand), self.write(pattern), self._named(escape))
                return self._maybe_not(negated, call)
            case ex.Case(whens=whens, default=default):
                # One level for all WHENs: the value is wrapped, so that it is true whatever it is.
                chosen = [f"{self.write(condition)} and ({self.write(value)},)" for condition, value in whens]
                last = "None" if default is None else self.write(default)
                return f"({' or '.join([*chosen, f'({last},)'])})[0]"
            case ex.Call(function=function, arguments=arguments):
                return self._call(function.invoke, *(self.write(a) for a in arguments))
        raise TypeError(f"not an expression of the engine: {node!r}")

    def _maybe_not(self, negated: bool, text: str) -> str:
        return f"(not {text})" if negated else text

    def _comparison(self, node: ex.Comparison) -> str:
        left, right = self.write(node.left), self.write(node.right)
        simple = (ex.ColumnRef, ex.Literal)
        if node.op in _INLINE and isinstance(node.left, simple) and isinstance(node.right, simple):
            checks = [f"{s} is not None" for s, n in ((left, node.left), (right, node.right)) if _may_be_null(n)]
            return "(" + " and ".join([*checks, f"{left} {_INLINE[node.op]} {right}"]) + ")"
        return self._call(evaluation.COMPARISONS[node.op], left, right)


def _may_be_null(node: ex.Expression) -> bool:
    return not isinstance(node, ex.Literal) or node.value is None


def _function(text: str, scope: dict[str, Any]) -> Evaluate:
    exec(f"def evaluate(r, t, w): return {text}", scope)  # noqa: S102 - the text comes from the writer above
    function: Evaluate = scope["evaluate"]
    return function


def compile_one(expression: ex.Expression, layout: Layout) -> Evaluate:
    """The value of ``expression``, None where it fails."""
    writer = _Writer(layout)
    fast = _function(writer.write(expression), writer.scope)
    if isinstance(expression, ex.ColumnRef | ex.Literal | ex.IsNull):
        return fast

    def guarded(r: tuple[Any, ...], t: int, w: Any) -> Any:
        try:
            return fast(r, t, w)
        except Exception:  # whatever a function raises: NULL, as in ksqlDB
            return None

    return guarded


def compile_row(expressions: Sequence[ex.Expression], layout: Layout) -> Evaluate:
    """The values of all ``expressions`` as a tuple; where one fails it alone is None."""
    writer = _Writer(layout)
    fast = _function("(" + "".join(writer.write(e) + ", " for e in expressions) + ")", writer.scope)
    if all(isinstance(e, ex.ColumnRef | ex.Literal) for e in expressions):
        return fast
    singles = [compile_one(e, layout) for e in expressions]

    def guarded(r: tuple[Any, ...], t: int, w: Any) -> Any:
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
