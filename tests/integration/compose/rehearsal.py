"""Builds a service's image without a container engine: the Dockerfile's own steps, carried out in an empty folder.

``python -m tests.integration.compose.rehearsal generator`` shows it. A folder is no container: the operating system below it is this
machine's, the user stays the same, and the one step that makes a user is left out. Everything else is what the builder would
do: the same commands, the same packages with the same hashes, the same files, the same command at the end.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from tests.patience import STEP_S, WORK_S
from tests.ports import free_port
from tests.unit.compose.dockerfile import Instruction, command, expand, stages, variables
from tests.unit.compose.files import FOLDER, REPOSITORY, own, services

#: the absolute paths that the Dockerfile uses; here they lie below the folder
_PATHS = re.compile(r"(?<![\w./-])/(?=(?:build|uv|venv|app)\b)")
_STEP_WITHIN_S = WORK_S
_POLL_S = 0.1


@dataclass
class Rehearsal:
    """An image as a folder. ``arguments`` are the build's, as in compose.yaml. ``layer``: a folder that keeps what the steps before the
    first ARG leave, which are the same for every service; an engine keeps them too."""

    root: Path
    arguments: dict[str, str]
    layer: Path | None = None
    environment: dict[str, str] = field(default_factory=dict)
    folder: Path = field(init=False)
    healthcheck: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        base = self.root / "base"
        base.mkdir(parents=True)
        (base / "python").symlink_to(Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}")
        self.folder = self.root

    def build(self) -> None:
        """Carries out every stage in turn. Raises CalledProcessError if a step fails."""
        for name, instructions in stages(FOLDER / "Dockerfile").items():
            self.environment = {"PATH": f"{self.root / 'base'}:/usr/bin:/bin"}
            if name:
                at = next((n for n, one in enumerate(instructions) if one.keyword == "ARG"), len(instructions))
                self._common(instructions[:at])
                self._own(instructions[at:])

    def _common(self, instructions: Sequence[Instruction]) -> None:
        """Steps that depend on no argument; those that run a command only if no image before this one has run them."""
        if not any(one.keyword == "RUN" for one in instructions):
            return self._own(instructions)
        kept = self.layer is not None and self.layer.exists()
        for instruction in instructions:
            if not kept or instruction.keyword in ("ENV", "WORKDIR"):
                self._carry_out(instruction, {})
        if self.layer is not None:
            source, target = (self.layer, self.root) if kept else (self.root, self.layer)
            shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("base"), dirs_exist_ok=kept)
        return None

    def _own(self, instructions: Sequence[Instruction]) -> None:
        known: dict[str, str] = {}
        for instruction in instructions:
            if instruction.keyword == "ARG":
                known |= {key: self.arguments.get(key, value) for key, value in variables(instruction.rest).items()}
            else:
                self._carry_out(instruction, known)

    def _carry_out(self, instruction: Instruction, arguments: dict[str, str]) -> None:
        keyword, known = instruction.keyword, arguments | self.environment
        match keyword:
            case "ENV":
                self.environment |= variables(self._here(expand(instruction.rest, known)))
            case "WORKDIR":
                self.folder = Path(self._here(instruction.rest))
                self.folder.mkdir()
            case "COPY":
                self._copy(expand(instruction.rest, known).split())
            case "RUN" if instruction.rest.startswith("useradd"):
                self.left_out.append(instruction.rest)
            case "RUN":
                self._run(re.sub(r"^(--mount=\S+\s+)+", "", instruction.rest), known)
            case "USER":
                self.left_out.append(f"USER {instruction.rest}")
            case "HEALTHCHECK":
                self.healthcheck = command(instruction)
            case "CMD":
                self.command = command(instruction)
            case _:
                raise ValueError(f"the rehearsal does not know {keyword}")

    def _here(self, text: str) -> str:
        return _PATHS.sub(f"{self.root}/", text)

    def _copy(self, words: list[str]) -> None:
        *sources, target = words
        if sources[0].startswith("--from="):
            # Both stages lie in the one folder, so what is copied to its own place is there.
            assert sources[1] == target
            return
        into = self.folder / target
        for source in (REPOSITORY / source for source in sources):
            if source.is_dir():
                shutil.copytree(source, into, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                into.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, into)

    def _run(self, step: str, known: dict[str, str]) -> None:
        """With the caller's environment below, so that its package index, certificates and cache serve."""
        caller = {key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "PYTHONPATH")}
        done = subprocess.run(
            ["sh", "-ec", self._here(step)],
            cwd=self.folder,
            env={**caller, **known},
            capture_output=True,
            text=True,
            timeout=_STEP_WITHIN_S,
            check=False,
        )
        assert done.returncode == 0, f"{step}\n{done.stdout}\n{done.stderr}"

    @contextmanager
    def started(self, within_s: float = STEP_S) -> Iterator[float]:
        """The image's command with the image's environment, on a free loopback port; gives the seconds until it was healthy.

        Raises:
            RuntimeError: it ended, or its health check was not content in time; the message is its log.
        """
        environment = {**self.environment, "PAGEPULSE_HOST": "127.0.0.1", "PAGEPULSE_PORT": str(free_port())}
        begun, log = monotonic(), self.root / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(self.command, cwd=self.folder, env=environment, stdout=output, stderr=output)
            try:
                while not self._healthy(environment):
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(_POLL_S)
                    if process.returncode is not None or monotonic() - begun > within_s:
                        raise RuntimeError(f"{self.command}: {process.returncode}\n{log.read_text()[-4000:]}")
                yield monotonic() - begun
            finally:
                process.terminate()
                process.wait(timeout=STEP_S)

    def _healthy(self, environment: dict[str, str]) -> bool:
        check = subprocess.run(
            self.healthcheck, cwd=self.folder, env=environment, capture_output=True, timeout=STEP_S, check=False
        )
        return check.returncode == 0

    def python(self, code: str, *arguments: str) -> str:
        """What ``code`` prints, run by the image's Python in the image's folder."""
        done = subprocess.run(
            ["python", "-c", code, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=STEP_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def main(names: list[str]) -> None:
    """Logs the outcome of each service."""
    for name in names or own():
        with tempfile.TemporaryDirectory(prefix=f"{name}-") as folder:
            begun = monotonic()
            image = Rehearsal(Path(folder) / "image", services()[name]["build"]["args"])
            image.build()
            built = monotonic() - begun
            packages = image.python("from importlib.metadata import distributions; print(len(list(distributions())))")
            with image.started() as healthy:
                print(
                    f"{name}: built in {built:.1f} s with {packages.strip()} packages, "
                    f"healthy {healthy:.1f} s after {' '.join(image.command)}; left out: {', '.join(image.left_out)}"
                )


if __name__ == "__main__":
    main(sys.argv[1:])
