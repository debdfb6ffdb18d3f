"""``make compose`` against the real services of the local stack; only Docker itself is a fake that logs its arguments."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.patience import STEP_S, WORK_S
from tests.stack import Stack
from tests.unit.compose.files import FOLDER

pytestmark = pytest.mark.stack


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the script with what it needs, and a ``docker`` on the path."""
    for name in ("up.sh", "env.sh", "compose.sh", ".env.example"):
        shutil.copy(FOLDER / name, tmp_path / name)
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(f'#!/bin/sh\n[ "$2" = version ] || echo "$@" >> "{tmp_path}/arguments"\n')
    docker.chmod(0o755)
    return tmp_path


def run(folder: Path, urls: dict[str, str]) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "PAGEPULSE_RATE": "50",
        "PAGEPULSE_USERS": "20",
        **urls,
    }
    return subprocess.run(
        [folder / "up.sh"], env=environment, capture_output=True, text=True, timeout=WORK_S, check=False
    )


def test_it_starts_waits_seeds_provisions_and_generates_and_can_be_repeated(stack: Stack, folder: Path) -> None:
    urls = {f"{name.upper()}_URL": stack.url(name) for name in ("seeder", "provisioner", "generator")}
    try:
        for turn in (1, 2):
            done = run(folder, urls)
            assert done.returncode == 0, done.stderr
            assert (folder / "arguments").read_text().splitlines() == ["compose up --build --detach --wait"] * turn
            assert "/seeder/seed" not in done.stderr, "there are users, and they are not ours to replace"
        status = httpx.get(f"{stack.url('generator')}/generator/status", timeout=STEP_S).json()
        assert status["state"] == "running"
    finally:
        httpx.post(f"{stack.url('generator')}/generator/stop", timeout=STEP_S)


def test_it_ends_with_the_services_words_when_one_refuses(stack: Stack, folder: Path) -> None:
    urls = {"SEEDER_URL": stack.url("seeder"), "PROVISIONER_URL": stack.url("generator")}
    done = run(folder, urls)
    assert done.returncode == 1
    assert "404" in done.stderr
    assert "application/problem" in done.stderr or '"title"' in done.stderr
