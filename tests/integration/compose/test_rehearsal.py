"""Each image's steps, carried out in an empty folder: every service runs with its own code and packages and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.compose.rehearsal import Rehearsal
from tests.unit.compose.files import own, services

#: imports every module of a service but the one that starts it and the plugin of pytest, which is in no image, and prints what was
#: imported from where
_IMPORT_ALL = """
import importlib, pkgutil, sys
package = importlib.import_module(f"services.{sys.argv[1]}")
for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
    if not module.name.endswith(("__main__", ".pytest_plugin", ".compile_grammar")):
        importlib.import_module(module.name)
print(*{str(module.__file__) for module in sys.modules.values() if getattr(module, "__file__", None)}, sep="\\n")
"""
_NAMES = "from importlib.metadata import distributions; print(*{d.name.lower() for d in distributions()})"
#: what only one service has any use for
_ONLY = {"streamlit": "dashboard", "faker": "generator", "aiomysql": "seeder", "hypercorn": "ksql"}


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("images") / "layer"


@pytest.mark.parametrize("name", own())
def test_a_service_runs_alone_with_its_own_packages(name: str, tmp_path: Path, layer: Path) -> None:
    image = Rehearsal(tmp_path / "image", services()[name]["build"]["args"], layer)
    image.build()

    assert {path.name for path in (image.root / "app" / "services").iterdir()} == {"__init__.py", name}
    installed = set(image.python(_NAMES).split())
    for package, user in _ONLY.items():
        assert (package in installed) == (name == user), package
    assert not installed & {"pytest", "mypy", "ruff", "uv", "pagepulse"}

    own_code, packages = str(image.root / "app"), str(image.root / "venv")
    files = image.python(_IMPORT_ALL, name).splitlines()
    assert any(file.startswith(f"{own_code}/services/{name}/") for file in files)
    elsewhere = [file for file in files if not file.startswith((own_code, packages))]
    assert not [file for file in elsewhere if "site-packages" in file or "dist-packages" in file]

    with image.started():  # which raises if the health check is never content
        pass
