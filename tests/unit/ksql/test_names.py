"""One name is one idea: no two classes of the engine's packages share a name."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import services.ksql


def test_no_two_classes_share_a_name() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    folder = Path(services.ksql.__path__[0])
    for file in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(file.relative_to(folder)))
    assert len(places) > 100
    assert {name: files for name, files in places.items() if len(files) > 1} == {}
