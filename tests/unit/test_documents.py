"""What the pages tell to type exists; and the rules by which their examples are run (tests/documents.py)."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from deploy.local.cli import app
from tests.documents import PAGES, differences, enumerate_commands, examples, identity
from tests.stack import REPOSITORY

PAGE = """
# A page

```sh
curl localhost:8001/x -H 'a' \\
     -d '{"a": 1}'   # a comment
pagepulse status
```

```json
{"a": [1, "..."], "b": "..."}
```

<!-- not run: it forgets everything -->
```sh
make reset
```

| endpoint | what | `curl` |
|---|---|---|
| `GET /a` | a | `curl 'localhost:8001/a?b=c'` |
| `DELETE /a` | a | `curl -X DELETE localhost:8001/a` <!-- not run: gone --> |
"""


def test_the_examples_of_a_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tests.documents.REPOSITORY", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    found = examples(page)
    assert [(e.line, e.not_run) for e in found] == [
        (5, None),
        (7, None),
        (16, "it forgets everything"),
        (21, None),
        (22, "gone"),
    ]
    assert found[0].command.startswith("curl localhost:8001/x") and '{"a": 1}' in found[0].command
    assert found[0].answer is None and found[1].answer == {"a": [1, "..."], "b": "..."}
    assert found[3].command == "curl 'localhost:8001/a?b=c'"


def test_a_loop_is_one_command() -> None:
    assert enumerate_commands(["for x in 1; do", "echo 'a", "b'", "done"])[0][1].startswith("for x")


def test_an_answer_is_compared_by_its_shape() -> None:
    assert not differences({"a": [1, "..."], "b": "..."}, {"a": [1, 2, 3], "b": None, "c": 1})
    assert differences({"a": 1}, {"a": 2}) == ["answer.a is 2, not 1"]
    assert differences({"a": 1}, {}) == ["answer has no 'a'"]
    assert differences([1], [1, 2]) == ["answer has 2 elements"]
    assert differences({"a": True}, {"a": 1}) == ["answer.a is 1, not True"]


def test_the_id_of_an_answer() -> None:
    assert identity({"id": "x"}) == "x"
    assert identity({"job": {"id": "y"}, "users": 3}) == "y"
    assert identity([1]) is None


def words(page: Path) -> list[str]:
    """Everything on a page that is to be typed: its blocks, and what is set in back-ticks."""
    text = page.read_text()
    blocks = re.findall(r"```(?:sh|text)\n(.*?)```", text, re.DOTALL)
    return [*(line for block in blocks for line in block.splitlines()), *re.findall(r"`([^`\n]+)`", text)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    named = {name for line in words(page) for name in re.findall(r"(?:^|; |&& )make ([a-z-]+)", line)}
    assert named <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_pagepulse_command_and_option_exists(page: Path) -> None:
    for line in words(page):
        for call in re.findall(r"(?:^|; |&& |/)pagepulse ((?:[^;`#]|\s#)+)", line):
            command: click.Command = app
            for word in shlex.split(call.replace("[", " ").replace("]", " ")):
                if word.startswith("-"):
                    options = {o for p in command.params for o in (*p.opts, *p.secondary_opts)} | {"--help"}
                    assert word in options, f"{page.name}: pagepulse {call}: {command.name} has no option {word}"
                elif isinstance(command, click.Group):
                    assert word in command.commands, f"{page.name}: there is no pagepulse {call}"
                    command = command.commands[word]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_module_that_is_run_exists(page: Path) -> None:
    for line in words(page):
        for module in re.findall(r"python -m ((?:benchmarks|tests|services|deploy)[\w.]*)", line):
            path = REPOSITORY.joinpath(*module.split("."))
            assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), f"{page.name}: {module}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_example_that_is_not_run_says_why(page: Path) -> None:
    """Only what ends, empties or takes the whole machine is left out; the reason is on the page's source."""
    for example in examples(page):
        if example.not_run is None:
            first = re.sub(r"^\.venv/bin/", "", example.command).split()[0]
            assert first in {"curl", "pagepulse"}, (
                f"{example.where}: what is run is curl and pagepulse; say why this is not"
            )


def mapped() -> set[str]:
    """Folders in the first column of the map in docs/architecture.md."""
    text = (REPOSITORY / "docs/architecture.md").read_text().partition("\n## Map\n")[2].partition("\n- ")[0]
    return {
        name
        for line in text.splitlines()
        for name in re.findall(r"`([a-z/]+)`", line.split("|")[1:2][0] if "|" in line else "")
    }


def test_the_map_of_the_architecture_names_every_folder() -> None:
    names = mapped()
    assert all((REPOSITORY / name).is_dir() for name in names)
    tracked = {
        f"{area}/{path.name}"
        for area in ("services", "deploy", "tests")
        for path in (REPOSITORY / area).iterdir()
        # what Python compiles comes and goes while other tests run
        if path.is_dir() and any("__pycache__" not in file.parts for file in path.rglob("*.*"))
    }
    assert {name for name in names if name.count("/") == 1} - {"benchmarks/drills"} == tracked
    assert {name for name in names if "/" not in name} == {"shared", "benchmarks"}


def test_every_path_of_the_architecture_exists() -> None:
    text = (REPOSITORY / "docs/architecture.md").read_text()
    paths = re.findall(r"`((?:services|shared|deploy|tests|benchmarks)/[\w./]+)`", text)
    assert len(paths) > 20
    assert not [path for path in paths if not (REPOSITORY / path).exists()]


def test_the_layers_of_ksql_on_the_map_are_its_packages() -> None:
    text = (REPOSITORY / "docs/architecture.md").read_text()
    row = next(line for line in text.splitlines() if line.startswith("| `services/ksql`"))
    named = set(re.findall(r"`(\w+)`", row.split("|")[2]))
    assert named == {path.parent.name for path in (REPOSITORY / "services/ksql").glob("*/__init__.py")}
