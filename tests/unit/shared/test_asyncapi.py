"""docs/asyncapi.yaml: fresh, valid by AsyncAPI's own schema, and changed only in ways that no reader notices."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml  # type: ignore[import-untyped]

from shared import asyncapi, topics
from shared.events import Device, PageView, Source, UserSession
from shared.json import loads

OFFICIAL = Path(__file__).parents[2] / "data" / "asyncapi-3.0.0" / "schema.json.gz"


@pytest.fixture(scope="module")
def official() -> jsonschema_rs.Draft7Validator:
    return jsonschema_rs.Draft7Validator(loads(gzip.decompress(OFFICIAL.read_bytes())))


def test_the_committed_document_is_what_the_events_give() -> None:
    text = asyncapi.DOCUMENT.read_text()

    assert asyncapi.breaks(yaml.safe_load(text), asyncapi.document()) == []
    assert text == asyncapi.render(asyncapi.document()), "run `python -m shared.asyncapi`"


def test_it_is_valid_by_the_official_schema(official: jsonschema_rs.Draft7Validator) -> None:
    assert [error.message for error in official.iter_errors(asyncapi.document())] == []


def test_the_official_schema_refuses_a_wrong_document(official: jsonschema_rs.Draft7Validator) -> None:
    wrong = asyncapi.document()
    wrong["operations"]["sendPageView"]["action"] = "publish"

    assert not official.is_valid(wrong)


@pytest.mark.parametrize(
    ("topic", "event"),
    [
        (topics.PAGE_VIEW, PageView("s", 1, Source.INBOX, 1_760_000_000_000)),
        (topics.PAGE_VIEW, PageView("s", -1, Source.EXTERNAL, 1_760_000_000_000, "/a", "b.example", "c", "d", "e")),
        (topics.USER_SESSION, UserSession("s", 1, "Ann", 1_760_000_000_000, Device.TABLET)),
    ],
)
def test_what_events_write_is_valid(topic: str, event: PageView | UserSession) -> None:
    jsonschema_rs.validate(asyncapi.payloads()[topic], loads(event.value()))


@pytest.mark.parametrize(
    "wrong",
    [{"user_id": 2**31}, {"user_id": "1"}, {"source": "Mail"}, {"event_timestamp": -1}, {"page": None}, {"page": 1}],
)
def test_what_is_no_page_view_is_not_valid(wrong: dict[str, Any]) -> None:
    event = loads(PageView("s", 1, Source.INBOX, 1).value()) | wrong

    assert not jsonschema_rs.is_valid(asyncapi.payloads()[topics.PAGE_VIEW], event)


def _page_view(made: dict[str, Any]) -> dict[str, Any]:
    payload: dict[str, Any] = made["components"]["messages"]["PageView"]["payload"]
    return payload


def _drop_optional(made: dict[str, Any]) -> None:
    del _page_view(made)["properties"]["utm_source"]


def _change_type(made: dict[str, Any]) -> None:
    _page_view(made)["properties"]["user_id"] = {"type": "string"}


def _widen(made: dict[str, Any]) -> None:
    _page_view(made)["properties"]["user_id"]["maximum"] = 2**63 - 1


def _new_source(made: dict[str, Any]) -> None:
    _page_view(made)["properties"]["source"]["enum"].append("Advert")


def _require(made: dict[str, Any]) -> None:
    _page_view(made)["required"].append("page")


def _relax(made: dict[str, Any]) -> None:
    _page_view(made)["required"].remove("source")


def _require_new(made: dict[str, Any]) -> None:
    _page_view(made)["properties"]["city"] = {"type": "string"}
    _page_view(made)["required"].append("city")


def _close(made: dict[str, Any]) -> None:
    _page_view(made)["additionalProperties"] = False


def _drop_header(made: dict[str, Any]) -> None:
    del made["components"]["messages"]["Rejected"]["headers"]["properties"]["truncated"]


def _drop_message(made: dict[str, Any]) -> None:
    del made["components"]["messages"]["User"]


def _change_key(made: dict[str, Any]) -> None:
    made["components"]["messages"]["User"]["bindings"]["kafka"]["key"]["format"] = "int64"


def _drop_topic(made: dict[str, Any]) -> None:
    del made["channels"][topics.USERS]


def _add_message(made: dict[str, Any]) -> None:
    made["components"]["messages"]["Other"] = {"name": "Other", "payload": {}, "bindings": {}}
    made["channels"][topics.USERS]["messages"]["Other"] = {"$ref": "#/components/messages/Other"}


BREAKING = [
    (_add_message, f"{topics.USERS}: the channel is changed"),
    (_drop_optional, "PageView.utm_source: the field is removed"),
    (_change_type, "PageView.user_id: the type is changed"),
    (_widen, "PageView.user_id: the type is changed"),
    (_new_source, "PageView.source: the type is changed"),
    (_require, "PageView.page: it was optional and is required"),
    (_relax, "PageView.source: it was required and is optional"),
    (_require_new, "PageView.city: a new field must be optional"),
    (_close, "PageView.value: the type is changed"),
    (_drop_header, "Rejected.truncated: the field is removed"),
    (_drop_message, "User: the message is removed"),
    (_change_key, "User: the key is changed"),
    (_drop_topic, "topic3_Users: the topic is removed"),
]


@pytest.mark.parametrize(("change", "words"), BREAKING, ids=[change.__name__ for change, _ in BREAKING])
def test_a_change_that_breaks_readers_is_refused(change: Callable[[dict[str, Any]], None], words: str) -> None:
    changed = deepcopy(asyncapi.document())
    change(changed)
    found = asyncapi.breaks(asyncapi.document(), changed)
    changed["info"]["version"] = "2.0.0"

    assert len(found) == 1
    assert found[0].startswith(words)
    assert asyncapi.breaks(asyncapi.document(), changed) == []


def test_a_new_optional_field_and_another_description_are_compatible() -> None:
    changed = deepcopy(asyncapi.document())
    _page_view(changed)["properties"]["city"] = {"type": "string"}
    _page_view(changed)["properties"]["page"]["description"] = "The path"
    changed["channels"]["topic10"] = {"address": "topic10"}

    assert asyncapi.breaks(asyncapi.document(), changed) == []


def test_the_command_writes_nothing_that_breaks_readers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = asyncapi.document()
    _page_view(before)["properties"]["city"] = {"type": "string"}
    monkeypatch.setattr(asyncapi, "DOCUMENT", tmp_path / "asyncapi.yaml")
    asyncapi.DOCUMENT.write_text(asyncapi.render(before))

    assert asyncapi.main() == 1
    assert asyncapi.DOCUMENT.read_text() == asyncapi.render(before)
    assert "PageView.city: the field is removed" in capsys.readouterr().err

    asyncapi.DOCUMENT.unlink()
    assert asyncapi.main() == 0
    assert asyncapi.DOCUMENT.read_text() == asyncapi.render(asyncapi.document())
