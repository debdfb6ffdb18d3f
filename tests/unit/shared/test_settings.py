"""Settings that several services must agree on are one variable with one default."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError

from services.dashboard.settings import Settings as Dashboard
from services.generator.settings import Settings as Generator
from services.provisioner.settings import Settings as Provisioner


def test_the_session_gap_is_one_setting_of_three_services(monkeypatch: pytest.MonkeyPatch) -> None:
    services = (Dashboard, Generator, Provisioner)
    assert len({service().session_gap for service in services}) == 1

    monkeypatch.setenv("PAGEPULSE_SESSION_GAP", "PT45S")
    assert {service().session_gap for service in services} == {timedelta(seconds=45)}

    monkeypatch.setenv("PAGEPULSE_SESSION_GAP", "PT0.0001S")
    for service in services:
        with pytest.raises(ValidationError, match="whole milliseconds"):
            service()
