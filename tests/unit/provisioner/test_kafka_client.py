from __future__ import annotations

from datetime import timedelta

import pytest

from services.provisioner.clients.kafka import KafkaClient
from shared.errors import Unavailable

#: the discard port: nothing listens there
_NOBODY = "127.0.0.1:9"


async def test_a_kept_connection_is_opened_anew_after_a_failure() -> None:
    second = timedelta(seconds=1)
    kafka = KafkaClient(_NOBODY, timeout=30 * second, patience=second, poll_interval=second)
    for _ in range(2):
        with pytest.raises(Unavailable, match=_NOBODY):
            await kafka.ping()
        with pytest.raises(Unavailable, match=_NOBODY):
            await kafka.end_offsets(["topic"])
    await kafka.aclose()
