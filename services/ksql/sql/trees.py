"""Small helpers to read lark's trees."""

from __future__ import annotations

from lark import Token, Tree

from services.ksql.sql.ast import NOWHERE, Location
from services.ksql.sql.tokens import identifier_text

Node = Tree[Token]


def trees(node: Node) -> list[Node]:
    """The children that are trees, in order."""
    return [child for child in node.children if isinstance(child, Tree)]


def child(node: Node, *names: str) -> Node | None:
    """The first child tree with one of these names."""
    return next((tree for tree in trees(node) if tree.data in names), None)


def required(node: Node, *names: str) -> Node:
    """As ``child``, where the grammar makes sure that there is one."""
    found = child(node, *names)
    if found is None:
        raise ValueError(f"{node.data} has no {' or '.join(names)}")
    return found


def children(node: Node, name: str) -> list[Node]:
    return [tree for tree in trees(node) if tree.data == name]


def has(node: Node, token_type: str) -> bool:
    return any(isinstance(item, Token) and item.type == token_type for item in node.children)


def token(node: Node, token_type: str) -> Token:
    return next(item for item in node.children if isinstance(item, Token) and item.type == token_type)


def identifiers(node: Node) -> list[str]:
    """The names among the direct children."""
    return [identifier_text(first_token(tree)) for tree in children(node, "identifier")]


def first_token(node: Node) -> Token:
    for item in node.children:
        if isinstance(item, Token):
            return item
        if isinstance(item, Tree):
            return first_token(item)
    raise ValueError(f"{node.data} holds no token")


def location(node: Node) -> Location:
    try:
        first = first_token(node)
    except ValueError:
        return NOWHERE
    return Location(first.line or 0, first.column or 0)
