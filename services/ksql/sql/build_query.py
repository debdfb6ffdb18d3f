"""Parse trees of queries to AST."""

from __future__ import annotations

import re

from services.ksql.errors import ParseError
from services.ksql.model.schema import WindowType
from services.ksql.sql import ast
from services.ksql.sql.build_expressions import build_expression, build_interval
from services.ksql.sql.tokens import identifier_text
from services.ksql.sql.trees import Node, child, children, first_token, location, required, token, trees

_SOURCE_NAME = re.compile(r"[A-Za-z0-9_-]+")


def source_name(node: Node) -> str:
    """The name of a stream or table: an identifier of letters, digits, _ and - only."""
    name = identifier_text(first_token(node))
    if not _SOURCE_NAME.fullmatch(name):
        where = location(node)
        raise ParseError(
            f"Illegal argument at Line: {where.line}, Col: {where.column}. "
            f"Source names may only contain alphanumeric values, '_' or '-'. Got: '{name}'",
            statement=name,
        )
    return name


def build_query(node: Node) -> ast.Query:
    items = tuple(_select_item(tree) for tree in trees(node) if tree.data in ("star", "source_star", "single_column"))
    source, *joins = trees(required(node, "relation"))
    emit = child(node, "emit")
    limit = child(node, "limit")
    window = child(node, "window_clause")
    return ast.Query(
        select=items,
        source=_relation(source),
        joins=tuple(_join(tree) for tree in joins),
        window=_window(trees(window)[-1]) if window else None,
        where=_clause(node, "where"),
        group_by=_list_clause(node, "group_by"),
        partition_by=_list_clause(node, "partition_by"),
        having=_clause(node, "having"),
        emit=str(emit.children[-1]).upper() if emit else None,
        limit=int(token(limit, "INTEGER_VALUE")) if limit else None,
    )


def _clause(node: Node, name: str) -> ast.Expression | None:
    clause = child(node, name)
    return build_expression(trees(clause)[-1]) if clause else None


def _list_clause(node: Node, name: str) -> tuple[ast.Expression, ...]:
    clause = child(node, name)
    if clause is None:
        return ()
    group = child(clause, "group_list")
    return tuple(build_expression(tree) for tree in (trees(group) if group else trees(clause)))


def _select_item(node: Node) -> ast.SelectItem | ast.Star:
    if node.data == "star":
        return ast.Star(None, location(node))
    if node.data == "source_star":
        return ast.Star(source_name(trees(node)[0]), location(node))
    expression, *rest = trees(node)
    alias = next((identifier_text(first_token(tree)) for tree in rest if tree.data == "identifier"), None)
    return ast.SelectItem(build_expression(expression), alias, location(node))


def _relation(node: Node) -> ast.Relation:
    names = [source_name(tree) for tree in children(node, "identifier")]
    return ast.Relation(names[0], names[-1], location(node))


def _join(node: Node) -> ast.Join:
    kind = child(node, "inner", "left", "right", "full")
    within = child(node, "within_same", "within_two")
    return ast.Join(
        type=str(kind.data).upper() if kind else "INNER",
        right=_relation(required(node, "aliased")),
        criteria=build_expression(trees(node)[-1]),
        within=_within(within) if within else None,
    )


def _within(node: Node) -> ast.Within:
    intervals = [build_interval(tree) for tree in children(node, "interval")]
    return ast.Within(intervals[0], intervals[-1], _inner_interval(node, "grace"))


def _inner_interval(node: Node, name: str) -> ast.Interval | None:
    clause = child(node, name)
    return build_interval(trees(clause)[0]) if clause else None


def _window(node: Node) -> ast.Window:
    intervals = [build_interval(tree) for tree in children(node, "interval")]
    kind = WindowType(str(node.data).upper())
    return ast.Window(
        type=kind,
        size=intervals[0],
        advance=intervals[1] if kind is WindowType.HOPPING else None,
        retention=_inner_interval(node, "retention"),
        grace=_inner_interval(node, "grace"),
    )
