"""Dockerfiles as a list of instructions, one list per stage."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction with its continued lines joined: ``Instruction("COPY", "shared shared")``."""

    keyword: str
    rest: str


def stages(dockerfile: Path) -> dict[str, list[Instruction]]:
    """Stage name (or base image) to its instructions without ``FROM``; what is before the first stage is under ``""``."""
    found: dict[str, list[Instruction]] = {"": []}
    current = found[""]
    for instruction in _instructions(dockerfile.read_text()):
        if instruction.keyword == "FROM":
            base, _, name = instruction.rest.partition(" AS ")
            current = found.setdefault(name or base, [])
        else:
            current.append(instruction)
    return found


def command(instruction: Instruction) -> list[str]:
    """The words of a CMD or HEALTHCHECK in exec form, the only one that passes signals on."""
    return [str(word) for word in json.loads(instruction.rest[instruction.rest.index("[") :])]


def variables(rest: str) -> dict[str, str]:
    """The pairs of an ARG or ENV; an ARG without a value is an empty text."""
    return {name: value for word in rest.split() for name, _, value in [word.partition("=")]}


def expand(text: str, known: dict[str, str]) -> str:
    """``text`` with ``$NAME`` and ``${NAME}`` replaced as the builder does."""
    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda match: known.get(match[1] or match[2], ""), text)


def _instructions(text: str) -> list[Instruction]:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ").splitlines()
    return [Instruction(*re.split(r"\s+", line.strip(), maxsplit=1)) for line in joined]
