from __future__ import annotations

import pytest

from shared.errors import Unavailable
from shared.kafka import admin_client, end_offsets

#: the discard port: nothing listens there
_NOBODY = "127.0.0.1:9"


async def test_without_a_broker_every_client_is_unavailable() -> None:
    with pytest.raises(Unavailable, match=_NOBODY):
        async with admin_client(_NOBODY):
            pytest.fail("opened")
    with pytest.raises(Unavailable, match=_NOBODY):
        await end_offsets(_NOBODY, ["topic"])
