from __future__ import annotations

import pytest

from deploy.local import order
from deploy.local.component import Component
from deploy.local.errors import StackError


def component(name: str, *needs: str) -> Component:
    return Component(name=name, command=("true",), depends_on=needs)


def test_a_circle_is_refused_and_named() -> None:
    with pytest.raises(StackError, match=r"circle: .*a.*b|circle: .*b.*a"):
        order.check([component("a", "b"), component("b", "a")])


def test_a_missing_dependency_is_refused() -> None:
    with pytest.raises(StackError, match="a depends on b"):
        order.check([component("a", "b")])


def test_two_of_one_name_are_refused() -> None:
    with pytest.raises(StackError, match="two components are called a"):
        order.check([component("a"), component("a")])


def test_dependents_are_those_that_need_it() -> None:
    stack = [component("a"), component("b", "a"), component("c", "a", "b")]
    assert order.dependents(stack) == {"a": ["b", "c"], "b": ["c"], "c": []}


def test_selecting_brings_what_is_needed_and_keeps_the_order() -> None:
    stack = [
        component("kafka1"),
        component("kafka2"),
        component("mariadb"),
        component("connect", "kafka1", "kafka2"),
        component("ksql", "connect"),
    ]
    assert [c.name for c in order.select(stack, ["connect"])] == ["kafka1", "kafka2", "connect"]
    assert [c.name for c in order.select(stack, ["mariadb", "kafka"])] == ["kafka1", "kafka2", "mariadb"]


def test_selecting_an_unknown_one_names_the_known() -> None:
    with pytest.raises(StackError, match="no component 'x'") as error:
        order.select([component("a")], ["x"])
    assert error.value.hint == "there are: a"
