"""What processes use, with and without their children."""

from __future__ import annotations

import os
import subprocess
import sys

from benchmarks.usage import Usage, of_process, total


def test_children_count_only_where_they_are_wanted() -> None:
    # It says when it is there, so that what is measured is not still the fork of this process.
    with subprocess.Popen(
        (sys.executable, "-c", "print(flush=True); input()"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        alone, both = of_process(os.getpid(), children=False), of_process(os.getpid())
        assert alone.rss_mib > 0
        assert both.rss_mib > alone.rss_mib
        assert both.files > alone.files
        child.communicate(b"\n")


def test_a_process_that_is_gone_uses_nothing() -> None:
    child = subprocess.Popen((sys.executable, "-c", ""))
    child.wait()
    assert of_process(child.pid) == Usage()
    assert total([Usage(1, 2, 3, 4), Usage(1, 2, 3, 4)]) == Usage(2, 4, 6, 8)
