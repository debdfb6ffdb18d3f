"""``pagepulse ksql``: tests of KSQL statements, which need no server. The work is done by services/ksql/testing."""

from __future__ import annotations

import sys

import click


@click.group()
def ksql() -> None:
    """Test KSQL statements without a server."""


@ksql.command("test", context_settings={"ignore_unknown_options": True, "help_option_names": []}, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def run_tests(arguments: tuple[str, ...]) -> None:
    """Run .sql files with --@test directives, and statements with JSON files of inputs and outputs."""
    import subprocess

    # a process of its own, as for every service: the deployment imports none
    done = subprocess.run([sys.executable, "-m", "services.ksql.testing", *arguments], check=False)  # noqa: S603
    sys.exit(done.returncode)
