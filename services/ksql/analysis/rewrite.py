"""Walking and rebuilding AST expressions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from services.ksql.sql import ast


def children(node: ast.Expression) -> tuple[ast.Expression, ...]:  # noqa: PLR0911 - one arm per kind of node
    """The direct parts of an expression."""
    match node:
        case ast.Arithmetic() | ast.Comparison() | ast.Logical():
            return (node.left, node.right)
        case ast.Signed() | ast.Not() | ast.IsNull() | ast.Cast():
            return (node.operand,)
        case ast.Between():
            return (node.operand, node.low, node.high)
        case ast.In():
            return (node.operand, *node.options)
        case ast.Like():
            return (node.operand, node.pattern)
        case ast.Case():
            parts = [part for when in node.whens for part in (when.condition, when.result)]
            return tuple(part for part in (node.operand, *parts, node.default) if part is not None)
        case ast.Call():
            return node.arguments
        case _:
            return ()


def walk(node: ast.Expression) -> Iterator[ast.Expression]:
    """The expression and everything inside it, outermost first."""
    yield node
    for part in children(node):
        yield from walk(part)


def columns(node: ast.Expression) -> Iterator[ast.ColumnName]:
    return (part for part in walk(node) if isinstance(part, ast.ColumnName))


def rewrite(  # noqa: PLR0911 - one arm per kind of node
    node: ast.Expression, change: Callable[[ast.Expression], ast.Expression | None]
) -> ast.Expression:
    """A copy in which ``change`` has replaced what it wants; it is asked outermost first, None keeps a node."""
    changed = change(node)
    if changed is not None:
        return changed

    def go(part: ast.Expression) -> ast.Expression:
        return rewrite(part, change)

    match node:
        case ast.Arithmetic() | ast.Comparison() | ast.Logical():
            return replace(node, left=go(node.left), right=go(node.right))
        case ast.Signed() | ast.Not() | ast.IsNull() | ast.Cast():
            return replace(node, operand=go(node.operand))
        case ast.Between():
            return ast.Between(go(node.operand), go(node.low), go(node.high))
        case ast.In():
            return ast.In(go(node.operand), tuple(map(go, node.options)))
        case ast.Like():
            return ast.Like(go(node.operand), go(node.pattern), node.escape)
        case ast.Case():
            whens = tuple(ast.When(go(when.condition), go(when.result)) for when in node.whens)
            operand = None if node.operand is None else go(node.operand)
            return ast.Case(operand, whens, None if node.default is None else go(node.default))
        case ast.Call():
            return replace(node, arguments=tuple(map(go, node.arguments)))
        case _:
            return node
