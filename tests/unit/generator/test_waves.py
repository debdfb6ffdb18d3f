from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from services.generator.profiles import Bursts
from services.generator.waves import Waves, natural_waves
from shared.events import Source

WEIGHTS = {Source.HOMEPAGE: 0.5, Source.INBOX: 0.2, Source.EXTERNAL: 0.3}
NATURAL = natural_waves(timedelta(seconds=30))


def pauses(waves: Waves, source: Source, until: float) -> list[float]:
    """Lengths of the finished pauses of ``source``."""
    found, since, t = [], None, 0.0
    while t < until:
        segment = waves.at(t)
        if source in segment.sources:
            if since is not None:
                found.append(t - since)
            since = None
        elif since is None:
            since = t
        t = segment.end
    return found


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("gap_s", [5, 30, 120])
def test_sources_pause_longer_than_the_session_gap_and_one_is_always_active(seed: int, gap_s: int) -> None:
    waves = Waves(WEIGHTS, np.random.default_rng(seed), natural_waves(timedelta(seconds=gap_s)))
    t, hour = 0.0, 3_600.0
    while t < hour:
        segment = waves.at(t)
        assert segment.sources
        t = segment.end

    for source in Source:
        lengths = pauses(waves, source, hour)
        assert len(lengths) > 5
        assert min(lengths) > gap_s + 3


def test_all_sources_are_active_at_the_start() -> None:
    assert set(Waves(WEIGHTS, np.random.default_rng(0), NATURAL).at(0.0).sources) == set(Source)


def test_the_shares_are_the_weights_of_the_active_sources() -> None:
    segment = Waves(WEIGHTS, np.random.default_rng(0), None).at(12_345.0)

    shares = dict(zip(segment.sources, np.diff(segment.cumulative, prepend=0.0), strict=True))
    assert shares == pytest.approx(WEIGHTS)
    assert segment.cumulative[-1] == 1.0


def test_a_lone_source_does_not_pause() -> None:
    waves = Waves({Source.INBOX: 1.0, Source.EXTERNAL: 0.0}, np.random.default_rng(0), NATURAL)

    assert waves.at(10_000.0).sources == (Source.INBOX,)


def test_bursts_may_leave_no_source_active_and_the_share_says_so() -> None:
    waves = Waves(WEIGHTS, np.random.default_rng(4), Bursts(kind="bursts", burst_s=10, pause_s=60).waves())
    shares, t = [], 0.0
    while t < 3_600:
        segment = waves.at(t)
        assert segment.share in (0.0, pytest.approx(sum(WEIGHTS[s] for s in segment.sources)))
        shares.append(segment.share)
        t = segment.end

    assert 0.0 in shares
    assert max(shares) <= 1.0
