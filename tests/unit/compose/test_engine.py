"""Where there is no Docker Engine, the tests of the containers say so."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.compose.engine import NoEngine, engine


def test_an_engine_that_was_named_and_does_not_answer_is_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    with pytest.raises(NoEngine, match="no Docker Engine answers at DOCKER_HOST=unix"), engine():
        pass


def test_without_an_engine_and_without_root_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(NoEngine, match="only root can start one: set DOCKER_HOST, or run as root"), engine():
        pass
