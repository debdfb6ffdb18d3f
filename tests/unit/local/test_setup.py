from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from deploy.local import cache, java
from deploy.local.errors import SetupError
from deploy.local.progress import Progress
from deploy.local.setup import apt, commands, jars

FAKE_MAVEN = """#!/bin/sh
for word in "$@"; do case $word in -DoutputDirectory=*) out=${word#*=};; esac; done
echo "[INFO] Downloaded from somewhere: https://example.invalid/a/b.jar (1 kB at 1 kB/s)"
if [ -e "$FAKE_MAVEN_FAILS" ]; then rm "$FAKE_MAVEN_FAILS"; echo "no network"; exit 1; fi
mkdir -p "$out" && touch "$out/b.jar"
"""


@pytest.fixture
def progress() -> Progress:
    return Progress(Console(quiet=True))


@pytest.fixture
def break_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """A Maven that works; calling the fixture's value makes its next run fail."""
    program = tmp_path / "bin" / "mvn"
    program.parent.mkdir()
    program.write_text(FAKE_MAVEN)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("FAKE_MAVEN_FAILS", str(tmp_path / "fails"))
    monkeypatch.setattr(jars, "PAUSE_SECONDS", 0.01)
    return (tmp_path / "fails").touch


async def test_jars_are_fetched_once_into_a_folder_named_after_the_pom(
    break_once: Callable[[], None], progress: Progress
) -> None:
    assert set(jars.missing()) == set(cache.SERVERS)
    await jars.ensure(progress)
    assert jars.missing() == []
    assert (cache.jars("kafka") / "b.jar").exists()
    assert (cache.jars("connect") / "debezium-connector-mariadb" / "b.jar").exists()
    assert not list((cache.root() / "jars").glob("*.part*"))


async def test_a_download_that_fails_once_is_tried_again(break_once: Callable[[], None], progress: Progress) -> None:
    break_once()
    await jars.ensure(progress)
    assert jars.missing() == []


async def test_a_download_that_keeps_failing_names_server_and_log(
    break_once: Callable[[], None], progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jars, "ATTEMPTS", 1)
    monkeypatch.setattr(jars, "missing", lambda: ["kafka"])
    break_once()
    with pytest.raises(SetupError, match=r"fetching the jars of kafka: exit code 1 \(last: no network\)") as error:
        await jars.ensure(progress)
    assert error.value.log is not None
    assert "no network" in error.value.log.read_text()
    assert not cache.jars("kafka").exists()


async def test_missing_packages_without_apt_are_named(
    progress: Progress, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    need = apt.Need("Java 17", lambda: False, ("default-jre-headless",))
    monkeypatch.setattr(apt, "NEEDS", (need,))
    with pytest.raises(SetupError, match="missing: Java 17") as error:
        await apt.ensure(progress, tests=False)
    assert error.value.hint is not None
    assert "default-jre-headless" in error.value.hint


async def test_nothing_missing_does_nothing(progress: Progress, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apt, "NEEDS", (apt.Need("x", lambda: True, ("x",)),))
    monkeypatch.setattr(commands, "run", None)
    await apt.ensure(progress, tests=False)


def test_programs_that_only_tests_use_are_missed_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"chromium", "node", "prometheus", "promtool"}
    monkeypatch.setattr(apt, "NEEDS", ())
    monkeypatch.setattr(apt, "_on_path", there.__contains__)
    assert [need.packages for need in apt.missing(tests=True)] == [("npm",)]
    there.remove("node")
    assert [need.packages for need in apt.missing(tests=True)] == [("nodejs",), ("npm",)]
    assert apt.missing(tests=False) == []


def test_an_old_java_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for home, version in (("old", '"11.0.2"'), ("new", '"21.0.1"')):
        program = tmp_path / home / "bin" / "java"
        program.parent.mkdir(parents=True)
        program.write_text(f"#!/bin/sh\necho 'openjdk version {version} 2024-01-01' >&2\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "old" / "bin"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    assert java.find() is None
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "new"))
    assert java.find() == tmp_path / "new" / "bin" / "java"


def test_an_archive_belongs_to_one_java_and_one_set_of_jars(tmp_path: Path) -> None:
    one = tmp_path / "java"
    one.touch()
    assert cache.archive("kafka", one, "kafka") == cache.archive("kafka", one, "kafka")
    assert cache.archive("kafka", one, "kafka") != cache.archive("kafka", one, "pinot")
    before = cache.archive("kafka", one, "kafka")
    os.utime(one, (1, 1))
    assert cache.archive("kafka", one, "kafka") != before
