from __future__ import annotations

import pytest

from services.seeder.jobs import JobKind, WriteJob


def test_rate_and_time_to_go_follow_from_the_rows() -> None:
    job = WriteJob(kind=JobKind.SEED, total=300)
    assert (job.done, job.eta_s) == (0, None)

    job.done, job._ended_s = 100, job._began_s + 4

    assert job.rows_per_s == pytest.approx(25)
    assert job.eta_s == pytest.approx(8)
    job.state = "succeeded"
    assert job.eta_s is None
