"""Keys and the SELECT: every key column has to be selected, once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.ksql.errors import KsqlError
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

    ``chosen`` is the one of them that the step's name stands for.
    """

    name: str
    expressions: tuple[ast.Expression, ...]
    chosen: ast.Expression


@dataclass(frozen=True, slots=True)
class KeyRule:
    """How a query's key must appear in its SELECT.

    ``what`` is ksqlDB's word for it ("key column", "grouping expression" ...). ``all_required`` is False for joins, where one
    of several equal columns is enough; ``synthetic`` marks a key that no source column gives.
    """

    what: str
    keys: tuple[KeyColumn, ...]
    all_required: bool = True
    synthetic: bool = False
    qualified: bool = False

    def missing(self, sink: str) -> KsqlError:
        """The error for a SELECT without the key."""
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
