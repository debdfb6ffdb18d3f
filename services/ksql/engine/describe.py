"""The operators of a query as text."""

from __future__ import annotations

from services.ksql.engine.operators.base import Node


def topology(end: Node) -> str:
    """One line for each operator, the sink first, inputs indented."""
    lines: list[str] = []

    def visit(node: Node, depth: int) -> None:
        lines.append(f"{'  ' * depth}> [ {node.name.upper().replace('-', '_')} ] | {node.describe()}")
        for source in node.inputs:
            visit(source, depth + 1)

    visit(end, 0)
    return "\n".join(lines)
