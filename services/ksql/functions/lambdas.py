"""Functions that take a lambda: TRANSFORM, FILTER and REDUCE."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from services.ksql.functions.definitions import scalar

_KIND = "LAMBDA"

Function = Callable[..., Any]


@scalar("TRANSFORM", "ARRAY<T>, (T) => U -> ARRAY<U>", category=_KIND)
def transform(array: list[Any], function: Function) -> list[Any]:
    """The results of a lambda over the elements of an array, or the keys and values of a map."""
    return [function(item) for item in array]


@scalar("TRANSFORM", "MAP<K, V>, (K, V) => A, (K, V) => B -> MAP<A, B>", category=_KIND)
def transform_map(map: dict[Any, Any], function1: Function, function2: Function) -> dict[Any, Any]:  # noqa: A002
    """The results of two lambdas over the entries of a map: one gives the keys, the other the values."""
    made: dict[Any, Any] = {}
    for key, value in map.items():
        name = function1(key, value)
        if name in made:
            raise ValueError(f"Duplicate key {name}")
        made[name] = function2(key, value)
    return made


@scalar("FILTER", "ARRAY<T>, (T) => BOOLEAN -> ARRAY<T>", category=_KIND)
def filter_array(array: list[Any], function: Function) -> list[Any]:
    """The elements of an array, or the entries of a map, for which a lambda is true."""
    return [item for item in array if function(item)]


@scalar("FILTER", "MAP<K, V>, (K, V) => BOOLEAN -> MAP<K, V>", category=_KIND)
def filter_map(map: dict[Any, Any], function: Function) -> dict[Any, Any]:  # noqa: A002
    """The entries of a map for which a lambda is true."""
    return {key: value for key, value in map.items() if function(key, value)}


@scalar("REDUCE", "ARRAY<T>, S, (S, T) => S -> S", category=_KIND, nulls=True)
def reduce_array(array: list[Any] | None, state: Any, function: Function) -> Any:
    """One value of all elements: a lambda makes the next state of the state and an element."""
    if state is None:
        return None
    for item in array or ():
        state = function(state, item)
    return state


@scalar("REDUCE", "MAP<K, V>, S, (S, K, V) => S -> S", category=_KIND, nulls=True)
def reduce_map(map: dict[Any, Any] | None, state: Any, function: Function) -> Any:  # noqa: A002
    """One value of all entries of a map."""
    if state is None:
        return None
    for key, value in (map or {}).items():
        state = function(state, key, value)
    return state
