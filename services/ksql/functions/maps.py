"""Functions over maps, and those that make a map or a list of structs of something else."""

from __future__ import annotations

from typing import Any

from services.ksql.functions.definitions import scalar

_KIND = "MAP"


@scalar("AS_MAP", "ARRAY<STRING>, ARRAY<T> -> MAP<STRING, T>", category=_KIND)
def as_map(keys: list[Any], values: list[Any]) -> dict[Any, Any]:
    """A map of an array of keys and one of values; without a value for a key it has NULL."""
    return {key: values[i] if i < len(values) else None for i, key in enumerate(keys)}


@scalar("MAP_KEYS", "MAP<K, V> -> ARRAY<K>", category=_KIND)
def map_keys(map: dict[Any, Any]) -> list[Any]:  # noqa: A002 - the name that ksqlDB shows
    """The keys of a map."""
    return list(map)


@scalar("MAP_VALUES", "MAP<K, V> -> ARRAY<V>", category=_KIND)
def map_values(map: dict[Any, Any]) -> list[Any]:  # noqa: A002
    """The values of a map."""
    return list(map.values())


@scalar("MAP_UNION", "MAP<K, V>, MAP<K, V> -> MAP<K, V>", category=_KIND, nulls=True)
def map_union(map1: dict[Any, Any] | None, map2: dict[Any, Any] | None) -> dict[Any, Any] | None:
    """The entries of both maps; where both have a key, the second one's."""
    return None if map1 is None and map2 is None else {**(map1 or {}), **(map2 or {})}


@scalar("ENTRIES", "MAP<K, V>, BOOLEAN -> ARRAY<STRUCT<K K, V V>>", category=_KIND)
def entries(map: dict[Any, Any], sorted: bool) -> list[dict[str, Any]]:  # noqa: A002
    """The entries of a map as structs of K and V, on request in the order of their keys."""
    pairs = [{"K": key, "V": value} for key, value in map.items()]
    if sorted:
        pairs.sort(key=lambda pair: pair["K"])
    return pairs


@scalar("SPLIT_TO_MAP", "STRING, STRING, STRING -> MAP<STRING, STRING>", category="STRING")
def split_to_map(input: str, entryDelimiter: str, kvDelimiter: str) -> dict[str, str] | None:  # noqa: A002, N803
    """A text of entries, each a key and a value, as a map; anything else is left out."""
    if not entryDelimiter or not kvDelimiter:
        return None
    pairs = [entry.split(kvDelimiter) for entry in input.split(entryDelimiter)]
    found = [[part for part in pair if part] for pair in pairs]
    return {pair[0]: pair[1] for pair in found if len(pair) > 1}
